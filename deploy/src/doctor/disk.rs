//! How fast a directory's disk is: written and read for a moment, past the page cache, as the SSD tier does.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Octets that are written at most, and read again: enough to be more than what a disk's own cache swallows at once
/// (64 MiB and less on most), and little enough to be welcome anywhere.
const OCTETS_MAX: u64 = 256 << 20;

/// Octets of one write or read in a row: what the SSD tier writes at a time.
const BLOCK: usize = 1 << 20;

/// Octets of a read here and there, and what O_DIRECT wants addresses and places to be multiples of.
const PAGE: usize = 4096;

/// How long each of the three parts may take: together 3 s, whatever the disk.
const PART_MAX: Duration = Duration::from_secs(1);

/// How many reads here and there at most.
const READS_MAX: u32 = 2_000;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed {
    /// Octets per second written in a row, until they were on the disk.
    write_rate: f64,
    /// Octets per second read in a row.
    read_rate: f64,
    /// The middle one of the times for reading 4 KiB somewhere.
    read_median: Duration,
    /// The longest one.
    read_max: Duration,
    /// Whether the page cache was passed by.
    pub(super) is_direct: bool,
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |rate: f64| rate / f64::from(1 << 20);
        write!(
            f,
            "written {:.0} MiB/s, read {:.0} MiB/s, 4 KiB in {} us (at most {} us){}",
            mib(self.write_rate),
            mib(self.read_rate),
            self.read_median.as_micros(),
            self.read_max.as_micros(),
            if self.is_direct { "" } else { ", through the page cache" }
        )
    }
}

/// Measures the disk below `directory` with a file that has no name there, for at most 3 s and 256 MiB.
///
/// # Errors
/// What the file system says: no such directory, no permission, no space.
pub(super) fn measure(directory: &Path) -> io::Result<Speed> {
    let file = tempfile::tempfile_in(directory)?;
    let mut memory = vec![0_u8; BLOCK + PAGE];
    let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
    let block = &mut memory[start..start + BLOCK];
    // Not zeros: some disks do not store them.
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for octets in block.chunks_exact_mut(8) {
        octets.copy_from_slice(&random.next().to_ne_bytes());
    }
    let is_direct = go_direct(&file, block)?;
    let began = Instant::now();
    let mut written = 0;
    while written < OCTETS_MAX && began.elapsed() < PART_MAX {
        file.write_all_at(block, written)?;
        written += BLOCK as u64;
        if !is_direct {
            // Or the page cache would take everything at once, and the end would take long.
            file.sync_data()?;
        }
    }
    file.sync_data()?;
    let write_rate = rate(written, began);
    let began = Instant::now();
    let mut read = 0;
    while read < written && began.elapsed() < PART_MAX {
        file.read_exact_at(block, read)?;
        read += BLOCK as u64;
    }
    let read_rate = rate(read, began);
    let began = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || (began.elapsed() < PART_MAX && times.len() < READS_MAX as usize) {
        let place = random.next() % (written / PAGE as u64) * PAGE as u64;
        let one = Instant::now();
        file.read_exact_at(&mut block[..PAGE], place)?;
        times.push(one.elapsed());
    }
    times.sort_unstable();
    let read_median = times.get(times.len() / 2).copied().unwrap_or_default();
    let read_max = times.last().copied().unwrap_or_default();
    Ok(Speed { write_rate, read_rate, read_median, read_max, is_direct })
}

/// Passes the page cache by from now on, if a write then works; writes the first block either way.
fn go_direct(file: &File, block: &[u8]) -> io::Result<bool> {
    let flags = fcntl_getfl(file)?;
    let is_direct = fcntl_setfl(file, flags | OFlags::DIRECT).is_ok();
    if is_direct && file.write_all_at(block, 0).is_ok() {
        return Ok(true);
    }
    fcntl_setfl(file, flags)?;
    file.write_all_at(block, 0)?;
    Ok(false)
}

#[allow(clippy::cast_precision_loss, reason = "at most 256 MiB")]
fn rate(octets: u64, began: Instant) -> f64 {
    octets as f64 / began.elapsed().as_secs_f64().max(f64::EPSILON)
}

/// xorshift64: the places are to be scattered, nothing more.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_measured_and_left_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let speed = measure(directory.path()).unwrap();
        assert!(speed.write_rate > 0.0 && speed.read_rate > 0.0, "{speed:?}");
        assert!(speed.read_median <= speed.read_max, "{speed:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let missing = measure(&directory.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn without_direct_reads_it_is_said() {
        let speed = Speed {
            write_rate: 1_048_576.0,
            read_rate: 2_097_152.0,
            read_median: Duration::from_micros(90),
            read_max: Duration::from_millis(2),
            is_direct: false,
        };
        let expected = "written 1 MiB/s, read 2 MiB/s, 4 KiB in 90 us (at most 2000 us), through the page cache";
        assert_eq!(speed.to_string(), expected);
    }
}
