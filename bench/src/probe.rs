//! One request on a connection of its own: what a peer says of an object, and its octets.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting, and each wait for octets, may take. A first fetch through a cache is the slowest.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Octets of a response: the largest object of a case twice over.
const RESPONSE_OCTETS_MAX: u64 = 256 << 20;

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values as they came.
    fields: Vec<(String, String)>,
    /// The content.
    pub content: Vec<u8>,
}

impl Response {
    /// The values of a field, whatever the case of its name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// A response whose content has a Content-Length or ends with the connection: whatever HTTP/1.1
    /// servers answer to a request that asks them to close, but chunked, which no case makes.
    fn parse(octets: &[u8]) -> Result<Self, &'static str> {
        let end = octets
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .ok_or("the connection ended within the head")?;
        let head = std::str::from_utf8(&octets[..end]).map_err(|_| "a head that is no text")?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1."))
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or("no status line of HTTP/1")?;
        let fields = lines
            .map(|line| line.split_once(':').ok_or("a field without a colon"))
            .map(|field| field.map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
            .collect::<Result<Vec<_>, _>>()?;
        let response = Self { status, fields, content: octets[end + 4..].to_vec() };
        if response.values("transfer-encoding").next().is_some() {
            return Err("a transfer coding, which was not asked for");
        }
        let announced = response.values("content-length").next().map(str::parse::<usize>);
        match announced {
            Some(Ok(length)) if length != response.content.len() => {
                Err("the content is not as long as announced")
            }
            Some(Err(_)) => Err("a Content-Length that is no number"),
            Some(Ok(_)) | None => Ok(response),
        }
    }
}

/// GET `target` at `address`.
///
/// # Errors
/// No connection, no response in time, or one that is no HTTP.
pub fn get(address: SocketAddr, target: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT_MAX)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.set_write_timeout(Some(WAIT_MAX))?;
    // The Host is the one that wrk sends: it is part of the cache key.
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut octets = Vec::new();
    stream.take(RESPONSE_OCTETS_MAX).read_to_end(&mut octets)?;
    Response::parse(&octets).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        for (octets, expected, why) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Ok((200, 2)), "whole"),
            ("HTTP/1.1 200\r\nA: b\r\n\r\nhi", Ok((200, 2)), "delimited by the close"),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Ok((502, 0)), "the peer's own error"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
                Err("the content is not as long as announced"),
                "cut",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi",
                Err("a Content-Length that is no number"),
                "nonsense",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                Err("a transfer coding, which was not asked for"),
                "chunked",
            ),
            ("HTTP/1.1 200 OK\r\nConte", Err("the connection ended within the head"), "cut head"),
            ("", Err("the connection ended within the head"), "nothing"),
            ("220 ready\r\n\r\n", Err("no status line of HTTP/1"), "another protocol"),
            ("HTTP/1.1 200 OK\r\nfield\r\n\r\n", Err("a field without a colon"), "no field"),
        ] {
            let found = Response::parse(octets.as_bytes()).map(|r| (r.status, r.content.len()));
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn fields_are_found_by_name() {
        let response =
            Response::parse(b"HTTP/1.1 200 OK\r\nCache-Status: a; hit\r\ncache-status: b\r\n\r\n");
        let response = response.unwrap();
        assert_eq!(response.values("CACHE-STATUS").collect::<Vec<_>>(), ["a; hit", "b"]);
        assert_eq!(response.values("Via").count(), 0);
    }

    #[test]
    fn nobody_there_is_an_error() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(get(free, "/").is_err());
    }
}
