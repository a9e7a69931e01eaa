//! Hits of two cores on one object write nothing that the other core looks at: no count of references, no lock, no
//! counter. Then a hit costs the same on the sixty-fourth core as on the first.
//!
//! valgrind's lackey prints every load and store of this same program, in which two workers serve hits one after the
//! other; what one of them stores to is compared with what the other loads from and stores to, cache line by cache
//! line.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]

mod at_once;

use at_once::{Connection, shared};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::thread;

const TEST: &str = "what_a_hit_writes_no_other_core_looks_at";

/// Set in the process that valgrind watches.
const TRACED: &str = "LASTMILE_TRACED";

/// A store to one of these is a place in the trace: before and behind the hits of the first worker, then of the second.
static MARKS: [AtomicU8; 4] = [const { AtomicU8::new(0) }; 4];

/// What precedes the address of the marks, among the lines of the trace.
const PLACE: &str = "marks at ";

/// Octets of a cache line. Neighbours are fetched in pairs, but that only costs when they are written.
const LINE: u64 = 64;

const HITS: usize = 16;

/// Looks at the other threads, of some 100 us each under valgrind; two or three are enough.
const ATTEMPTS_MAX: usize = 100_000;

const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: www.customer.test\r\nAccept-Encoding: br\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
    Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\nContent-Length: 3\r\n\r\nabc";

#[test]
fn what_a_hit_writes_no_other_core_looks_at() {
    if std::env::var_os(TRACED).is_some() {
        return hit_from_two_workers();
    }
    let [first, second] = traced();
    for (one, other, who) in [(&first, &second, "second"), (&second, &first, "first")] {
        assert!(one.stored.len() > 5, "a hit does write: {one:x?}");
        let shared: Vec<_> = one.stored.iter().filter(|line| other.touches(**line)).collect();
        assert!(
            shared.is_empty(),
            "the {who} worker's hits look at lines that the other's wrote: {shared:x?}"
        );
    }
    let common = first.loaded.intersection(&second.loaded).count();
    assert!(common > 5, "both look at the stored response");
    println!(
        "a hit stores to {} lines, and loads {common} that all cores share",
        first.stored.len()
    );
}

/// The lines that were stored to and loaded from between two marks.
#[derive(Debug, Default)]
struct Touched {
    stored: BTreeSet<u64>,
    loaded: BTreeSet<u64>,
}

impl Touched {
    fn note(&mut self, kind: u8, lines: RangeInclusive<u64>) {
        if kind != b'S' {
            self.loaded.extend(lines.clone());
        }
        if kind != b'L' {
            self.stored.extend(lines);
        }
    }

    fn touches(&self, line: u64) -> bool {
        self.stored.contains(&line) || self.loaded.contains(&line)
    }
}

/// Two workers of one edge, on a thread each: both warm, then one after the other serves hits.
fn hit_from_two_workers() {
    // In one write, between lines of the trace.
    let place = format!("\n{PLACE}{:x}\n", MARKS.as_ptr() as usize);
    std::io::stderr().write_all(place.as_bytes()).unwrap();
    let shared = shared(2, 1 << 18);
    let [stored, warm, turn, end] = [(); 4].map(|()| Barrier::new(2));
    let requests: &[&[u8]] = &[REQUEST];
    let serve = |worker: usize| {
        if worker == 1 {
            // Else it could have to wait for what the first one fetches.
            stored.wait();
        }
        let mut connection = Connection::open(&shared, worker, RESPONSE);
        connection.ask(requests, 10);
        if worker == 0 {
            stored.wait();
        }
        warm.wait();
        if worker == 1 {
            turn.wait();
        }
        let others_wait = others_wait();
        MARKS[2 * worker].store(1, SeqCst);
        connection.ask(requests, HITS);
        MARKS[2 * worker + 1].store(1, SeqCst);
        assert!(others_wait, "the other threads never came to rest");
        if worker == 0 {
            turn.wait();
        }
        // A stack that is given back could be the next thread's.
        end.wait();
    };
    thread::scope(|scope| {
        scope.spawn(|| serve(0));
        scope.spawn(|| serve(1));
    });
}

/// Waits until every other thread waits for a futex, as at a barrier. The trace does not say whose a line is: what a
/// thread touches on its way to a barrier would count as this one's. (One that valgrind does not let run is in read(2).)
fn others_wait() -> bool {
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let futex = format!("{} ", libc::SYS_futex);
    let rests = |task: std::fs::DirEntry| {
        let call = std::fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
        Some(task.file_name().as_os_str()) == own.file_name() || call.starts_with(&futex)
    };
    (0..ATTEMPTS_MAX).any(|_| {
        thread::yield_now();
        std::fs::read_dir("/proc/self/task").unwrap().all(|task| rests(task.unwrap()))
    })
}

/// Runs this test under lackey; what the hits of each worker touched.
fn traced() -> [Touched; 2] {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("valgrind")
        .args(["--quiet", "--tool=lackey", "--basic-counts=no", "--trace-mem=yes"])
        .arg(program)
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env(TRACED, "")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("valgrind (the package valgrind)");
    let trace = BufReader::new(child.stderr.take().unwrap());
    let mut touched = <[Touched; 2]>::default();
    let (mut marks, mut passed) = (None, 0);
    for line in trace.split(b'\n') {
        let line = line.unwrap();
        if let Some(place) = line.strip_prefix(PLACE.as_bytes()) {
            marks = u64::from_str_radix(str::from_utf8(place).unwrap(), 16).ok();
        }
        let (Some(marks), Some((kind, address, octets))) = (marks, access(&line)) else { continue };
        if kind != b'L' && address == marks + passed {
            passed += 1;
        } else if passed % 2 == 1 {
            touched[passed as usize / 2].note(kind, address / LINE..=(address + octets - 1) / LINE);
        }
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(passed, 4, "all marks were seen");
    touched
}

/// What, where and how much a line of the trace says: ` L 1ffeffe7e8,8`, or S (store), M (load and store).
fn access(line: &[u8]) -> Option<(u8, u64, u64)> {
    let [b' ', kind @ (b'L' | b'S' | b'M'), b' ', rest @ ..] = line else { return None };
    let (address, octets) = str::from_utf8(rest).ok()?.split_once(',')?;
    Some((*kind, u64::from_str_radix(address, 16).ok()?, octets.parse().ok()?))
}
