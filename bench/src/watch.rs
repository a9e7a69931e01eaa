//! What a server used between two moments, and whether the machine was its own meanwhile.

use crate::cpu::{self, CoreTime, ProgramTime};
use crate::error::BenchError;
use std::io;
use std::time::Instant;

/// Part of the time in which a core worked for others than those it is for; beyond it caches were cold and wakeups
/// late, and figures a few percent off.
const FOREIGN_SHARE_MAX: f64 = 0.10;

/// Part of the time that the hypervisor took from a core.
const STOLEN_SHARE_MAX: f64 = 0.05;

/// Who may work on the cores of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// The core of the server.
    pub server: usize,
    /// The core of load and origin.
    pub load: usize,
    /// The process group of the origin, if there is one.
    pub origin: Option<i32>,
}

/// One moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    cores: Cores,
    at: Instant,
    server: ProgramTime,
    /// Of this process and the origin, in seconds.
    load: f64,
    server_core: CoreTime,
    load_core: CoreTime,
}

/// What was used from one moment to another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// CPU of all processes of the server, seconds.
    pub cpu: f64,
    /// Of that in the kernel, 0 to 1.
    pub system_share: f64,
    /// Part of the time in which the server's core worked for others.
    pub foreign: f64,
    /// Part of the time in which the load's core worked for others than load and origin.
    pub foreign_load: f64,
    /// Part of the time that the hypervisor took from the core from which it took more.
    pub stolen: f64,
}

impl Moment {
    /// Now; `group` is the server's.
    ///
    /// # Errors
    /// When `/proc` does not tell.
    pub fn now(cores: Cores, group: i32) -> Result<Self, BenchError> {
        let io = |error: io::Error| BenchError::Io("CPU times", error);
        let origin = cores.origin.map_or_else(|| Ok(ProgramTime::default()), cpu::of_group);
        let origin = origin.map_err(io)?;
        Ok(Self {
            cores,
            at: Instant::now(),
            server: cpu::of_group(group).map_err(io)?,
            load: cpu::of_self() + origin.total,
            server_core: cpu::of_core(cores.server).map_err(io)?,
            load_core: cpu::of_core(cores.load).map_err(io)?,
        })
    }

    /// What was used since, until `end`.
    #[must_use]
    pub fn until(&self, end: &Self) -> Used {
        let elapsed = (end.at - self.at).as_secs_f64();
        let cpu = end.server.total - self.server.total;
        let user = end.server.user - self.server.user;
        let system = end.server.system - self.server.system;
        let busy = end.server_core.busy - self.server_core.busy;
        let busy_load = end.load_core.busy - self.load_core.busy;
        let stolen = |start: CoreTime, end: CoreTime| (end.stolen - start.stolen) / elapsed;
        let shared = self.cores.server == self.cores.load;
        let load = end.load - self.load;
        Used {
            cpu,
            system_share: if user + system > 0.0 { system / (user + system) } else { 0.0 },
            foreign: (busy - cpu - if shared { load } else { 0.0 }) / elapsed,
            foreign_load: if shared { 0.0 } else { (busy_load - load) / elapsed },
            stolen: stolen(self.server_core, end.server_core)
                .max(stolen(self.load_core, end.load_core)),
        }
    }
}

impl Used {
    /// Why figures of this time are not to be trusted, if they aren't.
    #[must_use]
    pub fn disturbance(&self) -> Option<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        if self.foreign > FOREIGN_SHARE_MAX {
            Some(format!("{} of the server's core went to others", percent(self.foreign)))
        } else if self.foreign_load > FOREIGN_SHARE_MAX {
            Some(format!("{} of the load's core went to others", percent(self.foreign_load)))
        } else if self.stolen > STOLEN_SHARE_MAX {
            Some(format!("the hypervisor took {} of a core", percent(self.stolen)))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disturbances() {
        let quiet = Used { cpu: 1.0, system_share: 0.5, ..Used::default() };
        for (used, expected, why) in [
            (Used { foreign: 0.02, ..quiet }, None, "a quiet machine"),
            (Used { foreign: -0.01, ..quiet }, None, "ticks that lag behind the exact time"),
            (
                Used { foreign: 0.3, ..quiet },
                Some("30 % of the server's core went to others"),
                "another program on the core",
            ),
            (
                Used { foreign_load: 0.25, ..quiet },
                Some("25 % of the load's core went to others"),
                "or on the other",
            ),
            (
                Used { stolen: 0.2, ..quiet },
                Some("the hypervisor took 20 % of a core"),
                "another machine",
            ),
        ] {
            assert_eq!(used.disturbance().as_deref(), expected, "{why}");
        }
    }

    #[test]
    fn differences() {
        let cores = Cores { server: 0, load: 1, origin: None };
        let start = Moment {
            cores,
            at: Instant::now(),
            server: ProgramTime { total: 1.0, user: 0.25, system: 0.75 },
            load: 5.0,
            server_core: CoreTime { busy: 10.0, stolen: 0.0 },
            load_core: CoreTime { busy: 20.0, stolen: 1.0 },
        };
        let mut end = start;
        end.at += std::time::Duration::from_secs(4);
        end.server = ProgramTime { total: 3.0, user: 0.75, system: 2.25 };
        end.load = 8.0;
        end.server_core = CoreTime { busy: 13.0, stolen: 0.0 };
        end.load_core = CoreTime { busy: 24.0, stolen: 2.0 };
        let expected =
            Used { cpu: 2.0, system_share: 0.75, foreign: 0.25, foreign_load: 0.25, stolen: 0.25 };
        assert_eq!(start.until(&end), expected);
        let one = Cores { load: 0, ..cores };
        let (start, end) = (Moment { cores: one, ..start }, Moment { cores: one, ..end });
        let used = start.until(&end);
        assert_eq!((used.foreign, used.foreign_load), (-0.5, 0.0), "one core for all");
    }

    #[test]
    fn this_process_is_the_load() {
        let group = nix::unistd::getpgrp().as_raw();
        let core = lastmile_tuning::cpu::Cores::allowed().unwrap().numbers()[0];
        let cores = Cores { server: core, load: core, origin: Some(group) };
        let start = Moment::now(cores, group).unwrap();
        let used = start.until(&Moment::now(cores, group).unwrap());
        assert!(used.cpu >= 0.0);
    }
}
