//! Connections that go on in another protocol (RFC 9110 §7.8), when the site allows it.

use crate::client::{Client, Ended, PATIENCE, request};
use lastmile_edge::site::{Site, Sites};
use lastmile_edge::{Config, Edge};
use lastmile_tuning::cpu::Cores;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Octets that go both ways at once: more than any buffer on the way.
const LARGE: usize = 20_000_000;

const WEBSOCKET: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// An edge whose site allows upgrades, before an upstream that does what the target says; what the upstream saw.
fn world(idle: Duration) -> (Edge, String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (seen, log) = channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let seen = seen.clone();
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let cores = Cores::allowed().unwrap();
    let mut config = Config::new("edge".to_owned(), listen, vec![upstream], cores);
    config.sites = Sites::new(vec![Site { upgrade: true, ..Site::default() }]).unwrap();
    config.timeouts.client_idle = idle;
    let edge = lastmile_edge::start(config).unwrap();
    let address = edge.addresses()[0].to_string();
    (edge, address, log)
}

fn serve(mut stream: TcpStream, seen: &Sender<String>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        let mut head = Vec::new();
        let mut octet = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if !stream.read(&mut octet).is_ok_and(|count| count == 1) {
                return;
            }
            head.push(octet[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let upgrades = head.to_ascii_lowercase().contains("\r\nupgrade: websocket\r\n");
        seen.send(head).unwrap();
        let answer = match target.as_str() {
            "/echo" if upgrades => {
                format!("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n{SWITCH}first")
            }
            "/bye" if upgrades => format!("{SWITCH}good bye"),
            "/other" => SWITCH.replace("websocket", "another"),
            "/refused" => "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".to_owned(),
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nok"
                .to_owned(),
        };
        stream.write_all(answer.as_bytes()).unwrap();
        match target.as_str() {
            "/echo" if upgrades => {
                let mut reader = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut reader, &mut stream);
                let _ = stream.shutdown(Shutdown::Write);
                let _ = seen.send("the end".to_owned());
                return;
            }
            "/bye" if upgrades => return,
            _ => {}
        }
    }
}

/// A client that speaks no HTTP any more.
struct Switched(TcpStream);

impl Switched {
    /// Asks for the switch, and says `early` before there is an answer; takes the 101.
    fn new(address: &str, target: &str, early: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self(stream);
        client.say(format!("{}{early}", request("GET", target, WEBSOCKET)).as_bytes());
        let mut head = client.hear_head();
        if head.starts_with("HTTP/1.1 103 ") {
            head = client.hear_head();
        }
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        for (line, there) in [
            ("\r\nconnection: upgrade\r\n", true),
            ("\r\nupgrade: websocket\r\n", true),
            ("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n", true),
            ("\r\nx-hop:", false),
            ("\r\ncontent-length:", false),
            ("\r\ntransfer-encoding:", false),
        ] {
            assert_eq!(head.to_ascii_lowercase().contains(line), there, "{line:?} in {head}");
        }
        client
    }

    fn say(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    fn hear_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.hear(1));
        }
        String::from_utf8(head).unwrap()
    }

    fn hear(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.0.read_exact(&mut octets).unwrap();
        octets
    }

    /// Waits for the end, which must be no reset; the octets before it.
    fn hear_all(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        self.0.read_to_end(&mut octets).unwrap();
        octets
    }
}

#[test]
fn octets_go_both_ways_until_one_side_ends() {
    let (edge, address, log) = world(PATIENCE);
    let mut client = Switched::new(&address, "/echo", "early");
    let head = log.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
    assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    assert!(head.contains("\r\nsec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n"), "{head}");
    assert_eq!(client.hear(5), b"first", "what came together with the 101");
    assert_eq!(client.hear(5), b"early", "what came together with the request");
    client.say(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.hear(18), b"GET / HTTP/1.1\r\n\r\n", "no request any more");
    let octets: Vec<u8> = (0..LARGE).map(|index| ((index * 7) >> 3) as u8).collect();
    let mut sender = client.0.try_clone().unwrap();
    let sent = octets.clone();
    let sending = std::thread::spawn(move || sender.write_all(&sent).unwrap());
    assert!(client.hear(LARGE) == octets, "other octets");
    sending.join().unwrap();
    drop(client);
    assert_eq!(log.recv_timeout(PATIENCE).unwrap(), "the end", "the upstream is told");
    edge.stop(Duration::ZERO);
}

#[test]
fn the_upstream_may_end_first() {
    let (edge, address, _log) = world(PATIENCE);
    let mut client = Switched::new(&address, "/bye", "");
    assert_eq!(client.hear_all(), b"good bye");
    edge.stop(Duration::ZERO);
}

#[test]
fn a_tunnel_in_which_nobody_speaks_ends() {
    let (edge, address, log) = world(Duration::from_millis(300));
    let mut client = Switched::new(&address, "/echo", "");
    assert_eq!(client.hear_all(), b"first");
    assert_ne!(log.recv_timeout(PATIENCE).unwrap(), "the end");
    assert_eq!(log.recv_timeout(PATIENCE).unwrap(), "the end");
    edge.stop(Duration::ZERO);
}

#[test]
fn who_does_not_switch_answers_as_usual() {
    let (edge, address, log) = world(PATIENCE);
    let mut client = Client::connect(&address);
    for (target, fields, status, switches, why) in [
        ("/refused", WEBSOCKET, 403, true, "the upstream does not want to"),
        ("/other", WEBSOCKET, 502, true, "it switches to what nobody named"),
        ("/stored", "", 200, false, "stored"),
        ("/stored", WEBSOCKET, 200, true, "which is no answer to this"),
        ("/h2c", "Connection: upgrade\r\nUpgrade: h2c\r\n", 200, false, "it would carry requests"),
        ("/unnamed", "Upgrade: websocket\r\n", 200, false, "not in Connection"),
    ] {
        let response = client.ask("GET", target, fields);
        assert_eq!((response.status, response.ended), (status, Ended::Whole), "{why}");
        assert_eq!(response.field("connection"), "", "{why}: the connection goes on");
        assert_eq!(response.field("upgrade"), "", "{why}");
        let head = log.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
        assert_eq!(head.contains("\r\nupgrade: "), switches, "{why}: {head}");
    }
    edge.stop(Duration::ZERO);
}
