//! A world without a kernel: what a client asks and what the upstream answers is there at once. What is left is the
//! edge's own work, which can then be counted: allocations, instructions, receives and sends.

#![allow(dead_code, reason = "each test and benchmark uses a part of it")]

use core::future::poll_fn;
use core::net::SocketAddr;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use lastmile_edge::Config;
use lastmile_edge::connection::serve;
use lastmile_edge::io::{Io, IoError, Receive, Stream, Transmit, Wait};
use lastmile_edge::piece::Piece;
use lastmile_edge::ssd::buffer::Buffer;
use lastmile_edge::ssd::device::Device;
use lastmile_edge::worker::{Shared, Worker};
use lastmile_http::time::UnixTime;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// When everything happens.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_767_225_600);

/// What `workers` workers of an edge share.
pub(crate) fn shared(workers: usize, ram_octets: u64) -> Arc<Shared> {
    let upstream = "http://127.0.0.1:1".parse().expect("a literal upstream");
    let cores = format!("0-{}", workers - 1).parse().expect("a list of cores");
    let config = Config::new("edge".into(), Vec::new(), vec![upstream], cores);
    Shared::unstarted(Config { ram_octets, ..config }).expect("a thread for the names of upstreams")
}

/// What the edge has done with one connection, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Receives that brought something.
    pub(crate) receives: usize,
    /// Sends to the client, of copied octets and of pieces by reference.
    pub(crate) sends: usize,
    /// Looks at the clock.
    pub(crate) clock_reads: usize,
    /// Octets sent to the client.
    pub(crate) octets: usize,
}

/// What the client asks, what the upstream answers, and what came of it.
struct Script {
    /// One receive each, in turn.
    requests: Cell<&'static [&'static [u8]]>,
    next: Cell<usize>,
    /// Receives before the client pauses.
    left: Cell<usize>,
    response: &'static [u8],
    done: Cell<Done>,
    /// The octets of the last send, if they are wanted.
    sent: RefCell<Option<Vec<u8>>>,
}

impl Script {
    fn note(&self, note: impl FnOnce(&mut Done)) {
        let mut done = self.done.get();
        note(&mut done);
        self.done.set(done);
    }
}

/// A client's connection to an edge.
pub(crate) struct Connection {
    script: Rc<Script>,
    serving: Pin<Box<dyn Future<Output = ()>>>,
}

impl Connection {
    /// Opens one to worker `worker`, whose upstream answers everything with `response`.
    pub(crate) fn open(shared: &Arc<Shared>, worker: usize, response: &'static [u8]) -> Self {
        let script = Rc::new(Script {
            requests: Cell::new(&[]),
            next: Cell::new(0),
            left: Cell::new(0),
            response,
            done: Cell::default(),
            sent: RefCell::default(),
        });
        let worker = Worker::new(AtOnce(Rc::clone(&script)), Arc::clone(shared), worker);
        let stream = Scripted {
            receiver: Source::Client(Rc::clone(&script)),
            sender: Sink(Some(Rc::clone(&script))),
        };
        let client = SocketAddr::from(([127, 0, 0, 1], 2));
        Self { script, serving: Box::pin(serve(worker, stream, client)) }
    }

    /// Lets the edge receive `times` times, from `requests` in turn, beginning with the first. Then the client pauses:
    /// all is answered when this returns.
    pub(crate) fn ask(&mut self, requests: &'static [&'static [u8]], times: usize) {
        self.script.requests.set(requests);
        self.script.next.set(0);
        self.script.left.set(times);
        let polled = self.serving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending, "the connection goes on");
        assert_eq!(self.script.left.get(), 0, "nothing but the client is waited for");
    }

    /// What the edge has done so far.
    pub(crate) fn done(&self) -> Done {
        self.script.done.get()
    }

    /// The octets of what is sent in answer to one receive of `request`.
    pub(crate) fn answer(&mut self, request: &'static [u8]) -> Vec<u8> {
        *self.script.sent.borrow_mut() = Some(Vec::new());
        self.ask(vec![request].leak(), 1);
        self.script.sent.take().unwrap_or_default()
    }
}

