//! Settings, verdicts, rounds; what needs servers is in `deploy/tests/bench/compare.rs`.

use super::*;
use crate::peer::PEERS;
use crate::watch::Used;

fn config() -> Config {
    Config {
        lastmile: PathBuf::from("/no/such/lastmile"),
        before: None,
        peers: PEERS.to_vec(),
        all_peers: false,
        cases: vec![Case::named("1k-hit").unwrap()],
        rounds: 1,
        duration: Duration::from_secs(1),
        repeats: 1,
        budget: None,
        loader: Loader::Own,
        stop: Arc::default(),
    }
}

#[test]
fn settings_that_make_no_sense() {
    let crowd = || vec![Case::named("flash-crowd").unwrap()];
    for (config, expected, why) in [
        (Config { rounds: 0, ..config() }, "0 rounds; allowed: 1 to 1000", "none"),
        (Config { rounds: 1001, ..config() }, "1001 rounds; allowed: 1 to 1000", "too many"),
        (Config { duration: Duration::ZERO, ..config() }, "0 seconds; allowed: 1 to", "no time"),
        (Config { peers: vec![], ..config() }, "nothing to compare", "nobody"),
        (
            Config { before: Some("/no/such".into()), ..config() },
            "/no/such: no such executable",
            "no other lastmile",
        ),
        (Config { cases: vec![], ..config() }, "nothing to compare", "nothing"),
        (
            Config { loader: Loader::Wrk, cases: crowd(), ..config() },
            "wrk can't do flash-crowd; leave it out",
            "a load that can't",
        ),
    ] {
        let error = run(&config, &mut |_| ()).unwrap_err();
        assert!(error.is_misuse() && error.to_string().starts_with(expected), "{why}: {error}");
    }
}

#[test]
fn a_lastmile_that_does_not_start_ends_it() {
    let error = std::thread::spawn(|| run(&config(), &mut |_| ()).unwrap_err());
    assert!(matches!(error.join().unwrap(), BenchError::Peer { peer: "origin", .. }));
}

#[test]
fn verdicts() {
    let errors = || Some("status 503".to_owned());
    let busy = Some(Used { foreign: 0.3, ..Used::default() });
    for (errors, used, expected, why) in [
        (None, Some(Used::default()), "clean", "a quiet machine"),
        (None, None, "clean", "where it does not matter"),
        (None, busy, "disturbed", "another program on the core"),
        (errors(), busy, "invalid", "errors weigh more than noise"),
    ] {
        let found = match Verdict::of(errors, used) {
            Verdict::Clean => "clean",
            Verdict::Disturbed(_) => "disturbed",
            Verdict::Invalid(_) => "invalid",
        };
        assert_eq!(found, expected, "{why}");
    }
}

#[test]
fn rounds_about_memory_are_few() {
    for (case, expected) in
        [("1k-hit", 5), ("flash-crowd", 5), ("10000-idle", 2), ("100000-objects", 2)]
    {
        assert_eq!(rounds_of(Case::named(case).unwrap(), 5), expected, "{case}");
    }
    assert_eq!(rounds_of(Case::named("1000000-objects").unwrap(), 5), 1);
}

#[test]
fn peers_that_are_not_here_are_left_out_with_a_warning() {
    let config = Config { peers: PEERS.to_vec(), ..config() };
    let mut warnings = Vec::new();
    let there = present(&config.peers, &mut warnings);
    assert_eq!(there.len() + warnings.len(), PEERS.len(), "{warnings:?}");
    assert!(there.contains(&Peer::Lastmile) && there.contains(&Peer::FloorMonoio), "{there:?}");
    for warning in &warnings {
        assert!(warning.contains(" is left out: ") && warning.contains("apt-get install "));
    }
}
