//! The cores of this machine: which may be used, and pinning a thread to one.

use crate::cores::{Machine, order};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use nix::unistd::Pid;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A list of cores as users write it: `0-3`, `0,2`, `1`; or a plain count through [`Cores::first`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores(Vec<usize>);

impl Cores {
    /// The core numbers, each once, in the order in which workers take them: ascending, unless they are from
    /// [`Cores::best_first`].
    #[must_use]
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }

    /// All cores that the scheduler allows to this process (`sched_getaffinity(2)`).
    ///
    /// # Errors
    /// What the system call returns.
    pub fn allowed() -> io::Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        Ok(Self((0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect()))
    }

    /// The cores of [`Cores::allowed`], the best for a worker first: near the network device, a thread of each physical
    /// core before its siblings, interrupted ones first ([`order`]). By number where the machine does not say.
    ///
    /// # Errors
    /// As for [`Cores::allowed`].
    pub fn best_first() -> io::Result<Self> {
        let allowed = Self::allowed()?;
        let machine = Machine::read_below(Path::new("/"), None).unwrap_or_default();
        Ok(Self(order(&machine, &allowed.0)))
    }

    /// The first `count` of the allowed cores (at least one).
    ///
    /// # Errors
    /// As for [`Cores::allowed`].
    pub fn first(count: usize) -> io::Result<Self> {
        let mut cores = Self::allowed()?;
        cores.0.truncate(count.max(1));
        Ok(cores)
    }
}

impl std::str::FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            part.trim()
                .parse::<usize>()
                .ok()
                .filter(|&core| core < CpuSet::count())
                .ok_or_else(|| format!("{text:?} is not a list of cores such as 0-3 or 0,2"))
        };
        let mut cores = Vec::new();
        for part in text.split(',') {
            match part.split_once('-') {
                Some((first, last)) => cores.extend(number(first)?..=number(last)?),
                None => cores.push(number(part)?),
            }
        }
        cores.sort_unstable();
        cores.dedup();
        if cores.is_empty() {
            return Err(format!("{text:?} names no core"));
        }
        Ok(Self(cores))
    }
}

/// Pins the calling thread to `core` (`sched_setaffinity(2)`).
///
/// # Errors
/// `EINVAL` when the core is not there or not allowed to this process.
pub fn pin_current_thread(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// The CPU time that all threads of this process have used, in the kernel as well (`getrusage(2)`).
///
/// # Errors
/// What the system call returns.
pub fn used_by_process() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or(0);
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores() {
        for (text, expected, why) in [
            ("0", Some(vec![0]), "one core"),
            ("0-3", Some(vec![0, 1, 2, 3]), "a range"),
            ("2,0,2", Some(vec![0, 2]), "sorted, without repeats"),
            ("0-1,3", Some(vec![0, 1, 3]), "both"),
            ("3-1", None, "an empty range names no core"),
            ("", None, "nothing"),
            ("a", None, "not a number"),
            ("99999999", None, "beyond what the kernel's set can hold"),
        ] {
            assert_eq!(text.parse::<Cores>().ok().map(|c| c.0), expected, "{text}: {why}");
        }
    }

    #[test]
    fn every_allowed_core_has_its_place_in_the_order() {
        let mut numbers = Cores::best_first().unwrap().0;
        numbers.sort_unstable();
        assert_eq!(numbers, Cores::allowed().unwrap().0);
    }

    #[test]
    fn a_thread_can_be_pinned_to_an_allowed_core() {
        let core = Cores::allowed().unwrap().numbers()[0];
        std::thread::spawn(move || {
            pin_current_thread(core).unwrap();
            assert_eq!(Cores::allowed().unwrap().numbers(), &[core]);
        })
        .join()
        .unwrap();
        assert!(pin_current_thread(CpuSet::count() - 1).is_err() || core == CpuSet::count() - 1);
    }
}
