//! Scripted clients: what they ask, how they read, and a strict parser of what they get. Their HTTP is their own.

use crate::net::{Net, SimReceiver, SimSender};
use crate::world::World;
use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use futures_lite::future::{or, zip};
use lastmile_edge::io::{Receive, Stream, Wait};

/// Longer than every wait of an edge and its parent together: connecting, sending, a head, and each once more.
const PATIENCE: Duration = Duration::from_secs(200);
/// How long a slow client waits before it takes the next octets, and how many it takes: far more often than the edge's
/// limit without progress.
const SLOW_MS: u64 = 400;

/// One request.
#[derive(Clone, Default)]
pub struct Ask {
    pub method: &'static str,
    pub path: &'static str,
    pub http10: bool,
    /// Whether it wants the connection to go on.
    pub persists: bool,
    pub fields: Vec<(&'static str, String)>,
    pub content: Vec<u8>,
    pub chunked: bool,
    /// Sent instead of all that.
    pub raw: Option<&'static [u8]>,
}

/// How a client takes what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Eager,
    Slow,
    /// Goes away when this many octets have arrived.
    Leaves(u64),
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub content: Vec<u8>,
    /// The whole response has come, as far as its framing says.
    pub complete: bool,
    /// True times: before the request was sent, and when the head had come.
    pub asked_ms: u64,
    pub head_ms: u64,
}

impl core::fmt::Debug for Ask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { method, path, http10, persists, fields, content, chunked, raw } = self;
        write!(f, "{method} {path} http10={http10} persists={persists} {fields:?}")?;
        write!(f, " content={} chunked={chunked} nonsense={}", content.len(), raw.is_some())
    }
}

impl Ask {
    pub fn get(path: &'static str) -> Self {
        Self { method: "GET", path, persists: true, ..Self::default() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_str())
    }

    fn octets(&self) -> Vec<u8> {
        if let Some(raw) = self.raw {
            return raw.to_vec();
        }
        let version = if self.http10 { "1.0" } else { "1.1" };
        let mut head =
            format!("{} {} HTTP/{version}\r\nHost: site.test\r\n", self.method, self.path);
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        head += match (self.http10, self.persists) {
            (false, false) => "Connection: close\r\n",
            (true, true) => "Connection: keep-alive\r\n",
            _ => "",
        };
        let mut content = Vec::new();
        if self.chunked {
            head += "Transfer-Encoding: chunked\r\n";
            for part in self.content.chunks(1000) {
                content.extend(format!("{:x}\r\n", part.len()).into_bytes());
                content.extend_from_slice(part);
                content.extend(b"\r\n");
            }
            content.extend(b"0\r\n\r\n");
        } else if self.method == "POST" {
            head += &format!("Content-Length: {}\r\n", self.content.len());
            content.clone_from(&self.content);
        }
        [head.as_bytes(), b"\r\n", &content].concat()
    }
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// When the origin has made or confirmed it.
    pub fn made_ms(&self) -> Option<u64> {
        self.field("cache-control")?.rsplit_once("made=")?.1.parse().ok()
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    fn count(&self, name: &str) -> usize {
        self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count()
    }

    pub fn ends_connection(&self, ask: &Ask) -> bool {
        match self.field("connection") {
            Some("close") => true,
            Some("keep-alive") => false,
            _ => ask.http10,
        }
    }
}

/// Why no more answers came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All were answered, or the connection ended in order.
    Done,
    /// The connection was refused or failed.
    Lost,
    /// Nothing came for a very long time.
    Silence,
    /// What came is not HTTP.
    Malformed(String),
}

/// One client.
#[derive(Clone)]
pub struct Client {
    pub world: World,
    pub net: Net,
    pub address: SocketAddr,
    pub server: SocketAddr,
}

