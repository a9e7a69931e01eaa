//! The kernel: /proc/sys, /sys, routes by netlink, limits by prlimit(2), defaults of sockets.

mod device;
mod interrupt;
mod limit;
mod route;
mod socket;

use super::{OWN, Reading, Refusal, RefusalKind, System, Value, pattern};
use crate::knobs::{self, Access, Knob, Scope, SocketOption};
use crate::route::Prefix;
use crate::sysctl;
use rustix::fs::{Access as Mode, AtFlags, CWD, accessat};
use std::fs;
use std::io;
use std::path::Path;

pub use limit::Process;

/// The kernel as the calling thread sees it: what belongs to a network namespace is that of the thread's.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Only what belongs to a network namespace: for one that is not this process's own.
    pub is_namespace_only: bool,
    /// The prefixes whose routes are meant; none means the default routes.
    pub routes: Vec<Prefix>,
    /// The prefixes whose routes are meant besides.
    pub more_routes: Vec<Prefix>,
    /// The process whose limits are meant; none means those that a process started from here would have.
    pub process: Option<Process>,
}

impl System for Live {
    fn instances(&mut self, knob: &'static Knob) -> Vec<String> {
        if self.is_namespace_only && !knob.is_of_a_namespace() {
            return Vec::new();
        }
        match knob.access {
            Access::Files(files) => pattern::instances(files),
            Access::Interrupt => interrupt::instances(),
            Access::Device(_) | Access::Offload(_) => device::instances(self.is_namespace_only),
            Access::Route(_) => route::instances(&self.routes, &self.more_routes),
            Access::Limit(..) => vec![match &self.process {
                Some(process) => process.to_string(),
                None => OWN.to_owned(),
            }],
            Access::Sysctl | Access::Socket(_) | Access::Policy | Access::ByHand => {
                vec![String::new()]
            }
        }
    }

    fn read(&mut self, knob: &'static Knob, instance: &str) -> Reading {
        match knob.access {
            Access::Sysctl => match sysctl::path(knob.id) {
                Ok(path) => read_file(knob, &path),
                Err(error) => Reading::Absent(error.to_string()),
            },
            Access::Files(files) => {
                let path = pattern::file(files, instance);
                match read_file(knob, &path) {
                    Reading::Is(value) => {
                        let offered = value.offered.or_else(|| governors(&path));
                        Reading::Is(Value { offered, ..value })
                    }
                    other => other,
                }
            }
            Access::Interrupt => interrupt::read(knob, instance),
            Access::Device(number) => device::read_number(number, instance),
            Access::Offload(name) => device::read_offload(name, instance),
            Access::Route(metric) => route::read(metric, instance),
            Access::Limit(limit, bound) => limit::read(limit, bound, instance),
            Access::Socket(SocketOption::Known(from)) => match knobs::find(from) {
                Some(other) => read_only(self.read(other, "")),
                None => is(from.to_owned(), false),
            },
            Access::Socket(option) => socket::read(option),
            Access::Policy | Access::ByHand => Reading::Absent("not read".to_owned()),
        }
    }

    fn write(&mut self, knob: &'static Knob, instance: &str, value: &str) -> Result<(), Refusal> {
        match knob.access {
            Access::Sysctl => sysctl::path(knob.id).and_then(|path| write_file(&path, value)),
            Access::Files(files) => write_file(&pattern::file(files, instance), value),
            Access::Interrupt => interrupt::write(instance, value),
            Access::Device(number) => device::write_number(number, instance, value),
            Access::Offload(name) => device::write_offload(name, instance, value),
            Access::Route(metric) => route::write(metric, instance, value),
            Access::Limit(limit, bound) => limit::write(limit, bound, instance, value),
            Access::Socket(_) | Access::Policy | Access::ByHand => {
                Err(io::Error::from(io::ErrorKind::Unsupported))
            }
        }
        .map_err(|error| refusal(knob, &error))
    }

    fn cpus(&self) -> usize {
        // "0-3,8-11": one more than the last.
        let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
        let last = online.trim().rsplit([',', '-']).next().and_then(|last| last.parse().ok());
        last.map_or(1, |last: usize| last + 1)
    }
}

fn is(text: String, is_writable: bool) -> Reading {
    Reading::Is(Value { text, offered: None, most: None, is_writable })
}

/// Devices and routes are set in the namespace of the calling thread, which takes this (capabilities(7)).
const CAP_NET_ADMIN: u32 = 12;

fn may_administer() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    effective.is_some_and(|bits| bits & (1 << CAP_NET_ADMIN) != 0)
}

fn read_only(reading: Reading) -> Reading {
    match reading {
        Reading::Is(value) => Reading::Is(Value { is_writable: false, ..value }),
        other => other,
    }
}

