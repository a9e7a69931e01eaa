//! The upstream: it answers each case with what the step at hand says, and keeps what it has received.

use crate::case::{Answer, Manner};
use crate::moment;
use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a connection may stand still; longer than all cases take together.
const IDLE: Duration = Duration::from_secs(60);

/// What [`Manner::Late`] waits for.
const LATE: Duration = Duration::from_millis(2500);

/// Octets of a request's head, far more than any case has.
const HEAD_MAX: usize = 64 * 1024;

/// What the upstream knows of one case.
pub(crate) struct Script {
    /// Those of each step, one after the other, with all that is left open in the table filled in.
    answers: Vec<Vec<Answer>>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    step: usize,
    received: Vec<(usize, Received)>,
}

/// A request that has come.
#[derive(Clone)]
pub(crate) struct Received {
    /// The head with its lines as they came.
    pub(crate) head: String,
    pub(crate) content: Vec<u8>,
}

impl Received {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The values of a field, joined by commas; `None` when it is not there.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let values: Vec<&str> = values.map(|(_, value)| value.trim()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

impl Script {
    pub(crate) fn new(answers: Vec<Vec<Answer>>) -> Self {
        Self { answers, progress: Mutex::default() }
    }

    /// From now on it is this step, counted from 0.
    pub(crate) fn begin(&self, step: usize) {
        self.progress.lock().unwrap().step = step;
    }

    /// The requests that came in a step.
    pub(crate) fn received(&self, step: usize) -> Vec<Received> {
        let progress = self.progress.lock().unwrap();
        let of_step = progress.received.iter().filter(|(at, _)| *at == step);
        of_step.map(|(_, received)| received.clone()).collect()
    }

    fn take(&self, received: Received) -> Answer {
        let mut progress = self.progress.lock().unwrap();
        let step = progress.step;
        let earlier = progress.received.iter().filter(|(at, _)| *at == step).count();
        let answers = &self.answers[step];
        // A part is for who asks for one; the whole, if the step has it, for who does not.
        let skipped = usize::from(answers[0].status == 206 && received.field("range").is_none());
        progress.received.push((step, received));
        answers[(earlier + skipped).min(answers.len() - 1)].clone()
    }

    fn next_manner(&self) -> Manner {
        self.answers[self.progress.lock().unwrap().step][0].manner
    }
}

/// By the first segment of the path.
pub(crate) type Scripts = HashMap<String, Arc<Script>>;

/// A listening upstream.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    gone: Arc<AtomicBool>,
    open: Open,
}

/// The open connections, to end them all at once.
type Open = Arc<Mutex<HashMap<SocketAddr, TcpStream>>>;

impl Upstream {
    pub(crate) fn start(scripts: Scripts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (gone, scripts) = (Arc::new(AtomicBool::new(false)), Arc::new(scripts));
        let open = Open::default();
        let (ended, all) = (Arc::clone(&gone), Arc::clone(&open));
        std::thread::spawn(move || {
            while let Ok((stream, peer)) = listener.accept() {
                let mut open = all.lock().unwrap();
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                open.insert(peer, stream.try_clone().unwrap());
                drop(open);
                let (scripts, all) = (Arc::clone(&scripts), Arc::clone(&all));
                std::thread::spawn(move || {
                    serve(&stream, &scripts);
                    // Closed once both handles are dropped, and reset if there is anything unread.
                    all.lock().unwrap().remove(&peer);
                });
            }
        });
        Self { address, gone, open }
    }

