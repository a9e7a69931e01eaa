//! What the floors cost, for people and programs.

use super::FloorIo;
use crate::statistics::Spread;
use serde::Serialize;

/// The result of `lastmile bench floor`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FloorReport {
    /// Octets of the content of an answer.
    pub octets: usize,
    /// Rounds of each row.
    pub rounds: u32,
    /// Length of a round.
    pub seconds: f64,
    /// The core of the floors, and that of the load.
    pub cores: [usize; 2],
    /// One for each case and way to talk to the kernel.
    pub rows: Vec<FloorRow>,
}

/// One way to talk to the kernel in one case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FloorRow {
    /// The case in words.
    pub case: &'static str,
    /// The way.
    pub io: FloorIo,
    /// CPU of the server per request, us.
    pub cpu_us: Spread,
    /// Median of responses per second.
    pub requests_per_second: f64,
    /// Median of the medians of latency, us.
    pub p50_us: f64,
    /// Median of the 99th percentiles of latency, us.
    pub p99_us: f64,
    /// Errors of all rounds; there should be none.
    pub errors: u64,
}

impl FloorReport {
    /// As a table for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let names = ["floor", "CPU us/req", "[min-max]", "req/s", "p50 us", "p99 us"];
        let line = |cells: [String; 6]| {
            let [name, rest @ ..] = cells;
            let rest: String = rest.iter().map(|cell| format!("{cell:>14}")).collect();
            format!("{name:10}{rest}\n")
        };
        let mut text = line(names.map(str::to_owned));
        let mut case = "";
        for row in &self.rows {
            if row.case != case {
                text.push_str(&format!("{}\n", row.case));
                case = row.case;
            }
            let cpu = &row.cpu_us;
            text.push_str(&line([
                format!("  {}", row.io.name()),
                format!("{:.2}", cpu.median),
                format!("[{:.2}-{:.2}]", cpu.lowest, cpu.highest),
                format!("{:.0}", row.requests_per_second),
                format!("{:.0}", row.p50_us),
                format!("{:.0}", row.p99_us),
            ]));
            if row.errors > 0 {
                text.push_str(&format!("  warning: {} errors\n", row.errors));
            }
        }
        let [server, load] = self.cores;
        text.push_str(&format!(
            "\n{} octets; {} rounds of {} s, interleaved; medians; floors on core {server}, load on core {load}\n",
            self.octets, self.rounds, self.seconds
        ));
        if server == load {
            text.push_str(
                "warning: one core only: requests/s and latencies mix the floor with the load\n",
            );
        }
        text
    }

    /// As JSON.
    ///
    /// # Panics
    /// Never: these structures have a JSON form.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain structures have a JSON form") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table() {
        let row = |case, io, cpu_us, errors| FloorRow {
            case,
            io,
            cpu_us: Spread { lowest: cpu_us - 1.0, median: cpu_us, highest: cpu_us + 1.0 },
            requests_per_second: 1e6 / cpu_us,
            p50_us: 10.0,
            p99_us: 20.0,
            errors,
        };
        let report = FloorReport {
            octets: 1000,
            rounds: 3,
            seconds: 2.0,
            cores: [0, 0],
            rows: vec![
                row("one", FloorIo::Monoio, 5.0, 0),
                row("one", FloorIo::Uring, 4.0, 2),
                row("two", FloorIo::Uring, 2.0, 0),
            ],
        };
        let text = report.text();
        for (part, why) in [
            ("\none\n  monoio            5.00   [4.00-6.00]        200000", "a row"),
            ("  uring             4.00", "another way"),
            ("  warning: 2 errors\ntwo\n", "errors, and a case for itself"),
            ("1000 octets; 3 rounds of 2 s", "the method"),
            ("warning: one core only", "what it means"),
        ] {
            assert!(text.contains(part), "{why}: {part}\n{text}");
        }
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["rows"][1]["io"], "uring");
        assert_eq!(json["rows"][1]["cpu_us"]["median"], 4.0);
    }
}
