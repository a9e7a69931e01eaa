//! Knobs of a real kernel, applied and taken back: in network namespaces of their own, and on a process of our own.
//! Those of the machine itself are in `machine.rs`.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

#[allow(dead_code, reason = "each test program uses its part")]
mod kernel;

use kernel::{Crashing, applied, ids, inside, live, reverted, snapshot};
use lastmile_tuning::apply::{Event, apply, planned, revert};
use lastmile_tuning::audit;
use lastmile_tuning::knobs::form::Form;
use lastmile_tuning::knobs::{self, Access, Knob, RouteMetric, Scope};
use lastmile_tuning::profile::Profile;
use lastmile_tuning::route::list;
use lastmile_tuning::system::live::{Live, Process};
use lastmile_tuning::system::{Found, Reading, Refusal, RefusalKind, System, survey};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

/// Devices in the namespace of the calling thread that have queues and offloads, though no rings.
fn add_devices() {
    for arguments in [
        "link add veth0 numrxqueues 4 numtxqueues 4 type veth peer veth1 numrxqueues 4 numtxqueues 4",
        "tuntap add tun0 mode tun",
    ] {
        let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}");
    }
}

/// Another value that the kernel should take.
fn another(found: &Found) -> Option<String> {
    let Reading::Is(value) = &found.reading else { return None };
    // A TUN device tells channels, but has no way to set them; its offloads depend on who has it open.
    let is_of_its_owner = found.knob.id.starts_with("nic.channels")
        || matches!(found.knob.access, Access::Offload(_));
    if found.instance == "tun0" && is_of_its_owner {
        return None;
    }
    let is_fixed = value.offered.as_ref().is_some_and(|offered| offered.len() < 2);
    if !value.is_writable || is_fixed {
        return None;
    }
    let now = value.text.as_str();
    let numbers = || now.split_whitespace().map(|word| word.parse::<i64>().unwrap());
    Some(match found.knob.form {
        Form::Integer { min, max } => {
            let now: i64 = now.parse().unwrap();
            let max = value.most.map_or(max, i64::from);
            if now < max { (now + 1).max(min).to_string() } else { (now - 1).to_string() }
        }
        Form::Integers { .. } => {
            numbers().map(|number| (number + 2).to_string()).collect::<Vec<_>>().join(" ")
        }
        Form::Name => if now == "reno" { "bbr" } else { "reno" }.to_owned(),
        Form::Word(words) => (*words.iter().find(|word| **word != now)?).to_owned(),
        Form::Selected(_) | Form::Names | Form::Mask | Form::Limit => return None,
    })
}

/// A profile that wants another value of each knob of a namespace that can be written, and their ids.
fn all_others(system: &mut Live) -> (Profile, Vec<&'static Knob>) {
    let mut text = String::new();
    let mut knobs: Vec<&'static Knob> = Vec::new();
    for found in survey(system, knobs::all()) {
        // There is no default route to add: a test of its own adds one for a prefix.
        let is_own = found.knob.access == Access::Route(RouteMetric::Own);
        if is_own || !found.knob.is_of_a_namespace() || knobs.contains(&found.knob) {
            continue;
        }
        if let Some(other) = another(&found) {
            let _ = writeln!(text, "{} = {other:?}", found.knob.id);
            knobs.push(found.knob);
        }
    }
    (Profile::parse("others.toml", &text).unwrap(), knobs)
}

#[test]
fn each_knob_of_a_namespace_is_applied_verified_and_taken_back() {
    inside(|journal| {
        add_devices();
        let mut system = live();
        let before = snapshot(&mut system);
        let (profile, knobs) = all_others(&mut system);
        assert!(knobs.len() > 70, "only {}: {:?}", knobs.len(), ids(&knobs));
        for knob in &knobs {
            let profile = profile.clone().only(&[knob]);
            let outcome = applied(&mut system, journal, &profile);
            assert!(outcome.done > 0 && outcome.skipped.is_empty(), "{}: {outcome:?}", knob.id);
            let now = planned(&mut system, &profile);
            assert!(now.steps.is_empty(), "{}: verified: {now:?}", knob.id);
            assert!(now.told.is_empty() || knob.scope == Scope::Nic, "{}: {now:?}", knob.id);
            assert_ne!(snapshot(&mut system), before, "{}", knob.id);
            let again = applied(&mut system, journal, &profile);
            assert_eq!(again.done, 0, "{}: nothing is left to do", knob.id);
            let (left, events) = reverted(journal, false);
            assert_eq!(
                (left, snapshot(&mut system) == before),
                (0, true),
                "{}: {events:?}",
                knob.id
            );
        }
    });
}

