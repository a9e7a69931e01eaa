//! Limits of a process (proc(5), prlimit(2)).

use super::{OWN, Reading, is, unreadable};
use crate::knobs::{Bound, Limit};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fmt;
use std::io;
use std::str::FromStr;

/// A process, told from later ones that get its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    /// When it started, in ticks since the machine did (field 22 of /proc/PID/stat).
    started: u64,
}

impl Process {
    /// The process that has this number now.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub fn of(pid: i32) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may have blanks and parentheses in it.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let started = after_name.split(' ').nth(19).and_then(|field| field.parse().ok());
        let started = started.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { pid, started })
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.started)
    }
}

impl FromStr for Process {
    type Err = io::Error;

    /// Reads what `Display` wrote, of a process that may have ended since.
    fn from_str(text: &str) -> io::Result<Self> {
        let numbers =
            text.split_once('@').and_then(|(pid, at)| Some((pid.parse().ok()?, at.parse().ok()?)));
        match numbers {
            Some((pid, started)) => Ok(Self { pid, started }),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{text:?}"))),
        }
    }
}

/// The number of the process that is named, if that still runs.
fn running(process: &str) -> io::Result<i32> {
    let process: Process = process.parse()?;
    match Process::of(process.pid) {
        Ok(now) if now == process => Ok(process.pid),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => {
            let why = format!("process {} has ended", process.pid);
            Err(io::Error::new(io::ErrorKind::NotFound, why))
        }
    }
}

pub(super) fn read(limit: Limit, bound: Bound, instance: &str) -> Reading {
    let both = match instance {
        OWN => both(limit, "self"),
        process => running(process).and_then(|pid| both(limit, &pid.to_string())),
    };
    match both {
        Ok((soft, hard)) => {
            let text = match bound {
                Bound::Soft => soft,
                Bound::Hard => hard,
            };
            is(text, instance != OWN)
        }
        Err(error) => unreadable(&error),
    }
}

/// The soft and the hard value, as /proc prints them.
fn both(limit: Limit, pid: &str) -> io::Result<(String, String)> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let name = match limit {
        Limit::Nofile => "Max open files",
        Limit::Memlock => "Max locked memory",
    };
    let mut words = limits
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or(io::ErrorKind::NotFound)?
        .split_whitespace();
    let mut next = || words.next().map(str::to_owned).ok_or(io::ErrorKind::InvalidData);
    Ok((next()?, next()?))
}

pub(super) fn write(limit: Limit, bound: Bound, instance: &str, value: &str) -> io::Result<()> {
    let pid = running(instance)?;
    let number = |text: &str| match text {
        "unlimited" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
    };
    let (soft, hard) = both(limit, &pid.to_string())?;
    let (soft, hard) = match bound {
        Bound::Soft => (value, hard.as_str()),
        Bound::Hard => (soft.as_str(), value),
    };
    let limits = Rlimit { current: number(soft)?, maximum: number(hard)? };
    let resource = match limit {
        Limit::Nofile => Resource::Nofile,
        Limit::Memlock => Resource::Memlock,
    };
    prlimit(Pid::from_raw(pid), resource, limits)?;
    Ok(())
}
