//! Policies as routes of a real kernel: what each prefix's route says, in whichever order they come, and that nothing
//! is left of it, wherever it ends.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

#[allow(dead_code, reason = "each test program uses its part")]
mod kernel;

use kernel::{Crashing, applied, inside, live, reverted, snapshot};
use lastmile_tuning::apply::{Event, apply, planned};
use lastmile_tuning::journal::{Journal, Kept, read};
use lastmile_tuning::knobs::{self, Knob};
use lastmile_tuning::policy::PolicyTable;
use lastmile_tuning::profile::Profile;
use lastmile_tuning::route::{Metrics, Route, list};
use lastmile_tuning::system::live::Live;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The prefixes with what they say; each is within the one before it that is of its family.
const POLICIES: [(&str, &str); 7] = [
    ("0.0.0.0/0", "initcwnd = 30\nsyn-timeout = \"200ms\""),
    ("10.0.0.0/8", "initcwnd = 20\ncongestion = \"reno\""),
    // What the system says, until a shorter one says something else.
    ("10.1.0.0/16", "initcwnd = 5\nrto-min = \"20ms\""),
    ("10.1.2.0/24", "pacing = \"1MB\""),
    ("10.1.2.3/32", "initrwnd = 44"),
    ("2001:db8::/32", "initrwnd = 40"),
    ("2001:db8:1::/48", "congestion = \"reno\""),
];

/// What the kernel then has. The default routes say `initcwnd 5` from the beginning.
const ROUTES: [&str; 8] = [
    "0.0.0.0/0 cwnd 30",
    "10.0.0.0/8 cwnd 20 reno",
    "10.1.0.0/16 cwnd 5 rto 20ms",
    "10.1.2.0/24 cwnd 5",
    "10.1.2.3/32 cwnd 5 rwnd 44",
    "::/0 cwnd 5",
    "2001:db8::/32 cwnd 5 rwnd 40",
    "2001:db8:1::/48 cwnd 5 reno",
];

fn text<'a>(policies: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    policies.map(|(prefix, keys)| format!("[[policy]]\nprefix = {prefix:?}\n{keys}\n")).collect()
}

/// A profile of nothing but these policies, and the system with their routes.
fn of(text: &str) -> (Profile, Live) {
    over(Profile::default(), text)
}

fn over(profile: Profile, text: &str) -> (Profile, Live) {
    let table = PolicyTable::parse(text, |_| None).unwrap();
    let knobs: Vec<&Knob> = knobs::all().collect();
    let profile = profile.with_policies("policy.toml", &table, &knobs).unwrap();
    let routes = profile.routes.clone();
    let system = Live { routes, more_routes: profile.prefixes().collect(), ..live() };
    (profile, system)
}

/// The routes of the kernel that lead somewhere by a policy or by default, sorted by prefix.
fn routes() -> Vec<String> {
    let mut routes = list().unwrap();
    routes.retain(|it| it.metrics().mtu.is_some());
    routes.sort_by_key(Route::destination);
    let shown = routes.iter().map(|route| {
        let metrics = route.metrics();
        let mut text = route.destination().to_string();
        text.extend(metrics.initcwnd.map(|it| format!(" cwnd {it}")));
        text.extend(metrics.initrwnd.map(|it| format!(" rwnd {it}")));
        text.extend(metrics.rto_min.map(|it| format!(" rto {it:?}")));
        text.extend(metrics.congestion.map(|it| format!(" {it}")));
        text
    });
    shown.collect()
}

fn apply_text(text: &str, journal: &Path) -> Vec<Event> {
    let (profile, mut system) = of(text);
    let mut events = Vec::new();
    let outcome = apply(&mut system, journal, &profile, &mut |it| events.push(it)).unwrap();
    assert!(!outcome.is_rolled_back && outcome.told.is_empty(), "{outcome:?} {events:?}");
    let now = planned(&mut system, &profile);
    assert!(now.steps.is_empty() && now.told.is_empty(), "verified: {now:?}");
    assert_eq!(applied(&mut system, journal, &profile).done, 0, "nothing is left to do");
    events
}

#[test]
fn the_longest_prefix_alone_says_what_its_route_says() {
    inside(|journal| {
        let before = snapshot(&mut live());
        let backwards = text(POLICIES.iter().rev());
        for text in [text(POLICIES.iter()), backwards] {
            apply_text(&text, journal);
            assert_eq!(routes(), ROUTES);
            let (left, events) = reverted(journal, false);
            assert_eq!((left, snapshot(&mut live()) == before), (0, true), "{events:?}");
        }
    });
}

