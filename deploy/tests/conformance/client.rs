//! A client of the tests' own: one request on one connection, and every octet that comes back.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long anything may take before a case fails; far more than anything takes, so that a slow machine fails nothing.
const PATIENCE: Duration = Duration::from_secs(40);

/// What came back.
#[derive(Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: Vec<u8>,
    /// Whether the content ended before its end.
    pub(crate) cut_short: bool,
    /// Statuses of interim responses.
    pub(crate) interim: Vec<u16>,
}

impl Response {
    /// The values of a field, joined by commas; `None` when it is not there.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let lines = self.fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let values: Vec<&str> = lines.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

/// Sends `octets` and receives the response to a request with `method`.
///
/// # Errors
/// A sentence about a response that is none.
pub(crate) fn ask(edge: SocketAddr, method: &str, octets: &[u8]) -> Result<Response, String> {
    let mut stream = TcpStream::connect(edge).map_err(|error| format!("connect: {error}"))?;
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    stream.write_all(octets).map_err(|error| format!("send: {error}"))?;
    Wire { stream, unread: Vec::new() }.receive(method)
}

struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    fn receive(&mut self, method: &str) -> Result<Response, String> {
        let mut response = Response::default();
        loop {
            (response.status, response.fields) = self.head()?;
            if response.status >= 200 {
                break;
            }
            response.interim.push(response.status);
        }
        if method != "HEAD" && !matches!(response.status, 204 | 304) {
            self.content(&mut response)?;
        }
        Ok(response)
    }

    fn head(&mut self) -> Result<(u16, Vec<(String, String)>), String> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if !self.more()? {
                return Err(format!("closed in a head: {:?}", self.unread.escape_ascii()));
            }
        };
        let text: Vec<u8> = self.unread.drain(..end + 4).collect();
        let text = String::from_utf8(text).map_err(|_| "a head that is not UTF-8".to_owned())?;
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap_or_default();
        let code = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let code = code.ok_or_else(|| format!("status line {status:?}"))?;
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        let fields = lines.map(|line| field(line).ok_or_else(|| format!("field line {line:?}")));
        Ok((code, fields.collect::<Result<_, _>>()?))
    }

    fn content(&mut self, response: &mut Response) -> Result<(), String> {
        let length = response.field("content-length");
        if response.field("transfer-encoding").is_some() {
            if length.is_some() {
                return Err("both Content-Length and Transfer-Encoding".to_owned());
            }
            return self.chunks(response);
        }
        match length {
            Some(length) => {
                let length = length.parse().map_err(|_| format!("Content-Length: {length}"))?;
                response.content = self.take(length)?;
                response.cut_short = response.content.len() < length;
            }
            None => {
                while self.more()? {}
                response.content.append(&mut self.unread);
            }
        }
        Ok(())
    }

    fn chunks(&mut self, response: &mut Response) -> Result<(), String> {
        loop {
            let end = loop {
                match self.unread.windows(2).position(|window| window == b"\r\n") {
                    Some(end) => break end,
                    None if self.more()? => {}
                    None => {
                        response.cut_short = true;
                        return Ok(());
                    }
                }
            };
            let line: Vec<u8> = self.unread.drain(..end + 2).collect();
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            let size = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(|_| format!("chunk {line:?}"))?;
            let mut data = self.take(size + 2)?;
            response.cut_short = data.len() < size + 2;
            data.truncate(size);
            response.content.append(&mut data);
            if response.cut_short || size == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.unread.len() < count && self.more()? {}
        let count = count.min(self.unread.len());
        Ok(self.unread.drain(..count).collect())
    }

    /// Whether there was more; a reset is an end like any other, since what is missing shows it.
    fn more(&mut self) -> Result<bool, String> {
        let mut part = [0; 16 * 1024];
        match self.stream.read(&mut part) {
            Ok(count) => {
                self.unread.extend_from_slice(&part[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => self.more(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(format!("receive: {error}")),
        }
    }
}