    /// Ends all connections, and refuses further ones once this returns.
    pub(crate) fn stop(&self) {
        let mut open = self.open.lock().unwrap();
        self.gone.store(true, Ordering::SeqCst);
        for (_, stream) in open.drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(open);
        // Each wakes the listener, which then closes.
        while TcpStream::connect(self.address).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Answers request after request.
fn serve(mut stream: &TcpStream, scripts: &Scripts) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(IDLE));
    while let Some(head) = waiting_head(stream) {
        let text = String::from_utf8(head.clone()).unwrap();
        let target = text.split(' ').nth(1).unwrap_or_default();
        let path = target
            .split_once("://")
            .map_or(target, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
        let name = path.trim_start_matches('/').split(['/', '?', ';', '%', '.']).next();
        let Some(script) = scripts.get(name.unwrap_or_default()) else {
            let _ = stream.write_all(b"HTTP/1.1 421 No Case\r\nContent-Length: 0\r\n\r\n");
            return;
        };
        let resets = script.next_manner() == Manner::Reset;
        // Closed with an octet unread, a connection is reset.
        let count = head.len() - usize::from(resets);
        if stream.read_exact(&mut vec![0; count]).is_err() {
            return;
        }
        let mut received = Received { head: text, content: Vec::new() };
        if !resets {
            received.content = request_content(stream, &received);
        }
        let answer = script.take(received.clone());
        if !send(stream, &received, answer) {
            return;
        }
    }
}

/// The head of the next request, left in the socket.
fn waiting_head(stream: &TcpStream) -> Option<Vec<u8>> {
    let mut octets = vec![0; HEAD_MAX];
    loop {
        let count = match stream.peek(&mut octets) {
            Ok(0) => return None,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        if let Some(end) = octets[..count].windows(4).position(|window| window == b"\r\n\r\n") {
            octets.truncate(end + 4);
            return Some(octets);
        }
        // What is there stays there, so nothing tells when there is more.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn request_content(mut stream: &TcpStream, request: &Received) -> Vec<u8> {
    let mut content = Vec::new();
    if let Some(length) = request.field("content-length") {
        content.resize(length.parse().unwrap(), 0);
        let _ = stream.read_exact(&mut content);
    } else if request.field("transfer-encoding").is_some() {
        let mut octet = [0];
        while !content.ends_with(b"0\r\n\r\n") && stream.read_exact(&mut octet).is_ok() {
            content.push(octet[0]);
        }
    }
    content
}

/// Sends an answer; whether the connection goes on.
fn send(mut stream: &TcpStream, request: &Received, answer: Answer) -> bool {
    match answer.manner {
        Manner::Late => std::thread::sleep(LATE),
        Manner::Close | Manner::Reset => return false,
        Manner::Silence => {
            // Ended by whoever has waited long enough.
            let _ = stream.read(&mut [0]);
            return false;
        }
        _ => {}
    }
    let (octets, goes_on) = written(request, answer);
    stream.write_all(&octets).is_ok() && goes_on
}

/// The octets of an answer, and whether its end can be told without a close.
fn written(request: &Received, answer: Answer) -> (Vec<u8>, bool) {
    let mut out = String::new();
    for (status, fields) in &answer.interim {
        out += &format!("HTTP/1.1 {status} Interim\r\n{}\r\n", lines(fields));
    }
    let mut content = answer.content.unwrap_or_default();
    if answer.manner == Manner::Echo {
        content = request.head.replace("\r\n", "\n");
    }
    let names = |name: &str| {
        let is = |line: &String| line.split(':').next().unwrap().eq_ignore_ascii_case(name);
        answer.fields.iter().any(is)
    };
    let minor = u8::from(answer.manner != Manner::Old);
    out += &format!("HTTP/1.{minor} {} Status\r\n{}", answer.status, lines(&answer.fields));
    if !names("Date") && !names("-Date") {
        out += &format!("Date: {}\r\n", moment::imf(moment::now()));
    }
    let is_empty = matches!(answer.status, 204 | 304) || request.line().starts_with("HEAD ");
    let has_framing = names("Content-Length") || names("Transfer-Encoding");
    match answer.manner {
        Manner::Chunked | Manner::ChunkedWithoutEnd | Manner::Trailers => {
            out += "Transfer-Encoding: chunked\r\n";
            let middle = content.len() / 2;
            let (one, other) = content.split_at(middle);
            let end = match answer.manner {
                Manner::Chunked => "0\r\n\r\n",
                Manner::Trailers => "0\r\nX-Trailer: 1\r\n\r\n",
                _ => "",
            };
            let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
            content = format!("{}{}{end}", chunk(one), chunk(other));
        }
        Manner::Cut => {
            out += &format!("Content-Length: {}\r\n", content.len());
            content.truncate(content.len() / 2);
        }
        Manner::UntilClose => out += "Connection: close\r\n",
        _ if has_framing || matches!(answer.status, 204 | 304) => {}
        _ => out += &format!("Content-Length: {}\r\n", content.len()),
    }
    out += "\r\n";
    if !is_empty {
        out += &content;
    }
    use Manner::{Chunked, Echo, Late, Trailers, Whole};
    let goes_on = matches!(answer.manner, Whole | Late | Chunked | Trailers | Echo);
    (out.into_bytes(), goes_on)
}

fn lines(fields: &[String]) -> String {
    let sent = fields.iter().filter(|line| !line.starts_with('-'));
    sent.map(|line| format!("{line}\r\n")).collect()
}
