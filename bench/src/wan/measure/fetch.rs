//! One GET at a time, and when its first and its last octet came.

use super::request::Request;
use crate::load::response::{Answer, Reader};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long connecting may take, and each wait for octets: a path that loses a fifth of the packets has such waits.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Octets that are received at once.
const RECEIVE_OCTETS: usize = 256 * 1024;

/// The status that a measurement wants.
const GOOD: u16 = 200;

/// A whole, good response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Until the connection was made; `None` on one that was there.
    pub connect: Option<Duration>,
    /// From when connecting began (on a connection that was there: from the request) to the first octet.
    pub first_byte: Duration,
    /// The same, to the last one.
    pub last_byte: Duration,
    /// Of content.
    pub octets: u64,
}

/// A connection, and what is known of the responses on it.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    reader: Reader,
    buffer: Vec<u8>,
    /// When connecting began.
    pub began: Instant,
    /// How long it took.
    pub connect: Duration,
}

/// Octets of a response as they come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// When.
    pub(super) at: Instant,
    /// Octets of content until then.
    pub(super) octets: u64,
    /// The response, once it has ended.
    pub(super) ended: Option<Answer>,
}

/// A GET on a connection of its own. `before_close` is called once all has come.
///
/// # Errors
/// What came instead of a whole response with status 200.
pub fn once(request: &Request, before_close: &mut dyn FnMut(&Fetched)) -> Result<Fetched, String> {
    let mut wire = Wire::connect(request)?;
    let since_request = Instant::now().saturating_duration_since(wire.began);
    let mut fetched = wire.get(request)?;
    fetched.connect = Some(wire.connect);
    fetched.first_byte += since_request;
    fetched.last_byte += since_request;
    before_close(&fetched);
    Ok(fetched)
}

impl Wire {
    /// A new connection, from the calling thread's namespace.
    ///
    /// # Errors
    /// Why there is none.
    pub fn connect(request: &Request) -> Result<Self, String> {
        let began = Instant::now();
        let failed = |error: io::Error| format!("no connection to {}: {error}", request.address);
        let stream = TcpStream::connect_timeout(&request.address, WAIT_MAX).map_err(failed)?;
        let connect = began.elapsed();
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(WAIT_MAX)).map_err(failed)?;
        stream.set_write_timeout(Some(WAIT_MAX)).map_err(failed)?;
        let (reader, buffer) = (Reader::default(), vec![0; RECEIVE_OCTETS]);
        Ok(Self { stream, reader, buffer, began, connect })
    }

    /// A GET on it. Times are from when the request is sent.
    ///
    /// # Errors
    /// What came instead of a whole response with status 200.
    pub fn get(&mut self, request: &Request) -> Result<Fetched, String> {
        let sent = self.ask(request)?;
        let (mut octets, mut first_byte) = (0, None);
        loop {
            let progress = self.receive(octets)?;
            octets = progress.octets;
            let since = progress.at.saturating_duration_since(sent);
            let first_byte = *first_byte.get_or_insert(since);
            let Some(answer) = progress.ended else { continue };
            return match answer.status {
                GOOD => Ok(Fetched { connect: None, first_byte, last_byte: since, octets }),
                status => Err(format!("status {status} with {octets} octets")),
            };
        }
    }

    /// Sends the request; when.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Instant, String> {
        let sent = Instant::now();
        let failed = |error| format!("the request could not be sent: {error}");
        self.stream.write_all(&request.octets).map_err(failed)?;
        Ok(sent)
    }

    /// Waits for the next octets; `octets` of content have come before.
    pub(super) fn receive(&mut self, octets: u64) -> Result<Progress, String> {
        let length = loop {
            match self.stream.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("after {octets} octets of content: {error}")),
                Ok(length) => break length,
            }
        };
        let mut progress = Progress { at: Instant::now(), octets, ended: None };
        feed(&mut self.reader, &self.buffer[..length], &mut progress)?;
        Ok(progress)
    }

    /// How long a wait for octets may take.
    pub(super) fn set_wait(&self, time: Duration) -> Result<(), String> {
        let time = time.clamp(Duration::from_millis(1), WAIT_MAX);
        self.stream.set_read_timeout(Some(time)).map_err(|error| error.to_string())
    }
}

/// Adds `octets`, none of which are left after a response, to `progress`; no octets are the connection's end.
pub(super) fn feed(
    reader: &mut Reader,
    mut octets: &[u8],
    progress: &mut Progress,
) -> Result<(), String> {
    if octets.is_empty() {
        progress.ended = reader.end();
        return match progress.ended {
            Some(_) => Ok(()),
            None => {
                Err(format!("the connection ended after {} octets of content", progress.octets))
            }
        };
    }
    while !octets.is_empty() {
        if progress.ended.is_some() {
            return Err("more octets than the response has".to_owned());
        }
        let step = reader.feed(octets).map_err(|malformed| malformed.0.to_owned())?;
        progress.octets += step.content.len() as u64;
        progress.ended = step.ended;
        octets = &octets[step.used..];
    }
    Ok(())
}
