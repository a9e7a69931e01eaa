//! The decision log: one line of JSON for each answered request, written by a thread of its own.
//!
//! A worker appends a line to a bounded queue and goes on; it never waits for the file. What does not fit is dropped
//! and counted: a log that can stop a cache is worse than a log with a gap that says how wide it is.

use crossbeam::queue::ArrayQueue;
use humantime::format_rfc3339_millis;
use lastmile_http::time::UnixTime;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Lines that wait for the writer. It gathers for [`GATHER`], so this is room for 1.6 million lines a second, more
/// than the workers of one machine answer. Larger: more memory for a disk that stalls. Smaller: gaps in bursts.
const LINES_MAX: usize = 8192;

/// Octets of waiting lines. A usual line has 250, so that [`LINES_MAX`] is met first; this one holds when clients send
/// long targets. Larger: such clients cost more memory. Smaller: gaps.
const QUEUED_OCTETS_MAX: usize = 8 << 20;

/// Octets of one string of a line. Hosts are shorter, and targets that are longer differ before that; the rest is
/// replaced by an ellipsis.
const STRING_OCTETS_MAX: usize = 2048;

/// How long the writer lets lines gather after the first one, to write them together: one wake-up and one write for
/// many lines. Larger: who follows the file sees lines later. Smaller: more system calls on a busy edge.
const GATHER: Duration = Duration::from_millis(5);

/// Octets handed to the file at a time. Larger saves nothing more; smaller costs system calls.
const BATCH_OCTETS: usize = 256 << 10;

/// A line's usual length, so that it is allocated once.
const LINE_OCTETS: usize = 384;

/// What is logged of one answered request.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When the response had been sent, or had failed.
    pub time: UnixTime,
    /// The name of the edge.
    pub edge: &'a str,
    /// The client's address.
    pub client: IpAddr,
    /// The request's method.
    pub method: &'a [u8],
    /// The request's host; empty when it has none.
    pub host: &'a [u8],
    /// The request's target as it was received.
    pub target: &'a [u8],
    /// The status that was sent.
    pub status: u16,
    /// Octets that were handed to the client: head and content.
    pub octets: u64,
    /// The member of Cache-Status that was sent, without those of other caches.
    pub cache: &'a [u8],
    /// Why: the reason of the decision, such as `no-store`; empty when `cache` says all.
    pub reason: &'a str,
}

impl Entry<'_> {
    /// Appends the line, with its end. Octets that are not UTF-8 become U+FFFD.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let time = UNIX_EPOCH.checked_add(Duration::from_millis(self.time.milliseconds()));
        let year_9999 = Duration::from_secs(253_402_300_799);
        let time = time.unwrap_or(SystemTime::UNIX_EPOCH).min(UNIX_EPOCH + year_9999);
        push(out, format_args!("{{\"time\":\"{}\",\"edge\":", format_rfc3339_millis(time)));
        write_string(self.edge.as_bytes(), out);
        push(out, format_args!(",\"client\":\"{}\",\"method\":", self.client));
        write_string(self.method, out);
        out.extend_from_slice(b",\"host\":");
        write_string(self.host, out);
        out.extend_from_slice(b",\"target\":");
        write_string(self.target, out);
        push(
            out,
            format_args!(",\"status\":{},\"octets\":{},\"cache\":", self.status, self.octets),
        );
        write_string(self.cache, out);
        out.extend_from_slice(b",\"reason\":");
        write_string(self.reason.as_bytes(), out);
        out.extend_from_slice(b"}\n");
    }
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory does not fail");
}

/// RFC 8259 §7.
fn write_string(octets: &[u8], out: &mut Vec<u8>) {
    let kept = &octets[..octets.len().min(STRING_OCTETS_MAX)];
    let mut text = String::from_utf8_lossy(kept);
    if kept.len() < octets.len() {
        text.to_mut().push('…');
    }
    serde_json::to_writer(out, &*text).expect("text becomes a string, and memory does not fail");
}

/// A log that workers append to; clones append to the same one. When the last clone goes, what waits is written first.
#[derive(Clone, Debug)]
pub struct Log {
    queue: Arc<Queue>,
    /// Held for its drop.
    _writer: Arc<Writer>,
}

impl Log {
    /// A log at the end of the file `path`, which is made when it is not there; `-` is the standard error.
    ///
    /// # Errors
    /// The file can't be opened, or no thread be started.
    pub fn start(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::to("standard error", io::stderr());
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Self::to(&path.display().to_string(), file)
    }

