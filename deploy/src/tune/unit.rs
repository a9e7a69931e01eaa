//! A systemd unit that applies a profile at boot, and limits for the units of roles.

use super::flags::UnitFlags;
use crate::failure::Failure;
use crate::node::say;
use lastmile_tuning::knobs::{self, Access, Bound, Limit};
use lastmile_tuning::policy::PolicyTable;
use lastmile_tuning::profile::{Profile, SHIPPED};
use std::fs;

/// Prints what the flags ask for.
///
/// # Errors
/// [`Failure::Misused`] for a profile or a policy that cannot be read.
pub(super) fn run(flags: &UnitFlags) -> Result<(), Failure> {
    let profile = Profile::load(&flags.profile).map_err(Failure::Misused)?;
    if flags.limits {
        say(limits(&profile).trim_end());
        return Ok(());
    }
    let mut arguments = format!("--profile {}", named(&flags.profile).map_err(Failure::Misused)?);
    if let Some(path) = &flags.tcp_policy {
        PolicyTable::read(path).map_err(Failure::Misused)?;
        let path = quoted(&path.to_string_lossy()).map_err(Failure::Misused)?;
        arguments.push_str(&format!(" --tcp-policy {path}"));
    }
    say(unit(&arguments).trim_end());
    Ok(())
}

/// A profile as a unit names it.
fn named(profile: &str) -> Result<String, String> {
    match SHIPPED.iter().any(|(name, _)| *name == profile) {
        true => Ok(profile.to_owned()),
        false => quoted(profile),
    }
}

/// The whole path of a file, as a unit has no folder to begin at, quoted as systemd.syntax(7) and systemd.unit(5) want
/// it.
fn quoted(file: &str) -> Result<String, String> {
    let path = fs::canonicalize(file).map_err(|error| format!("{file}: {error}"))?;
    let path = path.to_str().filter(|path| !path.chars().any(char::is_control));
    let path = path.ok_or_else(|| format!("{file:?}: a path that no unit can name"))?;
    let path = path.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{}\"", path.replace('%', "%%").replace('$', "$$")))
}

/// The unit that applies with these arguments.
fn unit(arguments: &str) -> String {
    format!(
        "# Made by: lastmile tune unit {arguments}
[Unit]
Description=lastmile: tuning of this machine
Documentation=man:sysctl(8)
# Cards and routes have to be there; the values of sysctl.d come first, so that these win.
Wants=network-online.target
After=network-online.target systemd-sysctl.service
Before=lastmile-edge.service lastmile-origin.service lastmile-gslb.service

[Service]
Type=oneshot
RemainAfterExit=yes
StateDirectory=lastmile
ExecStart=/usr/local/bin/lastmile tune apply {arguments}
ExecStop=/usr/local/bin/lastmile tune revert
# This unit fails where apply does, and its log says why: values were denied, or a step failed and
# all was put back. What this kernel or its hardware has not is told, and no failure.
# ExecStop runs after a good start only: `lastmile tune revert` takes back what else stays set.

[Install]
WantedBy=multi-user.target
"
    )
}

fn limits(profile: &Profile) -> String {
    let wanted = |limit: Limit, bound: Bound| {
        let knob = knobs::all().find(|knob| knob.access == Access::Limit(limit, bound));
        let wanted = knob.and_then(|knob| profile.wanted(knob));
        wanted.map(|wanted| wanted.value.replace("unlimited", "infinity"))
    };
    let name = &profile.name;
    let mut text = format!("# Made by: lastmile tune unit --profile {name} --limits\n[Service]\n");
    for limit in [Limit::Nofile, Limit::Memlock] {
        let (soft, hard) = (wanted(limit, Bound::Soft), wanted(limit, Bound::Hard));
        let value = match (soft, hard) {
            (Some(soft), Some(hard)) => format!("{soft}:{hard}"),
            (Some(both), None) | (None, Some(both)) => both,
            (None, None) => continue,
        };
        text.push_str(&format!("{}={value}\n", limit.directive()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_that_ships_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/lastmile-tune.service");
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            found,
            unit("--profile edge"),
            "lastmile tune unit > deploy/systemd/lastmile-tune.service"
        );
    }

    #[test]
    fn a_file_is_named_by_its_whole_path() {
        assert_eq!(named("gslb").unwrap(), "gslb");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("my 5% \"$x\".toml");
        assert!(named(path.to_str().unwrap()).is_err(), "no such file");
        fs::write(&path, "").unwrap();
        let folder = path.parent().unwrap().display();
        let expected = format!("\"{folder}/my 5%% \\\"$$x\\\".toml\"");
        assert_eq!(named(path.to_str().unwrap()).unwrap(), expected);
        assert_eq!(quoted(path.to_str().unwrap()).unwrap(), expected);
    }

    #[test]
    fn limits_are_directives() {
        let limits = |text: &str| limits(&Profile::parse("p", text).unwrap());
        let text = limits(
            "process.nofile_hard = 4096\nprocess.memlock = 1\nprocess.memlock_hard = \"unlimited\"",
        );
        assert!(text.ends_with("[Service]\nLimitNOFILE=4096\nLimitMEMLOCK=1:infinity\n"), "{text}");
        assert!(limits("vm.swappiness = 1").ends_with("[Service]\n"), "none is wanted");
    }
}