/// See the head of this file.
#[derive(Clone)]
struct AtOnce(Rc<Script>);

struct Scripted {
    receiver: Source,
    sender: Sink,
}

enum Source {
    Client(Rc<Script>),
    /// The octets of a response that have not been received.
    Upstream(&'static [u8]),
}

/// Counts what is sent to the client; what is sent upstream is forgotten.
struct Sink(Option<Rc<Script>>);

impl Io for AtOnce {
    type Stream = Scripted;

    fn now(&self) -> UnixTime {
        self.0.note(|done| done.clock_reads += 1);
        NOW
    }

    async fn connect(&self, _: SocketAddr, _: Duration) -> Result<Scripted, IoError> {
        Ok(Scripted { receiver: Source::Upstream(self.0.response), sender: Sink(None) })
    }

    async fn sleep(&self, _: Duration) {
        unreachable!("nobody waits");
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut task = Box::pin(task);
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(()), "everything is there at once");
    }

    fn portable_waker(&self, waker: &Waker) -> Waker {
        waker.clone()
    }

    async fn read_at(
        &self,
        _: &Arc<Device>,
        _: Buffer,
        _: Range<usize>,
        _: u64,
    ) -> (io::Result<usize>, Buffer) {
        unreachable!("there is no disk");
    }

    async fn write_at(
        &self,
        _: &Arc<Device>,
        _: Buffer,
        _: Range<usize>,
        _: u64,
    ) -> (io::Result<usize>, Buffer) {
        unreachable!("there is no disk");
    }
}

impl Stream for Scripted {
    type Receiver = Source;
    type Sender = Sink;

    fn split(&mut self) -> (&mut Source, &mut Sink) {
        (&mut self.receiver, &mut self.sender)
    }

    /// So that each request goes upstream on a connection of its own, which has its whole response before it.
    fn is_quiet(&self) -> bool {
        false
    }

    fn finish_sending(&mut self) {}

    fn abort_on_drop(&mut self) {
        unreachable!("nothing breaks off");
    }
}

impl Receive for Source {
    type Lease = &'static [u8];

    async fn receive(&mut self, _: Wait) -> Result<&'static [u8], IoError> {
        let script = match self {
            Self::Client(script) => script,
            Self::Upstream(rest) => return Ok(core::mem::take(rest)),
        };
        poll_fn(|_| if script.left.get() > 0 { Poll::Ready(()) } else { Poll::Pending }).await;
        script.left.set(script.left.get() - 1);
        script.note(|done| done.receives += 1);
        let (requests, next) = (script.requests.get(), script.next.get());
        script.next.set(if next + 1 == requests.len() { 0 } else { next + 1 });
        Ok(requests[next])
    }

    async fn receive_into(&mut self, _: Vec<u8>, _: Wait) -> (Result<usize, IoError>, Vec<u8>) {
        unreachable!("the content comes with the head");
    }
}

impl Sink {
    fn note(&self, octets: usize, copy: impl FnOnce(&mut Vec<u8>)) {
        let Some(script) = &self.0 else { return };
        script.note(|done| {
            done.sends += 1;
            done.octets += octets;
        });
        if let Some(sent) = &mut *script.sent.borrow_mut() {
            copy(sent);
        }
    }
}

impl Transmit for Sink {
    async fn send(&mut self, octets: Vec<u8>, _: Duration) -> (Result<(), IoError>, Vec<u8>) {
        self.note(octets.len(), |sent| sent.extend_from_slice(&octets));
        (Ok(()), octets)
    }

    async fn send_pieces(&mut self, pieces: Vec<Piece>, _: Duration) -> Result<(), IoError> {
        let octets = pieces.iter().map(Piece::len).sum();
        self.note(octets, |sent| {
            pieces.iter().for_each(|piece| {
                sent.extend_from_slice(&piece.read().expect("a content that is there"));
            });
        });
        Ok(())
    }
}
