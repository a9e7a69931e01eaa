//! An upstream whose answers depend on what it is asked, and come when the test lets them.

use crate::client::PATIENCE;
use crate::world::until;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a request that should not come is waited for. Too short a time makes a test weaker and never fails it.
const MOMENT: Duration = Duration::from_millis(500);

/// It answers one request per connection, and closes.
pub(crate) struct Answering {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// A request: how many came before it, and its head.
pub(crate) struct Asked {
    pub(crate) number: usize,
    pub(crate) head: String,
}

impl Asked {
    /// Whether the head has this line, whatever its case.
    pub(crate) fn has(&self, line: &str) -> bool {
        self.head.lines().any(|known| known.eq_ignore_ascii_case(line))
    }

    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

impl Answering {
    /// `answer` writes the answer to each request.
    pub(crate) fn new(answer: impl Fn(Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(answer));
        let all = Arc::clone(&asked);
        std::thread::spawn(move || {
            // A thread for each: answers wait, and edges keep connections open ahead of need.
            while let Ok((mut stream, _)) = listener.accept() {
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(head) = receive_head(&mut stream) else { return };
                    let number = {
                        let mut all = all.lock().unwrap();
                        all.push(head.clone());
                        all.len() - 1
                    };
                    answer(Asked { number, head }, &mut stream);
                    let _ = stream.shutdown(Shutdown::Write);
                    // Closed with octets unread, it would be reset, and what was sent might be lost.
                    let _ = std::io::copy(&mut stream, &mut std::io::sink());
                });
            }
        });
        Self { url, asked }
    }

    /// The heads of the requests so far for targets that begin with `target`.
    pub(crate) fn asked(&self, target: &str) -> Vec<String> {
        let begin = format!("GET {target}");
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|head| head.starts_with(&begin)).cloned().collect()
    }

    /// Waits until there were `count` requests.
    pub(crate) fn wait_for(&self, count: usize) {
        until("it is asked", || (self.asked.lock().unwrap().len() >= count).then_some(()));
    }

    /// Gives a request that may come or not the time to come.
    pub(crate) fn give_time_for(&self, count: usize) {
        let deadline = Instant::now() + MOMENT;
        while self.asked.lock().unwrap().len() < count && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn receive_head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut octet) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    Some(String::from_utf8(head).unwrap())
}

/// Sends a response with these field lines, each of which ends in CR LF, and this content.
pub(crate) fn send(out: &mut TcpStream, status: u16, fields: &str, content: &str) {
    send_slowly(out, status, fields, content, &Gate::opened());
}

/// The same; the second half of the content waits for the gate.
pub(crate) fn send_slowly(
    out: &mut TcpStream,
    status: u16,
    fields: &str,
    content: &str,
    gate: &Gate,
) {
    let length = if status == 304 {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", content.len())
    };
    let (one, other) = content.split_at(content.len() / 2);
    // An edge that does not want it any more may have closed.
    let _ = write!(out, "HTTP/1.1 {status} Status\r\n{fields}{length}\r\n{one}");
    gate.wait();
    let _ = out.write_all(other.as_bytes());
}

/// What answers wait for.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn opened() -> Self {
        let gate = Self::default();
        gate.open();
        gate
    }

    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn wait(&self) {
        let is_shut = |open: &mut bool| !*open;
        let _open = self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, is_shut);
    }
}
