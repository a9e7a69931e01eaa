//! An HTTP/1 client of the tests' own: it sends octets as they are given, and sees how a connection ends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How long anything may take before a test fails; far more than anything takes, so that a slow machine fails nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// How the content of a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As its length or its last chunk says.
    Whole,
    /// There was neither; the connection was closed in order.
    ByClose,
    /// The connection was closed before the end.
    Early,
    /// The connection was reset.
    Reset,
}

/// A final response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: Vec<u8>,
    pub(crate) ended: Ended,
    /// Status of each interim response before it.
    pub(crate) interim: Vec<u16>,
}

impl Response {
    /// The values of a field, joined by commas; empty when it is not there.
    pub(crate) fn field(&self, name: &str) -> String {
        let values = self.fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Cache-Status.
    pub(crate) fn cache_status(&self) -> String {
        self.field("cache-status")
    }

    /// Everything that a client could read, as text.
    pub(crate) fn text(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\n"));
        fields.collect::<String>() + &String::from_utf8_lossy(&self.content)
    }
}

/// A head without its content.
#[derive(Debug)]
pub(crate) struct Head {
    version: String,
    status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    part: Box<[u8]>,
}

impl Client {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new(), part: vec![0; 64 * 1024].into() }
    }

    /// A second handle, to send while another thread receives.
    pub(crate) fn sender(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    /// Ends the sending direction.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// GET over HTTP/1.1 and its response.
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.ask("GET", target, "")
    }

    /// One request over HTTP/1.1 with more field lines (each ends in CR LF), and its response.
    pub(crate) fn ask(&mut self, method: &str, target: &str, fields: &str) -> Response {
        self.send(request(method, target, fields).as_bytes());
        self.receive(method)
    }

    /// The response to a request with `method`.
    pub(crate) fn receive(&mut self, method: &str) -> Response {
        let mut interim = Vec::new();
        let head = loop {
            let head = self.receive_head();
            if !(100..200).contains(&head.status) {
                break head;
            }
            interim.push(head.status);
        };
        let (content, ended) = self.receive_content(method, &head);
        let Head { version, status, fields } = head;
        Response { version, status, fields, content, ended, interim }
    }

    /// The next head, an interim one too.
    pub(crate) fn receive_head(&mut self) -> Head {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            match self.more() {
                Ok(0) => panic!("closed in a head: {:?}", String::from_utf8_lossy(&self.unread)),
                Ok(_) => {}
                Err(error) => panic!("{error:?} in a head"),
            }
        };
        let text = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status_line = lines.next().unwrap();
        let (version, rest) = status_line.split_once(' ').unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_owned(), value.trim().to_owned())
        };
        let status = rest[..3].parse().unwrap();
        Head { version: version.to_owned(), status, fields: lines.map(field).collect() }
    }

    /// The content behind `head`.
    pub(crate) fn receive_content(&mut self, method: &str, head: &Head) -> (Vec<u8>, Ended) {
        let mut content = Vec::new();
        if method == "HEAD" || [204, 304].contains(&head.status) {
            return (content, Ended::Whole);
        }
        let ended = if head.field("transfer-encoding").is_some() {
            assert_eq!(head.field("content-length"), None, "two framings");
            self.receive_chunks(&mut content)
        } else if let Some(length) = head.field("content-length") {
            self.take(length.parse().unwrap(), &mut content)
        } else {
            loop {
                match self.more() {
                    Ok(0) => break Ended::ByClose,
                    Ok(_) => {}
                    Err(ended) => break ended,
                }
            }
        };
        if ended == Ended::ByClose || content.is_empty() && ended == Ended::Reset {
            content.append(&mut self.unread);
        }
        (content, ended)
    }

    fn receive_chunks(&mut self, content: &mut Vec<u8>) -> Ended {
        loop {
            let end = loop {
                if let Some(end) = self.unread.windows(2).position(|window| window == b"\r\n") {
                    break end;
                }
                match self.more() {
                    Ok(0) => return Ended::Early,
                    Ok(_) => {}
                    Err(ended) => return ended,
                }
            };
            let line = String::from_utf8(self.unread.drain(..end + 2).collect()).unwrap();
            let size = usize::from_str_radix(line.trim().split(';').next().unwrap(), 16).unwrap();
            let mut data = Vec::new();
            let ended = self.take(size + 2, &mut data);
            data.truncate(size);
            content.append(&mut data);
            if ended != Ended::Whole || size == 0 {
                return ended;
            }
        }
    }

    fn take(&mut self, count: usize, out: &mut Vec<u8>) -> Ended {
        while self.unread.len() < count {
            let ended = match self.more() {
                Ok(0) => Ended::Early,
                Ok(_) => continue,
                Err(ended) => ended,
            };
            out.append(&mut self.unread);
            return ended;
        }
        out.extend(self.unread.drain(..count));
        Ended::Whole
    }

    /// Waits until at least `count` octets are there behind what was taken.
    pub(crate) fn wait_for(&mut self, count: usize) {
        while self.unread.len() < count {
            assert!(self.more().expect("not reset") > 0, "closed");
        }
    }

    fn more(&mut self) -> Result<usize, Ended> {
        match self.stream.read(&mut self.part) {
            Ok(count) => {
                self.unread.extend_from_slice(&self.part[..count]);
                Ok(count)
            }
            // A wait with a timeout is not taken up again by the kernel.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.more(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(Ended::Reset),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for the end of the connection; whatever comes before it is a failure.
    pub(crate) fn assert_closed(&mut self, why: &str) {
        let unread = String::from_utf8_lossy(&self.unread).into_owned();
        assert_eq!(unread, "", "{why}: more than a response");
        match self.more() {
            Ok(0) | Err(Ended::Reset) => {}
            other => panic!("{why}: {other:?} {:?}", String::from_utf8_lossy(&self.unread)),
        }
    }
}

impl Client {
    /// Waits for the end of the connection, which must be no reset.
    pub(crate) fn assert_ended_in_order(&mut self) {
        assert_eq!(self.more(), Ok(0));
    }
}

/// A request of HTTP/1.1 without content.
pub(crate) fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: www.customer.test\r\n{fields}\r\n")
}

/// One GET on a connection of its own.
pub(crate) fn get(address: &str, target: &str) -> Response {
    Client::connect(address).ask("GET", target, "Connection: close\r\n")
}
