//! A small server of HTTP/1.1 that answers as it is told, and says what it saw.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What to do about a request.
pub(crate) enum Reply {
    /// Send this.
    Octets(Vec<u8>),
    /// Send this and close the connection.
    Last(Vec<u8>),
    /// Close the connection with octets unread, which resets it.
    Reset,
    /// Nothing, ever.
    Silence,
}

/// A whole response with this content.
pub(crate) fn whole(content: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
    [head.as_bytes(), content].concat()
}

/// A server; its threads end with the test program.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    heads: Mutex<Vec<String>>,
}

impl Server {
    /// `reply` gets the head of each request and its number on the connection, from 1 on.
    pub(crate) fn start(reply: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
        let (reply, theirs) = (Arc::new(reply), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (reply, seen) = (Arc::clone(&reply), Arc::clone(&theirs));
                std::thread::spawn(move || serve(&stream.unwrap(), &*reply, &seen));
            }
        });
        Self { address, seen }
    }

    /// Connections on which something was asked.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, reply: &(impl Fn(&str, usize) -> Reply + ?Sized), seen: &Seen) {
    let mut reader = BufReader::new(stream);
    for number in 1.. {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        if number == 1 {
            seen.connections.fetch_add(1, Ordering::SeqCst);
        }
        seen.heads.lock().unwrap().push(head.clone());
        let mut stream = stream;
        match reply(&head, number) {
            Reply::Octets(octets) => {
                if stream.write_all(&octets).is_err() {
                    return;
                }
            }
            Reply::Last(octets) => {
                let _ = stream.write_all(&octets);
                let _ = stream.shutdown(Shutdown::Write);
                return;
            }
            Reply::Reset => {
                // SO_LINGER with no time: the connection is reset when it is closed.
                let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
                return;
            }
            Reply::Silence => {}
        }
    }
}
