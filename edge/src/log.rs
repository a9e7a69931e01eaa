//! The decision log: one line of JSON for each answered request, written by a thread of its own.

use humantime::format_rfc3339_millis;
use lastmile_http::time::UnixTime;
use lastmile_tuning::log::{self, Bounds};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Lines that wait for the writer. It gathers for 5 ms, so this is room for 1.6 million lines a second, more
/// than the workers of one machine answer. Larger: more memory for a disk that stalls. Smaller: gaps in bursts.
const LINES_MAX: usize = 8192;

/// Octets of waiting lines. A usual line has 250, so that [`LINES_MAX`] is met first; this one holds when clients send
/// long targets. Larger: such clients cost more memory. Smaller: gaps.
const QUEUED_OCTETS_MAX: usize = 8 << 20;

/// Octets of one string of a line. Hosts are shorter, and targets that are longer differ before that; the rest is
/// replaced by an ellipsis.
const STRING_OCTETS_MAX: usize = 2048;

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
pub struct Log(log::Log<Vec<u8>>);

impl Log {
    /// A log at the end of the file `path`, which is made when it is not there; `-` is the standard error.
    ///
    /// # Errors
    /// The file can't be opened, or no thread be started.
    pub fn start(path: &Path) -> io::Result<Self> {
        let bounds = Bounds { entries: LINES_MAX, octets: QUEUED_OCTETS_MAX };
        log::Log::start(path, bounds).map(Self)
    }

    /// Appends what `write` writes, which is one line with its end (see [`Entry::write_to`]). Never waits; `write` is
    /// not called when there is no room.
    pub fn try_record(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.try_record(|| {
            let mut line = Vec::with_capacity(LINE_OCTETS);
            write(&mut line);
            line
        });
    }

    /// Lines that were lost: there was no room for them, or the file did not take them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

#[cfg(test)]
mod tests;
