//! A report with some of everything, made from captures that a simple sender and receiver would leave.

use crate::wan::analysis;
use crate::wan::capture::{Event, Way};
use crate::wan::made::{ACK, Download, Made, OFFER, SEGMENT, SYN, Tcp};
use crate::wan::outcome::{
    CaseOutcome, Expectation, ExpectationKind, LinkShown, Outcome, Plot, Report, Row, Summary,
    Verdict,
};

pub(super) fn report() -> Report {
    let machine = [
        ("lastmile", "0.1.0"),
        ("kernel", "Linux 6.18 & <others>"),
        ("processor", "2 cores of a shared machine"),
    ];
    Report {
        machine: machine.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        outcomes: vec![f1(), f2(), f6(), f8(), f9(), crowd(), failed()],
    }
}

fn outcome(name: &str, title: &str, about: &str, hosts: &[&str], links: &[[&str; 3]]) -> Outcome {
    Outcome {
        name: name.to_owned(),
        title: title.to_owned(),
        about: about.to_owned(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        links: links
            .iter()
            .map(|[one, other, text]| LinkShown {
                ends: [(*one).to_owned(), (*other).to_owned()],
                text: (*text).to_owned(),
            })
            .collect(),
        cases: Vec::new(),
        failure: None,
    }
}

fn case(name: &str, about: &str, rows: Vec<Row>, plots: Vec<Plot>) -> CaseOutcome {
    CaseOutcome {
        name: name.to_owned(),
        about: about.to_owned(),
        rows,
        plots,
        lateness_us: [7.0, 61.0],
        repeats: 0,
        is_noisy: false,
    }
}

fn row(name: &str, unit: &str, median: f64) -> Row {
    Row {
        name: name.to_owned(),
        unit: unit.to_owned(),
        measured: Summary { median, min: median * 0.997, max: median * 1.006, count: 7 },
        expected: None,
        verdict: Verdict::Informs,
        note: String::new(),
    }
}

impl Row {
    fn expect(mut self, kind: ExpectationKind, value: f64, source: &str) -> Self {
        let tolerance = 0.02;
        let measured = self.measured.median;
        let is_good = match kind {
            ExpectationKind::Near => (measured - value).abs() <= value * tolerance,
            ExpectationKind::AtMost => measured <= value,
            ExpectationKind::AtLeast => measured >= value,
        };
        self.verdict = if is_good { Verdict::Good } else { Verdict::Off };
        self.expected = Some(Expectation { kind, value, tolerance, source: source.to_owned() });
        self
    }

    fn near(self, value: f64, source: &str) -> Self {
        self.expect(ExpectationKind::Near, value, source)
    }

    fn count(mut self) -> Self {
        self.measured.min = self.measured.median;
        self.measured.max = self.measured.median;
        self
    }
}

/// A fetch over one link, of a new connection.
fn fetch(title: &str, delay_us: u64, download: Download<'_>) -> Plot {
    let mut made = Made::new(0, delay_us);
    let at_us = made.open(0, download.port, [77, u32::MAX - 9_000]);
    made.download(&Download { at_us, first: u32::MAX - 8_999, ..download });
    analysis::plot(&made.packets, 0, Way::Back, title, None)
}

fn f1() -> Outcome {
    let mut f1 = outcome(
        "f1",
        "No CDN: 30 KB over RTT 80 ms, a new connection",
        "A page of 30 KB is 22 segments. A server that begins with a window of two sends them in flights of 2, 4, 8 and \
         the rest, one for each round trip, since every acknowledgement lets it send two for one.\n\nWith the round trip of \
         the handshake that makes five. A larger initial window saves round trips, and nothing else can: the rate of the \
         path plays no part here.",
        &["client", "origin"],
        &[["client", "origin", "80 ms"]],
    );
    for (window, flights, time_ms) in [(2, 4.0, 401.5), (10, 2.0, 241.0), (32, 1.0, 161.0)] {
        let expected = 80.0 * (flights + 1.0);
        let rows = vec![
            row("last byte", "ms", time_ms)
                .near(expected, &format!("1 + {flights} flights of 80 ms")),
            row("first byte", "ms", 160.7)
                .near(160.0, "a round trip of the handshake and one of the request"),
            row("flights", "", flights).count().near(flights, "2, 4, 8, the rest"),
            row("connect", "ms", 80.2),
        ];
        let plot = fetch("origin to client", 40_000, Download { window, ..Download::F1 });
        let about =
            if window == 2 { "as kernels before 2.6.39" } else { "what a tuned origin does" };
        f1.cases.push(case(&format!("initcwnd {window}"), about, rows, vec![plot]));
    }
    f1
}

fn f2() -> Outcome {
    let mut f2 = outcome(
        "f2",
        "Two tiers, an object that no cache keeps: 240 ms instead of 400 on a longer path",
        "Client to edge 20 ms, edge to parent 80 ms, parent to origin 20 ms.",
        &["client", "edge", "parent", "origin"],
        &[
            ["client", "edge", "20 ms, 50 Mbit/s"],
            ["edge", "parent", "80 ms"],
            ["parent", "origin", "20 ms, queue of 12 packets, 2 % loss"],
            ["client", "origin", "80 ms, the path without a CDN"],
        ],
    );
    for (name, window, time_ms) in
        [("store and forward", 2, 241.4), ("cut-through", 2, 221.6), ("kept open", 10, 121.0)]
    {
        let rows = vec![row("last byte", "ms", time_ms).expect(
            ExpectationKind::AtMost,
            240.0,
            "20 · 3 + 80 + 20 · 5",
        )];
        let plots = ["edge to client", "parent to edge", "origin to parent"]
            .into_iter()
            .zip([10_000, 40_000, 10_000]);
        let plots = plots.map(|(title, delay_us)| {
            fetch(
                title,
                delay_us,
                Download { window: if delay_us == 40_000 { 22 } else { window }, ..Download::F1 },
            )
        });
        let mut case = case(name, "", rows, plots.collect());
        if name == "store and forward" {
            (case.repeats, case.is_noisy) = (2, true);
            case.rows[0].verdict = Verdict::Noisy;
        }
        f2.cases.push(case);
    }
    f2
}

/// For 2 s, a window of so many segments for each round trip of 100 ms.
fn stream(segments: u64, window: u16) -> Plot {
    let mut made = Made::new(0, 50_000);
    made.open(0, 1, [1, 2]);
    let mut from = 3;
    for round in 0..22_u64 {
        for place in 0..segments.min(8 << round.min(20)) {
            let at_us = 150_000 + round * 100_000 + place * 100_000 / segments.max(200);
            made.send(at_us, Way::Back, &Tcp::new(1, ACK, from, 1).octets(SEGMENT));
            from += SEGMENT;
            let told = Tcp { window, ..Tcp::new(1, ACK, 1, from) };
            made.send(at_us + 50_000, Way::Forth, &told);
        }
    }
    analysis::plot(&made.packets, 0, Way::Back, "origin to client", None)
}

fn f6() -> Outcome {
    let mut f6 = outcome(
        "f6",
        "No window scaling: at most 64 KB for each round trip",
        "The window of TCP's head has 16 bits.",
        &["client", "origin"],
        &[["client", "origin", "100 ms, 50 Mbit/s, queue of 256 packets"]],
    );
    for (name, segments, goodput) in
        [("without scaling", 44, 637_000.0), ("with scaling", 430, 5_950_000.0)]
    {
        let rate = row("goodput", "octets/s", goodput);
        let rate = match segments {
            44 => rate.expect(ExpectationKind::AtMost, 655_360.0, "65,535 octets / 0.1 s"),
            _ => rate.expect(ExpectationKind::AtLeast, 5_000_000.0, "50 Mbit/s less the heads"),
        };
        f6.cases.push(case(
            name,
            "",
            vec![rate],
            vec![stream(segments, if segments == 44 { 300 } else { 9_000 })],
        ));
    }
    f6
}

fn f8() -> Outcome {
    let mut f8 = outcome(
        "f8",
        "The first SYN-ACK is lost",
        "Nobody knows the round trip yet, so the kernel waits for a second.",
        &["client", "origin"],
        &[["client", "origin", "80 ms, first SYN-ACK dropped"]],
    );
    for (name, wait_us, connect_ms) in [("1 s", 1_000_000, 1_081.0), ("200 ms", 200_000, 281.2)] {
        let mut made = Made::new(0, 40_000);
        let answer = Tcp::new(1, SYN | ACK, 20, 11).options(&OFFER);
        made.send(0, Way::Forth, &Tcp::new(1, SYN, 10, 0).options(&OFFER));
        made.drop(40_000, Way::Back, &answer, Event::Scripted);
        made.send(40_000 + wait_us, Way::Back, &answer);
        let request = Tcp::new(1, ACK, 11, 21).content(b"GET / HTTP/1.1");
        made.send(80_000 + wait_us, Way::Forth, &request);
        made.download(&Download {
            at_us: 120_000 + wait_us,
            port: 1,
            first: 21,
            window: 10,
            ..Download::F1
        });
        let plot = analysis::plot(&made.packets, 0, Way::Back, "origin to client", None);
        let rows = vec![
            row("connect", "ms", connect_ms)
                .near(connect_ms - 1.0, "the time configured, and 80 ms"),
        ];
        f8.cases.push(case(name, "", rows, vec![plot]));
    }
    f8
}

fn f9() -> Outcome {
    let mut f9 = outcome(
        "f9",
        "A shallow queue: bursts against paced sending",
        "A burst of 32 does not fit into a queue of 12.",
        &["client", "middle", "origin"],
        &[
            ["client", "middle", "1 ms"],
            ["middle", "origin", "10 ms"],
            ["client", "origin", "40 ms, 20 Mbit/s, queue of 12 packets"],
        ],
    );
    let dropped: Vec<u32> = (26..38).chain([60, 61, 62]).collect();
    for (name, spacing_us, dropped) in [("bursts", 20, &dropped[..]), ("paced", 600, &[])] {
        let plot = fetch(
            "origin to client",
            20_000,
            Download { window: 10, octets: 150_000, spacing_us, dropped, ..Download::F1 },
        );
        let drops = u32::try_from(dropped.len()).unwrap();
        let mut lost = row("drops", "", f64::from(drops)).count().expect(
            ExpectationKind::AtMost,
            3.0,
            "\"bursts\" of <F9>",
        );
        lost.note = "of 104 packets & their retransmissions".to_owned();
        f9.cases.push(case(name, "", vec![lost], vec![plot]));
    }
    f9
}

fn crowd() -> Outcome {
    let mut crowd = outcome(
        "p4",
        "A flash crowd: 2,000 clients within a second",
        "",
        &["client", "edge-1", "edge-2", "parent", "origin"],
        &[
            ["client", "edge-1", "20 ms"],
            ["client", "edge-2", "22 ms"],
            ["edge-1", "parent", "60 ms"],
            ["edge-2", "parent", "70 ms"],
            ["parent", "origin", "20 ms"],
            ["client", "origin", "80 ms"],
        ],
    );
    let mut made = Made::new(0, 10_000);
    for port in 0..200 {
        let at_us = made.open(u64::from(port) * 5_000, port, [7, 2]);
        made.download(&Download { at_us, port, first: 3, window: 10, ..Download::F1 });
    }
    let plot = analysis::plot(&made.packets, 0, Way::Back, "edge-1 to client", None);
    let rows = vec![
        row("requests:parent-origin", "", 1.0).count().near(1.0, "one for all"),
        row("p99", "ms", 312.0),
    ];
    crowd.cases.push(case("with CDN", "", rows, vec![plot]));
    crowd
}

fn failed() -> Outcome {
    let mut failed = outcome(
        "f<12>",
        "A relay",
        "",
        &["a", "b", "c"],
        &[["a", "b", "50 ms"], ["b", "c", "50 ms"], ["a", "c", "150 ms"]],
    );
    failed.failure = Some(
        "direct: iperf3 is not installed: <b>nothing</b> was measured\nrelayed: the same"
            .to_owned(),
    );
    failed
}
