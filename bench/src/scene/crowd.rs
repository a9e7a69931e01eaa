//! Many clients on a cold object that arrives slowly: who has it when, and how often the origin was asked.

use super::{Played, Stage, float};
use crate::error::BenchError;
use crate::metric::Metric;
use crate::peer::{Peer, Server};
use crate::statistics::percentile;
use crate::watch::Moment;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Beyond the time that the object takes to arrive: then a client has an error.
const PATIENCE: Duration = Duration::from_secs(10);

/// How soon a request to stop is noticed, in ms.
const STOP_LOOK_EVERY_MS: u16 = 100;

/// Octets of a head that a server may answer with.
const HEAD_OCTETS_MAX: usize = 8_192;

/// Events taken at once.
const EVENTS_MAX: usize = 512;

/// See [`crate::case::Scene::Crowd`].
pub(super) struct Crowd {
    pub(super) clients: u16,
    pub(super) octets: u32,
    pub(super) rate: u32,
}

pub(super) fn play(
    stage: &Stage<'_>,
    crowd: &Crowd,
    peer: Peer,
    server: &Server,
) -> Result<Played, BenchError> {
    // Nobody has asked for this one before.
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let path = format!("/bytes/{}/crowd-{}-{since}", crowd.octets, peer.name());
    // An object's octets depend on its path alone.
    let expected = stage.origin.content(&path)?;
    let fetched = stage.origin.requests()?;
    let start = Moment::now(stage.cores, server.group())?;
    let target = format!("{path}?max-age=3600&rate={}", crowd.rate);
    let arrival = Duration::from_secs_f64(f64::from(crowd.octets) / f64::from(crowd.rate));
    let clients = all(stage, server.address, &target, crowd.clients, arrival + PATIENCE)
        .map_err(|error| BenchError::Io("a crowd of clients", error))?;
    stage.go_on()?;
    let used = start.until(&Moment::now(stage.cores, server.group())?);
    let fetched = stage.origin.requests()? - fetched;
    let (leader, followers) = clients.split_first().ok_or(BenchError::Stopped)?;
    let errors = clients.iter().filter(|client| client.outcome(&expected).is_err()).count();
    let mut played = Played {
        requests: crowd.clients.into(),
        figures: [(Metric::Fetches, float(fetched)), (Metric::Errors, float(errors as u64))].into(),
        errors: None,
        used: Some(used),
    };
    match leader.outcome(&expected) {
        Ok(at) => {
            let behind = followers.iter().filter_map(|follower| follower.outcome(&expected).ok());
            let behind =
                behind.map(|ended| ended.saturating_duration_since(at).as_secs_f64() * 1e3);
            if let Some(behind) = percentile(behind, 0.99) {
                played.figures.insert(Metric::BehindP99Ms, behind);
            }
        }
        Err(why) => played.errors = Some(format!("the first client: {why}")),
    }
    Ok(played)
}

/// The first one asks, then the others, one soon after the other; returns when all have their answers or time is up.
fn all(
    stage: &Stage<'_>,
    address: SocketAddr,
    target: &str,
    count: u16,
    patience: Duration,
) -> io::Result<Vec<Client>> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut clients: Vec<Client> = Vec::new();
    for at in 0..u64::from(count) {
        let client = Client::ask(address, target)?;
        epoll.add(&client.stream, EpollEvent::new(EpollFlags::EPOLLIN, at))?;
        clients.push(client);
        // Those that came before read meanwhile.
        read_ready(&epoll, &mut clients, EpollTimeout::ZERO)?;
    }
    let deadline = Instant::now() + patience;
    while clients.iter().any(|client| client.ended.is_none())
        && Instant::now() < deadline
        && stage.go_on().is_ok()
    {
        read_ready(&epoll, &mut clients, EpollTimeout::from(STOP_LOOK_EVERY_MS))?;
    }
    Ok(clients)
}

fn read_ready(epoll: &Epoll, clients: &mut [Client], wait: EpollTimeout) -> io::Result<()> {
    let mut events = [EpollEvent::empty(); EVENTS_MAX];
    let count = match epoll.wait(&mut events, wait) {
        Ok(count) => count,
        Err(nix::errno::Errno::EINTR) => 0,
        Err(error) => return Err(error.into()),
    };
    for event in &events[..count] {
        if let Some(client) = usize::try_from(event.data()).ok().and_then(|at| clients.get_mut(at))
        {
            client.read();
            if client.ended.is_some() {
                epoll.delete(&client.stream)?;
            }
        }
    }
    Ok(())
}

/// One connection with one request.
struct Client {
    stream: TcpStream,
    octets: Vec<u8>,
    /// When its response was whole, or broken.
    ended: Option<Instant>,
}

impl Client {
    fn ask(address: SocketAddr, target: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, octets: Vec::new(), ended: None })
    }

    /// Reads what is there.
    fn read(&mut self) {
        let mut part = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => break self.ended = Some(Instant::now()),
                Ok(read) => {
                    self.octets.extend_from_slice(&part[..read]);
                    if self.is_whole() {
                        break self.ended = Some(Instant::now());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break self.ended = Some(Instant::now()),
            }
        }
    }

    /// Head and content.
    fn parts(&self) -> Option<(&[u8], &[u8])> {
        let searched = &self.octets[..self.octets.len().min(HEAD_OCTETS_MAX)];
        let end = searched.windows(4).position(|four| four == b"\r\n\r\n")?;
        Some((&self.octets[..end], &self.octets[end + 4..]))
    }

    /// Octets of content that the head announces.
    fn announced(&self) -> Option<usize> {
        let head = String::from_utf8_lossy(self.parts()?.0).to_ascii_lowercase();
        let field = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
        field.trim().parse().ok()
    }

    /// Whether the content is as long as announced. Without an announcement it ends with the connection.
    fn is_whole(&self) -> bool {
        self.parts().is_some_and(|(_, content)| self.announced() == Some(content.len()))
    }

    /// When it had what it asked for, or what it had instead.
    fn outcome(&self, expected: &[u8]) -> Result<Instant, &'static str> {
        let ended = self.ended.ok_or("no end")?;
        let (head, content) = self.parts().ok_or("no whole head")?;
        if !head.starts_with(b"HTTP/1.1 200") {
            return Err("another status than 200");
        }
        if self.announced().is_some_and(|announced| announced != content.len()) {
            return Err("a content that was cut");
        }
        if content == expected { Ok(ended) } else { Err("other octets than the origin's") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_a_client_makes_of_responses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for (response, expected, why) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Ok(()), "whole, still open"),
            ("HTTP/1.1 200 OK\r\n\r\nhi", Ok(()), "delimited by the close"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi",
                Err("a content that was cut"),
                "cut",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho",
                Err("other octets than the origin's"),
                "another object",
            ),
            (
                "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nhi",
                Err("another status than 200"),
                "turned away",
            ),
            ("HTTP/1.1 200 OK\r\nConte", Err("no whole head"), "ended early"),
        ] {
            let mut client = Client::ask(listener.local_addr().unwrap(), "/x").unwrap();
            let (mut server, _) = listener.accept().unwrap();
            server.write_all(response.as_bytes()).unwrap();
            let keeps = client_is_told_the_end(response).then(|| server.try_clone().unwrap());
            drop(server);
            client.stream.set_nonblocking(false).unwrap();
            client.read();
            assert_eq!(client.outcome(b"hi").map(|_| ()), expected, "{why}");
            drop(keeps);
        }
    }

    /// Whether the connection may stay open.
    fn client_is_told_the_end(response: &str) -> bool {
        response.contains("Content-Length: 2")
    }
}
