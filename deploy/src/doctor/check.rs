//! What `lastmile doctor` says: checks, and what each means to a role (pure).

use clap::ValueEnum;
use std::fmt;

/// What may run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Role {
    /// A cache, at clients or before an origin.
    Edge,
    /// An origin.
    Origin,
    /// The steering name server.
    Gslb,
    /// The wide-area lab: `lastmile bench wan`.
    Lab,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Edge, Self::Origin, Self::Gslb, Self::Lab];

    /// `edge`, `origin`, `gslb` or `lab`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Origin => "origin",
            Self::Gslb => "gslb",
            Self::Lab => "lab",
        }
    }
}

/// How something stands, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Everything is there.
    Ok,
    /// It runs, with less or in another way.
    Degraded,
    /// It does not run.
    Missing,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Missing => "missing",
        })
    }
}

/// What a check means to a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Whose.
    pub role: Role,
    /// [`State::Degraded`] or [`State::Missing`].
    pub state: State,
    /// What it does instead, or cannot do.
    pub consequence: String,
    /// What to do about it.
    pub remedy: String,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Such as `io_uring`.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// What that means; nothing when all is well.
    pub effects: Vec<Effect>,
}

impl Check {
    /// One that is well, so far.
    pub(super) fn new(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, found: found.into(), effects: Vec::new() }
    }

    /// With what it means to a role.
    pub(super) fn with(
        mut self,
        role: Role,
        state: State,
        consequence: &str,
        remedy: &str,
    ) -> Self {
        let (consequence, remedy) = (consequence.to_owned(), remedy.to_owned());
        self.effects.push(Effect { role, state, consequence, remedy });
        self
    }

    /// The worst that it means to one of `roles`.
    #[must_use]
    pub fn state(&self, roles: &[Role]) -> State {
        let effects = self.effects.iter().filter(|effect| roles.contains(&effect.role));
        effects.map(|effect| effect.state).max().unwrap_or(State::Ok)
    }
}

/// How a role stands, by all checks together.
#[must_use]
pub fn verdict(checks: &[Check], role: Role) -> State {
    checks.iter().map(|check| check.state(&[role])).max().unwrap_or(State::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts() {
        let checks = [
            Check::new("one", "1").with(Role::Edge, State::Degraded, "less", "more"),
            Check::new("two", "2").with(Role::Edge, State::Degraded, "a", "b").with(
                Role::Lab,
                State::Missing,
                "c",
                "d",
            ),
        ];
        for (role, expected) in
            [(Role::Edge, State::Degraded), (Role::Lab, State::Missing), (Role::Gslb, State::Ok)]
        {
            assert_eq!(verdict(&checks, role), expected, "{role:?}");
        }
        assert_eq!(checks[1].state(&[Role::Edge, Role::Gslb]), State::Degraded);
        assert_eq!(checks[1].state(&[]), State::Ok);
    }
}
