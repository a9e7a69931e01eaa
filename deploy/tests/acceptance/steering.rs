//! Clients are sent to edges over UDP and TCP, and packets that make no sense change nothing about it.

use crate::client::PATIENCE;
use crate::process::Started;
use crate::world::run;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};

fn dig(up: &Value, more: &[&str]) -> Vec<String> {
    let (server, port) = up["gslb"].as_str().unwrap().split_once(':').unwrap();
    let server = format!("@{server}");
    let customer = up["customer"].as_str().unwrap();
    let fixed = [&server, "-p", port, "+short", "+tries=1", "+time=10", customer];
    let output = run("dig", "bind9-dnsutils", &[&fixed, more].concat());
    assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn subnets_are_steered_over_both_transports() {
    let (_started, line) = Started::new(&["up", "--port-base", "0", "--json"]);
    let up: Value = serde_json::from_str(&line).unwrap();
    for (subnet, edge) in [("10.1.2.0/24", "127.0.0.1"), ("10.2.9.9/32", "127.0.0.2")] {
        for transport in ["+notcp", "+tcp"] {
            let answer = dig(&up, &[&format!("+subnet={subnet}"), transport]);
            assert_eq!(answer, ["customer.cdn.test.", edge], "{subnet} {transport}");
        }
    }
}

#[test]
fn nonsense_does_not_stop_the_steering() {
    let (_started, line) = Started::new(&["up", "--port-base", "0", "--json"]);
    let up: Value = serde_json::from_str(&line).unwrap();
    let gslb = up["gslb"].as_str().unwrap();
    // A name that points at itself, one that points behind the end, counts that promise too much, and less than a head.
    let head = |questions: u8| vec![0xab, 0xcd, 1, 0, 0, questions, 0, 0, 0, 0, 0, 0];
    let packets = [
        vec![],
        vec![0],
        head(1)[..11].to_vec(),
        head(255),
        [head(1), vec![0xc0, 12, 0, 1, 0, 1]].concat(),
        [head(1), vec![0xc0, 0xff, 0, 1, 0, 1]].concat(),
        [head(1), vec![63, b'a']].concat(),
        [head(1), vec![0x40, 0, 0, 1, 0, 1]].concat(),
        vec![0xff; 512],
    ];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for packet in &packets {
        socket.send_to(packet, gslb).unwrap();
        let mut stream = TcpStream::connect(gslb).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&u16::try_from(packet.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(packet).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    for transport in ["+notcp", "+tcp"] {
        assert_eq!(dig(&up, &["+subnet=10.2.0.0/16", transport]).len(), 2, "{transport}");
    }
}
