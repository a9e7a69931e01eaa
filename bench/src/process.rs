//! Programs that run beside us for a while: started in a process group of their own, and ended whole
//! whatever becomes of us.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end after TERM before it is killed.
const END_MAX: Duration = Duration::from_secs(3);

/// Between two looks at whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Sends TERM to the program when this process dies in a way that runs no destructor, such as KILL.
/// From util-linux; where it is missing, only destructors end programs.
const DEATH_WRAPPER: &str = "setpriv";

/// Where `PATH`, or a directory in which Debian puts servers, has `program`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A user's PATH has no sbin, which is where nginx is.
    let servers = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(servers)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// A command for `program` that dies with us. The death signal is tied to the *thread* that starts it,
/// so that thread must live as long as the program is needed.
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    command_with(&[], program)
}

/// The same; `rights` are further flags of setpriv(1), such as another user.
#[must_use]
pub fn command_with(rights: &[&str], program: impl AsRef<OsStr>) -> Command {
    let mut command = match find(DEATH_WRAPPER) {
        Some(wrapper) => {
            let mut command = Command::new(wrapper);
            command.args(rights).args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.stdin(Stdio::null());
    command
}

/// A running program with all its processes: one process group, ended on drop.
#[derive(Debug)]
pub struct Program {
    child: Child,
    group: Pid,
}

impl Program {
    /// Starts `command` as the first process of a new group.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.process_group(0).spawn()?;
        match i32::try_from(child.id()) {
            Ok(group) => Ok(Self { child, group: Pid::from_raw(group) }),
            Err(error) => {
                let _ = child.kill();
                Err(io::Error::other(error))
            }
        }
    }

    /// The number of the process group, which is the first process's.
    #[must_use]
    pub fn group(&self) -> i32 {
        self.group.as_raw()
    }

    /// The first process, for its pipes and its status.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    fn end(&mut self) {
        let _ = killpg(self.group, Signal::SIGTERM);
        let deadline = Instant::now() + END_MAX;
        while Instant::now() < deadline && !matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            std::thread::sleep(LOOK_EVERY);
        }
        // What is deaf to TERM, in any process of the group; ESRCH when there is none.
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};

    fn shell(script: &str) -> Command {
        let mut command = command("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        command
    }

    /// Reads the first line, then everything up to the end of the last process that has the pipe.
    fn drop_and_drain(script: &str) -> (String, String) {
        let mut program = Program::start(&mut shell(script)).unwrap();
        let mut out = BufReader::new(program.child().stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        drop(program);
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
        (first, rest)
    }

    #[test]
    fn no_process_of_a_group_outlives_it() {
        for (script, why) in [
            ("echo up; exec sleep 1000", "one process"),
            ("sleep 1000 & sleep 1000 & echo up; wait", "children of its own"),
            ("trap '' TERM; sleep 1000 & echo up; wait; wait; sleep 1000", "deaf to TERM"),
        ] {
            // That the pipe ends shows that every process that could write to it has.
            assert_eq!(drop_and_drain(script), ("up\n".to_owned(), String::new()), "{why}");
        }
    }

    #[test]
    fn programs_are_found_where_servers_are() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
