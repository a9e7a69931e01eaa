//! Processes of a lab, and files that only these see: all gone when the lab ends, however it ends.
//!
//! Process 1 of a new PID namespace reads from a pipe of ours. When we end, by our own will or killed, the pipe ends,
//! and so does that process; the kernel then kills all others of the namespace, with their children and what they have
//! put into the background (pid_namespaces(7)). All processes are started by one thread, which is in a mount namespace
//! of its own too: the lab's files are in a tmpfs that is mounted there and nowhere else, so there is nothing to clean
//! up.

use super::error::WanError;
use crate::process::find;
use lastmile_tuning::netns::Namespace;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

/// Where the lab's files are, for its own processes: every Linux has this directory, for files in memory, and nobody
/// looks for anything there that was there before.
const FILES: &str = "/dev/shm";

/// Octets of the lab's files: logs, mostly. More would be taken from the memory of what is measured.
const FILES_OCTETS_MAX: &str = "size=1g,mode=0755";

/// Names of hosts and their addresses, for programs that look there.
const NAMES: &str = "/etc/hosts";

/// What reads from the pipe. Any program does that ends with its input and minds no arguments.
const READER: &str = "cat";

/// The highest of nice(2).
const FIRST: i32 = -20;

type Work = Box<dyn FnOnce() + Send>;

/// Starts processes, and takes them along when it goes.
#[derive(Debug)]
pub(super) struct Keeper {
    /// `None` while it ends.
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    /// Process 1, and the pipe that it reads.
    first: Child,
    pipe: Option<ChildStdin>,
}

impl Keeper {
    /// `names` has a line for each host, as in hosts(5).
    ///
    /// # Errors
    /// Without root's rights, or without cat(1) or /dev/shm.
    pub(super) fn start(names: String) -> Result<Self, WanError> {
        let reader = find(READER)
            .ok_or_else(|| WanError::Missing(format!("{READER} is not in PATH (coreutils)")))?;
        let (work, todo) = channel::<Work>();
        let (tell, told) = channel();
        let keep = move || {
            let first = begin(&reader, &names);
            let is_good = first.is_ok();
            if tell.send(first).is_ok() && is_good {
                todo.iter().for_each(|work| work());
            }
        };
        let thread = thread::Builder::new().name("wan keeper".to_owned()).spawn(keep);
        let thread = thread.map_err(WanError::io("a thread"))?;
        let mut first = told.recv().map_err(|_| WanError::Io("a thread".to_owned(), gone()))??;
        let pipe = first.stdin.take();
        Ok(Self { work: Some(work), thread: Some(thread), first, pipe })
    }

    /// The directory of that name for a program's files.
    ///
    /// # Errors
    /// What mkdir(2) says.
    pub(super) fn directory(&self, name: &str) -> io::Result<PathBuf> {
        let path = Path::new(FILES).join(name);
        self.call(move || fs::create_dir_all(&path).map(|()| path))
    }

    /// Calls `work` where the lab's files are seen.
    ///
    /// # Errors
    /// What it says.
    pub(super) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (tell, told) = channel();
        let work = Box::new(move || {
            let _ = tell.send(work());
        });
        let sender = self.work.as_ref().ok_or_else(gone)?;
        sender.send(work).map_err(|_| gone())?;
        told.recv().map_err(|_| gone())?
    }

    /// Starts a process of the lab, in `namespace`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn spawn(&self, namespace: &Namespace, mut command: Command) -> io::Result<Child> {
        let namespace = namespace.clone();
        self.call(move || {
            namespace.enter()?;
            command.spawn()
        })
    }

    /// Kills all processes of the lab. Whoever started them still has to wait for them.
    pub(super) fn kill(&mut self) {
        self.pipe = None;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.kill();
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been told.
            let _ = thread.join();
        }
        // It ends once all others have ended, and have been waited for.
        let _ = self.first.wait();
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts processes has ended")
}

/// Lets the calling thread, and the processes and threads that it starts, go before all others that are not real-time:
/// whatever else runs on this machine, what is measured waits for the links alone. One that may not do so has to wait.
pub(super) fn go_first() {
    let _ = rustix::process::setpriority_process(None, FIRST);
}

/// Moves the calling thread into its namespaces and starts process 1.
fn begin(reader: &Path, names: &str) -> Result<Child, WanError> {
    let refused = |error: nix::Error| match error {
        nix::Error::EPERM => WanError::Missing(
            "a lab takes root's rights (CAP_SYS_ADMIN), for namespaces; try sudo".to_owned(),
        ),
        other => WanError::Io("a namespace".to_owned(), other.into()),
    };
    go_first();
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID).map_err(refused)?;
    files(names).map_err(WanError::io(format!("a tmpfs at {FILES}, for the lab only")))?;
    let mut command = Command::new(reader);
    // In a group of its own, so that Ctrl-C in a terminal is for us and not for it.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
    command.spawn().map_err(WanError::io("process 1 of a lab"))
}

fn files(names: &str) -> io::Result<()> {
    let none = None::<&str>;
    // What is mounted here is seen nowhere else.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("lastmile-wan"), FILES, Some("tmpfs"), flags, Some(FILES_OCTETS_MAX))?;
    if Path::new(NAMES).exists() {
        let own = Path::new(FILES).join("hosts");
        fs::write(&own, names)?;
        mount(Some(&own), NAMES, none, MsFlags::MS_BIND, none)?;
    }
    Ok(())
}
