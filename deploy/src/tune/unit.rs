//! A systemd unit that applies a profile at boot, and limits for the units of roles.

use super::flags::UnitFlags;
use crate::failure::Failure;
use crate::node::say;
use lastmile_tuning::knobs::{self, Access, Bound, Limit};
use lastmile_tuning::profile::{Profile, SHIPPED};
use std::fs;

/// Prints what the flags ask for.
///
/// # Errors
/// [`Failure::Misused`] for a profile that cannot be read.
pub(super) fn run(flags: &UnitFlags) -> Result<(), Failure> {
    let profile = Profile::load(&flags.profile).map_err(Failure::Misused)?;
    let text = match flags.limits {
        true => limits(&profile),
        false => unit(&named(&flags.profile).map_err(Failure::Misused)?),
    };
    say(text.trim_end());
    Ok(())
}

/// A profile as a unit names it: one that ships as it is; of a file its whole path, as a unit has no folder to begin
/// at, quoted as systemd.syntax(7) and systemd.unit(5) want it.
fn named(profile: &str) -> Result<String, String> {
    if SHIPPED.iter().any(|(name, _)| *name == profile) {
        return Ok(profile.to_owned());
    }
    let path = fs::canonicalize(profile).map_err(|error| format!("{profile}: {error}"))?;
    let path = path.to_str().filter(|path| !path.chars().any(char::is_control));
    let path = path.ok_or_else(|| format!("{profile:?}: a path that no unit can name"))?;
    let path = path.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{}\"", path.replace('%', "%%").replace('$', "$$")))
}

/// The unit, for a profile as [`named`].
fn unit(profile: &str) -> String {
    format!(
        "# Made by: lastmile tune unit --profile {profile}
[Unit]
Description=lastmile: tuning of this machine, profile {profile}
Documentation=man:sysctl(8)
# Cards and routes have to be there; the values of sysctl.d come first, so that these win.
Wants=network-online.target
After=network-online.target systemd-sysctl.service
Before=lastmile-edge.service lastmile-origin.service lastmile-gslb.service

[Service]
Type=oneshot
RemainAfterExit=yes
StateDirectory=lastmile
ExecStart=/usr/local/bin/lastmile tune apply --profile {profile}
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
            unit("edge"),
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
        assert!(unit(&expected).contains(&format!("apply --profile {expected}\n")));
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
