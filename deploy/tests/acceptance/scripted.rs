//! An upstream that sends exactly the octets it is told to: what no well-meaning server sends.

use crate::world::until;
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It answers one request per connection, with one script after the other, and closes.
pub(crate) struct Scripted {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    scripts: VecDeque<Vec<u8>>,
    /// Heads of the requests.
    requests: Vec<String>,
}

impl Scripted {
    pub(crate) fn new(scripts: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let scripts = scripts.iter().map(|script| script.as_bytes().to_vec()).collect();
        let shared = Arc::new(Mutex::new(Shared { scripts, requests: Vec::new() }));
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            // A thread for each: edges keep connections open ahead of need.
            while let Ok((stream, _)) = listener.accept() {
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || answer(stream, &serving));
            }
        });
        Self { url, shared }
    }

    /// Waits until every script was asked for; the heads of the requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        until("all scripts were used", || {
            let shared = self.shared.lock().unwrap();
            shared.scripts.is_empty().then(|| shared.requests.clone())
        })
    }
}

fn answer(mut stream: TcpStream, shared: &Mutex<Shared>) {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !stream.read(&mut octet).is_ok_and(|count| count == 1) {
            return;
        }
        head.push(octet[0]);
    }
    let script = {
        let mut shared = shared.lock().unwrap();
        shared.requests.push(String::from_utf8(head).unwrap());
        shared.scripts.pop_front()
    };
    // Without a script it closes: the test then sees an error and not an endless wait.
    let _ = stream.write_all(&script.unwrap_or_default());
    let _ = stream.shutdown(Shutdown::Write);
    // Closed with octets unread, it would be reset, and what was sent might be lost.
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}
