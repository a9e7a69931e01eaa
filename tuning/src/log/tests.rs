//! What becomes of lines, also when the file does not keep up.

use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};

const BOUNDS: Bounds = Bounds { entries: 4096, octets: 1 << 20 };

#[test]
fn a_file_has_every_line_of_every_thread_once_the_log_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.log");
    std::fs::write(&path, "before\n").unwrap();
    let log = Log::start(&path, BOUNDS).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            let log = log.clone();
            scope.spawn(move || {
                for number in 0..1000 {
                    log.try_record(|| format!("{number}\n").into_bytes());
                }
            });
        }
    });
    assert_eq!(log.dropped(), 0);
    drop(log);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("before"), "the file is continued");
    let mut found: Vec<u32> = lines.map(|line| line.parse().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..1000).flat_map(|number| [number, number]).collect::<Vec<_>>());
}

#[test]
fn a_file_that_can_not_be_opened_is_an_error() {
    assert!(Log::<Vec<u8>>::start(Path::new("/no/such/folder/some.log"), BOUNDS).is_err());
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

type Lines = Log<Vec<u8>>;

fn gated() -> (Lines, Receiver<Vec<u8>>, Sender<io::Result<()>>) {
    let ((begun, seen), (outcome, outcomes)) = (channel(), channel());
    (Log::to("a gate", Gate { begun, outcomes }, BOUNDS).unwrap(), seen, outcome)
}

fn record(log: &Lines, text: &str) {
    log.try_record(|| text.as_bytes().to_vec());
}

#[test]
fn a_stalled_file_costs_a_bounded_number_of_lines_and_no_waiting() {
    let long = "x".repeat(BOUNDS.octets / 4) + "\n";
    for (text, room, why) in [
        ("line\n", BOUNDS.entries, "as many lines as the queue has places"),
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
