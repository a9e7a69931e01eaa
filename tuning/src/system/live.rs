//! The kernel: /proc/sys, /sys, routes by netlink, limits by prlimit(2), defaults of sockets.

mod device;
mod interrupt;
mod limit;
mod route;
mod socket;

use super::{OWN, Reading, Refusal, RefusalKind, System, Value, pattern};
use crate::knobs::{self, Access, Knob, SocketOption};
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
            Access::Route(_) => route::instances(&self.routes),
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
            Access::Files(files) => read_file(knob, &pattern::file(files, instance)),
            Access::Interrupt => read_file(knob, &interrupt::file(instance)),
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
            Access::Interrupt => write_file(&interrupt::file(instance), value),
            Access::Device(number) => device::write_number(number, instance, value),
            Access::Offload(name) => device::write_offload(name, instance, value),
            Access::Route(metric) => route::write(metric, instance, value),
            Access::Limit(limit, bound) => limit::write(limit, bound, instance, value),
            Access::Socket(_) | Access::Policy | Access::ByHand => {
                Err(io::Error::from(io::ErrorKind::Unsupported))
            }
        }
        .map_err(|error| refusal(&error))
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

/// One write for the whole value; the file is neither made nor cut.
fn write_file(path: &Path, value: &str) -> io::Result<()> {
    use std::io::Write as _;
    fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

fn unreadable(error: &io::Error) -> Reading {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Reading::Denied("reading it takes root".to_owned()),
        io::ErrorKind::NotFound => Reading::Absent("this kernel has it not".to_owned()),
        // Files that are there for all devices answer so where a device has no such thing.
        _ => Reading::Absent(error.to_string()),
    }
}

/// What the kernel answers where hardware or driver have no such thing: EIO for interrupts that cannot be moved, and
/// its own ENOTSUPP, which has no name outside of it.
const UNAVAILABLE: [i32; 2] = [5, 524];

fn refusal(error: &io::Error) -> Refusal {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => RefusalKind::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported => RefusalKind::Unavailable,
        _ if error.raw_os_error().is_some_and(|it| UNAVAILABLE.contains(&it)) => {
            RefusalKind::Unavailable
        }
        _ => RefusalKind::Failed,
    };
    Refusal { kind, why: error.to_string() }
}