impl Client {
    /// Sends `asks` on one connection and reads the answers. HTTP/1.1 is pipelined: all are sent without waiting.
    pub async fn converse(&self, asks: &[Ask], reading: Reading) -> (Vec<Answer>, Stop) {
        let mut answers = Vec::new();
        let stream = self.net.connect(self.address, self.server, PATIENCE).await;
        let Ok(mut stream) = stream else { return (answers, Stop::Lost) };
        let pipelined = asks.iter().all(|ask| !ask.http10);
        let (receiver, sender) = stream.split();
        let world = &self.world;
        let mut reader = Reader { world, receiver, ahead: Vec::new(), reading, taken: 0 };
        let mut stop = Stop::Done;
        for group in asks.chunks(if pipelined { asks.len() } else { 1 }) {
            let before = answers.len();
            stop = self.exchange(&mut reader, sender, group, &mut answers).await;
            if stop != Stop::Done || answers.len() < before + group.len() {
                break;
            }
            let last = answers.last().zip(group.last());
            if last.is_some_and(|(answer, ask)| answer.ends_connection(ask)) {
                break;
            }
        }
        for answer in &answers {
            self.world.trace(6, u64::from(answer.status) << 32 | answer.content.len() as u64);
        }
        (answers, stop)
    }

    async fn exchange(
        &self,
        reader: &mut Reader<'_>,
        sender: &mut SimSender,
        asks: &[Ask],
        answers: &mut Vec<Answer>,
    ) -> Stop {
        let asked_ms = self.world.now_ms();
        let receive = async {
            for ask in asks {
                let mut answer = Answer::default();
                let outcome = reader.answer(ask, &mut answer).await;
                answer.asked_ms = asked_ms;
                let ends = answer.ends_connection(ask);
                if answer.status != 0 {
                    answers.push(answer);
                }
                match outcome {
                    Err(stop) => return stop,
                    Ok(()) if ends => return reader.end().await,
                    Ok(()) => {}
                }
            }
            Stop::Done
        };
        let sending_for_ever = async {
            self.send(asks, sender).await;
            core::future::pending().await
        };
        or(receive, sending_for_ever).await
    }

    /// Sends the requests in arbitrary groups.
    async fn send(&self, asks: &[Ask], sender: &mut SimSender) {
        let mut octets = Vec::new();
        for ask in asks {
            octets.extend(ask.octets());
            if self.world.chance(500) {
                let group = core::mem::take(&mut octets);
                if sender.send_octets(Bytes::from(group), PATIENCE).await.is_err() {
                    return;
                }
                self.world.sleep_ms(self.world.random(30)).await;
            }
        }
        let _ = sender.send_octets(Bytes::from(octets), PATIENCE).await;
    }

    /// The same request by several clients at the same time.
    pub async fn two_at_once(&self, first: &Ask, second: &Ask, slow: Reading) -> [Vec<Answer>; 2] {
        let one = core::slice::from_ref(first);
        let other = core::slice::from_ref(second);
        let eager = self.converse(one, Reading::Eager);
        let (first, second) = zip(eager, self.converse(other, slow)).await;
        [first.0, second.0]
    }
}

struct Reader<'a> {
    world: &'a World,
    receiver: &'a mut SimReceiver,
    ahead: Vec<u8>,
    reading: Reading,
    taken: u64,
}

