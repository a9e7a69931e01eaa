//! Slow clients over real sockets hold pages of the arena, long after what they read was evicted and its memory given
//! to others: every octet is the one that was asked for, and what they hold stays counted.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]

use lastmile_edge::arena::ArenaChoice;
use lastmile_edge::{Config, Edge, IoChoice, start};
use lastmile_origin::{Origin, Source, fill_synthetic};
use lastmile_tuning::cpu::Cores;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Octets in a slow client's socket: a small window, so that the rest waits in the edge's socket and in the edge.
const WINDOW_OCTETS: usize = 32 * 1024;
/// Octets that wait in the edge's socket, more or less.
const UNSENT_OCTETS: u32 = 128 * 1024;
/// Longer than any wait of a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An origin of synthetic objects and an edge before it.
struct World {
    _origin: Origin,
    edge: Edge,
}

impl World {
    fn new(io: IoChoice, arena: ArenaChoice, ram_octets: u64) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let origin = lastmile_origin::Config::new(listen, Source::Synthetic);
        let origin = lastmile_origin::start(origin).unwrap();
        let upstream = format!("http://{}", origin.address()).parse().unwrap();
        let cores = Cores::first(2).unwrap();
        let mut config = Config::new("edge".into(), vec![listen], vec![upstream], cores);
        (config.io, config.arena, config.ram_octets) = (io, arena, ram_octets);
        config.listen[0].options.socket.notsent_lowat = Some(UNSENT_OCTETS);
        Self { _origin: origin, edge: start(config).unwrap() }
    }

    fn address(&self) -> SocketAddr {
        self.edge.addresses()[0]
    }

    fn sample(&self, name: &str) -> u64 {
        self.edge.samples().iter().find(|sample| sample.0 == name).unwrap().2
    }

    /// All of an object, by a client that takes what comes.
    fn fetch(&self, path: &str) -> Reader {
        let mut reader = Reader::new(TcpStream::connect(self.address()).unwrap(), path, None);
        reader.read_to_end();
        reader
    }

    fn assert_within_ram(&self) {
        let (used, capacity) = (self.sample("ram_octets"), self.sample("ram_capacity_octets"));
        assert!(used <= capacity, "{used} octets in {capacity}");
    }
}

/// A client that checks what it reads as it comes.
struct Reader {
    stream: TcpStream,
    path: String,
    head: String,
    /// Offset of the next octet in the object, and behind the last one.
    next: u64,
    end: u64,
}

impl Reader {
    /// Asks for an object, or for the octets from the one up to and including the other.
    fn new(mut stream: TcpStream, path: &str, range: Option<(u64, u64)>) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let range_field =
            range.map_or(String::new(), |(first, last)| format!("Range: bytes={first}-{last}\r\n"));
        let request = format!(
            "GET {path}?max-age=3600 HTTP/1.1\r\nHost: slow.test\r\n{range_field}Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            head.push(octet[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: u64 = length.unwrap_or_else(|| panic!("{path}: {head}")).parse().unwrap();
        let next = range.map_or(0, |(first, _)| first);
        Self { stream, path: path.into(), head, next, end: next + length }
    }

    /// One with a small window.
    fn slow(address: SocketAddr, path: &str, range: Option<(u64, u64)>) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(WINDOW_OCTETS).unwrap();
        socket.connect(&SockAddr::from(address)).unwrap();
        Self::new(socket.into(), path, range)
    }

    fn is_at_end(&self) -> bool {
        self.next == self.end
    }

    /// Reads and checks at most `count` octets of the content, at least one.
    fn read_some(&mut self, count: u64) {
        let count = usize::try_from(count.min(self.end - self.next)).unwrap();
        let mut octets = vec![0; count];
        let read = loop {
            // A socket with a time limit is not read on by itself after a signal (signal(7)).
            match self.stream.read(&mut octets) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.unwrap(),
            }
        };
        assert!(read > 0, "{} ends at {} of {}", self.path, self.next, self.end);
        let mut expected = vec![0; read];
        fill_synthetic(&self.path, self.next, &mut expected);
        let wrong = octets.iter().zip(&expected).position(|(octet, expected)| octet != expected);
        if let Some(wrong) = wrong {
            let (at, octet) = (self.next + wrong as u64, octets[wrong]);
            panic!("octet {at} of {} is {octet}, not {}", self.path, expected[wrong]);
        }
        self.next += read as u64;
    }

    fn read_to_end(&mut self) {
        while !self.is_at_end() {
            self.read_some(1 << 20);
        }
    }
}

const SIZES: [u64; 8] =
    [100_000, 131_072, 250_000, 500_000, 900_000, 1_000_000, 1_500_000, 3_000_000];

