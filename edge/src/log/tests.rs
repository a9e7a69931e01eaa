//! Lines as they are written, and what becomes of them when the file does not keep up.

use super::*;
use serde_json::Value;
use std::sync::mpsc::{Receiver, Sender, channel};

const ENTRY: Entry<'static> = Entry {
    time: UnixTime::from_milliseconds(784_111_777_042),
    edge: "edge-1",
    client: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    method: b"GET",
    host: b"www.customer.test",
    target: b"/a?b",
    status: 200,
    octets: 1024,
    cache: b"edge-1; hit; ttl=59",
    reason: "hit",
};

fn line(entry: &Entry<'_>) -> String {
    let mut out = Vec::new();
    entry.write_to(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_is_an_object_in_the_order_of_the_members() {
    assert_eq!(
        line(&ENTRY),
        "{\"time\":\"1994-11-06T08:49:37.042Z\",\"edge\":\"edge-1\",\"client\":\"127.0.0.1\",\
         \"method\":\"GET\",\"host\":\"www.customer.test\",\"target\":\"/a?b\",\"status\":200,\
         \"octets\":1024,\"cache\":\"edge-1; hit; ttl=59\",\"reason\":\"hit\"}\n"
    );
}

#[test]
fn whatever_a_client_sends_stays_one_line_of_json() {
    let long = "/".repeat(STRING_OCTETS_MAX + 1);
    let cut = format!("{}…", "/".repeat(STRING_OCTETS_MAX));
    let rows: [(&[u8], &str, &str); 6] = [
        (b"/\"\\", "/\"\\", "RFC 8259 §7: quote and backslash"),
        (b"/\n{\"time\":0}", "/\n{\"time\":0}", "a line end can't begin another line"),
        (b"/\0\x1f\x7f", "/\0\x1f\x7f", "control characters"),
        ("/é".as_bytes(), "/é", "UTF-8 stays"),
        (b"/\xff\xc3", "/\u{fffd}\u{fffd}", "what is no UTF-8 is replaced"),
        (long.as_bytes(), &cut, "a longer one is cut and says so"),
    ];
    for (target, expected, why) in rows {
        let line = line(&Entry { target, ..ENTRY });
        assert_eq!(line.find('\n'), Some(line.len() - 1), "{why}: {line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["target"], expected, "{why}");
    }
    let last = line(&Entry { time: UnixTime::from_milliseconds(u64::MAX), ..ENTRY });
    assert!(last.contains("\"9999-12-31T23:59:59"), "a clock beyond the calendar: {last}");
}

#[test]
fn a_file_has_every_line_of_every_thread_once_the_log_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.log");
    std::fs::write(&path, "before\n").unwrap();
    let log = Log::start(&path).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            let log = log.clone();
            scope.spawn(move || {
                for octets in 0..1000 {
                    log.try_record(|out| Entry { octets, ..ENTRY }.write_to(out));
                }
            });
        }
    });
    assert_eq!(log.dropped(), 0);
    drop(log);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("before"), "the file is continued");
    let octets = |line| serde_json::from_str::<Value>(line).unwrap()["octets"].as_u64().unwrap();
    let mut found: Vec<_> = lines.map(octets).collect();
    found.sort_unstable();
    assert_eq!(found, (0..1000).flat_map(|octets| [octets, octets]).collect::<Vec<_>>());
}

#[test]
fn a_file_that_can_not_be_opened_is_an_error() {
    assert!(Log::start(Path::new("/no/such/folder/edge.log")).is_err());
}

/// Tells of each write, which then waits for its outcome.
struct Gate {
    begun: Sender<Vec<u8>>,
    outcomes: Receiver<io::Result<()>>,
}

impl Write for Gate {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // The log outlives the test's end of the channel only while the test fails.
        let _ = self.begun.send(octets.to_vec());
        self.outcomes.recv().unwrap_or(Ok(()))?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gated() -> (Log, Receiver<Vec<u8>>, Sender<io::Result<()>>) {
    let ((begun, seen), (outcome, outcomes)) = (channel(), channel());
    (Log::to("a gate", Gate { begun, outcomes }).unwrap(), seen, outcome)
}

fn record(log: &Log, text: &str) {
    log.try_record(|out| out.extend_from_slice(text.as_bytes()));
}

#[test]
fn a_stalled_file_costs_a_bounded_number_of_lines_and_no_waiting() {
    let long = "x".repeat(QUEUED_OCTETS_MAX / 4) + "\n";
    for (text, room, why) in [
        ("line\n", LINES_MAX, "as many lines as the queue has places"),
        (&*long, 4, "long lines meet the bound of octets"),
    ] {
        let (log, seen, outcome) = gated();
        record(&log, "first\n");
        assert_eq!(seen.recv().unwrap(), b"first\n", "{why}: the writer is in the file");
        for _ in 0..room + 10 {
            record(&log, text);
        }
        assert_eq!(log.dropped(), 10, "{why}");
        drop(outcome);
        drop(log);
        let written: usize = seen.iter().map(|octets| octets.len()).sum();
        assert_eq!(written, room * text.len(), "{why}: what had room is written");
    }
}

#[test]
fn a_failing_write_is_counted_and_the_next_line_begins_anew() {
    let (log, seen, outcome) = gated();
    record(&log, "lost\n");
    assert_eq!(seen.recv().unwrap(), b"lost\n");
    outcome.send(Err(io::Error::other("disk full"))).unwrap();
    record(&log, "kept\n");
    assert_eq!(seen.recv().unwrap(), b"\nkept\n", "the file may end within the lost line");
    assert_eq!(log.dropped(), 1);
    outcome.send(Ok(())).unwrap();
    record(&log, "more\n");
    assert_eq!(seen.recv().unwrap(), b"more\n");
    drop(outcome);
    assert_eq!(log.dropped(), 1);
}
