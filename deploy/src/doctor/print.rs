//! Checks as a table, or as JSON (pure).

use super::check::{Check, Role, State, verdict};
use std::fmt::Write as _;

/// How wide the column of states is.
const STATE: usize = "degraded".len();

/// A line for each check that matters to one of `roles`, below it what it means and what to do; last a line for each
/// role.
pub(super) fn table(checks: &[Check], roles: &[Role]) -> String {
    let mut text = String::new();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in checks {
        let state = check.state(roles);
        let _ = writeln!(text, "{:<width$}  {state:<STATE$}  {}", check.name, check.found);
        let effects: Vec<_> =
            check.effects.iter().filter(|effect| roles.contains(&effect.role)).collect();
        for (at, effect) in effects.iter().enumerate() {
            let (role, indent) = (effect.role.name(), width + 2);
            let _ = writeln!(text, "{:indent$}{role}: {}", "", effect.consequence);
            // What helps several roles is said once.
            if effects.get(at + 1).is_none_or(|next| next.remedy != effect.remedy) {
                let _ = writeln!(text, "{:indent$}  -> {}", "", effect.remedy);
            }
        }
    }
    text.push('\n');
    for &role in roles {
        let state = verdict(checks, role);
        let causes = |of: State| {
            let names = checks.iter().filter(|check| check.state(&[role]) == of);
            names.map(|check| check.name).collect::<Vec<_>>().join(", ")
        };
        let why = match state {
            State::Ok => "everything is there".to_owned(),
            State::Degraded => format!("runs, with less: {}", causes(State::Degraded)),
            State::Missing => format!("does not run: {}", causes(State::Missing)),
        };
        let _ = writeln!(text, "{:<width$}  {state:<STATE$}  {why}", role.name());
    }
    text.trim_end().to_owned()
}

/// The same in one line.
pub(super) fn json(checks: &[Check], roles: &[Role]) -> String {
    let check = |check: &Check| {
        let effects = check.effects.iter().filter(|effect| roles.contains(&effect.role));
        let effects = effects.map(|effect| {
            serde_json::json!({
                "role": effect.role.name(),
                "state": effect.state.to_string(),
                "consequence": effect.consequence,
                "remedy": effect.remedy,
            })
        });
        serde_json::json!({
            "check": check.name,
            "state": check.state(roles).to_string(),
            "found": check.found,
            "effects": effects.collect::<Vec<_>>(),
        })
    };
    let role = |role: &Role| {
        serde_json::json!({
            "role": role.name(),
            "state": verdict(checks, *role).to_string(),
        })
    };
    serde_json::json!({
        "checks": checks.iter().map(check).collect::<Vec<_>>(),
        "roles": roles.iter().map(role).collect::<Vec<_>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> [Check; 3] {
        [
            Check::new("kernel", "Linux 6.18.0"),
            Check::new("tun", "refused").with(Role::Lab, State::Missing, "no links", "run as root"),
            Check::new("clock", "nobody keeps it right").with(
                Role::Edge,
                State::Degraded,
                "ages are off",
                "run chrony",
            ),
        ]
    }

    #[test]
    fn what_matters_to_the_roles_that_are_asked_for() {
        let expected = "\
kernel  ok        Linux 6.18.0
tun     ok        refused
clock   degraded  nobody keeps it right
        edge: ages are off
          -> run chrony

edge    degraded  runs, with less: clock
origin  ok        everything is there";
        assert_eq!(table(&checks(), &[Role::Edge, Role::Origin]), expected);
        let lab = table(&checks(), &[Role::Lab]);
        assert!(lab.ends_with("\nlab     missing   does not run: tun"), "{lab}");
    }

    #[test]
    fn the_same_as_json() {
        let value: serde_json::Value =
            serde_json::from_str(&json(&checks(), &[Role::Lab])).unwrap();
        assert_eq!(value["checks"][1]["effects"][0]["remedy"], "run as root");
        assert_eq!(value["checks"][2]["state"], "ok", "not the lab's matter");
        assert_eq!(value["roles"], serde_json::json!([{"role": "lab", "state": "missing"}]));
    }
}