fn read_file(knob: &Knob, path: &Path) -> Reading {
    match fs::read_to_string(path) {
        Ok(printed) => Reading::Is(Value {
            text: knob.form.in_force(&printed),
            offered: knob.form.offered(&printed),
            most: None,
            is_writable: accessat(CWD, path, Mode::WRITE_OK, AtFlags::EACCESS).is_ok(),
        }),
        Err(error) => unreadable(&error),
    }
}

/// What the file of a CPU's governor may be, which a file beside it lists.
fn governors(path: &Path) -> Option<Vec<String>> {
    if !path.ends_with("scaling_governor") {
        return None;
    }
    let listed = fs::read_to_string(path.with_file_name("scaling_available_governors")).ok()?;
    Some(listed.split_whitespace().map(str::to_owned).collect())
}

/// One write for the whole value; the file is neither made nor cut.
fn write_file(path: &Path, value: &str) -> io::Result<()> {
    use std::io::Write as _;
    fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

fn unreadable(error: &io::Error) -> Reading {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Reading::Denied("reading it takes root".to_owned()),
        io::ErrorKind::NotFound if error.raw_os_error().is_some() => {
            Reading::Absent("this kernel has it not".to_owned())
        }
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported => Reading::Absent(error.to_string()),
        _ if error.raw_os_error().is_some_and(|it| NO_SUCH_THING.contains(&it)) => {
            Reading::Absent(error.to_string())
        }
        _ => Reading::Failed(error.to_string()),
    }
}

/// What files that are there for all devices or processes answer where one has no such thing, or is gone meanwhile:
/// ESRCH, ENXIO, ENODEV, EOPNOTSUPP, and the kernel's own ENOTSUPP.
const NO_SUCH_THING: [i32; 5] = [3, 6, 19, 95, 524];

/// What the kernel answers where hardware or driver have no such thing: EIO for interrupts that cannot be moved, and
/// its own ENOTSUPP, which has no name outside of it.
const UNAVAILABLE: [i32; 2] = [5, 524];

/// Whether it is a matter of the hardware and its driver what values there are.
fn is_of_hardware(knob: &Knob) -> bool {
    matches!(knob.scope, Scope::Nic | Scope::Block) || knob.id.starts_with("cpu.")
}

fn refusal(knob: &Knob, error: &io::Error) -> Refusal {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => RefusalKind::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported => RefusalKind::Unavailable,
        // EINVAL: a value that this one has not, though others of its kind do.
        io::ErrorKind::InvalidInput if is_of_hardware(knob) => RefusalKind::Unavailable,
        _ if error.raw_os_error().is_some_and(|it| UNAVAILABLE.contains(&it)) => {
            RefusalKind::Unavailable
        }
        _ => RefusalKind::Failed,
    };
    Refusal { kind, why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hardware_has_not_takes_nothing_else_back() {
        let invalid = io::Error::from_raw_os_error(22);
        for (id, expected) in [
            ("nic.ring_rx", RefusalKind::Unavailable),
            ("block.nr_requests", RefusalKind::Unavailable),
            ("cpu.governor", RefusalKind::Unavailable),
            ("net.ipv4.tcp_rmem", RefusalKind::Failed),
        ] {
            assert_eq!(refusal(knobs::find(id).unwrap(), &invalid).kind, expected, "{id}");
        }
    }

    #[test]
    fn a_governor_is_one_of_those_listed_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scaling_governor");
        assert_eq!(governors(&path), None, "no list");
        let list = path.with_file_name("scaling_available_governors");
        fs::write(&list, "performance powersave \n").unwrap();
        assert_eq!(governors(&path).unwrap(), ["performance", "powersave"]);
        assert_eq!(governors(&list), None, "another file");
    }

    #[test]
    fn only_what_is_not_there_is_absent() {
        let kind = |error: io::Error| match unreadable(&error) {
            Reading::Is(_) => "is",
            Reading::Absent(_) => "absent",
            Reading::Denied(_) => "denied",
            Reading::Failed(_) => "failed",
        };
        for (number, expected, name) in [
            (2, "absent", "ENOENT"),
            (3, "absent", "ESRCH: the process has ended"),
            (19, "absent", "ENODEV"),
            (95, "absent", "EOPNOTSUPP"),
            (524, "absent", "ENOTSUPP"),
            (1, "denied", "EPERM"),
            (13, "denied", "EACCES"),
            (5, "failed", "EIO"),
            (12, "failed", "ENOMEM"),
            (24, "failed", "EMFILE"),
            (105, "failed", "ENOBUFS"),
        ] {
            assert_eq!(kind(io::Error::from_raw_os_error(number)), expected, "{name}");
        }
        assert_eq!(kind(io::Error::new(io::ErrorKind::NotFound, "no such device")), "absent");
        assert_eq!(kind(io::Error::other("an answer too long")), "failed");
    }
}
