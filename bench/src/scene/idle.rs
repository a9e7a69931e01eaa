//! Memory before and after many connections that have each had one hit and stay open.

use super::{Played, Stage, float};
use crate::error::BenchError;
use crate::memory;
use crate::metric::Metric;
use crate::peer::Server;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What each connection asks for once.
const TARGET: &str = "/bytes/1000/idle?max-age=3600";

/// Octets of its content.
const CONTENT_OCTETS: usize = 1_000;

/// Octets of a head that a server may answer with.
const HEAD_OCTETS_MAX: usize = 8_192;

/// How long connecting and answering may take.
const WAIT_MAX: Duration = Duration::from_secs(10);

pub(super) fn play(
    stage: &Stage<'_>,
    connections: u32,
    server: &Server,
) -> Result<Played, BenchError> {
    let octets = || {
        memory::of_group(server.group(), server.directory())
            .map_err(|error| BenchError::Io("memory of a peer", error))
    };
    lastmile_tuning::files::raise_limit()
        .map_err(|error| BenchError::Io("the limit of open files", error))?;
    let mut played = Played::default();
    let mut open = Vec::new();
    // The first few make what is made once.
    for _ in 0..2 {
        let _ = connect(server.address);
    }
    let before = octets()?;
    for count in 0..connections {
        stage.go_on()?;
        match connect(server.address) {
            Ok(stream) => open.push(stream),
            Err(error) => {
                played.errors = Some(format!("connection {} of {connections}: {error}", count + 1));
                return Ok(played);
            }
        }
    }
    let after = octets()?;
    let each = (float(after) - float(before)) / f64::from(connections);
    played.requests = connections.into();
    played.figures = [
        (Metric::ConnectionOctets, each),
        (Metric::BeforeMb, float(before) / 1e6),
        (Metric::AfterMb, float(after) / 1e6),
    ]
    .into();
    // Those that the server has closed meanwhile cost it nothing.
    let closed = open.iter_mut().map(is_open).filter(|open| !open).count();
    if closed > 0 {
        played.errors = Some(format!("it closed {closed} of {connections} idle connections"));
    }
    Ok(played)
}

/// A connection that has had its one response.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT_MAX)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.set_write_timeout(Some(WAIT_MAX))?;
    let head = format!("GET {TARGET} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut octets = [0; HEAD_OCTETS_MAX + CONTENT_OCTETS];
    let mut filled = 0;
    loop {
        match stream.read(&mut octets[filled..])? {
            0 => return Err(io::Error::other("no whole response")),
            read => filled += read,
        }
        let head = octets[..filled].windows(4).position(|four| four == b"\r\n\r\n");
        match head {
            Some(_) if !octets.starts_with(b"HTTP/1.1 200 ") => {
                return Err(io::Error::other("another status than 200"));
            }
            Some(head) if filled == head + 4 + CONTENT_OCTETS => return Ok(stream),
            Some(_) | None => {}
        }
    }
}

/// Whether the other side has not closed it.
fn is_open(stream: &mut TcpStream) -> bool {
    let mut octet = [0];
    stream.set_nonblocking(true).is_ok()
        && stream.read(&mut octet).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
