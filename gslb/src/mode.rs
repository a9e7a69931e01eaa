//! What changes under load: longer TTLs (backup mode), then one answer for everybody (static mode). Pure: told the rate
//! of queries once in a second, it says which modes are on.

use std::fmt;

/// A mode goes off when the rate has stayed below so much of the threshold, so that it does not flap at it.
const CALM_PER_CENT: u64 = 75;

/// The table `[backup]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    /// What TTLs of steered answers are multiplied by in backup mode.
    pub(crate) ttl_factor: u32,
    /// Queries per second from which on backup mode is on.
    pub(crate) above_qps: Option<u64>,
    /// The same for static mode.
    pub(crate) static_above_qps: Option<u64>,
    /// Calm seconds in a row before a mode goes off.
    pub(crate) back_after_s: u32,
}

/// Which modes are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) is_backup: bool,
    pub(crate) is_static: bool,
}

impl Mode {
    /// What a steered answer's TTL (in seconds) becomes.
    pub(crate) fn ttl(self, ttl: u32, backup: &Backup) -> u32 {
        // A file's TTLs stay below a day, a factor below 1001: their product has 27 bits.
        if self.is_backup { ttl.saturating_mul(backup.ttl_factor) } else { ttl }
    }
}

/// What answers depend on besides query and tables: read once for a batch of packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// Seconds since 1970, modulo 2^32.
    pub(crate) now: u32,
    pub(crate) mode: Mode,
}

/// Whether a mode is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
    /// By the rate of queries, as the zone file says; without a threshold it is off.
    #[default]
    Auto,
}

/// The two modes, and who decides about them.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    backup: Governor,
    fixed: Governor,
    /// The rate of the last second.
    qps: u64,
}

/// One mode.
#[derive(Debug, Default)]
struct Governor {
    switch: Switch,
    is_on: bool,
    /// Calm seconds so far.
    calm_s: u32,
}

impl Judge {
    pub(crate) fn mode(&self) -> Mode {
        Mode { is_backup: self.backup.is_on, is_static: self.fixed.is_on }
    }

    /// A second has passed, with so many queries. Returns a line for each mode that has changed.
    pub(crate) fn tick(&mut self, backup: &Backup, qps: u64) -> Vec<String> {
        self.qps = qps;
        let mut changes = Vec::new();
        for (name, governor, key, above) in [
            ("backup", &mut self.backup, "above_qps", backup.above_qps),
            ("static", &mut self.fixed, "static_above_qps", backup.static_above_qps),
        ] {
            if governor.tick(qps, above, backup.back_after_s) {
                let threshold = above.map_or("not there".to_owned(), |above| above.to_string());
                let state = if governor.is_on { "on" } else { "off" };
                changes.push(format!("{name} mode {state}: {qps} queries/s, {key} is {threshold}"));
            }
        }
        changes
    }

    /// Somebody has set switches; that counts at once. Returns a line for each mode that has changed.
    pub(crate) fn set(
        &mut self,
        backup: &Backup,
        longer: Option<Switch>,
        fixed: Option<Switch>,
    ) -> Vec<String> {
        let (qps, mut changes) = (self.qps, Vec::new());
        for (name, governor, switch, above) in [
            ("backup", &mut self.backup, longer, backup.above_qps),
            ("static", &mut self.fixed, fixed, backup.static_above_qps),
        ] {
            let Some(switch) = switch else { continue };
            let before = governor.is_on;
            (governor.switch, governor.calm_s) = (switch, 0);
            governor.is_on = match switch {
                Switch::On => true,
                Switch::Off => false,
                Switch::Auto => match above {
                    Some(above) => governor.is_on || qps >= above,
                    None => false,
                },
            };
            if governor.is_on != before {
                let state = if governor.is_on { "on" } else { "off" };
                changes.push(format!("{name} mode {state}: by request"));
            }
        }
        changes
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backup, fixed, qps } = self;
        write!(out, "backup {backup}, static {fixed}, {qps} queries/s")
    }
}

