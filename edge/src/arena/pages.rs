//! Where the pages of the arenas come from: a tmpfs of our own that is mounted nowhere, or memory files.
//!
//! On a tmpfs with `huge=within_size` a write is given folios as large as it is, and what is sent by reference goes
//! folio by folio: 1 MB then costs a third less than from pages of 4 KiB. It takes the right to mount
//! (`CAP_SYS_ADMIN`), and without that a memory file has to do. `huge=always` would give folios larger than what is
//! written to them.

use super::is_fit;
use core::sync::atomic::{AtomicU64, Ordering};
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, openat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

/// Where large contents lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ArenaChoice {
    /// In a tmpfs of our own, and where that may not be mounted in a memory file.
    #[default]
    Auto,
    /// In a memory file.
    Memfd,
    /// On the heap, like small ones.
    None,
}

/// The pages of all workers.
pub(crate) struct Pages {
    kind: Kind,
    /// Writes that have failed.
    errors: AtomicU64,
}

enum Kind {
    Tmpfs(OwnedFd),
    Memfd,
    None,
}

impl Pages {
    /// Pages of the choice. Says so when they are not the best there are.
    pub(crate) fn new(choice: ArenaChoice) -> Self {
        let kind = match choice {
            ArenaChoice::None => Kind::None,
            ArenaChoice::Memfd => Kind::Memfd,
            ArenaChoice::Auto => match tmpfs("0") {
                Ok(mount) => Kind::Tmpfs(mount),
                Err(error) => {
                    eprintln!(
                        "edge: no tmpfs for large contents ({error}; it takes CAP_SYS_ADMIN); using a memory file"
                    );
                    Kind::Memfd
                }
            },
        };
        Self { kind, errors: AtomicU64::new(0) }
    }

    /// Those of a tmpfs that is full with so many octets.
    #[cfg(test)]
    pub(super) fn bounded(octets: u64) -> io::Result<Self> {
        Ok(Self { kind: Kind::Tmpfs(tmpfs(&octets.to_string())?), errors: AtomicU64::new(0) })
    }

    /// A file of them.
    pub(super) fn open(&self) -> io::Result<File> {
        let opened = match &self.kind {
            Kind::None => return Err(io::ErrorKind::Unsupported.into()),
            Kind::Tmpfs(mount) => {
                let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
                openat(mount, c".", flags, Mode::RUSR | Mode::WUSR)
            }
            Kind::Memfd => memfd_create(c"lastmile contents", MemfdFlags::CLOEXEC),
        };
        Ok(File::from(opened?))
    }

    /// The first file of a worker. `None`, and says so, if there can't be one.
    pub(super) fn try_open(&self) -> Option<File> {
        if matches!(self.kind, Kind::None) {
            return None;
        }
        let fit = self.open().and_then(|file| Ok(is_fit(&file)?.then_some(file)));
        let why = match fit {
            Ok(Some(file)) => return Some(file),
            Ok(None) => {
                "its pages are huge: see /sys/kernel/mm/transparent_hugepage/shmem_enabled".into()
            }
            Err(error) => error.to_string(),
        };
        eprintln!(
            "edge: no memory file for large contents ({why}); they are copied to each client"
        );
        None
    }

    /// Counts a failure to write, and says so the first time.
    pub(super) fn note_error(&self, error: &io::Error) {
        if self.errors.fetch_add(1, Ordering::Relaxed) == 0 {
            eprintln!(
                "edge: no memory for a large content ({error}); it stays on the heap (arena_errors_total counts)"
            );
        }
    }

    /// Writes that have failed.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
}

/// A mount of a new tmpfs of at most `size` octets (`"0"`: no limit but the memory), nowhere in the tree of files.
fn tmpfs(size: &str) -> io::Result<OwnedFd> {
    let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, c"huge", c"within_size")?;
    fsconfig_set_string(&context, c"size", size)?;
    fsconfig_set_string(&context, c"mode", c"0700")?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}
