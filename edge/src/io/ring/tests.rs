//! The ring, its tasks and its connections, over loopback.

use super::*;
use crate::io::{Receive, Stream, Transmit, Wait};
use crate::worker::Worker;
use core::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

const LONG: Duration = Duration::from_secs(20);

/// Runs `main` on a ring of its own, with what it needs of a worker's world.
fn on_a_ring<F: Future<Output = ()>>(main: impl FnOnce(RingIo) -> F) {
    let (mailbox, _ear) = Mailbox::new(0).unwrap();
    if let Err(error) = probe() {
        eprintln!("skipped: no ring here: {error}");
        return;
    }
    RingIo::run(Clock::new(), mailbox, Arc::default(), main).unwrap();
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Waits until `count` has come down to nothing.
async fn until_none(count: &Cell<usize>) {
    while count.get() > 0 {
        futures_lite::future::yield_now().await;
    }
}

#[test]
fn more_receives_at_once_than_buffers() {
    const STREAMS: usize = 400;
    let (listener, address) = listener();
    let server = thread::spawn(move || {
        let mut streams: Vec<_> = (0..STREAMS).map(|_| listener.accept().unwrap().0).collect();
        for (number, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&number.to_be_bytes()).unwrap();
        }
        streams.iter_mut().map(|stream| stream.read(&mut [0; 8]).unwrap()).sum::<usize>()
    });
    on_a_ring(|io| async move {
        let (left, sum) = (Rc::new(Cell::new(STREAMS)), Rc::new(Cell::new(0)));
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            streams.push(io.connect(address, LONG).await.unwrap());
        }
        for mut stream in streams {
            let (left, sum) = (Rc::clone(&left), Rc::clone(&sum));
            io.spawn(async move {
                let (receiver, sender) = stream.split();
                let lease = receiver.receive(Wait::Busy(LONG)).await.unwrap();
                sum.set(sum.get() + usize::from_be_bytes(lease[..].try_into().unwrap()));
                sender.send(vec![b'x'], LONG).await.0.unwrap();
                left.set(left.get() - 1);
            });
        }
        until_none(&left).await;
        assert_eq!(sum.get(), (0..STREAMS).sum::<usize>(), "each its own octets");
    });
    assert!(matches!(server.join().unwrap(), 0 | STREAMS));
}

#[test]
fn the_end_of_a_worker_ends_its_tasks_and_closes_its_connections() {
    let (listener, address) = listener();
    let ended = Rc::new(Cell::new(false));
    struct Witness(Rc<Cell<bool>>);
    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let witness = Witness(Rc::clone(&ended));
    on_a_ring(|io| async move {
        let mut stream = io.connect(address, LONG).await.unwrap();
        io.spawn(async move {
            let _witness = witness;
            // Into memory of its own, so that what the kernel may still write to must live on.
            let received = stream.split().0.receive_into(Vec::with_capacity(100), Wait::Busy(LONG));
            let _ = received.await;
            unreachable!("nobody sends");
        });
        futures_lite::future::yield_now().await;
    });
    let (mut peer, _) = listener.accept().unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0, "closed");
    assert!(ended.get(), "dropped");
}

#[test]
fn a_connection_that_is_accepted_for_nobody_is_closed() {
    // Given up before the kernel has accepted it, and after.
    for turns in [0, 2] {
        let (listener, address) = listener();
        on_a_ring(|io| async move {
            let mut accepting = Box::pin(io.accept(&listener));
            let begun = futures_lite::future::poll_once(&mut accepting).await;
            assert!(begun.is_none());
            let mut peer = TcpStream::connect(address).unwrap();
            peer.set_nonblocking(true).unwrap();
            for _ in 0..turns {
                futures_lite::future::yield_now().await;
            }
            drop(accepting);
            for _ in 0..10 {
                futures_lite::future::yield_now().await;
            }
            assert_eq!(peer.read(&mut [0]).unwrap(), 0, "closed while the listener is open");
        });
    }
}

#[test]
fn a_receive_that_is_given_up_leaves_the_octets_to_the_next() {
    let (listener, address) = listener();
    on_a_ring(|io| async move {
        let mut stream = io.connect(address, LONG).await.unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        for _ in 0..100 {
            let nothing = async {
                futures_lite::future::yield_now().await;
                None
            };
            let receiving =
                async { Some(stream.split().0.receive(Wait::Busy(LONG)).await.unwrap().len()) };
            assert_eq!(futures_lite::future::or(receiving, nothing).await, None);
        }
        peer.write_all(b"octets").unwrap();
        let lease = stream.split().0.receive(Wait::Busy(LONG)).await.unwrap();
        assert_eq!(&lease[..], b"octets");
    });
}