impl fmt::Display for Governor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.switch == Switch::Auto { "auto" } else { "by request" };
        write!(out, "{} ({by})", if self.is_on { "on" } else { "off" })
    }
}

impl Governor {
    /// Whether it has changed.
    fn tick(&mut self, qps: u64, above: Option<u64>, back_after_s: u32) -> bool {
        let before = self.is_on;
        match (self.switch, above) {
            (Switch::On | Switch::Off, _) => {}
            (Switch::Auto, None) => self.is_on = false,
            (Switch::Auto, Some(above)) if qps >= above => {
                (self.is_on, self.calm_s) = (true, 0);
            }
            (Switch::Auto, Some(above)) => {
                let is_calm = qps * 100 < above * CALM_PER_CENT;
                self.calm_s = if is_calm { self.calm_s.saturating_add(1) } else { 0 };
                self.is_on &= self.calm_s < back_after_s;
            }
        }
        self.is_on != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKUP: Backup = Backup {
        ttl_factor: 10,
        above_qps: Some(1000),
        static_above_qps: Some(5000),
        back_after_s: 3,
    };

    fn shown(mode: Mode) -> &'static str {
        match (mode.is_backup, mode.is_static) {
            (false, false) => "",
            (true, false) => "backup",
            (false, true) => "static",
            (true, true) => "both",
        }
    }

    #[test]
    fn modes_by_the_rate() {
        let mut judge = Judge::default();
        for (second, (qps, expected, why)) in [
            (0, "", "nothing to do"),
            (999, "", "below"),
            (1000, "backup", "at once"),
            (5000, "both", "and more"),
            (4999, "both", "not yet calm"),
            (3749, "both", "below three quarters of static_above_qps: one"),
            (3749, "both", "two"),
            (3750, "both", "not calm: begins again"),
            (900, "both", "one"),
            (900, "both", "two"),
            (749, "backup", "three; backup: one"),
            (0, "backup", "two"),
            (0, "", "three"),
            (2000, "backup", "again"),
        ]
        .into_iter()
        .enumerate()
        {
            let before = judge.mode();
            let lines = judge.tick(&BACKUP, qps);
            assert_eq!(shown(judge.mode()), expected, "second {second}: {why}");
            assert_eq!(lines.is_empty(), judge.mode() == before, "each change is told: {lines:?}");
        }
        let lines = judge.tick(&BACKUP, 6000);
        assert_eq!(lines, ["static mode on: 6000 queries/s, static_above_qps is 5000"]);
        let none = Backup { above_qps: None, static_above_qps: None, ..BACKUP };
        let lines = judge.tick(&none, 9000);
        assert_eq!(lines[0], "backup mode off: 9000 queries/s, above_qps is not there");
        assert_eq!(shown(judge.mode()), "", "a reload without thresholds");
    }

    #[test]
    fn modes_by_request() {
        use Switch::{Auto, Off, On};
        let mut judge = Judge::default();
        for (backup, fixed, qps, expected, why) in [
            (None, None, 0, "", "the start"),
            (Some(On), None, 0, "backup", "on"),
            (None, Some(On), 0, "both", "both"),
            (Some(Off), None, 9000, "static", "off, whatever the rate"),
            (Some(Auto), Some(Auto), 9000, "both", "by the rate again"),
            (Some(Off), Some(Off), 0, "", "off"),
            (Some(On), Some(On), 0, "both", "on"),
            (Some(Auto), Some(Auto), 0, "both", "not off before some calm seconds"),
            (None, None, 0, "both", "two"),
            (None, None, 0, "", "three"),
        ] {
            let before = judge.mode();
            let lines = judge.set(&BACKUP, backup, fixed);
            assert_eq!(lines.is_empty(), judge.mode() == before, "{why}: {lines:?}");
            judge.tick(&BACKUP, qps);
            assert_eq!(shown(judge.mode()), expected, "{why}");
        }
        judge.set(&BACKUP, Some(On), None);
        assert_eq!(judge.to_string(), "backup on (by request), static off (auto), 0 queries/s");
    }
}
