//! Programs on the hosts of a lab: started with their files, waited for until they are ready, and what they said.

use super::error::WanError;
use super::host::Host;
use super::keeper::Keeper;
use super::lab::Lab;
use super::scenario::{ProgramSettings, Ready};
use crate::process::find;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a program may take until it is ready. The slowest here, a cache of another kind on a busy machine, takes a
/// second or two.
const READY_MAX: Duration = Duration::from_secs(20);

/// Between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long a connection may take, before there is another look.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// Octets of its last words that are shown.
const LAST_WORDS_OCTETS: u64 = 2_000;

/// How a text of a scenario calls this executable.
const LASTMILE: &str = "lastmile";

/// A process that is killed, with its group, and waited for when this is dropped: what nobody has waited for keeps
/// process 1 of its PID namespace from ending.
#[derive(Debug)]
struct Owned(Child);

/// A process on a host of a lab. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process<'lab> {
    owned: Owned,
    _lab: PhantomData<&'lab Lab>,
}

/// A program of a scenario.
#[derive(Debug)]
pub(super) struct Program {
    name: String,
    process: Owned,
    /// What it writes: stdout and stderr.
    said: [File; 2],
    must_run: bool,
}

/// Where to find what a program is started with.
pub(super) struct Surroundings<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) hosts: &'a [Host],
    pub(super) lastmile: &'a Path,
    /// Set from outside to end waits early.
    pub(super) stop: &'a AtomicBool,
}

impl Surroundings<'_> {
    /// A command of these words in the directory `folder`.
    pub(super) fn command(
        &self,
        name: &str,
        run: &str,
        folder: &Path,
    ) -> Result<Command, WanError> {
        let wrong = |what| WanError::Program { name: name.to_owned(), what };
        let words = shlex::split(run).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| wrong(format!("{run:?} is no command")))?;
        let program = match words[0].as_str() {
            LASTMILE => self.lastmile.to_owned(),
            path if path.contains('/') => PathBuf::from(path),
            other => find(other).ok_or_else(|| {
                WanError::Missing(format!("program {name}: {other} is not installed"))
            })?,
        };
        let mut command = Command::new(program);
        command.args(words[1..].iter().map(|word| self.fill(word, folder)));
        command.current_dir(folder).stdin(Stdio::null());
        Ok(command)
    }

    /// `text` with addresses in place of `{HOST}`, and the directory in that of `{dir}`.
    fn fill(&self, text: &str, folder: &Path) -> String {
        let filled = text.replace("{dir}", &folder.to_string_lossy());
        self.hosts.iter().fold(filled, |text, host| {
            text.replace(&format!("{{{}}}", host.name), &host.address.to_string())
        })
    }

    /// Starts the program and waits until it is ready.
    pub(super) fn start(&self, settings: &ProgramSettings) -> Result<Program, WanError> {
        let host = self.hosts.iter().find(|host| host.name == settings.host);
        let host = host.ok_or_else(|| WanError::Program {
            name: settings.name.clone(),
            what: format!("there is no host {:?}", settings.host),
        })?;
        let cannot = || WanError::io(format!("program {}", settings.name));
        let folder = self.keeper.directory(&settings.name).map_err(cannot())?;
        let mut command = self.command(&settings.name, &settings.run, &folder)?;
        let said = self.prepare(settings, &folder).map_err(cannot())?;
        let [out, error] = [said[0].try_clone(), said[1].try_clone()];
        command.stdout(out.map_err(cannot())?).stderr(error.map_err(cannot())?).process_group(0);
        let child = self.keeper.spawn(&host.namespace, command).map_err(cannot())?;
        let must_run = settings.ready != Some(Ready::Ended);
        let mut program =
            Program { name: settings.name.clone(), process: Owned(child), said, must_run };
        program.wait_until_ready(settings, host, self.stop)?;
        Ok(program)
    }

    /// Writes its files, and opens those for what it says.
    fn prepare(&self, settings: &ProgramSettings, folder: &Path) -> io::Result<[File; 2]> {
        let fill = |(name, text): &(String, String)| (folder.join(name), self.fill(text, folder));
        let files: Vec<_> = settings.files.iter().map(fill).collect();
        let folder = folder.to_owned();
        self.keeper.call(move || {
            for (path, text) in files {
                fs::write(path, text)?;
            }
            let open = |name| {
                let mut options = File::options();
                options.read(true).append(true).create(true).open(folder.join(name))
            };
            Ok([open("stdout")?, open("stderr")?])
        })
    }
}

