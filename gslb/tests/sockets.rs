//! Bounds and failures over real sockets: TCP framing, limits, stopping, ports in use.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, ErrorKind, Gslb, ZoneSource, check, start};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

const QUESTION: &[u8] = b"\x08customer\x03cdn\x04test\x00\x00\x01\x00\x01";

fn config() -> Config {
    let text = include_str!("../examples/cdn.toml").to_owned();
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    Config { listen: "127.0.0.1:0".parse().unwrap(), zone, ..Config::default() }
}

fn query(id: u16) -> Vec<u8> {
    [&id.to_be_bytes()[..], b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", QUESTION].concat()
}

fn framed(id: u16) -> Vec<u8> {
    let query = query(id);
    [&(query.len() as u16).to_be_bytes()[..], &query].concat()
}

fn connect(server: &Gslb) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads one answer and returns its ID.
fn read_answer(stream: &mut TcpStream) -> u16 {
    let mut prefix = [0; 2];
    stream.read_exact(&mut prefix).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(prefix))];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[3] & 15, 0, "NOERROR");
    u16::from_be_bytes([answer[0], answer[1]])
}

/// Whether the server ends the connection, by whichever means.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(octets) => octets == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn sample(server: &Gslb, name: &str) -> u64 {
    server.samples().iter().find(|sample| sample.0 == name).unwrap().2
}

#[test]
fn tcp_queries_are_pipelined_and_may_come_in_pieces() {
    let server = start(config()).unwrap();
    let mut stream = connect(&server);
    let queries: Vec<u8> = (0..1000).flat_map(framed).collect();
    // Odd pieces: prefixes and queries are cut anywhere.
    let mut writer = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        for piece in queries.chunks(37) {
            writer.write_all(piece).unwrap();
        }
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    for id in 0..1000 {
        assert_eq!(read_answer(&mut stream), id);
    }
    sending.join().unwrap();
    assert!(is_closed(&mut stream), "a peer that has ended gets its answers, then the end");
    server.stop(Duration::ZERO);
}

#[test]
fn an_answer_comes_from_the_address_that_was_asked() {
    for (listen, asked) in [("0.0.0.0:0", "127.0.0.2"), ("[::]:0", "::1")] {
        let server = start(Config { listen: listen.parse().unwrap(), ..config() }).unwrap();
        let client = if asked == "::1" { "[::1]:0" } else { "127.0.0.1:0" };
        let socket = UdpSocket::bind(client).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let asked: std::net::IpAddr = asked.parse().unwrap();
        let to = std::net::SocketAddr::new(asked, server.address().port());
        for id in 0..3 {
            socket.send_to(&query(id), to).unwrap();
            let mut answer = [0; 512];
            let (_, from) = socket.recv_from(&mut answer).unwrap();
            assert_eq!(from, to, "RFC 2181 §4.1");
            assert_eq!(answer[..2], id.to_be_bytes());
        }
        server.stop(Duration::ZERO);
    }
}

#[test]
fn tcp_peers_that_do_not_speak_dns_are_closed() {
    let server = start(config()).unwrap();
    let mut response = framed(1);
    response[4] |= 0x80;
    for (octets, why) in [
        (&b"\x00\x00"[..], "an empty message"),
        (b"\x00\x05hello", "no header"),
        (b"\xff\xffGET / HTTP/1.1", "a length that no query has"),
        (&response, "a response"),
    ] {
        let mut stream = connect(&server);
        stream.write_all(octets).unwrap();
        assert!(is_closed(&mut stream), "{why}");
    }
    let mut stream = connect(&server);
    stream.write_all(&[&framed(6)[..], b"\x00\x01x"].concat()).unwrap();
    assert_eq!(read_answer(&mut stream), 6, "what was asked before is answered");
    assert!(is_closed(&mut stream));
    assert_eq!(sample(&server, "lastmile_gslb_tcp_errors_total"), 5);
    server.stop(Duration::ZERO);
}

