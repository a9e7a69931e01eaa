//! Each name server that is installed answers what it should, and loses nothing.

use super::*;

/// All that are not ours, which has a test of its own from outside.
const OTHERS: [Peer; 4] = [Peer::Gdnsd, Peer::Knot, Peer::Nsd, Peer::Pdns];

/// Enough to nest, few enough to load at once.
const PREFIXES: u32 = 3_000;

fn config() -> DnsConfig {
    DnsConfig {
        lastmile: "/no/such/lastmile".into(),
        peers: vec![Peer::Gdnsd],
        all_peers: false,
        cases: DNS_CASES.to_vec(),
        rounds: 1,
        duration: Duration::from_millis(50),
        repeats: 0,
        prefixes: PREFIXES,
        stop: Arc::default(),
    }
}

#[test]
fn name_servers_answer_in_their_cases() {
    let core = Cores::allowed().unwrap().numbers()[0];
    let cores = Watched { server: core, load: core, origin: None };
    for (case, peer) in DNS_CASES.iter().flat_map(|case| OTHERS.map(|peer| (*case, peer))) {
        let name = peer.name();
        if !case.takes(peer) {
            continue;
        }
        if !peer.is_there() {
            eprintln!("skipped: {name}: {:?} is not here", peer.needs());
            continue;
        }
        let config = DnsConfig { peers: vec![peer], cases: vec![case], ..config() };
        let (peers, warnings) = (config.peers.clone(), Vec::new());
        let mut contest = Contest { config: &config, peers, cores, warnings };
        let cells = contest.run(case, &mut |_| {}).unwrap();
        let Some(cell) = cells.first() else {
            // A module of it is a package of its own.
            assert_eq!((peer, case), (Peer::Knot, DnsCase::Subnets), "{:?}", contest.warnings);
            eprintln!("skipped: {:?}", contest.warnings);
            continue;
        };
        let sample = &cell.samples[0];
        assert!(sample.requests > 0, "{name}, {}: {sample:?}", case.name());
        assert!(!matches!(sample.verdict, Verdict::Invalid(_)), "{name}: {sample:?}");
    }
}

#[test]
fn settings_that_make_no_sense() {
    for (config, expected, why) in [
        (DnsConfig { rounds: 0, ..config() }, "0 rounds; allowed: 1 to 1000", "no rounds"),
        (DnsConfig { prefixes: 0, ..config() }, "0 prefixes; allowed: 1 to 1000000", "no map"),
        (
            DnsConfig { duration: Duration::ZERO, ..config() },
            "0 seconds; allowed: 1 to 1800",
            "no time",
        ),
        (
            DnsConfig { peers: Vec::new(), ..config() },
            "nothing to compare: no peer or no case",
            "nobody",
        ),
    ] {
        let error = check(&config).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_misuse()), (expected, true), "{why}");
    }
    assert!(check(&config()).is_ok());
}
