//! Lines for a file, written by a thread of its own.
//!
//! A worker puts what becomes a line into a bounded queue and goes on; it never waits for the file. What does not fit
//! is dropped and counted: a log that can stop a server is worse than a log with a gap that says how wide it is.

use crossbeam::queue::ArrayQueue;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

/// How long the writer lets lines gather after the first one, to write them together: one wake-up and one write for
/// many lines. Larger: who follows the file sees lines later. Smaller: more system calls on a busy server.
const GATHER: Duration = Duration::from_millis(5);

/// Octets handed to the file at a time. Larger saves nothing more; smaller costs system calls.
const BATCH_OCTETS: usize = 256 << 10;

/// What becomes a line.
pub trait Entry: Send + 'static {
    /// Octets that it has on the heap while it waits.
    fn octets(&self) -> usize;

    /// Appends the line, with its end; the writer's thread calls it.
    fn write_to(self, out: &mut Vec<u8>);
}

/// A line that is written already.
impl Entry for Vec<u8> {
    fn octets(&self) -> usize {
        self.len()
    }

    fn write_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self);
    }
}

/// How much may wait for the writer.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Entries; the queue has a place for each from the start. The writer gathers for 5 ms.
    pub entries: usize,
    /// Octets that they have on the heap. The last one may go beyond.
    pub octets: usize,
}

/// A log that workers append to; clones append to the same one. When the last clone goes, what waits is written first.
#[derive(Debug)]
pub struct Log<T> {
    queue: Arc<Queue<T>>,
    /// Held for its drop.
    writer: Arc<Writer<T>>,
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self { queue: Arc::clone(&self.queue), writer: Arc::clone(&self.writer) }
    }
}

impl<T: Entry> Log<T> {
    /// A log at the end of the file `path`, which is made when it is not there; `-` is the standard error.
    ///
    /// # Errors
    /// The file can't be opened, or no thread be started.
    pub fn start(path: &Path, bounds: Bounds) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::to("standard error", io::stderr(), bounds);
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Self::to(&path.display().to_string(), file, bounds)
    }

    /// A log into `sink`; `name` is what complaints call it.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn to(name: &str, sink: impl Write + Send + 'static, bounds: Bounds) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(bounds));
        let written =
            Writing { name: name.to_owned(), sink, queue: Arc::clone(&queue), torn: false };
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || written.run())?;
        let _ = queue.writer.set(thread.thread().clone());
        let writer = Writer { queue: Arc::clone(&queue), thread: Some(thread) };
        Ok(Self { queue, writer: Arc::new(writer) })
    }

    /// Appends what `make` makes. Never waits; `make` is not called when there is no room.
    pub fn try_record(&self, make: impl FnOnce() -> T) {
        self.queue.push(make);
    }

    /// Lines that were lost: there was no room for them, or the file did not take them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.queue.dropped.load(Ordering::Relaxed)
    }
}

/// Lines on their way to the writer.
struct Queue<T> {
    entries: ArrayQueue<T>,
    octets_max: usize,
    octets: AtomicUsize,
    dropped: AtomicU64,
    /// The writer parks, or is about to.
    is_asleep: AtomicBool,
    is_closed: AtomicBool,
    writer: OnceLock<Thread>,
}

impl<T> Queue<T> {
    fn new(bounds: Bounds) -> Self {
        Self {
            entries: ArrayQueue::new(bounds.entries),
            octets_max: bounds.octets,
            octets: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            is_asleep: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            writer: OnceLock::new(),
        }
    }

    fn push(&self, make: impl FnOnce() -> T)
    where
        T: Entry,
    {
        if self.entries.is_full() || self.octets.load(Ordering::Relaxed) >= self.octets_max {
            self.drop_lines(1);
            return;
        }
        let entry = make();
        // Before the push, so that the writer never takes off what is not counted yet.
        self.octets.fetch_add(entry.octets(), Ordering::Relaxed);
        if let Err(entry) = self.entries.push(entry) {
            self.octets.fetch_sub(entry.octets(), Ordering::Relaxed);
            self.drop_lines(1);
            return;
        }
        // With its counterpart in `wait`: either we see that the writer sleeps, or it sees the entry.
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

    /// Parks the writer until there is an entry or no more will come.
    fn wait(&self) {
        loop {
            self.is_asleep.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if !self.entries.is_empty() || self.is_closed.load(Ordering::Relaxed) {
                self.is_asleep.store(false, Ordering::Relaxed);
                return;
            }
            thread::park();
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Queue").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// The writer's thread: when the log goes, it writes what waits and ends.
#[derive(Debug)]
struct Writer<T> {
    queue: Arc<Queue<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T> Drop for Writer<T> {
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
struct Writing<T, W> {
    name: String,
    sink: W,
    queue: Arc<Queue<T>>,
    /// The last write failed, so that the file may end in the middle of a line.
    torn: bool,
}

impl<T: Entry, W: Write> Writing<T, W> {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_OCTETS);
        let mut complained = false;
        loop {
            let is_closed = self.queue.is_closed.load(Ordering::Acquire);
            if self.queue.entries.is_empty() {
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
            && let Some(entry) = self.queue.entries.pop()
        {
            self.queue.octets.fetch_sub(entry.octets(), Ordering::Relaxed);
            entry.write_to(batch);
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
