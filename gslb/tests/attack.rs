//! Cookies and NSID by `dig` and `kdig`, the rate limit under a flood, modes: over real sockets.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

use lastmile_gslb::{Config, Gslb, Switch, ZoneSource, start};
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);
const RATE: usize = 10;

fn config(more: &str) -> Config {
    let text = format!("{}\n{more}", include_str!("../examples/cdn.toml"));
    let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text });
    // One worker, so that packets are answered in the order in which they are sent.
    let cores = Some("0".parse().unwrap());
    Config { listen: "127.0.0.1:0".parse().unwrap(), zone, cores, ..Config::default() }
}

/// What `dig` or `kdig` prints.
fn client(program: &str, server: &Gslb, arguments: &str) -> String {
    let output = Command::new(program)
        .args(["@127.0.0.1", "-p", &server.address().port().to_string()])
        .args(arguments.split_whitespace())
        .env("HOME", "/nonexistent")
        .output()
        .unwrap_or_else(|_| panic!("this test needs {program}: bind9-dnsutils, knot-dnsutils"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments}: {text}");
    text
}

fn sample(server: &Gslb, name: &str) -> u64 {
    let name = format!("lastmile_gslb_{name}");
    server.samples().iter().find(|sample| sample.0 == name).unwrap().2
}

#[test]
fn dig_and_kdig_know_the_server_and_bring_its_cookie_back() {
    let server = start(config("[dns]\nnsid = \"fra-1\"")).unwrap();
    let good = || sample(&server, "cookies_good_total");
    let text = client("dig", &server, "customer.cdn.test +nsid +cookie=2464c4abcf10c957");
    assert!(text.contains("; NSID: 66 72 61 2d 31 (\"fra-1\")"), "{text}");
    let line = text.lines().find(|line| line.starts_with("; COOKIE: ")).unwrap();
    let cookie = line.strip_prefix("; COOKIE: ").unwrap().strip_suffix(" (good)").unwrap();
    assert!(cookie.starts_with("2464c4abcf10c95701000000") && cookie.len() == 48, "{cookie}");
    assert_eq!((good(), sample(&server, "cookies_new_total")), (0, 1));
    client("dig", &server, &format!("customer.cdn.test +cookie={cookie}"));
    assert_eq!(good(), 1);
    client("dig", &server, &format!("customer.cdn.test +cookie={}0", &cookie[..47]));
    client("dig", &server, &format!("customer.cdn.test +cookie={}1", &cookie[..47]));
    assert!(sample(&server, "cookies_bad_total") >= 1, "one of the two is not what it was");
    let before = good();
    client("dig", &server, &format!("customer.cdn.test +tcp +cookie={cookie}"));
    assert_eq!(good(), before + 1, "over TCP too");
    let text = client("dig", &server, "customer.cdn.test +tcp +keepalive");
    assert!(text.contains("KEEPALIVE: 10.0 secs"), "{text}");
    let text = client("dig", &server, "example.org");
    assert!(text.contains("; EDE: 20 (Not Authoritative)"), "{text}");

    let text = client("kdig", &server, "customer.cdn.test +nsid +cookie");
    assert!(text.contains("NSID:") && text.contains("fra-1"), "{text}");
    assert!(text.contains("COOKIE:"), "{text}");
    let before = good();
    let text = client("kdig", &server, &format!("customer.cdn.test +cookie={cookie}"));
    assert!(text.contains("127.0.0.1"), "{text}");
    assert_eq!(good(), before + 1, "kdig: {text}");
    server.stop(Duration::ZERO);
}

/// A query for `customer.cdn.test` with these EDNS options.
fn query(id: u16, options: &[u8]) -> Vec<u8> {
    [
        &id.to_be_bytes()[..],
        b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x08customer\x03cdn\x04test\x00\x00\x01\x00\x01",
        b"\x00\x00\x29\x10\x00\x00\x00\x00\x00",
        &(options.len() as u16).to_be_bytes(),
        options,
    ]
    .concat()
}

/// Where a client with this address asks from.
fn socket(server: &Gslb, address: &str) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server.address()).unwrap();
    socket
}

