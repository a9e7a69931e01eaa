//! A raw client for the tests: a socket, octets, and just enough HTTP to tell heads from content.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests only")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lastmile_origin::{Config, Origin, Source, start};

/// How long a test waits for what must come; only a failing test ever waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A head, and the content as far as it came.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) content: Vec<u8>,
    /// What ended the reading, when it was not the content's own end.
    pub(crate) broken: Option<io::ErrorKind>,
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

/// A connection.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).unwrap();
    }

    pub(crate) fn request(&mut self, method: &str, target: &str, fields: &str) -> Reply {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: origin.test\r\n{fields}\r\n"));
        self.reply(method)
    }

    pub(crate) fn get(&mut self, target: &str, fields: &str) -> Reply {
        self.request("GET", target, fields)
    }

    /// Reads one response to a request of this method.
    pub(crate) fn reply(&mut self, method: &str) -> Reply {
        let mut reply = Reply { status: 0, head: String::new(), content: Vec::new(), broken: None };
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if let Err(kind) = self.more() {
                reply.broken = Some(kind);
                return reply;
            }
        };
        reply.head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        reply.status = reply.head[9..12].parse().unwrap();
        if method == "HEAD" || [204, 304].contains(&reply.status) {
            return reply;
        }
        let length = reply.field("content-length").map(|length| length.parse().unwrap());
        let result = match (length, reply.field("transfer-encoding")) {
            (Some(length), None) => self.exactly(length, &mut reply.content),
            (None, Some("chunked")) => self.chunks(&mut reply.content),
            (None, None) => loop {
                if let Err(kind) = self.more() {
                    reply.content.append(&mut self.buffer);
                    break Err(kind);
                }
            },
            other => panic!("{other:?} in {}", reply.head),
        };
        reply.broken = result.err();
        reply
    }

    /// What ends the connection: `UnexpectedEof` for a clean close.
    pub(crate) fn end(&mut self) -> io::ErrorKind {
        loop {
            if let Err(kind) = self.more() {
                return kind;
            }
        }
    }

    fn exactly(&mut self, count: usize, out: &mut Vec<u8>) -> Result<(), io::ErrorKind> {
        let result = loop {
            if self.buffer.len() >= count {
                break Ok(());
            }
            if let Err(kind) = self.more() {
                break Err(kind);
            }
        };
        out.extend(self.buffer.drain(..count.min(self.buffer.len())));
        result
    }

    fn chunks(&mut self, out: &mut Vec<u8>) -> Result<(), io::ErrorKind> {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                self.exactly(1, &mut line)?;
            }
            let size = usize::from_str_radix(String::from_utf8(line).unwrap().trim(), 16).unwrap();
            self.exactly(size, out)?;
            self.exactly(2, &mut Vec::new())?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn more(&mut self) -> Result<(), io::ErrorKind> {
        let mut octets = [0; 65536];
        match self.stream.read(&mut octets) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof),
            Ok(count) => {
                self.buffer.extend_from_slice(&octets[..count]);
                Ok(())
            }
            Err(error) => Err(error.kind()),
        }
    }
}

pub(crate) fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn synthetic() -> Origin {
    start(Config::new(loopback(), Source::Synthetic)).unwrap()
}

/// One request on a connection of its own.
pub(crate) fn get(origin: &Origin, target: &str, fields: &str) -> Reply {
    Raw::connect(origin.address()).get(target, fields)
}

/// A directory that goes away with the test.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lastmile-origin-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, octets: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, octets).unwrap();
    }

    pub(crate) fn serve(&self) -> Origin {
        start(Config::new(loopback(), Source::Directory(self.0.clone()))).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
