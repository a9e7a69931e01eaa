//! Which measurements count: those whose links delivered on time.

use crate::wan::scenario::Kind;
use crate::wan::topology::LinkSettings;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wan::link::Conditions;
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
}
