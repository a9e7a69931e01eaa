//! A systemd unit that applies a profile at boot, and limits for the units of roles.

use super::flags::UnitFlags;
use crate::failure::Failure;
use crate::node::say;
use lastmile_tuning::knobs::{self, Access, Bound, Limit};
use lastmile_tuning::profile::Profile;

/// Prints what the flags ask for.
///
/// # Errors
/// [`Failure::Misused`] for a profile that cannot be read.
pub(super) fn run(flags: &UnitFlags) -> Result<(), Failure> {
    let profile = Profile::load(&flags.profile).map_err(Failure::Misused)?;
    let text = if flags.limits { limits(&profile) } else { unit(&profile.name) };
    say(text.trim_end());
    Ok(())
}

/// The unit, for a profile of this name or at this path.
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
# Status 1 of apply: something was denied or failed, which the journal of the unit says.

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
    fn limits_are_directives() {
        let limits = |text: &str| limits(&Profile::parse("p", text).unwrap());
        let text = limits(
            "process.nofile_hard = 4096\nprocess.memlock = 1\nprocess.memlock_hard = \"unlimited\"",
        );
        assert!(text.ends_with("[Service]\nLimitNOFILE=4096\nLimitMEMLOCK=1:infinity\n"), "{text}");
        assert!(limits("vm.swappiness = 1").ends_with("[Service]\n"), "none is wanted");
    }
}