#[test]
fn a_file_that_has_changed_is_applied_instead_of_the_one_before() {
    inside(|journal| {
        let before = snapshot(&mut live());
        let (all, shorter) = (text(POLICIES.iter()), text(POLICIES[..2].iter()));
        let longer = text(POLICIES[2..].iter());
        for (first, why) in [(&shorter, "the longer ones come later"), (&longer, "the shorter")] {
            apply_text(first, journal);
            let events = apply_text(&all, journal);
            assert_eq!(routes(), ROUTES, "{why}: {events:?}");
            let (left, events) = reverted(journal, false);
            assert_eq!((left, snapshot(&mut live()) == before), (0, true), "{why}: {events:?}");
        }
        apply_text(&all, journal);
        apply_text(&shorter, journal);
        let expected = ["0.0.0.0/0 cwnd 30", "10.0.0.0/8 cwnd 20 reno", "::/0 cwnd 5"];
        assert_eq!(routes(), expected, "what is no longer in the file is gone");
        apply_text("", journal);
        assert_eq!(snapshot(&mut live()), before, "nothing in the file is nothing");
        assert_eq!(reverted(journal, false), (0, vec![]), "but it is known that it was applied");
    });
}

#[test]
fn a_profile_says_what_policies_leave_to_the_system() {
    inside(|journal| {
        let before = snapshot(&mut live());
        let profile = Profile::parse("p.toml", "route.initrwnd = 64\nroute.initcwnd = 7").unwrap();
        let (both, mut system) = over(profile, &text(POLICIES[1..4].iter()));
        applied(&mut system, journal, &both);
        let expected = [
            "0.0.0.0/0 cwnd 7 rwnd 64",
            "10.0.0.0/8 cwnd 20 rwnd 64 reno",
            "10.1.0.0/16 cwnd 5 rwnd 64 rto 20ms",
            "10.1.2.0/24 cwnd 7 rwnd 64",
            "::/0 cwnd 7 rwnd 64",
        ];
        assert_eq!(routes(), expected);
        assert!(planned(&mut system, &both).steps.is_empty());
        let noted = kept(journal);
        assert_eq!(
            (noted.profile, noted.policies.as_deref()),
            ("p.toml".to_owned(), Some("policy.toml"))
        );
        // The journal has the profile still when only policies are applied.
        apply_text(&text(POLICIES[1..2].iter()), journal);
        let noted = kept(journal);
        assert_eq!((noted.profile.as_str(), noted.said.len()), ("p.toml", 1));
        let (left, events) = reverted(journal, false);
        assert_eq!((left, snapshot(&mut live()) == before), (0, true), "{events:?}");
    });
}

