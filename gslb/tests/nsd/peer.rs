//! An NSD that lives as long as a test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How many ports are tried: each was free a moment before.
const PORT_TRIES_MAX: usize = 8;

pub(crate) struct Nsd {
    pub(crate) address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Nsd {
    /// One that serves these zones; it returns once it listens.
    pub(crate) fn start(zones: &[(&str, &str)]) -> Self {
        let mut said = String::new();
        for _ in 0..PORT_TRIES_MAX {
            let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("nsd.conf");
            fs::write(&path, configuration(free, zones, &folder)).unwrap();
            let program = ["/usr/sbin/nsd", "nsd"].into_iter().find(|p| fs::exists(p).unwrap());
            let mut child = Command::new(program.unwrap_or("nsd"))
                .args(["-d", "-V", "2", "-c"])
                .arg(&path)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("nsd is installed (Debian package nsd)");
            let mut lines = BufReader::new(child.stderr.take().unwrap());
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap() > 0 {
                // It has bound its sockets by then, and whatever comes waits there.
                if line.contains("nsd started") {
                    // Its other lines are of no interest, but somebody must take them.
                    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                    return Self { address: free, child, _folder: folder };
                }
                said.push_str(&line);
                line.clear();
            }
            child.wait().unwrap();
        }
        panic!("nsd does not start: {said}");
    }
}

fn configuration(address: SocketAddr, zones: &[(&str, &str)], folder: &TempDir) -> String {
    let directory = folder.path().display();
    let mut text = format!(
        "server:\n ip-address: {}@{}\n server-count: 1\n username: \"\"\n zonesdir: \"{directory}\"\n \
         database: \"\"\n pidfile: \"\"\n xfrdfile: \"\"\n zonelistfile: \"{directory}/zone.list\"\n \
         minimal-responses: yes\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n",
        address.ip(),
        address.port(),
    );
    for (name, records) in zones {
        fs::write(folder.path().join(name), records).unwrap();
        text.push_str(&format!("zone:\n name: {name}\n zonefile: {name}\n"));
    }
    text
}

impl Drop for Nsd {
    fn drop(&mut self) {
        // Its other processes end when this one does; TERM, so that it tells them.
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
