//! What a cache hit does with the octets of its request allocates nothing, once the buffers that it reuses are warm.

// A global allocator is the only place where every allocation can be seen.
#![allow(unsafe_code)]

use lastmile_http::cache::directives::{request_directives, response_directives};
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::key::{KeyRules, write_key};
use lastmile_http::cache::reuse::{Reuse, reuse};
use lastmile_http::cache::status::{CacheStatus, write_cache_status};
use lastmile_http::cache::vary::{selection, selects};
use lastmile_http::framing::{Framing, request_framing};
use lastmile_http::head::{
    FieldSpan, HeadLimits, Parsed, parse_fields, parse_request, parse_response,
};
use lastmile_http::persistence::request_wants_persistence;
use lastmile_http::precondition::{Precondition, evaluate, is_conditional};
use lastmile_http::range::{RangeOutcome, evaluate_range};
use lastmile_http::target::effective_target;
use lastmile_http::time::UnixTime;
use lastmile_http::validator::Validators;
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

/// Sun, 06 Nov 1994 08:49:37 GMT
const DATE: UnixTime = UnixTime::from_seconds(784_111_777);
const NOW: UnixTime = UnixTime::from_seconds(784_111_777 + 30);

const REQUEST: &[u8] = b"GET /img/logo.svg?v=3 HTTP/1.1\r\n\
    Host: Www.Customer.Test:80\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: image/avif,image/webp,*/*;q=0.8\r\n\
    Accept-Language: de, en;q=0.7\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Cache-Control: max-age=600, min-fresh=5\r\n\
    If-None-Match: \"other\", W/\"and another\"\r\n\
    If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT\r\n\
    Range: bytes=0-99\r\n\
    If-Range: \"the tag\"\r\n\
    Connection: keep-alive\r\n\
    \r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Cache-Control: public, max-age=60\r\n\
    Vary: Accept-Encoding, Accept-Language, Cookie\r\n\
    ETag: \"the tag\"\r\n\
    Last-Modified: Sun, 06 Nov 1994 07:00:00 GMT\r\n\
    Content-Length: 1000\r\n\
    \r\n";

/// What is reused from one request to the next.
#[derive(Default)]
struct Scratch {
    spans: Vec<FieldSpan>,
    key: Vec<u8>,
    out: Vec<u8>,
}

struct Stored {
    policy: StoredPolicy,
    selection: Vec<u8>,
}

fn stored() -> Stored {
    let (mut spans, mut request_spans) = (Vec::new(), Vec::new());
    let limits = HeadLimits::default();
    let Ok(Parsed::Complete { head, .. }) = parse_response(RESPONSE, &mut spans, &limits) else {
        panic!("the response is complete");
    };
    let directives = response_directives(head.fields);
    let mut chosen = Vec::new();
    let request = b"accept-language: de,en;q=0.7\r\naccept-encoding: GZIP, deflate,br\r\n";
    let request = parse_fields(request, &mut request_spans).expect("the fields are sound");
    selection(&KeyRules::default(), head.fields, request, &mut chosen)
        .expect("there is no `Vary: *`");
    Stored { policy: StoredPolicy::new(&head, &directives, DATE, DATE), selection: chosen }
}

/// All that is done with the octets of a request for a stored response.
fn hit(scratch: &mut Scratch, stored: &Stored) {
    let limits = HeadLimits::default();
    let parsed = parse_request(REQUEST, &mut scratch.spans, &limits);
    let Ok(Parsed::Complete { head, length }) = parsed else { panic!("the request is complete") };
    assert_eq!(length, REQUEST.len());
    let target = effective_target(&head).expect("there is one Host");
    assert_eq!(request_framing(&head), Ok(Framing::None));
    assert!(request_wants_persistence(head.version, head.fields));
    scratch.key.clear();
    let rules = KeyRules::default();
    write_key(&rules, target.authority, target.path_and_query, &mut scratch.key);
    assert_eq!(scratch.key, b"www.customer.test/img/logo.svg?v=3");
    let directives = request_directives(head.fields);
    assert!(selects(&stored.selection, head.fields));
    let Reuse::Fresh { age, ttl } = reuse(&stored.policy, &directives, NOW) else {
        panic!("the stored response is fresh");
    };
    assert_eq!((age.0, ttl), (30, 30));
    let etag = Some(b"\"the tag\"".as_slice());
    let modified = Some(b"Sun, 06 Nov 1994 07:00:00 GMT".as_slice());
    let validators = Validators { etag, last_modified: modified, date: DATE };
    assert!(is_conditional(head.fields));
    let condition = evaluate(head.method, head.fields, &validators, NOW);
    assert_eq!(condition, Precondition::Proceed);
    let range = evaluate_range(head.fields, 1000, &validators, NOW);
    assert_eq!(range, RangeOutcome::Part { first: 0, last: 99 });
    scratch.out.clear();
    let status = CacheStatus::Hit { ttl, detail: None };
    write_cache_status("edge-1", &status, None, &mut scratch.out);
    assert_eq!(scratch.out, b"edge-1; hit; ttl=30");
}

fn allocations_of(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

#[test]
fn a_hit_allocates_nothing() {
    let stored = stored();
    let mut scratch = Scratch::default();
    let cold = allocations_of(|| hit(&mut scratch, &stored));
    assert!(cold > 0, "the buffers grow at first, which shows that allocations are seen");
    let warm = allocations_of(|| hit(&mut scratch, &stored));
    assert_eq!(warm, 0, "once they are warm nothing is allocated");
}
