//! Memory of all processes of a program: everything that is in RAM because of it, each page counted once.
//!
//! That is the proportional share of its mappings (`Pss` in `/proc/PID/smaps`, proc_pid_smaps(5)), and the files that
//! it keeps in RAM: those below its directory, which is on a tmpfs, and those without a name (memfd_create(2)).
//! Mappings of these files are not counted again. What the kernel has for its sockets is not in it.

use crate::cpu::members;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Unit of `st_blocks` (stat(2)).
const BLOCK_OCTETS: u64 = 512;

/// Folders below a directory: caches have three levels of them.
const DEPTH_MAX: usize = 8;

/// Octets of the process group, and of the files below `directory`.
///
/// # Errors
/// When `/proc` can't be listed, or tells nothing about any of the processes.
pub fn of_group(group: i32, directory: Option<&Path>) -> io::Result<u64> {
    let mut files = Files::default();
    directory.map_or(Ok(()), |directory| files.add_below(directory, 0))?;
    let processes: Vec<PathBuf> = members(group)?.into_iter().map(|(path, _)| path).collect();
    for process in &processes {
        files.add_nameless(process);
    }
    let mut octets = files.octets;
    let mut told = false;
    for process in &processes {
        // Gone in between, or not ours to look into.
        let Ok(text) = fs::read_to_string(process.join("smaps")) else { continue };
        octets += proportional(&text, &files.counted);
        told = true;
    }
    if told { Ok(octets) } else { Err(io::Error::other("no process tells its mappings")) }
}

/// Files in RAM, each counted once.
#[derive(Debug, Default)]
struct Files {
    octets: u64,
    /// Their numbers (inodes). Two file systems may use the same; that one mapping would be left out is no matter.
    counted: BTreeSet<u64>,
}

impl Files {
    fn add(&mut self, metadata: &fs::Metadata) {
        if self.counted.insert(metadata.ino()) {
            self.octets += metadata.blocks() * BLOCK_OCTETS;
        }
    }

    fn add_below(&mut self, directory: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!("{} is too deep", directory.display())));
        }
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            // A cache removes files while we look.
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if metadata.is_dir() {
                self.add_below(&path, depth + 1)?;
            } else if metadata.is_file() {
                self.add(&metadata);
            }
        }
        Ok(())
    }

    /// Those that a process has open.
    fn add_nameless(&mut self, process: &Path) {
        let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return };
        for path in descriptors.filter_map(|entry| Some(entry.ok()?.path())) {
            let is_memory =
                |target: PathBuf| target.to_str().is_some_and(|name| name.starts_with("/memfd:"));
            if fs::read_link(&path).is_ok_and(is_memory)
                && let Ok(metadata) = fs::metadata(&path)
            {
                self.add(&metadata);
            }
        }
    }
}

/// Octets of `Pss` of all mappings but those of files that are counted already.
fn proportional(smaps: &str, counted: &BTreeSet<u64>) -> u64 {
    let mut octets = 0;
    let mut skip = false;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("Pss:") if !skip => {
                octets += words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024;
            }
            // `7f3c...-7f3d... rw-p 00000000 00:01 1042 /memfd:x (deleted)` begins a mapping.
            Some(first) if !first.ends_with(':') => {
                let inode = words.nth(3).and_then(|inode| inode.parse().ok()).unwrap_or(0);
                skip = inode != 0 && counted.contains(&inode);
            }
            Some(_) | None => {}
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings() {
        let smaps = "\
55d0-55d1 r-xp 00000000 fe:00 77                         /usr/sbin/nginx
Size:                  8 kB
Rss:                   8 kB
Pss:                   4 kB
Pss_Dirty:             4 kB
7f00-7f01 rw-s 00000000 00:01 1042                       /memfd:ram (deleted)
Pss:                 100 kB
7f02-7f03 rw-p 00000000 00:00 0
Pss:                  16 kB
VmFlags: rd wr mr
";
        let all = BTreeSet::new();
        assert_eq!(proportional(smaps, &all), 120 * 1024, "all");
        let counted = BTreeSet::from([1042, 0]);
        assert_eq!(proportional(smaps, &counted), 20 * 1024, "but what is counted already");
        assert_eq!(proportional("", &all), 0, "gone in between");
    }

    #[test]
    fn files_are_counted_once() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("one"), vec![1; 100_000]).unwrap();
        fs::hard_link(below.join("one"), directory.path().join("two")).unwrap();
        let mut files = Files::default();
        files.add_below(directory.path(), 0).unwrap();
        assert!((100_000..150_000).contains(&files.octets), "{}", files.octets);
    }

    #[test]
    fn our_own_memory_is_counted() {
        let group = nix::unistd::getpgrp().as_raw();
        let before = of_group(group, None).unwrap();
        let more = std::hint::black_box(vec![1_u8; 256 << 20]);
        let after = of_group(group, None).unwrap();
        // The test runner and its other tests are in the group too.
        assert!(after > before + (200 << 20), "{before} {after}");
        drop(more);
        assert!(of_group(i32::MAX, None).is_err(), "a group that nobody is in");
    }
}
