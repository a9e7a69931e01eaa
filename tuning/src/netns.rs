//! Network namespaces (network_namespaces(7)): made without a name, and entered by single threads. One that has no
//! name goes away with the last descriptor, process and device in it, however its maker ends.

use crate::link;
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// A handle on a network namespace, which keeps it alive.
#[derive(Clone, Debug)]
pub struct Namespace {
    file: Arc<File>,
}

impl Namespace {
    /// A new one without a name. Its only device is the loopback, which is up.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_SYS_ADMIN`; what a kernel without network namespaces says.
    pub fn new() -> io::Result<Self> {
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            link::up("lo")?;
            Self::open(Path::new(OWN))
        })
    }

    /// The one that the calling thread is in.
    ///
    /// # Errors
    /// What open(2) says of procfs.
    pub fn current() -> io::Result<Self> {
        Self::open(Path::new(OWN))
    }

    /// The one of a file such as `/run/netns/NAME` or `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// What open(2) says. A file that is no namespace is only noticed on entering.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Arc::new(File::open(path)?) })
    }

    /// Moves the calling thread there for good. The threads and processes it starts from then on are there too.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_SYS_ADMIN`; `InvalidInput` for a file that is no network namespace.
    pub fn enter(&self) -> io::Result<()> {
        Ok(setns(&*self.file, CloneFlags::CLONE_NEWNET)?)
    }

    /// Calls `work` there, on a thread of its own, and waits for it. A panic of `work` goes on here.
    ///
    /// # Errors
    /// As for [`Namespace::enter`], or what `work` returns.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        on_a_thread(|| {
            self.enter()?;
            work()
        })
    }

    /// Starts a thread of this name (15 octets of it are shown) that enters it and calls `work`.
    ///
    /// # Errors
    /// A thread that cannot be started; the thread returns what [`Namespace::enter`] says.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<io::Result<T>>> {
        let namespace = self.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            namespace.enter()?;
            Ok(work())
        })
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    fn made() -> Option<Namespace> {
        match Namespace::new() {
            Ok(namespace) => Some(namespace),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                eprintln!("skipped: a network namespace takes CAP_SYS_ADMIN");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn one_has_its_own_loopback_and_the_caller_stays_where_it_was() {
        let Some(namespace) = made() else { return };
        let before = std::fs::read_link(OWN).unwrap();
        let listener = namespace.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused,
            "nobody listens outside"
        );
        let thread = namespace.spawn("inside", move || TcpStream::connect(address)).unwrap();
        thread.join().unwrap().unwrap().unwrap();
        assert_eq!(std::fs::read_link(OWN).unwrap(), before);
    }

    #[test]
    fn what_is_no_namespace_cannot_be_entered() {
        if made().is_none() {
            return;
        }
        let other = Namespace::open(Path::new("/proc/self/ns/uts")).unwrap();
        assert_eq!(other.run(|| Ok(())).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
