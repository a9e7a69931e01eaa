//! An upstream that writes down every octet it is sent and on which connection, and answers with the octets it is told
//! to. It keeps its connections open, whatever it has said on them.

use crate::client::PATIENCE;
use crate::world::until;
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it says to one request.
#[derive(Clone, Default)]
pub(crate) struct Answer {
    /// When the head is there.
    pub(crate) at_once: String,
    /// When the content is there too.
    pub(crate) then: String,
}

/// One request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which connection it came on.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) content: String,
}

#[derive(Default)]
struct Shared {
    answers: VecDeque<Answer>,
    seen: Vec<Seen>,
    closed: Vec<usize>,
}

pub(crate) struct Upstream {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

/// A usual answer.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

impl Upstream {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Mutex<Shared>>::default();
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept() else { return };
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || {
                    let _ = serve(stream, number, &serving);
                    serving.lock().unwrap().closed.push(number);
                });
            }
        });
        Self { url, shared }
    }

    /// What it says to the next request that has no answer yet; without one it says [`OK`].
    pub(crate) fn answer(&self, at_once: &str, then: &str) {
        let answer = Answer { at_once: at_once.to_owned(), then: then.to_owned() };
        self.shared.lock().unwrap().answers.push_back(answer);
    }

    /// The requests so far, and forgets them.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        core::mem::take(&mut self.shared.lock().unwrap().seen)
    }

    /// Waits for the end of a connection.
    pub(crate) fn wait_for_end(&self, connection: usize) {
        until("the connection ends", || {
            self.shared.lock().unwrap().closed.contains(&connection).then_some(())
        });
    }
}

fn serve(mut stream: TcpStream, number: usize, shared: &Mutex<Shared>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE * 4))?;
    let mut octet = [0];
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut octet)?;
            head.push(octet[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let answer = {
            let mut shared = shared.lock().unwrap();
            let seen = Seen { connection: number, head: head.clone(), content: String::new() };
            shared.seen.push(seen);
            let usual = || Answer { at_once: String::new(), then: OK.to_owned() };
            shared.answers.pop_front().unwrap_or_else(usual)
        };
        stream.write_all(answer.at_once.as_bytes())?;
        let content = read_content(&mut stream, &head)?;
        {
            let mut shared = shared.lock().unwrap();
            let mine = shared.seen.iter_mut().rev().find(|seen| seen.connection == number);
            if let Some(seen) = mine {
                seen.content = String::from_utf8_lossy(&content).into_owned();
            }
        }
        stream.write_all(answer.then.as_bytes())?;
    }
}

/// The content with its chunks as they came.
fn read_content(stream: &mut TcpStream, head: &str) -> std::io::Result<Vec<u8>> {
    let head = head.to_ascii_lowercase();
    let mut content = Vec::new();
    if head.contains("\r\ntransfer-encoding: chunked\r\n") {
        let mut octet = [0];
        while !content.ends_with(b"0\r\n\r\n") {
            stream.read_exact(&mut octet)?;
            content.push(octet[0]);
        }
    } else if let Some((_, rest)) = head.split_once("\r\ncontent-length: ") {
        let length = rest.split("\r\n").next().unwrap_or_default().parse().unwrap_or_default();
        content.resize(length, 0);
        stream.read_exact(&mut content)?;
    }
    Ok(content)
}