#[test]
fn a_crash_between_any_two_steps_is_taken_back() {
    inside(|journal| {
        let before = snapshot(&mut live());
        let (profile, _) = all_others(&mut live());
        let steps = planned(&mut live(), &profile).steps.len();
        assert!(steps > 60, "{steps}");
        for at in 0..steps {
            for is_after in [false, true] {
                let mut system = Crashing { live: live(), writes: 0, at, is_after };
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    apply(&mut system, journal, &profile, &mut |_| {})
                }));
                assert!(ended.is_err(), "step {at}");
                assert!(
                    journal.exists(),
                    "step {at}: the journal was there before the first write"
                );
                let (left, events) = reverted(journal, false);
                assert_eq!((left, snapshot(&mut live()) == before), (0, true), "{at}: {events:?}");
            }
        }
        let mut system = Crashing { live: live(), writes: 0, at: steps, is_after: false };
        assert_eq!(applied(&mut system, journal, &profile).done, steps, "there are no more");
        // A crash while it is taken back.
        let mut system = Crashing { live: live(), writes: 0, at: steps / 2, is_after: true };
        let ended =
            catch_unwind(AssertUnwindSafe(|| revert(&mut system, journal, false, &mut |_| {})));
        assert!(ended.is_err());
        assert_eq!(reverted(journal, false).0, 0);
        assert_eq!(snapshot(&mut live()), before);
    });
}

/// Refuses one write in this way.
struct Refusing {
    live: Live,
    writes: usize,
    at: usize,
    kind: RefusalKind,
}

impl System for Refusing {
    fn instances(&mut self, knob: &'static Knob) -> Vec<String> {
        self.live.instances(knob)
    }

    fn read(&mut self, knob: &'static Knob, instance: &str) -> Reading {
        self.live.read(knob, instance)
    }

    fn write(&mut self, knob: &'static Knob, instance: &str, value: &str) -> Result<(), Refusal> {
        self.writes += 1;
        if self.writes == self.at {
            return Err(Refusal { kind: self.kind, why: "as the test wants".to_owned() });
        }
        self.live.write(knob, instance, value)
    }

    fn cpus(&self) -> usize {
        self.live.cpus()
    }
}

#[test]
fn a_step_that_fails_takes_all_before_it_back() {
    inside(|journal| {
        add_devices();
        let before = snapshot(&mut live());
        let (profile, _) = all_others(&mut live());
        let kind = RefusalKind::Failed;
        let mut system = Refusing { live: live(), writes: 0, at: 20, kind };
        let mut events = Vec::new();
        let outcome = apply(&mut system, journal, &profile, &mut |it| events.push(it)).unwrap();
        assert!(
            matches!(&events[19], Event::Failed(_, why) if why.why == "as the test wants"),
            "{events:?}"
        );
        assert_eq!((outcome.done, outcome.is_rolled_back), (19, true), "{events:?}");
        assert_eq!(snapshot(&mut live()), before);
        assert!(!journal.exists(), "nothing is changed");

        // With an earlier application that only goes back to what that had made.
        let first = Profile::parse("first.toml", "net.ipv4.tcp_retries2 = 9").unwrap();
        applied(&mut live(), journal, &first);
        let between = snapshot(&mut live());
        let mut system = Refusing { live: live(), writes: 0, at: 30, kind };
        assert!(apply(&mut system, journal, &profile, &mut |_| {}).unwrap().is_rolled_back);
        assert_eq!(snapshot(&mut live()), between);
        assert_eq!(reverted(journal, false).0, 0);
        assert_eq!(snapshot(&mut live()), before);

        // What is only denied is said, and the rest is done.
        let kind = RefusalKind::Denied;
        let mut system = Refusing { live: live(), writes: 0, at: 20, kind };
        let outcome = applied(&mut system, journal, &profile);
        assert_eq!(outcome.skipped, [RefusalKind::Denied]);
        assert_eq!(planned(&mut live(), &profile).steps.len(), 1);
        assert_eq!(reverted(journal, false).0, 0);
        assert_eq!(snapshot(&mut live()), before);
    });
}

#[test]
fn what_somebody_else_has_changed_is_left_to_them() {
    inside(|journal| {
        let mut system = live();
        let before = snapshot(&mut system);
        let text = "net.ipv4.tcp_retries2 = 9\nnet.ipv4.tcp_fin_timeout = 31\n";
        let profile = Profile::parse("p.toml", text).unwrap();
        applied(&mut system, journal, &profile);
        let knob = knobs::find("net.ipv4.tcp_retries2").unwrap();
        system.write(knob, "", "11").unwrap();
        let (left, events) = reverted(journal, false);
        assert_eq!(left, 1, "{events:?}");
        let is_foreign =
            |event: &Event| matches!(event, Event::Foreign { found, .. } if found == "11");
        assert!(events.iter().any(is_foreign), "{events:?}");
        assert_eq!(system.read(knob, "").text(), Some("11"));
        assert!(journal.exists(), "so that it can still be taken back");
        assert_eq!(reverted(journal, true).0, 0);
        assert_eq!(snapshot(&mut system), before);
    });
}

