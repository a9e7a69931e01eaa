//! A hit allocates nothing: neither the look into the RAM tier, nor a connection that serves hits from the first octet
//! of a request to the last of its response.

// A global allocator is the only place where every allocation can be seen.
#![allow(unsafe_code)]

mod at_once;

use at_once::{Connection, shared};
use lastmile_edge::ram::{RamTier, Stored};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations of this thread: the test harness has others. Has no destructor, so it outlives every allocation.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is passed on to `System` as it is, so its guarantees are those of `System`. Counting touches a
// thread-local without destructor or lazy initialisation, which neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller upholds the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `pointer` came from `System` through this allocator, with this layout; the caller vouches for both.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Content;

impl Stored for Content {}

#[test]
fn a_lookup_allocates_nothing() {
    let tier = RamTier::new(64 << 20);
    let insert = |number: u32| {
        let key = number.to_le_bytes();
        assert!(tier.insert(tier.hash(&key), &key, Content, &[&[1; 1000]], |_| true).is_ok());
    };
    (0..1000).for_each(insert);
    let look_up = |number: u32| {
        let key = number.to_le_bytes();
        tier.lookup(tier.hash(&key), &key, |content| Some(content.clone())).is_some()
    };
    assert!(look_up(0), "the first look of a thread registers it");
    let before = ALLOCATIONS.get();
    assert!(before > 0, "allocations are seen");
    for number in 0..2000 {
        assert_eq!(look_up(number), number < 1000, "as many misses as hits");
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// Requests before buffers have their size and the thread is known to the RAM tier; the first of them is the miss.
const WARMING: usize = 10;
const HITS: usize = 100;

/// A response with content of so many octets.
fn response(fields: &str, octets: usize) -> &'static [u8] {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nCache-Control: max-age=60\r\n\
         {fields}Content-Length: {octets}\r\n\r\n"
    );
    [head.as_bytes(), &vec![b'x'; octets]].concat().leak()
}

/// A request of a browser.
fn request(method: &str, fields: &str) -> &'static [u8] {
    let text = format!(
        "{method} /img/logo.svg?v=3 HTTP/1.1\r\nHost: www.customer.test\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept-Encoding: gzip, deflate, br\r\n{fields}\r\n"
    );
    text.into_bytes().leak()
}

/// What it is, the request and what is stored for it; how the answer starts and ends.
type Row<'a> = (&'a str, &'a [u8], &'a [u8], &'a str, &'a str);

#[test]
fn a_connection_that_serves_hits_allocates_nothing() {
    let get = request("GET", "");
    let pipelined: &[u8] = get.repeat(16).leak();
    let small = response("ETag: \"tag\"\r\n", 1000);
    let rows: [Row<'_>; 10] = [
        ("1 KB", get, small, "HTTP/1.1 200 OK\r\n", "xxx"),
        ("16 KB", get, response("", 16 << 10), "HTTP/1.1 200 OK\r\n", "xxx"),
        ("no content", get, response("", 0), "HTTP/1.1 200 OK\r\n", "\r\n\r\n"),
        ("16 at once", pipelined, small, "HTTP/1.1 200 OK\r\n", "xxx"),
        ("HEAD", request("HEAD", ""), small, "HTTP/1.1 200 OK\r\n", "\r\n\r\n"),
        (
            "a condition",
            request("GET", "If-None-Match: \"tag\"\r\n"),
            small,
            "HTTP/1.1 304 Not Modified\r\n",
            "\r\n\r\n",
        ),
        (
            "a range",
            request("GET", "Range: bytes=100-199\r\n"),
            small,
            "HTTP/1.1 206 Partial Content\r\n",
            "xxx",
        ),
        (
            "a variant",
            get,
            response("Vary: Accept-Encoding\r\n", 1000),
            "HTTP/1.1 200 OK\r\n",
            "xxx",
        ),
        (
            "directives",
            request("GET", "Cache-Control: max-age=30, min-fresh=5\r\n"),
            small,
            "HTTP/1.1 200 OK\r\n",
            "xxx",
        ),
        (
            "HTTP/1.0",
            b"GET /img/logo.svg?v=3 HTTP/1.0\r\nHost: www.customer.test\r\nConnection: keep-alive\r\n\r\n",
            small,
            "HTTP/1.1 200 OK\r\n",
            "xxx",
        ),
    ];
    for (what, request, response, start, end) in rows {
        let shared = shared(1, 1 << 20);
        let mut connection = Connection::open(&shared, 0, response);
        connection.ask(vec![get].leak(), 1);
        connection.ask(vec![request].leak(), WARMING - 1);
        let answer = connection.answer(request);
        assert!(answer.starts_with(start.as_bytes()), "{what}: {}", answer.escape_ascii());
        assert!(answer.ends_with(end.as_bytes()), "{what}: the whole response");

        let requests: &[&[u8]] = vec![request].leak();
        let before = ALLOCATIONS.get();
        connection.ask(requests, HITS / 2);
        // The client has been idle in between.
        connection.ask(requests, HITS / 2);
        let allocations = ALLOCATIONS.get() - before;

        let samples = shared.samples();
        let value = |name: &str| samples.iter().find(|sample| sample.0 == name).map(|s| s.2);
        assert_eq!(value("misses_total"), Some(1), "{what}");
        let each = if what == "16 at once" { 16 } else { 1 };
        assert_eq!(value("hits_total"), Some((each * (WARMING + HITS)) as u64), "{what}");
        assert_eq!(allocations, 0, "{what}: allocations of {HITS} hits");
    }
}
