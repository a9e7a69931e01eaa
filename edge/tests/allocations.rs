//! A hit allocates nothing: neither the look into the RAM tier, nor a connection that serves hits from the first octet of
//! a request to the last of its response.

// A global allocator is the only place where every allocation can be seen.
#![allow(unsafe_code)]

use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use lastmile_edge::Config;
use lastmile_edge::connection::serve;
use lastmile_edge::io::{Io, IoError, Receive, Stream, Transmit, Wait};
use lastmile_edge::piece::Piece;
use lastmile_edge::ram::{RamTier, Stored};
use lastmile_edge::worker::{Shared, Worker};
use lastmile_http::time::UnixTime;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

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

struct Content(Vec<u8>);

impl Stored for Content {
    fn octets(&self) -> u64 {
        self.0.len() as u64
    }
}

#[test]
fn a_lookup_allocates_nothing() {
    let tier = RamTier::new(64 << 20);
    let insert = |number: u32| {
        let key = number.to_le_bytes();
        let content = Arc::new(Content(vec![1; 1000]));
        assert!(tier.insert(tier.hash(&key), &key, content, |_| true).is_ok());
    };
    (0..1000).for_each(insert);
    let look_up = |number: u32| {
        let key = number.to_le_bytes();
        tier.lookup(tier.hash(&key), &key, |content| Some(Arc::clone(content))).is_some()
    };
    assert!(look_up(0), "the first look of a thread registers it");
    let before = ALLOCATIONS.get();
    assert!(before > 1000, "allocations are seen");
    for number in 0..2000 {
        assert_eq!(look_up(number), number < 1000, "as many misses as hits");
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

const NOW: UnixTime = UnixTime::from_seconds(1_767_225_600);
const REQUEST: &[u8] = b"GET /img/logo.svg?v=3 HTTP/1.1\r\n\
    Host: www.customer.test\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    \r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
    Cache-Control: max-age=60\r\n\
    Vary: Accept-Encoding\r\n\
    ETag: \"tag\"\r\n\
    Content-Length: 26\r\n\
    \r\n\
    abcdefghijklmnopqrstuvwxyz";

/// Requests before buffers have their size and the thread is known to the RAM tier; the first of them is the miss.
const WARMING: usize = 10;
const HITS: usize = 100;

/// What the script has seen.
#[derive(Default)]
struct Seen {
    requests: Cell<usize>,
    allocations: Cell<usize>,
    sent: RefCell<Vec<u8>>,
}

/// A world in which everything is there at once.
#[derive(Clone)]
struct AtOnce;

/// A client that asks for the same again and again, or an upstream that answers once.
struct Scripted {
    receiver: Source,
    sender: Sink,
}

enum Source {
    Client(Rc<Seen>),
    Upstream,
}

/// Keeps what the last response to the client was.
struct Sink(Option<Rc<Seen>>);

impl Io for AtOnce {
    type Stream = Scripted;

    fn now(&self) -> UnixTime {
        NOW
    }

    async fn connect(&self, _: SocketAddr, _: Duration) -> Result<Scripted, IoError> {
        Ok(Scripted { receiver: Source::Upstream, sender: Sink(None) })
    }

    async fn sleep(&self, _: Duration) {
        unreachable!("nobody waits");
    }

    fn spawn(&self, _: impl Future<Output = ()> + 'static) {
        unreachable!("the response is whole when its head is there");
    }

    fn portable_waker(&self, waker: &Waker) -> Waker {
        waker.clone()
    }
}

impl Stream for Scripted {
    type Receiver = Source;
    type Sender = Sink;

    fn split(&mut self) -> (&mut Source, &mut Sink) {
        (&mut self.receiver, &mut self.sender)
    }

    fn is_quiet(&self) -> bool {
        true
    }

    fn finish_sending(&mut self) {}

    fn abort_on_drop(&mut self) {
        unreachable!("nothing breaks off");
    }
}

impl Receive for Source {
    type Lease = &'static [u8];

    async fn receive(&mut self, _: Wait) -> Result<&'static [u8], IoError> {
        let Self::Client(seen) = self else { return Ok(RESPONSE) };
        let requests = seen.requests.get();
        seen.requests.set(requests + 1);
        if requests == WARMING {
            seen.allocations.set(ALLOCATIONS.get());
        }
        if requests == WARMING + HITS {
            seen.allocations.set(ALLOCATIONS.get() - seen.allocations.get());
            return Ok(&[]);
        }
        Ok(REQUEST)
    }

    async fn receive_into(&mut self, _: Vec<u8>, _: Wait) -> (Result<usize, IoError>, Vec<u8>) {
        unreachable!("the content comes with the head");
    }
}

impl Transmit for Sink {
    async fn send(&mut self, octets: Vec<u8>, _: Duration) -> (Result<(), IoError>, Vec<u8>) {
        if let Some(seen) = &self.0 {
            let mut sent = seen.sent.borrow_mut();
            sent.clear();
            sent.extend_from_slice(&octets);
        }
        (Ok(()), octets)
    }

    async fn send_pieces(&mut self, _: Vec<Piece>, _: Duration) -> Result<(), IoError> {
        Ok(())
    }
}

#[test]
fn a_connection_that_serves_hits_allocates_nothing() {
    let upstream = "http://127.0.0.1:1".parse().unwrap();
    let config = Config::new("edge".into(), Vec::new(), vec![upstream], "0".parse().unwrap());
    let shared = Shared::unstarted(config).unwrap();
    let seen = Rc::<Seen>::default();
    let worker = Worker::new(AtOnce, Arc::clone(&shared), 0);
    let (receiver, sender) = (Source::Client(Rc::clone(&seen)), Sink(Some(Rc::clone(&seen))));
    let client = SocketAddr::from(([127, 0, 0, 1], 2));
    let mut serving = pin!(serve(worker, Scripted { receiver, sender }, client));
    let ended = serving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(ended, Poll::Ready(()));

    let samples = shared.samples();
    let value = |name: &str| samples.iter().find(|sample| sample.0 == name).map(|sample| sample.2);
    assert_eq!(value("misses_total"), Some(1));
    assert_eq!(value("hits_total"), Some((WARMING + HITS - 1) as u64));
    let sent = seen.sent.borrow();
    assert!(sent.starts_with(b"HTTP/1.1 200 OK\r\n") && sent.ends_with(b"xyz"), "a whole response");
    assert_eq!(seen.allocations.get(), 0, "allocations of {HITS} hits");
}
