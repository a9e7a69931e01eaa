//! Which cgroup (v2) this process is in, as a directory.

#![forbid(unsafe_code)]

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Opens the cgroup of this process: below where cgroup v2 is mounted, or, where no such mount is in sight (behind
/// `ip netns exec`, for instance), below a mount of its own that nobody sees and that ends with its descriptor
/// (`CAP_SYS_ADMIN`).
///
/// # Errors
/// `NotFound` when the process is in no cgroup of version 2 or none can be seen; what opening returns.
pub fn open_own() -> io::Result<OwnedFd> {
    let cgroups = std::fs::read_to_string("/proc/self/cgroup")?;
    let own = own_path(&cgroups).ok_or_else(|| {
        not_found("this process is in no cgroup of version 2 (/proc/self/cgroup)")
    })?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Some(directory) = directory(&mounts, own)
        && let Ok(opened) = open(&directory, flags, Mode::empty())
    {
        return Ok(opened);
    }
    let no_mount = |error: rustix::io::Errno| {
        not_found(&format!("cgroup v2 is mounted nowhere in sight, and can't be mounted ({error})"))
    };
    let mount = unseen_mount().map_err(no_mount)?;
    let below = own.trim_start_matches('/');
    let below = if below.is_empty() { "." } else { below };
    Ok(openat(&mount, below, flags, Mode::empty())?)
}

fn unseen_mount() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

fn not_found(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// The path of `/proc/self/cgroup` in the hierarchy of version 2, which has the number 0 and no controllers
/// (cgroups(7)).
fn own_path(cgroups: &str) -> Option<&str> {
    cgroups.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The directory of the cgroup `own` where `mounts` (`/proc/self/mountinfo`, proc_pid_mountinfo(5)) has it in sight.
fn directory(mounts: &str, own: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        // Number, parent, device, root within the file system, mount point, ... - type ...
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        if after.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let below = Path::new(own).strip_prefix(unescaped(root)).ok()?;
        Some(Path::new(&unescaped(point)).join(below))
    })
}

/// Blanks and their like are written as a backslash and three octal digits.
fn unescaped(field: &str) -> String {
    let mut octets = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(octet) if *first == b'\\' => {
                octets.push(octet);
                rest = &tail[3..];
            }
            _ => {
                octets.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_found_below_its_mount() {
        let mounts = |root: &str, point: &str| {
            format!(
                "20 1 0:5 / /proc rw - proc proc rw\n\
                 29 22 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 30 22 0:27 {root} {point} rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
            )
        };
        for (root, point, own, expected, why) in [
            ("/", "/sys/fs/cgroup", "/", Some("/sys/fs/cgroup/"), "the root, or a namespace's"),
            (
                "/",
                "/sys/fs/cgroup/unified",
                "/system.slice/edge.service",
                Some("/sys/fs/cgroup/unified/system.slice/edge.service"),
                "beside version 1",
            ),
            ("/pod/a", "/cg", "/pod/a/b", Some("/cg/b"), "a part of the hierarchy is mounted"),
            ("/pod/a", "/cg", "/pod/other", None, "another part is"),
            ("/", "/with\\040blank", "/a", Some("/with blank/a"), "an escape"),
        ] {
            let found = directory(&mounts(root, point), own);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{why}");
        }
        assert_eq!(directory("20 1 0:5 / /proc rw - proc proc rw\n", "/"), None, "no such mount");
    }

    #[test]
    fn version_2_has_the_number_0() {
        let both = "9:name=systemd:/x\n4:memory:/y\n0::/user.slice\n";
        assert_eq!(own_path(both), Some("/user.slice"));
        assert_eq!(own_path("4:memory:/y\n"), None, "only version 1");
        assert_eq!(own_path("10::/y\n"), None, "another number");
    }

    #[test]
    fn the_own_cgroup_can_be_opened() {
        match open_own() {
            Ok(_) => {}
            Err(error) => eprintln!("skipped: no cgroup of version 2 here: {error}"),
        }
    }
}
