//! The origin's end of a connection: a strict reader of requests. A cache speaks HTTP/1.1, well.

use crate::net::SimStream;
use crate::world::World;
use bytes::Bytes;
use core::time::Duration;
use lastmile_edge::io::{Receive, Stream, Wait};

pub const SEND_LIMIT: Duration = Duration::from_secs(60);

/// Fields that end at a hop, so that no origin must see what the client of a cache has sent in them.
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "x-hop"];

/// A request as the origin reads it.
pub struct Request {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub content: Vec<u8>,
}

impl Request {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }
}

/// A connection with what has been received ahead.
pub struct Wire {
    pub world: World,
    pub stream: SimStream,
    pub ahead: Vec<u8>,
}

impl Wire {
    async fn more(&mut self, wait: Duration) -> Option<()> {
        let octets = self.stream.split().0.receive(Wait::Idle(wait)).await.ok()?;
        self.ahead.extend_from_slice(&octets);
        (!octets.is_empty()).then_some(())
    }

    async fn line(&mut self, wait: Duration) -> Option<String> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let rest = self.ahead.split_off(end + 2);
                let line = core::mem::replace(&mut self.ahead, rest);
                return String::from_utf8(line[..end].to_vec()).ok();
            }
            self.more(wait).await?;
        }
    }

    async fn exactly(&mut self, count: usize, wait: Duration) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            self.more(wait).await?;
        }
        let rest = self.ahead.split_off(count);
        Some(core::mem::replace(&mut self.ahead, rest))
    }

    /// The next request; `None` when there is none any more. Who expects 100 (Continue) gets it, mostly.
    pub async fn request(&mut self, idle: Duration) -> Option<Request> {
        let first = self.line(idle).await?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        assert_eq!(words.next(), Some("HTTP/1.1"), "a cache speaks its own version");
        let mut fields = Vec::new();
        loop {
            let line = self.line(SEND_LIMIT).await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            fields.push((name.to_owned(), value.to_owned()));
        }
        let mut request = Request { method, target, fields, content: Vec::new() };
        self.judge(&request);
        if request.field("expect").is_some() && self.world.chance(800) {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n".into()).await?;
        }
        if let Some(length) = request.field("content-length") {
            request.content = self.exactly(length.parse().ok()?, SEND_LIMIT).await?;
        } else if request.field("transfer-encoding").is_some() {
            loop {
                let size = self.line(SEND_LIMIT).await?;
                let size = usize::from_str_radix(&size, 16).ok()?;
                request.content.extend(self.exactly(size, SEND_LIMIT).await?);
                self.exactly(2, SEND_LIMIT).await?;
                if size == 0 {
                    break;
                }
            }
        }
        Some(request)
    }

    fn judge(&self, request: &Request) {
        let name = |field: &(String, String)| field.0.to_ascii_lowercase();
        let names: Vec<String> = request.fields.iter().map(name).collect();
        let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
        let ended = HOP_BY_HOP.iter().find(|name| count(name) > 0);
        if let Some(name) = ended {
            self.world.violation(format_args!("{name} reached the origin: {:?}", request.fields));
        }
        if count("host") != 1 || count("content-length") + count("transfer-encoding") > 1 {
            self.world.violation(format_args!("an ambiguous request: {:?}", request.fields));
        }
    }

    pub async fn send(&mut self, octets: Vec<u8>) -> Option<()> {
        self.stream.split().1.send_octets(Bytes::from(octets), SEND_LIMIT).await.ok()
    }
}