/// What an answer is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Whole,
    Truncated,
    /// With both cookies, as an option.
    BadCookie(Vec<u8>),
}

fn kind(answer: &[u8]) -> Kind {
    let records = u16::from_be_bytes([answer[6], answer[7]]);
    match (answer[2] & 2 > 0, answer[3] & 15, records) {
        (false, 0, 1..) => Kind::Whole,
        (true, 0, 0) => Kind::Truncated,
        // 23 is 1 in the OPT record and 7 here.
        (false, 7, 0) => Kind::BadCookie(answer[answer.len() - 28..].to_vec()),
        _ => panic!("neither an answer nor a limited one: {answer:?}"),
    }
}

fn receive(socket: &UdpSocket) -> Kind {
    let mut answer = [0; 1500];
    let octets = socket.recv(&mut answer).unwrap();
    kind(&answer[..octets])
}

/// What has arrived.
fn received(socket: &UdpSocket) -> Vec<Kind> {
    socket.set_nonblocking(true).unwrap();
    let mut answer = [0; 1500];
    let mut kinds = Vec::new();
    while let Ok(octets) = socket.recv(&mut answer) {
        kinds.push(kind(&answer[..octets]));
    }
    kinds
}

/// The cookies of an answer to a client's cookie.
fn learn(socket: &UdpSocket) -> Vec<u8> {
    socket.send(&query(1, b"\x00\x0a\x00\x08clientid")).unwrap();
    let mut answer = [0; 1500];
    let octets = socket.recv(&mut answer).unwrap();
    answer[octets - 28..octets].to_vec()
}

#[test]
fn a_flood_is_limited_and_nobody_else_is() {
    let server = start(config(&format!("[limit]\nrate = {RATE}\nslip = 2"))).unwrap();
    let (flood, other) = (socket(&server, "127.0.0.1"), socket(&server, "127.1.0.1"));
    let began = Instant::now();
    let (rounds, burst) = (8, 100);
    let mut kinds = Vec::new();
    for round in 0..rounds {
        for id in 0..burst {
            flood.send(&query(id, b"")).unwrap();
        }
        other.send(&query(round, b"")).unwrap();
        assert_eq!(receive(&other), Kind::Whole, "another network gets all its answers");
        kinds.extend(received(&flood));
    }
    let asked = usize::from(rounds * burst);
    let whole = kinds.iter().filter(|kind| **kind == Kind::Whole).count();
    let slipped = kinds.iter().filter(|kind| **kind == Kind::Truncated).count();
    let seconds = began.elapsed().as_secs() as usize;
    assert!(whole >= RATE && whole <= RATE * (seconds + 2), "{whole} in {seconds} s");
    assert_eq!(whole + slipped, kinds.len(), "nothing else was sent");
    let (drops, slips) =
        (sample(&server, "limited_dropped_total"), sample(&server, "limited_slipped_total"));
    assert_eq!((drops as usize, slips as usize), (asked - kinds.len(), slipped));
    assert!(drops - slips <= 1, "every second: {drops} {slips}");

    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for id in 0..50 {
        let query = query(id, b"");
        stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).unwrap();
        let mut octets = [0; 2];
        stream.read_exact(&mut octets).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(octets))];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(kind(&answer), Kind::Whole, "TCP is not limited");
    }
    server.stop(Duration::ZERO);
}

