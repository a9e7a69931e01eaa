//! A resolver between clients and the CDN: unbound tells the GSLB of client subnets, keeps an answer for as many
//! clients as its scope says, and the edges that it finds serve.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod process;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{Started, fetch, scratch};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};

/// How many ports are tried: each was free a moment before.
const PORT_TRIES_MAX: usize = 8;

/// An unbound that lives as long as a test.
struct Unbound {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Unbound {
    /// One that asks `gslb` for all below `test.`; `None` when unbound is not installed.
    fn start(gslb: &str) -> Option<Self> {
        let programs = ["/usr/sbin/unbound", "/sbin/unbound", "/usr/local/sbin/unbound"];
        let Some(program) = programs.into_iter().find(|path| std::fs::exists(path).unwrap()) else {
            std::io::stderr().write_all(b"skipped: no unbound is installed\n").unwrap();
            return None;
        };
        let mut said = String::new();
        for _ in 0..PORT_TRIES_MAX {
            let port = free_port();
            let folder = scratch();
            let path = folder.path().join("unbound.conf");
            std::fs::write(&path, configuration(port, gslb, folder.path())).unwrap();
            let mut command = Command::new(program);
            command.args(["-d", "-p", "-c"]).arg(&path).stdin(Stdio::null()).stdout(Stdio::null());
            let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap());
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap() > 0 {
                if line.contains("start of service") {
                    // Its other lines are of no interest, but somebody must take them.
                    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                    return Some(Self { port, child, _folder: folder });
                }
                said.push_str(&line);
                line.clear();
            }
            child.wait().unwrap();
        }
        panic!("unbound does not start: {said}");
    }

    /// What `dig` prints for the customer's name and a client of this subnet, and the address that it gets.
    fn resolve(&self, name: &str, subnet: &str) -> (String, String) {
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &self.port.to_string(), name, &format!("+subnet={subnet}")])
            .args(["+tries=3", "+time=10"])
            .env("HOME", "/nonexistent")
            .output()
            .expect("dig is installed (Debian package bind9-dnsutils)");
        let text = String::from_utf8(output.stdout).unwrap();
        let is_address = |fields: &Vec<&str>| fields.len() == 5 && fields[3] == "A";
        let lines = text.lines().filter(|line| !line.starts_with(';'));
        let address = lines.map(|line| line.split_whitespace().collect()).find(is_address);
        let address = address.unwrap_or_else(|| panic!("{subnet}: {text}"))[4].to_owned();
        (text, address)
    }
}

/// A port that is free for UDP and TCP, and below those that connections take by themselves: other tests have many.
fn free_port() -> u16 {
    let first = 20_000 + std::process::id() % 10_000;
    let ports = (0..10_000).map(|turn| (20_000 + (first + turn * 7) % 10_000) as u16);
    let is_free = |port: &u16| {
        let address = ("127.0.0.1", *port);
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    ports.into_iter().find(is_free).expect("one of ten thousand ports is free")
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Everything that it reads and writes is in its folder. It takes `test.` for a name that nobody serves (RFC 6761), and
/// asks nobody on loopback, unless it is told otherwise. Answers are kept for an hour: how slow this machine is, is
/// nothing to test.
fn configuration(port: u16, gslb: &str, folder: &std::path::Path) -> String {
    let (folder, gslb) = (folder.display(), gslb.replace(':', "@"));
    format!(
        "server:\n directory: \"{folder}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n \
         do-daemonize: no\n verbosity: 1\n num-threads: 1\n interface: 127.0.0.1@{port}\n \
         access-control: 127.0.0.0/8 allow\n do-ip6: no\n root-hints: \"\"\n cache-min-ttl: 3600\n \
         module-config: \"subnetcache iterator\"\n send-client-subnet: 127.0.0.1\n \
         do-not-query-localhost: no\n local-zone: \"test.\" nodefault\n\
         remote-control:\n control-enable: no\n\
         stub-zone:\n name: \"test.\"\n stub-addr: {gslb}\n"
    )
}

/// Queries that the GSLB has got.
fn asked(up: &Value) -> u64 {
    let (_, content) = fetch(up["admin"].as_str().unwrap(), "/metrics");
    let text = String::from_utf8(content).unwrap();
    let of = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit_once(' ')).unwrap().1.parse().unwrap()
    };
    of("lastmile_gslb_queries_udp_total{") + of("lastmile_gslb_queries_tcp_total{")
}

/// What curl gets of `path` through the edge at this address, and where it connected to.
fn through(host: &str, port: &str, address: &str, path: &str) -> (Vec<u8>, String) {
    let output = Command::new("curl")
        .args(["-sS", "--fail", "--noproxy", "*", "-w", "%{stderr}%{remote_ip}"])
        .args(["--resolve", &format!("{host}:{port}:{address}")])
        .arg(format!("http://{host}:{port}{path}"))
        .output()
        .expect("curl is installed (Debian package curl)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.stdout, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn unbound_tells_of_clients_and_keeps_answers_by_scope() {
    let (_started, line) = Started::new(&["up", "--port-base", "0", "--json", "--ram", "16MiB"]);
    let up: Value = serde_json::from_str(&line).unwrap();
    let Some(unbound) = Unbound::start(up["gslb"].as_str().unwrap()) else { return };
    let customer = up["customer"].as_str().unwrap();
    let origin = up["origin"].as_str().unwrap();
    let mut before = asked(&up);
    for (subnet, edge, scope, is_asked, why) in [
        ("10.1.0.0/16", "127.0.0.1", "10.1.0.0/16/16", true, "a client of the north"),
        ("10.2.0.0/16", "127.0.0.2", "10.2.0.0/16/16", true, "one of the south"),
        ("10.1.7.0/24", "127.0.0.1", "10.1.7.0/24/16", false, "within the first one's scope"),
        ("10.2.250.0/24", "127.0.0.2", "10.2.250.0/24/16", false, "within the second one's"),
        ("10.2.0.0/16", "127.0.0.2", "10.2.0.0/16/16", false, "the same again"),
        ("10.3.0.0/16", "127.0.0.1", "10.3.0.0/16/16", true, "of no region: the default one's"),
        ("10.3.9.0/24", "127.0.0.1", "10.3.9.0/24/16", false, "within that one's scope"),
    ] {
        let (text, address) = unbound.resolve(customer, subnet);
        assert_eq!(address, edge, "{subnet}, {why}: {text}");
        assert!(text.contains(&format!("CLIENT-SUBNET: {scope}")), "{subnet}, {why}: {text}");
        let now = asked(&up);
        assert_eq!(now > before, is_asked, "{subnet}, {why}: the GSLB got {}", now - before);
        before = now;
        let edges = up["edges"].as_array().unwrap().iter().map(|edge| edge.as_str().unwrap());
        let port = edges.filter_map(|edge| edge.rsplit_once(':')).find(|edge| edge.0 == address);
        let port = port.unwrap().1;
        let (content, from) = through(customer, port, &address, "/style.css");
        assert_eq!(from, address, "{why}");
        assert!((200, content) == fetch(origin, "/style.css"), "{why}: through {address}");
    }
}
