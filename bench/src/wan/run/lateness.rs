//! Which measurements count: those whose links delivered on time, and whose hosts answered so.

use crate::wan::link::Conditions;
use crate::wan::scenario::{Connection, Kind, Scene};
use crate::wan::topology::{LinkSettings, Topology};
use std::time::Duration;

/// Of the shortest round trip of a link, the 99th percentile of lateness may take this part: half of what figures may
/// be off by.
const SHARE: f64 = 0.01;

/// And not more than this, however long the links: it would be seen in plots.
const LATE_MAX: Duration = Duration::from_millis(1);

/// Less is not asked for, however short they are: no thread is always there so soon.
const LATE_MIN: Duration = Duration::from_micros(100);

/// Measurements for each one that counts, before those that do not are taken as well: a machine that is never quiet
/// gets no quieter.
pub(super) const ATTEMPTS_MAX: u32 = 3;

/// How late the 99th percentile may be. Figures of crowds, streams and programs are no sums of round trips, so that the
/// length of these does not matter.
pub(super) fn limit(links: &[LinkSettings], kind: &Kind) -> Duration {
    match kind {
        Kind::Fetch { .. } | Kind::Connect { .. } => {}
        Kind::Crowd { .. } | Kind::Stream { .. } | Kind::Program { .. } => return LATE_MAX,
    }
    let shortest = links
        .iter()
        .map(|link| link.forth.delay + link.back.delay)
        .filter(|round_trip| !round_trip.is_zero())
        .min();
    shortest.map_or(LATE_MAX, |time| time.mul_f64(SHARE)).clamp(LATE_MIN, LATE_MAX)
}

/// How much longer than the round trip of its path a handshake may take, at least: what kernels take for two packets,
/// and one wake-up of the client, is less on a machine that has time.
const HANDSHAKE_LATE_MIN: Duration = Duration::from_micros(500);

/// How long a new connection may take to be made, over links that only delay. Both kernels answer at once; where that
/// is late, the programs of the hosts are later still, and no lateness of links shows it. `None` where others than the
/// machine make handshakes long.
pub(super) fn handshake_limit(scene: &Scene, topology: &Topology) -> Option<Duration> {
    let url = match &scene.measure.kind {
        Kind::Fetch { url, connection: Connection::New } | Kind::Connect { url } => url,
        Kind::Fetch { connection: Connection::Kept | Connection::Idle(_), .. }
        | Kind::Crowd { .. }
        | Kind::Stream { .. }
        | Kind::Program { .. } => return None,
    };
    let only_delays = |way: &Conditions| {
        let Conditions { delay, rate, queue, .. } = way.clone();
        *way == Conditions { rate, queue, ..Conditions::of_delay(delay) }
    };
    if !scene.links.iter().all(|link| only_delays(&link.forth) && only_delays(&link.back)) {
        return None;
    }
    let round_trip = topology.round_trip(&scene.measure.from, &url.host)?;
    Some(round_trip + round_trip.mul_f64(SHARE).max(HANDSHAKE_LATE_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wan::scenario::Url;

    #[test]
    fn limits() {
        let link = |ms: u64| LinkSettings {
            name: String::new(),
            ends: [String::new(), String::new()],
            forth: Conditions::of_delay(Duration::from_millis(ms)),
            back: Conditions::of_delay(Duration::from_millis(ms)),
        };
        let url = Url { host: "a".to_owned(), port: 80, target: "/".to_owned() };
        let connect = Kind::Connect { url: url.clone() };
        let stream = Kind::Stream { url, time: Duration::from_secs(1) };
        let short = [link(10)];
        assert_eq!(limit(&short, &stream), LATE_MAX);
        for (links, microseconds, why) in [
            (&[40][..], 800, "1 % of a round trip of 80 ms"),
            (&[40, 10], 200, "the shortest counts"),
            (&[500], 1000, "never more than a millisecond"),
            (&[1], 100, "never less than 100 us"),
            (&[0, 10], 200, "one without delay has no round trip"),
            (&[], 1000, "no link"),
        ] {
            let links: Vec<_> = links.iter().map(|ms| link(*ms)).collect();
            assert_eq!(limit(&links, &connect), Duration::from_micros(microseconds), "{why}");
        }
    }

    #[test]
    fn handshakes_are_a_measure_where_links_only_delay() {
        let limit_of = |name: &str, case: usize| {
            let all = crate::wan::scenarios::all().unwrap();
            let scenario = all.into_iter().find(|scenario| scenario.name == name).unwrap();
            let scene = &scenario.cases[case].scene;
            handshake_limit(scene, &Topology::of(scene)).map(|most| most.as_micros())
        };
        for (name, case, most_us, why) in [
            ("f1", 0, Some(80_800), "1 % of 80 ms"),
            ("f2", 3, Some(20_500), "the client's own path, and half a millisecond at least"),
            ("f5", 0, None, "a connection that was there before"),
            ("f6", 0, None, "a stream"),
            ("f8", 0, None, "a SYN-ACK is dropped"),
            ("f9", 0, Some(40_500), "a rate and a queue are nothing to single packets"),
        ] {
            assert_eq!(limit_of(name, case), most_us, "{name}: {why}");
        }
    }
}