#[test]
fn who_has_a_cookie_is_not_limited_and_who_wants_one_gets_it() {
    let server = start(config(&format!("[limit]\nrate = {RATE}\nslip = 1"))).unwrap();
    let known = socket(&server, "127.2.0.1");
    let cookie = learn(&known);
    for id in 0..200 {
        known.send(&query(id, &cookie)).unwrap();
        assert_eq!(receive(&known), Kind::Whole, "a good cookie");
    }
    // The cookie of 127.2.0.1 is worth nothing elsewhere; the answer to it brings one that is.
    let fresh = socket(&server, "127.3.0.1");
    let limited = (0..1000).find_map(|id| {
        fresh.send(&query(id, &cookie)).unwrap();
        match receive(&fresh) {
            Kind::BadCookie(own) => Some(own),
            Kind::Whole => None,
            Kind::Truncated => panic!("RFC 7873 §5.2.3: a cookie serves better than TCP"),
        }
    });
    let own = limited.expect("ten in a second are not a thousand");
    for id in 0..50 {
        fresh.send(&query(id, &own)).unwrap();
        assert_eq!(receive(&fresh), Kind::Whole, "with its own cookie");
    }
    server.stop(Duration::ZERO);
}

#[test]
fn servers_that_share_a_secret_accept_each_others_cookies_and_a_reload_forgets_none() {
    let secret = "[dns]\ncookie_secret = \"e5e973e5a6b2a43f48e7dc849e37bfcf\"";
    for (one, other, good, why) in
        [(secret, secret, 1, "RFC 9018 §5: an anycast set"), (secret, "", 0, "another secret")]
    {
        let servers = [one, other].map(|more| start(config(more)).unwrap());
        let cookie = learn(&socket(&servers[0], "127.0.0.1"));
        let asker = socket(&servers[1], "127.0.0.1");
        asker.send(&query(1, &cookie)).unwrap();
        assert_eq!(receive(&asker), Kind::Whole, "{why}");
        assert_eq!(sample(&servers[1], "cookies_good_total"), good, "{why}");
        for server in servers {
            server.stop(Duration::ZERO);
        }
    }
    let server = start(config("")).unwrap();
    let asker = socket(&server, "127.0.0.1");
    let cookie = learn(&asker);
    server.reload().unwrap();
    asker.send(&query(1, &cookie)).unwrap();
    assert_eq!(receive(&asker), Kind::Whole);
    assert_eq!(sample(&server, "cookies_good_total"), 1, "the random secret stays");
    server.stop(Duration::ZERO);
}

/// The TTL of the first record of an answer: behind question and pointer, type and class.
fn ttl(socket: &UdpSocket) -> u32 {
    socket.send(&query(1, b"")).unwrap();
    let mut answer = [0; 1500];
    socket.recv(&mut answer).unwrap();
    let at = 12 + 19 + 4 + 6;
    u32::from_be_bytes(answer[at..at + 4].try_into().unwrap())
}

#[test]
fn modes_go_on_by_request_and_by_the_rate() {
    let more = "[backup]\nttl_factor = 7\nabove_qps = 1";
    let server = start(Config { backup: true, ..config(more) }).unwrap();
    let asker = socket(&server, "127.0.0.1");
    assert_eq!(ttl(&asker), 140, "it begins so");
    server.set_modes(Some(Switch::Off), Some(Switch::On));
    assert_eq!(ttl(&asker), 20);
    assert_eq!(sample(&server, "answers_steered_fixed_total"), 1);
    assert_eq!((sample(&server, "mode_backup"), sample(&server, "mode_static")), (0, 1));
    let text = server.set_modes(Some(Switch::On), Some(Switch::Off));
    assert!(text.starts_with("backup on (by request), static off (by request), "), "{text}");
    assert_eq!(ttl(&asker), 140);
    server.set_modes(Some(Switch::Off), None);
    server.set_modes(Some(Switch::Auto), None);
    let began = Instant::now();
    // Each turn is a query; more than one in a second is above.
    while ttl(&asker) != 140 {
        assert!(began.elapsed() < PATIENCE, "nobody counts the queries");
    }
    assert_eq!((sample(&server, "mode_backup"), sample(&server, "mode_changes_total")), (1, 7));
    server.stop(Duration::ZERO);
}