impl Reader<'_> {
    /// More octets; `Stop::Done` at an orderly end of the stream.
    async fn more(&mut self) -> Result<(), Stop> {
        match self.reading {
            Reading::Eager => {}
            Reading::Slow => self.world.sleep_ms(self.world.random(SLOW_MS)).await,
            Reading::Leaves(after) if self.taken >= after => return Err(Stop::Lost),
            Reading::Leaves(_) => {}
        }
        match self.receiver.receive(Wait::Idle(PATIENCE)).await {
            Ok(octets) if octets.is_empty() => Err(Stop::Done),
            Ok(octets) => {
                self.taken += octets.len() as u64;
                self.ahead.extend_from_slice(&octets);
                Ok(())
            }
            Err(lastmile_edge::io::IoError::TimedOut) => Err(Stop::Silence),
            Err(_) => Err(Stop::Lost),
        }
    }

    async fn line(&mut self) -> Result<String, Stop> {
        loop {
            if let Some(end) = self.ahead.iter().position(|octet| *octet == b'\n') {
                let rest = self.ahead.split_off(end + 1);
                let line = core::mem::replace(&mut self.ahead, rest);
                let line = String::from_utf8_lossy(&line).into_owned();
                let line = line.strip_suffix("\r\n").map(str::to_owned);
                return line.ok_or_else(|| malformed("a bare line feed"));
            }
            self.more().await?;
        }
    }

    /// Moves `count` octets to `content` as they come.
    async fn exactly(&mut self, mut count: usize, content: &mut Vec<u8>) -> Result<(), Stop> {
        loop {
            let now = count.min(self.ahead.len());
            content.extend(self.ahead.drain(..now));
            count -= now;
            if count == 0 {
                return Ok(());
            }
            self.more().await?;
        }
    }

    async fn answer(&mut self, ask: &Ask, answer: &mut Answer) -> Result<(), Stop> {
        loop {
            self.head(answer).await?;
            if answer.status >= 200 {
                break;
            }
            if ask.http10 {
                return Err(malformed("an interim response for HTTP/1.0"));
            }
            *answer = Answer::default();
        }
        answer.head_ms = self.world.now_ms();
        let lengths = answer.count("content-length");
        let chunked = answer.field("transfer-encoding") == Some("chunked");
        let codings = answer.count("transfer-encoding");
        if lengths + codings > 1 || codings == 1 && (!chunked || ask.http10) {
            return Err(malformed("the framing is ambiguous"));
        }
        if answer.count("connection") > 1 || answer.count("date") > 1 || answer.count("age") > 1 {
            return Err(malformed("a single field is repeated"));
        }
        if ask.method == "HEAD" || matches!(answer.status, 204 | 304) {
        } else if chunked {
            self.chunks(&mut answer.content).await?;
        } else if lengths == 1 {
            let length = answer.number("content-length");
            let length = length.ok_or_else(|| malformed("Content-Length is no number"))?;
            self.exactly(length as usize, &mut answer.content).await?;
        } else {
            if !answer.ends_connection(ask) {
                return Err(malformed("nothing delimits the content"));
            }
            loop {
                answer.content.append(&mut self.ahead);
                match self.more().await {
                    Ok(()) => {}
                    Err(Stop::Done) => break,
                    Err(stop) => return Err(stop),
                }
            }
        }
        answer.complete = true;
        Ok(())
    }

    async fn head(&mut self, answer: &mut Answer) -> Result<(), Stop> {
        let first = self.line().await?;
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let field = line.split_once(": ");
            let (name, value) = field.ok_or_else(|| malformed(&line))?;
            let token = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
            if !name.bytes().all(token) {
                return Err(malformed(&line));
            }
            fields.push((name.to_owned(), value.to_owned()));
        }
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..4));
        let status = status.and_then(|digits| digits.strip_suffix(' ')?.parse().ok());
        answer.status = status.ok_or_else(|| malformed(&first))?;
        answer.fields = fields;
        Ok(())
    }

    async fn chunks(&mut self, content: &mut Vec<u8>) -> Result<(), Stop> {
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| malformed(&size))?;
            self.exactly(size, content).await?;
            let end = self.line().await?;
            if !end.is_empty() {
                return Err(malformed("octets behind a chunk"));
            }
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// A server that announces the end of the connection brings it about, and says nothing more.
    async fn end(&mut self) -> Stop {
        if !self.ahead.is_empty() {
            return malformed("octets behind the last response");
        }
        match self.more().await {
            Ok(()) => malformed("octets behind the last response"),
            Err(Stop::Lost) => Stop::Done,
            Err(stop) => stop,
        }
    }
}

fn malformed(what: &str) -> Stop {
    Stop::Malformed(what.to_owned())
}