#[test]
fn the_last_octets_and_the_end_arrive() {
    for size in [0, 1, 1000, 300_000] {
        let (listener, address) = listener();
        let reader = thread::spawn(move || {
            let mut octets = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut octets).unwrap();
            octets
        });
        on_a_ring(|io| async move {
            let mut stream = io.connect(address, LONG).await.unwrap();
            let (sent, _) = stream.split().1.send_last(vec![7; size], LONG).await;
            assert_eq!(sent, Ok(()));
        });
        assert_eq!(reader.join().unwrap(), vec![7; size]);
    }
}

#[test]
fn connections_are_accepted_with_their_addresses() {
    let (listener, address) = listener();
    let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    on_a_ring(|io| async move {
        let listener = RingIo::listener(listener).unwrap();
        for client in &clients {
            let (_, peer) = io.accept(&listener).await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
    });
}

#[test]
fn nobody_listens() {
    let (listener, address) = listener();
    drop(listener);
    on_a_ring(|io| async move {
        assert_eq!(io.connect(address, LONG).await.err(), Some(IoError::Refused));
    });
}

#[test]
fn bulk_work_lets_others_go_first() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&order);
    on_a_ring(|io| async move {
        let left = Rc::new(Cell::new(11));
        for number in 0..10 {
            let (seen, left) = (Rc::clone(&seen), Rc::clone(&left));
            io.spawn(async move {
                for _ in 0..10 {
                    executor::bulk_turn().await;
                    seen.borrow_mut().push(number);
                }
                left.set(left.get() - 1);
            });
        }
        let (small, done) = (Rc::clone(&seen), Rc::clone(&left));
        io.spawn(async move {
            for _ in 0..10 {
                futures_lite::future::yield_now().await;
                small.borrow_mut().push(100);
            }
            done.set(done.get() - 1);
        });
        until_none(&left).await;
    });
    let order = order.borrow();
    if order.is_empty() {
        return;
    }
    let last_small = order.iter().rposition(|&number| number == 100).unwrap();
    assert!(last_small < 40, "ten small steps are done among the first of a hundred: {order:?}");
    assert_eq!(order.len(), 110);
    assert_eq!(order.iter().filter(|&&number| number != 100).take(10).max(), Some(&9), "in turn");
}

/// What a connection that waits takes on the heap is mostly this. With what a task adds it fits into 512 octets, beyond
/// which the allocator takes 640.
#[test]
fn a_connection_that_waits_is_small() {
    const OCTETS_MAX: usize = 464;
    let upstream = "http://127.0.0.1:1".parse().unwrap();
    let config = crate::Config::new("e".into(), vec![], vec![upstream], "0".parse().unwrap());
    let shared = Shared::unstarted(config).unwrap();
    let (_listener, address) = listener();
    on_a_ring(|io| async move {
        let stream = io.connect(address, LONG).await.unwrap();
        let serving = crate::connection::serve(Worker::new(io, shared, 0), stream, address);
        assert!(size_of_val(&serving) <= OCTETS_MAX, "{} octets", size_of_val(&serving));
    });
}

#[test]
fn a_connection_at_rest_is_quiet_until_something_comes() {
    let (listener, address) = listener();
    on_a_ring(|io| async move {
        let mut stream = io.connect(address, LONG).await.unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        stream.rests();
        futures_lite::future::yield_now().await;
        assert!(stream.is_quiet());
        // As it is used again: what comes is what it was asked for.
        peer.write_all(b"first").unwrap();
        let (received, buffer) =
            stream.split().0.receive_into(Vec::with_capacity(2), Wait::Busy(LONG)).await;
        assert_eq!((received, &buffer[..]), (Ok(5), &b"first"[..]));
        assert!(stream.is_quiet(), "asked at once");
        stream.rests();
        drop(peer);
        while stream.is_quiet() {
            futures_lite::future::yield_now().await;
        }
        let end = stream.split().0.receive(Wait::Busy(LONG)).await;
        assert_eq!(end.map(|lease| lease.len()), Ok(0));
    });
}