/// The slow clients of the flood: for each object one that comes while it is still unknown, and one that gets it, or a
/// range of it, from the store.
fn slow_readers(world: &World) -> Vec<Reader> {
    let mut readers = Vec::new();
    for (number, size) in SIZES.into_iter().enumerate() {
        let path = format!("/bytes/{size}/slow-{number}");
        let stored = world.sample("stored_total");
        readers.push(Reader::slow(world.address(), &path, None));
        until("it is stored", || world.sample("stored_total") > stored);
        // Used once only, so that what comes after it can push it out.
        let range = (number % 2 == 0).then_some((size / 3 + 1, size - 2));
        readers.push(Reader::slow(world.address(), &path, range));
        assert!(readers[2 * number + 1].head.contains("; hit"), "{}", readers[2 * number + 1].head);
    }
    for reader in &mut readers {
        reader.read_some(1000);
    }
    readers
}

/// Looks again and again; for what no event tells.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn flood(io: IoChoice, arena: ArenaChoice) {
    const RAM_OCTETS: u64 = 16 << 20;
    const TIMES: u64 = 21;
    let world = World::new(io, arena, RAM_OCTETS);
    let mut readers = slow_readers(&world);
    let (mut flooded, mut number) = (0, 0);
    while flooded < TIMES * RAM_OCTETS {
        let size = [1_000_000, 100_000, 400_000, 65_536][number % 4];
        assert!(world.fetch(&format!("/bytes/{size}/flood-{number}")).is_at_end());
        (flooded, number) = (flooded + size, number + 1);
        world.assert_within_ram();
        for reader in readers.iter_mut().filter(|reader| !reader.is_at_end()) {
            // Half of it is left at the end of the flood.
            let all_along = (reader.end * flooded / (TIMES * RAM_OCTETS)) / 2;
            if reader.next < all_along {
                reader.read_some(all_along - reader.next);
            }
        }
    }
    let stored = world.sample("stored_total");
    assert!(stored > number as u64 / 2, "{stored} of {number} were stored");
    for pair in readers.chunks_mut(2) {
        let again = world.fetch(&pair[0].path);
        assert!(again.head.contains("uri-miss"), "it was evicted: {}", again.head);
        for reader in pair {
            assert!(!reader.is_at_end(), "the test needs slow readers");
            reader.read_to_end();
            world.assert_within_ram();
        }
    }
    assert!(world.sample("by_reference_octets_total") > flooded / 2);
    assert_eq!(world.sample("arena_errors_total"), 0);
    world.edge.stop(Duration::ZERO);
}

#[test]
fn with_io_uring_and_a_tmpfs() {
    flood(IoChoice::Auto, ArenaChoice::Auto);
}

#[test]
fn with_io_uring_and_a_memory_file() {
    flood(IoChoice::Auto, ArenaChoice::Memfd);
}

#[test]
fn with_epoll_and_a_tmpfs() {
    flood(IoChoice::Epoll, ArenaChoice::Auto);
}

#[test]
fn with_epoll_and_a_memory_file() {
    flood(IoChoice::Epoll, ArenaChoice::Memfd);
}

#[test]
fn on_the_heap() {
    const RAM_OCTETS: u64 = 8 << 20;
    let world = World::new(IoChoice::Auto, ArenaChoice::None, RAM_OCTETS);
    assert_held_is_counted(&world, RAM_OCTETS);
    assert_eq!(world.sample("by_reference_octets_total"), 0);
}

#[test]
fn in_the_arena() {
    const RAM_OCTETS: u64 = 8 << 20;
    let world = World::new(IoChoice::Auto, ArenaChoice::Auto, RAM_OCTETS);
    assert_held_is_counted(&world, RAM_OCTETS);
    assert_eq!(world.sample("arena_errors_total"), 0);
}

/// Clients that do not read hold more and more, until nothing else can be stored; it is passed on then. When they have
/// gone there is room again.
fn assert_held_is_counted(world: &World, ram_octets: u64) {
    const SIZE: u64 = 2_000_000;
    let mut readers = Vec::new();
    for number in 0..2 * ram_octets / SIZE {
        let path = format!("/bytes/{SIZE}/held-{number}");
        assert!(world.fetch(&path).is_at_end());
        readers.push(Reader::slow(world.address(), &path, None));
        world.assert_within_ram();
    }
    let refused = world.fetch("/bytes/2000000/refused");
    assert!(refused.head.contains("no-room"), "{}", refused.head);
    world.assert_within_ram();
    let held = world.sample("ram_octets");
    assert!(held > ram_octets / 2, "{held} octets held of {ram_octets}");
    readers.iter_mut().for_each(Reader::read_to_end);
    drop(readers);
    for again in 0.. {
        let stored = world.sample("stored_total");
        world.fetch(&format!("/bytes/{SIZE}/again-{again}"));
        world.assert_within_ram();
        if world.sample("stored_total") > stored {
            return;
        }
        assert!(again < 1000, "there is never room again");
    }
}
