//! A strict parser of what a client gets.

use crate::ask::{Answer, Ask};
use crate::client::{PATIENCE, Reading, Stop};
use crate::net::SimReceiver;
use crate::world::World;
use lastmile_edge::io::{IoError, Receive, Wait};

/// How long a slow client waits before it takes the next octets: far less than the edge's limit without progress.
const SLOW_MS: u64 = 400;

/// The receiving half of a client's connection, with what has been received ahead.
pub struct Reader<'a> {
    pub world: &'a World,
    pub receiver: &'a mut SimReceiver,
    pub ahead: Vec<u8>,
    pub reading: Reading,
    pub taken: u64,
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
            Err(IoError::TimedOut) => Err(Stop::Silence),
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

    pub async fn answer(&mut self, ask: &Ask, answer: &mut Answer) -> Result<(), Stop> {
        loop {
            self.head(answer).await?;
            if answer.status >= 200 {
                break;
            }
            if ask.http10 {
                return Err(malformed("an interim response for HTTP/1.0"));
            }
            // RFC 9110 §15.2.1, §10.1.1: 100 is for those who wait for it.
            if answer.status == 100 && ask.content.is_none() {
                return Err(malformed("100 for a request without content"));
            }
            let mut interim = core::mem::take(&mut answer.interim);
            interim.push(answer.status);
            *answer = Answer { interim, ..Answer::default() };
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
    pub async fn end(&mut self) -> Stop {
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