    /// `name` is what complaints call `sink`.
    fn to(name: &str, sink: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let written =
            Writing { name: name.to_owned(), sink, queue: Arc::clone(&queue), torn: false };
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || written.run())?;
        let _ = queue.writer.set(thread.thread().clone());
        let writer = Writer { queue: Arc::clone(&queue), thread: Some(thread) };
        Ok(Self { queue, _writer: Arc::new(writer) })
    }

    /// Appends what `write` writes, which is one line with its end (see [`Entry::write_to`]). Never waits; `write` is
    /// not called when there is no room.
    pub fn try_record(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.queue.push(write);
    }

    /// Lines that were lost: there was no room for them, or the file did not take them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.queue.dropped.load(Ordering::Relaxed)
    }
}

/// Lines on their way to the writer.
#[derive(Debug)]
struct Queue {
    lines: ArrayQueue<Vec<u8>>,
    octets: AtomicUsize,
    dropped: AtomicU64,
    /// The writer parks, or is about to.
    is_asleep: AtomicBool,
    is_closed: AtomicBool,
    writer: OnceLock<Thread>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            lines: ArrayQueue::new(LINES_MAX),
            octets: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            is_asleep: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            writer: OnceLock::new(),
        }
    }
}

impl Queue {
    fn push(&self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.lines.is_full() || self.octets.load(Ordering::Relaxed) >= QUEUED_OCTETS_MAX {
            self.drop_lines(1);
            return;
        }
        let mut line = Vec::with_capacity(LINE_OCTETS);
        write(&mut line);
        // Before the push, so that the writer never takes off what is not counted yet.
        self.octets.fetch_add(line.len(), Ordering::Relaxed);
        if let Err(line) = self.lines.push(line) {
            self.octets.fetch_sub(line.len(), Ordering::Relaxed);
            self.drop_lines(1);
            return;
        }
        // With its counterpart in `wait`: either we see that the writer sleeps, or it sees the line.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    fn wake(&self) {
        if self.is_asleep.swap(false, Ordering::Relaxed)
            && let Some(writer) = self.writer.get()
        {
            writer.unpark();
        }
    }

    fn drop_lines(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Parks the writer until there is a line or no more will come.
    fn wait(&self) {
        loop {
            self.is_asleep.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if !self.lines.is_empty() || self.is_closed.load(Ordering::Relaxed) {
                self.is_asleep.store(false, Ordering::Relaxed);
                return;
            }
            thread::park();
        }
    }
}

/// The writer's thread: when the log goes, it writes what waits and ends.
#[derive(Debug)]
struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.is_closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // If it has panicked, it has said so.
            let _ = thread.join();
        }
    }
}

/// What the writer's thread has.
struct Writing<W> {
    name: String,
    sink: W,
    queue: Arc<Queue>,
    /// The last write failed, so that the file may end in the middle of a line.
    torn: bool,
}

impl<W: Write> Writing<W> {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_OCTETS);
        let mut complained = false;
        loop {
            let is_closed = self.queue.is_closed.load(Ordering::Acquire);
            if self.queue.lines.is_empty() {
                if is_closed {
                    return;
                }
                self.queue.wait();
            }
            if !is_closed {
                thread::park_timeout(GATHER);
            }
            let lines = self.gather(&mut batch);
            if let Err(error) = self.write(&batch) {
                self.queue.drop_lines(lines);
                if !std::mem::replace(&mut complained, true) {
                    let name = &self.name;
                    eprintln!("lastmile: log {name}: {error}; lines are lost and counted");
                }
            }
        }
    }

    /// Fills `batch` with what waits; how many lines it holds.
    fn gather(&self, batch: &mut Vec<u8>) -> u64 {
        let mut count = 0;
        batch.clear();
        if self.torn {
            batch.push(b'\n');
        }
        while batch.len() < BATCH_OCTETS
            && let Some(line) = self.queue.lines.pop()
        {
            self.queue.octets.fetch_sub(line.len(), Ordering::Relaxed);
            batch.extend_from_slice(&line);
            count += 1;
        }
        count
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let outcome = self.sink.write_all(batch).and_then(|()| self.sink.flush());
        self.torn = outcome.is_err();
        outcome
    }
}

#[cfg(test)]
mod tests;
