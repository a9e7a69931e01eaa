//! Programs that tests run beside the server: their start, what they say, their end.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::cell::RefCell;
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs until this is dropped.
pub(crate) struct Program {
    name: String,
    child: RefCell<Child>,
    said: tempfile::NamedTempFile,
}

impl Program {
    /// Starts it; `None`, with a line that says so, where it is not installed.
    pub(crate) fn start(name: &str, package: &str, arguments: &[&str]) -> Option<Self> {
        let said = tempfile::NamedTempFile::new().unwrap();
        let child = command(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(said.reopen().unwrap())
            .stderr(said.reopen().unwrap())
            .spawn();
        let Ok(child) = child else {
            eprintln!("skipped: there is no {name}: apt-get install {package}");
            return None;
        };
        Some(Self { name: name.to_owned(), child: RefCell::new(child), said })
    }

    /// Waits until something is so; fails when the program ends before.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            let ended = self.child.borrow_mut().try_wait().unwrap();
            let said = std::fs::read_to_string(self.said.path()).unwrap_or_default();
            assert!(ended.is_none(), "{} has ended ({ended:?}): {said}", self.name);
            assert!(Instant::now() < end, "{}: not within {PATIENCE:?}: {what}: {said}", self.name);
            // A turn of another program's: there is no event to wait for.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it answers to anything on a port.
    pub(crate) fn wait_until_it_answers(&self, port: u16) {
        self.wait_until("an answer", || {
            dig(port, "+tries=1 +time=1 SOA localhost").contains("status:")
        });
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        // TERM by `kill`, for it may have children of its own to end.
        let pid = child.id().to_string();
        let told = Command::new("kill").arg(&pid).status();
        if !told.is_ok_and(|status| status.success()) {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}

/// `/usr/sbin` is not in everybody's PATH.
fn command(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).env("HOME", "/nonexistent");
    command
}

/// What a program prints on either stream; `None`, with a line that says so, where it is not installed.
pub(crate) fn run(name: &str, arguments: &str) -> Option<String> {
    let output = command(name).args(arguments.split_whitespace()).output();
    match output {
        Ok(output) => {
            let both = [output.stdout, output.stderr].concat();
            Some(String::from_utf8_lossy(&both).into_owned())
        }
        Err(_) => {
            eprintln!("skipped: there is no {name}");
            None
        }
    }
}

/// What `dig` prints of a server on loopback, with single spaces.
pub(crate) fn dig(port: u16, arguments: &str) -> String {
    let arguments = format!("@127.0.0.1 -p {port} {arguments}");
    let text = run("dig", &arguments).expect("these tests need `dig`: bind9-dnsutils");
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
    text.lines().map(line).collect()
}

/// A port that nobody has, for UDP and TCP, on loopback.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}
