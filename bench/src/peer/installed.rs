//! Peers that come as packages: a program, its configuration written into a directory of its own, a free port.

use super::place::{Place, files_below};
use super::{Ground, Server};
use crate::error::BenchError;
use crate::process::{self, Program};
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take until it accepts connections. Varnish compiles its VCL before that.
pub(super) const START_MAX: Duration = Duration::from_secs(20);

/// Between two attempts to connect to a server that starts.
const CONNECT_EVERY: Duration = Duration::from_millis(10);

/// Where temporary directories go when it is there: memory, so that no peer waits for a disk.
const MEMORY: &str = "/dev/shm";

/// Another process may take the port between our look and the server's bind; three times is no accident.
const ATTEMPTS_MAX: usize = 3;

/// A program of a package.
#[derive(Debug)]
pub(super) struct Installed {
    /// Its name in `PATH`.
    pub(super) program: &'static str,
    /// The package of Debian that has it.
    pub(super) package: &'static str,
    /// What makes it print its version.
    pub(super) version: &'static str,
    /// What `setpriv` is told besides when we are root: another user, for a program that refuses to be root.
    pub(super) as_root: &'static [&'static str],
    /// Writes its configuration, and tells the arguments with which it runs in the foreground.
    pub(super) run: fn(&Place) -> io::Result<Vec<String>>,
    /// After `run`: the arguments with which it looks at that configuration and ends.
    pub(super) check: fn(&Place) -> Vec<String>,
}

impl Installed {
    /// Starts it; it accepts connections when this returns.
    pub(super) fn start(&self, name: &'static str, ground: &Ground) -> Result<Server, BenchError> {
        let mut said = String::new();
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(name, ground)? {
                Ok(server) => return Ok(server),
                Err(what) => said = what,
            }
        }
        Err(BenchError::Peer { peer: name, what: format!("did not start: {said}") })
    }

    /// One attempt; the inner error is the last line that it said.
    fn attempt(
        &self,
        name: &'static str,
        ground: &Ground,
    ) -> Result<Result<Server, String>, BenchError> {
        let io = |error| BenchError::Io("a peer's directory", error);
        let directory = directory()?;
        let place = ground.place(directory.path(), free_address()?);
        let arguments = (self.run)(&place).map_err(io)?;
        let log = directory.path().join("said.log");
        let output = File::create(&log).map_err(io)?;
        let mut command = self.command();
        command.args(arguments).current_dir(directory.path());
        command.stdout(output.try_clone().map_err(io)?).stderr(output);
        let mut program = Program::start(&mut command)
            .map_err(|error| BenchError::Peer { peer: name, what: error.to_string() })?;
        if wait_until_it_accepts(&mut program, place.listen) {
            let files = Some(place.files());
            return Ok(Ok(Server {
                address: place.listen,
                program,
                files,
                directory: Some(directory),
            }));
        }
        drop(program);
        let errors = fs::read_to_string(directory.path().join("error.log")).unwrap_or_default();
        let said = fs::read(&log).unwrap_or_default();
        let mut said = String::from_utf8_lossy(&said).into_owned() + &errors;
        if said.trim().is_empty() {
            // Some only talk when they are asked.
            said = self.complaint(&place).unwrap_or_default();
        }
        Ok(Err(said.lines().last().unwrap_or("said nothing").to_owned()))
    }

    /// What it has against its configuration; `None`: nothing.
    pub(super) fn complaint(&self, place: &Place) -> Option<String> {
        let output = match self.command().args((self.check)(place)).output() {
            Ok(output) => output,
            Err(error) => return Some(error.to_string()),
        };
        let said = [output.stdout, output.stderr].concat();
        (!output.status.success()).then(|| String::from_utf8_lossy(&said).into_owned())
    }

    pub(super) fn command(&self) -> Command {
        let path = process::find(self.program).unwrap_or_else(|| PathBuf::from(self.program));
        let rights = if nix::unistd::geteuid().is_root() { self.as_root } else { &[] };
        process::command_with(rights, path)
    }
}

impl Ground {
    /// A place on this ground.
    pub(super) fn place(&self, directory: &Path, listen: SocketAddr) -> Place {
        let directory = directory.to_path_buf();
        let zone = self.zone.clone().unwrap_or_default();
        Place { directory, listen, origin: self.origin, zone, core: self.core }
    }
}

/// A new directory for a peer, in memory where that can be had.
pub(crate) fn directory() -> Result<TempDir, BenchError> {
    let builder = || tempfile::Builder::new().prefix("lastmile-bench-").to_owned();
    let io = |error| BenchError::Io("a temporary directory", error);
    let made = builder().tempdir_in(MEMORY).or_else(|_| builder().tempdir()).map_err(io)?;
    fs::create_dir(files_below(made.path())).map_err(io)?;
    Ok(made)
}

/// An address of loopback whose port is free now, for servers that can't be told to take any.
pub(super) fn free_address() -> Result<SocketAddr, BenchError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| BenchError::Io("a free port", error))
}

/// Waits until `address` accepts connections; false when the program ends before, or takes too long.
/// A server does not say when it listens, so it is tried.
fn wait_until_it_accepts(program: &mut Program, address: SocketAddr) -> bool {
    let deadline = Instant::now() + START_MAX;
    while Instant::now() < deadline {
        if !matches!(program.child().try_wait(), Ok(None)) {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        std::thread::sleep(CONNECT_EVERY);
    }
    false
}