impl Program {
    fn wait_until_ready(
        &mut self,
        settings: &ProgramSettings,
        host: &Host,
        stop: &AtomicBool,
    ) -> Result<(), WanError> {
        let Some(ready) = settings.ready else { return Ok(()) };
        let deadline = Instant::now() + READY_MAX;
        let wrong = |what: &str| {
            let what = format!("{what} within {READY_MAX:?}{}", self.last_words());
            WanError::Program { name: settings.name.clone(), what }
        };
        let too_late = match ready {
            Ready::Port(port) => wrong(&format!("nothing accepts connections at port {port}")),
            Ready::Ended => wrong("it has not ended"),
        };
        loop {
            let status =
                self.process.0.try_wait().map_err(WanError::io("waiting for a program"))?;
            match (status, ready) {
                (Some(status), Ready::Ended) if status.success() => return Ok(()),
                (Some(status), _) => return Err(self.ended(status)),
                (None, Ready::Port(port)) => {
                    let address = SocketAddr::from((host.address, port));
                    let left = deadline.saturating_duration_since(Instant::now());
                    // To an address of its own host: refused or made at once, unless its queue is full.
                    let wait = left.clamp(LOOK_EVERY, CONNECT_MAX);
                    let connect = || TcpStream::connect_timeout(&address, wait);
                    if host.namespace.run(connect).is_ok() {
                        return Ok(());
                    }
                }
                (None, Ready::Ended) => {}
            }
            if stop.load(Ordering::Relaxed) {
                return Err(WanError::Stopped);
            }
            if Instant::now() > deadline {
                return Err(too_late);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Sees that it has not ended, unless it should; otherwise says how, and its last words.
    pub(super) fn check(&mut self) -> Result<(), WanError> {
        match self.process.0.try_wait() {
            Ok(Some(status)) if self.must_run => Err(self.ended(status)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn ended(&self, status: ExitStatus) -> WanError {
        let what = format!("it ended early: {status}{}", self.last_words());
        WanError::Program { name: self.name.clone(), what }
    }

    /// The end of what it said, if it said anything.
    fn last_words(&self) -> String {
        let [out, error] = self.said.each_ref().map(end_of);
        match (out.is_empty(), error.is_empty()) {
            (true, true) => "; it said nothing".to_owned(),
            _ => format!("; it said:\n{out}{error}").trim_end().to_owned(),
        }
    }
}

impl Process<'_> {
    pub(super) fn new(child: Child) -> Self {
        Self { owned: Owned(child), _lab: PhantomData }
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// What waitpid(2) says.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.owned.0.wait()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// What waitpid(2) says.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.owned.0.try_wait()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if matches!(self.0.try_wait(), Ok(None)) {
            if let Ok(group) = i32::try_from(self.0.id()) {
                // ESRCH if it leads no group.
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// The last octets of what was written to a file.
pub(super) fn end_of(file: &File) -> String {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut octets = vec![0; usize::try_from(length.min(LAST_WORDS_OCTETS)).unwrap_or(0)];
    let from = length.saturating_sub(LAST_WORDS_OCTETS);
    match file.read_exact_at(&mut octets, from) {
        Ok(()) => String::from_utf8_lossy(&octets).into_owned(),
        Err(_) => String::new(),
    }
}
