//! What an edge says of its load in the answer to its check, and how full it is by that. Pure.

use serde::Deserialize;

/// An edge that is fuller than that is as full as that: beyond it figures are mistakes, not loads.
const UTILISATION_MAX: f64 = 100.0;

/// What an edge can bear, as the zone file says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// In the unit of `traffic`.
    pub(crate) traffic_max: Option<f64>,
    pub(crate) sessions_max: Option<f64>,
}

/// What an edge said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// How full it is: 0 idle, 1 full; above that it has more than it can bear.
    pub(crate) utilisation: f64,
    /// As said.
    pub(crate) sessions: Option<f64>,
    /// As said.
    pub(crate) traffic: Option<f64>,
}

/// Each key may be left out; others are passed over.
#[derive(Deserialize)]
struct Said {
    load: Option<f64>,
    cpu: Option<f64>,
    sessions: Option<f64>,
    sessions_max: Option<f64>,
    traffic: Option<f64>,
    capacity: Option<f64>,
}

impl Load {
    /// Reads the content of an answer, if it is said to be JSON or begins like an object of it. `None` when it says
    /// nothing of a load, or nothing that can be understood: that an edge answers, and badly so, is no reason to do
    /// without it. The zone file's limits go before the answer's.
    pub(crate) fn read(is_json: bool, content: &[u8], limits: &Limits) -> Option<Self> {
        if !is_json && content.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        let said: Said = serde_json::from_slice(content).ok()?;
        let figures =
            [said.load, said.cpu, said.sessions, said.sessions_max, said.traffic, said.capacity];
        if figures.into_iter().flatten().any(|figure| figure < 0.0) {
            return None;
        }
        let part = |of: Option<f64>, limit: Option<f64>| {
            limit.filter(|limit| *limit > 0.0).and_then(|limit| Some(of? / limit))
        };
        let parts = [
            said.load,
            said.cpu,
            part(said.traffic, limits.traffic_max.or(said.capacity)),
            part(said.sessions, limits.sessions_max.or(said.sessions_max)),
        ];
        // What is scarcest says how full it is.
        let utilisation = parts.into_iter().flatten().reduce(f64::max)?.min(UTILISATION_MAX);
        Some(Self { utilisation, sessions: said.sessions, traffic: said.traffic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_scarcest_says_how_full_an_edge_is() {
        let none = Limits::default();
        let limits = Limits { traffic_max: Some(500.0), sessions_max: Some(10.0) };
        for (content, limits, expected, why) in [
            (r#"{"load": 0.42}"#, &none, Some(0.42), "as said"),
            (r#"{"load": 0.1, "cpu": 0.6}"#, &none, Some(0.6), "the processor"),
            (r#"{"load":0.1,"traffic":900,"capacity":1000}"#, &none, Some(0.9), "the line"),
            (r#"{"sessions":30,"sessions_max":40}"#, &none, Some(0.75), "sessions"),
            (r#"{"traffic":900,"capacity":1000}"#, &limits, Some(1.8), "the zone file's limit"),
            (r#"{"sessions":5,"load":0.2}"#, &limits, Some(0.5), "the zone file's limit"),
            (r#"{"sessions":5,"traffic":7}"#, &none, None, "of how many?"),
            (r#"{"traffic":5,"capacity":0}"#, &none, None, "no limit is 0"),
            (r#"  {"load":0.5,"x":{"y":[1]},"name":"e"}"#, &none, Some(0.5), "others' keys"),
            (r#"{"load":null,"cpu":0.5}"#, &none, Some(0.5), "as if it were left out"),
            (r#"{"load":1e9}"#, &none, Some(UTILISATION_MAX), "bounded"),
            (r#"{"load":-1}"#, &none, None, "less than nothing"),
            (r#"{"load":1e999}"#, &none, None, "no number"),
            (r#"{"load":"0.5"}"#, &none, None, "no number"),
            (r#"{"load":0.5,"load":0.6}"#, &none, None, "twice"),
            (r#"{"load":0.5"#, &none, None, "broken off"),
            ("{}", &none, None, "nothing said"),
            ("ok\n", &none, None, "no JSON"),
            ("", &none, None, "nothing"),
        ] {
            let load = Load::read(false, content.as_bytes(), limits);
            assert_eq!(load.map(|load| load.utilisation), expected, "{why}: {content}");
        }
        assert_eq!(Load::read(true, b"[0.5]", &none), None, "JSON, but no object");
    }
}
