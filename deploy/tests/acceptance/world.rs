//! An edge process between the tests and an origin in this process, whose journal they read.

use crate::process::Started;
use lastmile_origin::{Config, Ending, Entry, Origin, Source, fill_synthetic};
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::client::PATIENCE;

/// An origin of synthetic objects and an edge that asks it.
pub(crate) struct World {
    /// `None` while it is down.
    pub(crate) origin: Option<Origin>,
    pub(crate) origin_address: SocketAddr,
    pub(crate) edge: Started,
    /// Where the edge listens.
    pub(crate) address: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With more flags for the edge.
    pub(crate) fn with(flags: &[&str]) -> Self {
        let origin = start_origin("127.0.0.1:0".parse().unwrap());
        let origin_address = origin.address();
        let (edge, address) = start_edge(&format!("http://{origin_address}"), flags);
        Self { origin: Some(origin), origin_address, edge, address }
    }

    /// The requests for targets that begin with `target`.
    pub(crate) fn asked(&self, target: &str) -> Vec<Entry> {
        let entries = self.origin().journal().entries();
        entries.into_iter().filter(|entry| entry.target.starts_with(target)).collect()
    }

    /// The same, once each has ended at the origin too, which may be a moment after the client has all of it.
    pub(crate) fn ended(&self, target: &str) -> Vec<Entry> {
        until("every request ends", || {
            let asked = self.asked(target);
            asked.iter().all(|entry| entry.ending != Ending::InProgress).then_some(asked)
        })
    }

    pub(crate) fn origin(&self) -> &Origin {
        self.origin.as_ref().unwrap()
    }

    /// Ends the origin at once, and what it was sending.
    pub(crate) fn stop_origin(&mut self) {
        self.origin.take().unwrap().stop(Duration::ZERO);
    }

    /// Starts the origin again at the same address, with an empty journal.
    pub(crate) fn start_origin(&mut self) {
        self.origin = Some(start_origin(self.origin_address));
    }
}

fn start_origin(listen: SocketAddr) -> Origin {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match lastmile_origin::start(Config::new(listen, Source::Synthetic)) {
            Ok(origin) => return origin,
            // Connections of the one before it may still hold the address.
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::yield_now();
    }
}

/// An edge in a process of its own, and where it listens.
pub(crate) fn start_edge(upstream: &str, flags: &[&str]) -> (Started, String) {
    let arguments = ["edge", "--listen", "127.0.0.1:0", "--upstream", upstream];
    let (edge, line) = Started::new(&[&arguments, flags].concat());
    let address = line.trim().strip_prefix("edge listens on ").unwrap_or_else(|| panic!("{line}"));
    (edge, address.to_owned())
}

/// The octets of the synthetic object that `target` names.
pub(crate) fn synthetic(target: &str, octets: usize) -> Vec<u8> {
    let path = target.split('?').next().unwrap();
    let mut content = vec![0; octets];
    fill_synthetic(path, 0, &mut content);
    content
}

/// Runs a program that comes with the Debian package `package`.
pub(crate) fn run(program: &str, package: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program}: {error}; it comes with the Debian package {package}")
    })
}

/// curl with these arguments: exit status and what it printed.
pub(crate) fn curl(arguments: &[&str]) -> (i32, Vec<u8>) {
    let output = run("curl", "curl", &[&["-sS", "--max-time", "30"], arguments].concat());
    (output.status.code().unwrap(), output.stdout)
}

/// Asks again and again until `done`; for what no event tells.
pub(crate) fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