#[test]
fn idle_and_surplus_tcp_connections_are_closed() {
    let cores = Some("0".parse().unwrap());
    let idle = Config { tcp_idle_timeout: Duration::from_millis(200), ..config() };
    let server = start(idle).unwrap();
    let mut silent = connect(&server);
    let mut half = connect(&server);
    half.write_all(&framed(1)[..7]).unwrap();
    assert!(is_closed(&mut silent), "RFC 7766 §6.2.3: idle");
    assert!(is_closed(&mut half), "half a query is no query");
    assert_eq!(sample(&server, "lastmile_gslb_tcp_idle_total"), 2);
    server.stop(Duration::ZERO);

    let few = Config { tcp_connections_max: 2, cores, tcp_idle_timeout: PATIENCE * 10, ..config() };
    let server = start(few).unwrap();
    let mut streams: Vec<_> = (0..2).map(|_| connect(&server)).collect();
    for (id, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&framed(id as u16)).unwrap();
        read_answer(stream);
    }
    let mut third = connect(&server);
    third.write_all(&framed(9)).unwrap();
    assert_eq!(read_answer(&mut third), 9);
    assert!(is_closed(&mut streams[0]), "the longest without a query makes room");
    streams[1].write_all(&framed(5)).unwrap();
    assert_eq!(read_answer(&mut streams[1]), 5, "the other goes on");
    assert_eq!(sample(&server, "lastmile_gslb_tcp_evicted_total"), 1);
    server.stop(Duration::ZERO);
}

#[test]
fn udp_answers_bursts_and_ignores_what_is_no_query() {
    let server = start(config()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server.address()).unwrap();
    let mut response = query(7);
    response[2] |= 0x80;
    for junk in [&b""[..], b"x", &response] {
        socket.send(junk).unwrap();
    }
    let mut answer = [0; 1500];
    for burst in 0..20u16 {
        for id in 0..50 {
            socket.send(&query(burst * 50 + id)).unwrap();
        }
        for id in 0..50 {
            let octets = socket.recv(&mut answer).unwrap();
            assert_eq!(
                answer[..2],
                (burst * 50 + id).to_be_bytes(),
                "in order, and no answer to junk"
            );
            assert_eq!(answer[octets - 4..octets], [127, 0, 0, 1]);
        }
    }
    // A query too long for the buffer is cut off, hence malformed, and still harmless.
    socket.send(&[&query(1)[..], &[0; 4000]].concat()).unwrap();
    socket.recv(&mut answer).unwrap();
    assert_eq!(answer[3] & 15, 1, "FORMERR");
    assert_eq!(sample(&server, "lastmile_gslb_dropped_not_query_total"), 3);
    server.stop(Duration::ZERO);
}

#[test]
fn stopping_answers_what_has_arrived_and_frees_the_port() {
    let server = start(config()).unwrap();
    let address = server.address();
    let _idle = connect(&server);
    let mut asked = connect(&server);
    asked.write_all(&framed(3)).unwrap();
    let began = Instant::now();
    server.stop(PATIENCE * 10);
    assert!(began.elapsed() < PATIENCE, "nobody waits for idle connections");
    assert_eq!(read_answer(&mut asked), 3);
    assert!(is_closed(&mut asked));
    let again = start(Config { listen: address, ..config() }).unwrap();
    assert_eq!(again.address(), address);
    drop(again);
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let server = start(config()).unwrap();
    let taken = Config { listen: server.address(), ..config() };
    let error = start(taken).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert_eq!(
        error.to_string(),
        format!("gslb: {} is in use by another process", server.address())
    );
    server.stop(Duration::ZERO);
    let cores = Config { cores: Some("1023".parse().unwrap()), ..config() };
    let error = start(cores.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(
        error.to_string().starts_with("gslb: cores: 1023 is not usable; allowed: ["),
        "{error}"
    );
    assert_eq!(check(&cores).unwrap_err().to_string(), error.to_string());
    assert_eq!(
        check(&config()).unwrap().to_string(),
        "2 zones with 9 records, 2 regions with 2 edges, 1 steered names, 5 prefixes, 0 lab rows"
    );
}