/// What was applied, as the journal says it.
fn kept(journal: &Path) -> Journal {
    match read(journal).unwrap() {
        Kept::Journal(kept) => kept,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_has_changed_leaves_what_is_of_the_profile() {
    inside(|journal| {
        let before = snapshot(&mut live());
        let window = Profile::parse("p.toml", "route.initcwnd = 7").unwrap();
        let on_prefix = "routes = [\"10.0.0.0/8\"]\nroute.initrwnd = 64";
        let on_prefix = Profile::parse("p.toml", on_prefix).unwrap();
        let in_force = Profile::parse("p.toml", "route.initcwnd = 5").unwrap();
        for (profile, first, second, expected) in [
            (
                window,
                [("0.0.0.0/0", "initrwnd = 30")],
                [("10.0.0.0/8", "initcwnd = 20")],
                &["0.0.0.0/0 cwnd 7", "10.0.0.0/8 cwnd 20", "::/0 cwnd 7"][..],
            ),
            (
                on_prefix,
                [("10.0.0.0/8", "initcwnd = 20")],
                [("11.0.0.0/8", "initcwnd = 20")],
                &[
                    "0.0.0.0/0 cwnd 5",
                    "10.0.0.0/8 cwnd 5 rwnd 64",
                    "11.0.0.0/8 cwnd 20",
                    "::/0 cwnd 5",
                ],
            ),
            (
                in_force,
                [("10.0.0.0/8", "congestion = \"reno\"")],
                [("11.0.0.0/8", "pacing = 1000")],
                &["0.0.0.0/0 cwnd 5", "::/0 cwnd 5"],
            ),
        ] {
            let (both, mut system) = over(profile, &text(first.iter()));
            applied(&mut system, journal, &both);
            apply_text(&text(second.iter()), journal);
            assert_eq!(routes(), expected);
            assert_eq!(kept(journal).profile, "p.toml");
            let (left, events) = reverted(journal, false);
            assert_eq!((left, snapshot(&mut live()) == before), (0, true), "{events:?}");
        }
    });
}

/// The kernel's route of this prefix.
fn route(prefix: &str) -> Route {
    let mut routes = list().unwrap().into_iter();
    routes.find(|it| it.destination().to_string() == prefix).unwrap()
}

#[test]
fn a_route_that_has_gone_is_made_anew_of_the_systems() {
    inside(|journal| {
        let text = text([("0.0.0.0/0", "initcwnd = 30"), ("10.0.0.0/8", "initrwnd = 40")].iter());
        apply_text(&text, journal);
        let expected = routes();
        route("10.0.0.0/8").remove().unwrap();
        apply_text(&text, journal);
        assert_eq!(routes(), expected, "not cwnd 30");
        assert_eq!(reverted(journal, false).0, 0);
    });
}

#[test]
fn a_route_that_somebody_else_has_changed_is_left() {
    inside(|journal| {
        let before = snapshot(&mut live());
        apply_text(&text(POLICIES[1..2].iter()), journal);
        let ours = route("10.0.0.0/8");
        let theirs = Metrics { initcwnd: Some(99), ..ours.metrics() };
        ours.with(&theirs).replace().unwrap();
        let (left, events) = reverted(journal, false);
        assert_eq!((left, route("10.0.0.0/8").metrics().initcwnd), (2, Some(99)), "{events:?}");
        assert_eq!(reverted(journal, true).0, 0);
        assert_eq!(snapshot(&mut live()), before);
    });
}

#[test]
fn earlier_policies_that_a_failure_leaves_taken_back_are_said() {
    inside(|journal| {
        let before = snapshot(&mut live());
        apply_text(&text(POLICIES[..2].iter()), journal);
        let (other, mut system) = of(&text([("10.0.0.0/8", "congestion = \"none-such\"")].iter()));
        let outcome = apply(&mut system, journal, &other, &mut |_| {}).unwrap();
        assert!(outcome.is_rolled_back && outcome.is_without_policies, "{outcome:?}");
        assert_eq!((snapshot(&mut live()), journal.exists()), (before, false));
        let outcome = apply(&mut system, journal, &other, &mut |_| {}).unwrap();
        assert!(outcome.is_rolled_back && !outcome.is_without_policies, "{outcome:?}");
    });
}

#[test]
fn a_crash_between_any_two_steps_is_taken_back() {
    inside(|journal| {
        let before = snapshot(&mut live());
        let (profile, mut system) = of(&text(POLICIES.iter()));
        let steps = planned(&mut system, &profile).steps.len();
        assert!(steps > 10, "{steps}");
        for at in 0..steps {
            for is_after in [false, true] {
                let (_, live_with_routes) = of(&text(POLICIES.iter()));
                let mut crashing = Crashing { live: live_with_routes, writes: 0, at, is_after };
                let run = || apply(&mut crashing, journal, &profile, &mut |_| {});
                assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "step {at}");
                if is_after {
                    // Going on from there comes to the same as going through.
                    applied(&mut system, journal, &profile);
                    assert_eq!(routes(), ROUTES, "step {at}");
                }
                let (left, events) = reverted(journal, false);
                assert_eq!((left, snapshot(&mut live()) == before), (0, true), "{at}: {events:?}");
            }
        }
    });
}

#[test]
fn there_are_bounds() {
    let prefixes: Vec<_> = (0..257).map(|n| format!("\"10.0.{}.{}\"", n >> 8, n & 255)).collect();
    let text = |key: &str| format!("[[policy]]\nprefix = [{}]\n{key}\n", prefixes.join(","));
    let knobs: Vec<&Knob> = knobs::all().collect();
    let of = |key: &str| {
        let table = PolicyTable::parse(&text(key), |_| None).unwrap();
        Profile::default().with_policies("p.toml", &table, &knobs)
    };
    let expected =
        "p.toml: 257 prefixes that take a route each; allowed: up to 256 (with BPF 65536)";
    assert_eq!(of("initcwnd = 9").unwrap_err(), expected);
    assert_eq!(of("pacing = 1000").unwrap().prefixes().count(), 0, "no route says that");
}