#[test]
fn two_profiles_are_taken_back_together() {
    inside(|journal| {
        let mut system = live();
        let before = snapshot(&mut system);
        for text in ["net.ipv4.tcp_retries2 = 9", "net.ipv4.tcp_retries2 = 8\nroute.quickack = 1"] {
            applied(&mut system, journal, &Profile::parse("p.toml", text).unwrap());
        }
        assert_eq!(reverted(journal, false).0, 0);
        assert_eq!(snapshot(&mut system), before);
    });
}

#[test]
fn an_offload_that_cannot_come_into_force_is_skipped() {
    inside(|journal| {
        add_devices();
        let before = snapshot(&mut live());
        let profile = Profile::parse("p.toml", "nic.tso = 1\nnet.ipv4.tcp_retries2 = 9\n").unwrap();
        let mut events = Vec::new();
        let outcome = apply(&mut live(), journal, &profile, &mut |it| events.push(it)).unwrap();
        assert_eq!(outcome.skipped, [RefusalKind::Unavailable], "the TUN device's: {events:?}");
        assert_eq!((outcome.done, outcome.is_rolled_back), (1, false), "{events:?}");
        assert_eq!(reverted(journal, false).0, 0);
        assert_eq!(snapshot(&mut live()), before);
    });
}

#[test]
fn a_prefix_gets_a_route_of_its_own_and_loses_it_again() {
    inside(|journal| {
        let before = list().unwrap();
        let text = "route.initcwnd = 32\nroute.rto_min = 20\nroute.congestion = \"reno\"\n\
                    route.initrwnd = 64\nroute.quickack = 1\n";
        let profile = Profile::parse("p.toml", text).unwrap();
        for prefix in ["192.0.2.0/24", "2001:db8::/32"] {
            let mut system = Live { routes: vec![prefix.parse().unwrap()], ..live() };
            let rows = |system: &mut Live| {
                let found = survey(system, knobs::all());
                serde_json::to_string(&audit::rows(&found, &profile, 1)).unwrap()
            };
            let audited = rows(&mut system);
            assert_eq!(applied(&mut system, journal, &profile).done, 6, "{prefix}");
            let routes = list().unwrap();
            assert_eq!(routes.len(), before.len() + 1);
            let own = routes.iter().find(|it| it.destination().to_string() == prefix).unwrap();
            let metrics = own.metrics();
            assert_eq!(metrics.initcwnd, Some(32));
            assert_eq!(metrics.mtu, Some(1400), "as the wider one has it");
            assert_eq!(metrics.congestion.as_deref(), Some("reno"));
            let mut events = Vec::new();
            let back = revert(&mut live(), journal, false, &mut |it| events.push(it)).unwrap();
            assert!(back.left.is_empty(), "{prefix}: {events:?}");
            assert_eq!(list().unwrap(), before, "{prefix}");
            assert_eq!(rows(&mut system), audited, "{prefix}");
        }
    });
}

#[test]
fn a_profile_of_a_prefix_on_one_of_the_default_route_is_taken_back() {
    inside(|journal| {
        let before = list().unwrap();
        let of = |name: &str| {
            let profile = Profile::load(name).unwrap();
            let routes: Vec<_> = profile.knobs().filter(|it| it.id.starts_with("route.")).collect();
            assert!(!routes.is_empty(), "{name}");
            profile.only(&routes)
        };
        assert!(applied(&mut live(), journal, &of("edge")).done > 0);
        let mut on_prefix = Live { routes: vec!["198.51.100.0/24".parse().unwrap()], ..live() };
        assert!(applied(&mut on_prefix, journal, &of("parent")).done > 2);
        let (left, events) = reverted(journal, false);
        assert_eq!((left, list().unwrap()), (0, before), "{events:?}");
    });
}

#[test]
fn limits_of_a_process_are_set_and_taken_back() {
    use std::process::Stdio;
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let limits = || std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let before = limits();
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let process = Process::of(pid).unwrap();
    let mut system = Live { process: Some(process), ..Live::default() };
    // Lower than anybody has: that takes no privilege.
    let text = "process.nofile = 64\nprocess.memlock = 4096\n";
    let profile = Profile::parse("p.toml", text).unwrap();
    assert_eq!(applied(&mut system, &journal, &profile).done, 2);
    assert_ne!(limits(), before);
    let reverted = revert(&mut system, &journal, false, &mut |_| {}).unwrap();
    assert!(reverted.left.is_empty());
    assert_eq!(limits(), before);

    applied(&mut system, &journal, &profile);
    drop(child.stdin.take());
    child.wait().unwrap();
    let mut events = Vec::new();
    let reverted = revert(&mut system, &journal, false, &mut |it| events.push(it)).unwrap();
    assert!(reverted.left.is_empty() && !journal.exists(), "it has ended, and its limits with it");
    assert!(events.iter().all(|event| matches!(event, Event::Gone { .. })), "{events:?}");
}
