//! CPU time out of `/proc`: of all processes of a program, and of a whole core.
//!
//! The time a thread was on a CPU is exact (`schedstat`, ns); how it divides into user and system is
//! sampled by the kernel at each tick (`stat`), so the division is told as a share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// `USER_HZ`: the unit of `/proc/PID/stat` and `/proc/stat` is 1/100 s on every Linux that Rust's std
/// supports on x86 and ARM (proc(5); it is part of the ABI, whatever the kernel's own HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of a program so far, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProgramTime {
    /// On a CPU, exactly.
    pub total: f64,
    /// In user mode, in ticks.
    pub user: f64,
    /// In the kernel, in ticks.
    pub system: f64,
}

/// Time of one core so far, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CoreTime {
    /// Doing anything for this machine.
    pub busy: f64,
    /// Wanted, but given to another machine by the hypervisor.
    pub stolen: f64,
}

/// What all processes of a process group have used, those that exist now.
///
/// # Errors
/// When `/proc` can't be listed.
pub fn of_group(group: i32) -> io::Result<ProgramTime> {
    let mut sum = ProgramTime::default();
    for (path, stat) in members(group)? {
        sum.user += stat.user;
        sum.system += stat.system;
        // Without CONFIG_SCHED_INFO there is no schedstat: ticks, then.
        sum.total += on_cpu(&path.join("task")).unwrap_or(stat.user + stat.system);
    }
    Ok(sum)
}

/// Seconds on a CPU of the threads that this process has now.
#[must_use]
pub fn of_self() -> f64 {
    on_cpu(Path::new("/proc/self/task")).unwrap_or(0.0)
}

/// The processes of a process group: where each is in `/proc`, and what it has used.
///
/// # Errors
/// When `/proc` can't be listed.
pub(crate) fn members(group: i32) -> io::Result<Vec<(PathBuf, Stat)>> {
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(text) = fs::read_to_string(path.join("stat")) else { continue };
        if let Some(stat) = Stat::parse(&text).filter(|stat| stat.group == group) {
            members.push((path, stat));
        }
    }
    Ok(members)
}

/// Seconds on a CPU of all threads below `tasks`; `None` where the kernel does not tell.
fn on_cpu(tasks: &Path) -> Option<f64> {
    let mut nanoseconds = 0_u64;
    for task in fs::read_dir(tasks).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "exact to 1 ns for 100 days of CPU")]
    Some(nanoseconds as f64 / 1e9)
}

/// What core number `core` has done.
///
/// # Errors
/// When `/proc/stat` can't be read or has no such core.
pub fn of_core(core: usize) -> io::Result<CoreTime> {
    let text = fs::read_to_string("/proc/stat")?;
    parse_core(&text, core)
        .ok_or_else(|| io::Error::other(format!("/proc/stat does not tell about core {core}")))
}

/// The fields of `/proc/PID/stat` that are needed (proc_pid_stat(5)).
#[derive(Debug)]
pub(crate) struct Stat {
    group: i32,
    user: f64,
    system: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name in parentheses may contain anything, parentheses and blanks too.
        let (_, after_name) = text.rsplit_once(") ")?;
        let mut fields = after_name.split(' ');
        let group = fields.nth(2)?.parse().ok()?;
        let user = fields.nth(8)?.parse::<f64>().ok()? / TICKS_PER_SECOND;
        let system = fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND;
        Some(Self { group, user, system })
    }
}

/// The line of one core in `/proc/stat` (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq,
/// steal; what follows is contained in the first two.
fn parse_core(text: &str, core: usize) -> Option<CoreTime> {
    let name = format!("cpu{core}");
    let line = text.lines().find(|line| line.split(' ').next() == Some(name.as_str()))?;
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return None;
    };
    Some(CoreTime {
        busy: (user + nice + system + irq + softirq) / TICKS_PER_SECOND,
        stolen: steal / TICKS_PER_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_processes() {
        let rest = "S 1 77 77 0 -1 4194560 1 2 3 4 250 125 0 0 20 0 1 0 100 0 0";
        for (text, expected, why) in [
            (format!("80 (nginx) {rest}"), Some((77, 2.5, 1.25)), "a usual name"),
            (format!("80 (a) b) {rest}"), Some((77, 2.5, 1.25)), "a parenthesis in the name"),
            (format!("80 (S 1 2 3 4) {rest}"), Some((77, 2.5, 1.25)), "a name like fields"),
            ("80 (nginx) S 1 77".to_owned(), None, "cut off"),
            (String::new(), None, "gone in between"),
        ] {
            let stat = Stat::parse(&text).map(|stat| (stat.group, stat.user, stat.system));
            assert_eq!(stat, expected, "{why}");
        }
    }

    #[test]
    fn lines_of_cores() {
        let text = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 100 10 200 5000 7 1 4 50 0 0\ncpu10 1 1\n";
        for (core, expected, why) in [
            (1, Some(CoreTime { busy: 3.15, stolen: 0.5 }), "idle and iowait are no work"),
            (10, None, "a line that is too short"),
            (0, None, "no such core"),
        ] {
            assert_eq!(parse_core(text, core), expected, "{why}");
        }
    }

    #[test]
    fn our_own_time_is_counted() {
        let text = fs::read_to_string("/proc/self/stat").unwrap();
        let group = Stat::parse(&text).unwrap().group;
        let before = of_group(group).unwrap().total;
        let mut sum = 0_u64;
        while of_group(group).unwrap().total <= before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let core = lastmile_tuning::cpu::Cores::allowed().unwrap().numbers()[0];
        assert!(of_core(core).unwrap().busy > 0.0);
    }
}
