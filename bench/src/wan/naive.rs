//! A server as one might write it first, to measure beside the real one: it has all of a response before it sends any
//! (store and forward), and may write it in two pieces, leave Nagle's algorithm on, or keep no connection to its
//! upstream. Scenarios name it; it is of no other use.

use crate::error::BenchError;
use crate::load::response::Reader;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Octets of a request, all of which is its head.
const REQUEST_OCTETS_MAX: usize = 16 << 10;

/// Octets of a response that is stored before it is forwarded.
const RESPONSE_OCTETS_MAX: usize = 64 << 20;

/// Connections at a time, each with a thread; one more is closed at once.
const CONNECTIONS_MAX: usize = 256;

/// How long either side may say nothing.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What it does wrong.
#[derive(Clone, Copy, Debug)]
pub struct Naive {
    /// Whom it asks.
    pub upstream: SocketAddr,
    /// Leave Nagle's algorithm on (`TCP_NODELAY` off).
    pub nagle: bool,
    /// Write the head, then the content.
    pub two_writes: bool,
    /// Open a connection to the upstream for each request.
    pub close: bool,
}

/// Serves `listen` until the process ends.
///
/// # Errors
/// An address that cannot be listened on.
pub fn serve(listen: SocketAddr, naive: Naive) -> Result<(), BenchError> {
    let listener = TcpListener::bind(listen).map_err(|error| BenchError::Io("bind", error))?;
    let (open, pool) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for client in listener.incoming().flatten() {
            if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
                open.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            scope.spawn(|| {
                // Whatever became of it: whoever asked sees that the connection ended.
                let _ = naive.converse(client, &pool);
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    Ok(())
}

impl Naive {
    fn converse(self, mut client: TcpStream, pool: &Mutex<Vec<TcpStream>>) -> io::Result<()> {
        client.set_nodelay(!self.nagle)?;
        client.set_read_timeout(Some(WAIT_MAX))?;
        let mut received = Vec::new();
        while let Some(request) = request(&mut client, &mut received)? {
            let response = self.fetch(&request, pool)?;
            let head = response.windows(4).position(|four| four == b"\r\n\r\n");
            match head.filter(|_| self.two_writes) {
                Some(end) => {
                    client.write_all(&response[..end + 4])?;
                    client.write_all(&response[end + 4..])?;
                }
                None => client.write_all(&response)?,
            }
        }
        Ok(())
    }

    /// The whole response, on a connection that was kept, if there is one, and on a new one if it is not answered
    /// there.
    fn fetch(self, request: &[u8], pool: &Mutex<Vec<TcpStream>>) -> io::Result<Vec<u8>> {
        let kept = pool.lock().ok().and_then(|mut pool| pool.pop());
        if let Some(Ok((response, upstream))) = kept.map(|upstream| ask(upstream, request)) {
            self.keep(upstream, pool);
            return Ok(response);
        }
        let upstream = TcpStream::connect_timeout(&self.upstream, WAIT_MAX)?;
        upstream.set_nodelay(true)?;
        upstream.set_read_timeout(Some(WAIT_MAX))?;
        let (response, upstream) = ask(upstream, request)?;
        self.keep(upstream, pool);
        Ok(response)
    }

    fn keep(self, upstream: Option<TcpStream>, pool: &Mutex<Vec<TcpStream>>) {
        if let (Some(upstream), Ok(mut pool), false) = (upstream, pool.lock(), self.close)
            && pool.len() < CONNECTIONS_MAX
        {
            pool.push(upstream);
        }
    }
}

/// The next request on a connection; what came behind it stays in `received`. `None` at the end of the connection.
fn request(client: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let mut octets = [0; 4096];
    loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = received.split_off(end + 4);
            return Ok(Some(std::mem::replace(received, rest)));
        }
        if received.len() > REQUEST_OCTETS_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match client.read(&mut octets)? {
            0 => return Ok(None),
            count => received.extend_from_slice(&octets[..count]),
        }
    }
}

/// Sends a request and stores its response, without what it says of the connection; the connection, if it may be kept.
fn ask(mut upstream: TcpStream, request: &[u8]) -> io::Result<(Vec<u8>, Option<TcpStream>)> {
    upstream.write_all(request)?;
    let (mut stored, mut reader) = (Vec::new(), Reader::default());
    let mut octets = vec![0; 64 << 10];
    loop {
        let count = upstream.read(&mut octets)?;
        if count == 0 {
            reader.end().ok_or(io::ErrorKind::UnexpectedEof)?;
            return Ok((without_connection(&stored), None));
        }
        if stored.len() + count > RESPONSE_OCTETS_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stored.extend_from_slice(&octets[..count]);
        let mut fed = 0;
        while fed < count {
            let step = reader.feed(&octets[fed..count]).map_err(|_| io::ErrorKind::InvalidData)?;
            fed += step.used;
            if let Some(answer) = step.ended {
                return Ok((without_connection(&stored), (!answer.close).then_some(upstream)));
            }
        }
    }
}

/// A response without its Connection fields, which are for one hop (RFC 9110 §7.6.1).
fn without_connection(response: &[u8]) -> Vec<u8> {
    let Some(end) = response.windows(4).position(|four| four == b"\r\n\r\n") else {
        return response.to_vec();
    };
    let mut kept = Vec::with_capacity(response.len());
    for line in response[..end + 2].split_inclusive(|octet| *octet == b'\n') {
        let name = line.split(|octet| *octet == b':').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case(b"connection") {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(&response[end + 2..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn fields_for_one_hop_go_no_further() {
        let response = b"HTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 2\r\n\r\nab";
        let kept = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(without_connection(response), kept);
    }

    #[test]
    fn a_response_is_whole_before_it_is_sent_on() {
        let origin = TcpListener::bind("127.0.0.1:0").unwrap();
        let naive = Naive {
            upstream: origin.local_addr().unwrap(),
            nagle: false,
            two_writes: true,
            close: false,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (front, _) = listener.accept().unwrap();
        let pool = Mutex::new(Vec::new());
        thread::scope(|scope| {
            scope.spawn(|| naive.converse(front, &pool));
            client.write_all(GET).unwrap();
            let (mut upstream, _) = origin.accept().unwrap();
            for connection in ["", "Connection: close\r\n"] {
                let asked = request(&mut upstream, &mut Vec::new()).unwrap().unwrap();
                assert!(asked.starts_with(b"GET / HTTP/1.1\r\n"));
                let head = format!("HTTP/1.1 200 OK\r\n{connection}Content-Length: 4\r\n\r\nab");
                upstream.write_all(head.as_bytes()).unwrap();
                client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                assert!(client.read(&mut [0; 9]).is_err(), "nothing before all is there");
                client.set_read_timeout(None).unwrap();
                upstream.write_all(b"cd").unwrap();
                let mut octets = vec![0; 42];
                client.read_exact(&mut octets).unwrap();
                assert_eq!(octets, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
                if connection.is_empty() {
                    client.write_all(GET).unwrap();
                }
            }
            drop(client);
        });
        assert_eq!(pool.lock().unwrap().len(), 0, "the upstream wanted to close");
    }
}
