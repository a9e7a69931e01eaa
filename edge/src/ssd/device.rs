//! A file or block device of the tier: found, made, locked.

use super::buffer::Buffer;
use super::index::OCTETS_MAX;
use super::layout::{BATCH_OCTETS_MAX, BLOCK_OCTETS, NoSuperblock, SEGMENTS_START, Superblock};
use rustix::fs::{
    FallocateFlags, FlockOperation, OFlags, fallocate, fcntl_getfl, fcntl_setfl, flock,
};
use rustix::io::Errno;
use std::cmp::Ordering;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Segments at least: with fewer a segment that goes would be a large share of what is kept.
const SEGMENTS_MIN: u64 = 8;
/// The smallest segment.
const SEGMENT_OCTETS_MIN: u64 = 4 << 20;
/// A segment is one of so many of its device, up to the largest.
const SEGMENTS_WANTED: u64 = 512;
const SEGMENT_OCTETS_MAX: u64 = 256 << 20;

/// How long a start waits for another process to let go of a device.
const LOCK_MAX: Duration = Duration::from_secs(2);

/// The smallest tier: 33 MiB.
pub const OCTETS_MIN: u64 = SEGMENTS_START + SEGMENTS_MIN * SEGMENT_OCTETS_MIN;

const _: () = assert!(SEGMENT_OCTETS_MIN >= 2 * BATCH_OCTETS_MAX as u64);

/// An opened file or device, locked against other processes.
#[derive(Debug)]
pub struct Device {
    /// Opened for reading and writing.
    pub file: File,
    pub(crate) path: PathBuf,
    pub(crate) superblock: Superblock,
    /// Whether reads and writes go past the page cache.
    pub is_direct: bool,
}

/// Opens the tier at `path`, or makes one of `octets`; a block device may be used whole (`None`).
///
/// # Errors
/// A line that says what to do.
pub(crate) fn open(path: &Path, octets: Option<u64>) -> Result<Device, String> {
    let shown = path.display();
    let is_block = std::fs::metadata(path).is_ok_and(|known| known.file_type().is_block_device());
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if is_block {
        // Not one that is mounted (open(2)).
        options.custom_flags(libc::O_EXCL);
    } else {
        options.create(true).truncate(false);
    }
    let file = options.open(path).map_err(|error| format!("{shown} can't be opened: {error}"))?;
    match lock(&file) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(format!(
                "{shown} is in use by another process; each needs a file of its own"
            ));
        }
        Err(error) => return Err(format!("{shown} can't be locked: {error}")),
    }
    let said = |error: io::Error| format!("{shown}: {error}");
    let kind = file.metadata().map_err(said)?.file_type();
    let is_file = kind.is_file();
    if !is_file && !kind.is_block_device() {
        return Err(format!("{shown} is neither a file nor a block device"));
    }
    let has = (&file).seek(SeekFrom::End(0)).map_err(said)?;
    let wanted = match (octets, is_file) {
        (Some(octets), true) => octets,
        (Some(octets), false) if octets > has => {
            return Err(format!("{shown} has {has} octets, fewer than the {octets} of --ssd-size"));
        }
        (Some(octets), false) => octets,
        (None, true) if has > 0 => has,
        (None, true) => return Err(format!("{shown} is new: give --ssd-size")),
        (None, false) => has,
    };
    if wanted < OCTETS_MIN {
        return Err(format!("{shown}: {wanted} octets are too few; at least {OCTETS_MIN}"));
    }
    if wanted > OCTETS_MAX {
        return Err(format!("{shown}: {wanted} octets are too many; at most {OCTETS_MAX}"));
    }
    let mut blank_from = None;
    let superblock = match found(&file, has).map_err(said)? {
        Ok(superblock) => {
            let segments = (wanted - SEGMENTS_START) / superblock.segment_octets;
            if segments < 2 {
                return Err(format!(
                    "{shown} has segments of {} octets, of which two do not fit into {wanted}; remove it or give a \
                     larger --ssd-size",
                    superblock.segment_octets
                ));
            }
            // With segments that go, removals go that concern what stays; what is behind them may be of long ago.
            blank_from = match segments.cmp(&superblock.segments) {
                Ordering::Less => Some(0),
                Ordering::Equal => None,
                Ordering::Greater => Some(superblock.segments),
            };
            Superblock { segments, ..superblock }
        }
        Err(NoSuperblock::Blank) => made(wanted).map_err(said)?,
        Err(NoSuperblock::Foreign) => {
            return Err(format!(
                "{shown} has something else in it; remove it, or choose another path"
            ));
        }
        Err(NoSuperblock::Version(version)) => {
            return Err(format!(
                "{shown} was made by another version of lastmile (format {version}); remove it, or choose another path"
            ));
        }
        Err(NoSuperblock::Damaged) => {
            return Err(format!("{shown} is damaged at its start; remove it to begin anew"));
        }
    };
    if is_file {
        let octets = SEGMENTS_START + superblock.segments * superblock.segment_octets;
        preallocate(&file, has, octets).map_err(|error| {
            format!("{shown}: no room for {octets} octets: {error}; free some, or give a smaller --ssd-size")
        })?;
    }
    let mut block = vec![0; BLOCK_OCTETS];
    for segment in blank_from.unwrap_or(superblock.segments)..superblock.segments {
        let start = SEGMENTS_START + segment * superblock.segment_octets;
        file.write_all_at(&block, start).map_err(said)?;
    }
    superblock.encode(&mut block);
    for copy in [0, BLOCK_OCTETS as u64] {
        file.write_all_at(&block, copy).map_err(said)?;
    }
    let is_direct = go_direct(&file);
    Ok(Device { file, path: path.to_owned(), superblock, is_direct })
}

/// Locks `file` against other processes. One that was killed a moment ago has it until the kernel has ended its ring.
fn lock(file: &File) -> Result<(), Errno> {
    let deadline = Instant::now() + LOCK_MAX;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}

/// The superblock of `file`, which has so many octets, or its copy.
fn found(file: &File, octets: u64) -> io::Result<Result<Superblock, NoSuperblock>> {
    let count = usize::try_from(octets.min(SEGMENTS_START)).unwrap_or(0);
    let mut front = vec![0; count.max(2 * BLOCK_OCTETS)];
    file.read_exact_at(&mut front[..count], 0)?;
    let (first, rest) = front.split_at(BLOCK_OCTETS);
    Ok(match (Superblock::decode(first), Superblock::decode(&rest[..BLOCK_OCTETS])) {
        (Ok(superblock), _) => Ok(superblock),
        // The first was torn.
        (Err(NoSuperblock::Damaged | NoSuperblock::Blank), Ok(superblock)) => Ok(superblock),
        // File systems do not all begin at the front.
        (Err(NoSuperblock::Blank), _) if rest.iter().any(|octet| *octet != 0) => {
            Err(NoSuperblock::Foreign)
        }
        (first, _) => first,
    })
}

/// That of a new tier.
fn made(octets: u64) -> io::Result<Superblock> {
    let mut seed = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let segment_octets = (octets / SEGMENTS_WANTED)
        .next_power_of_two()
        .clamp(SEGMENT_OCTETS_MIN, SEGMENT_OCTETS_MAX);
    let segments = (octets - SEGMENTS_START) / segment_octets;
    Ok(Superblock { segment_octets, segments, seed })
}

/// Gives a file its size, and blocks of the disk for all of it, where its file system can.
fn preallocate(file: &File, has: u64, octets: u64) -> io::Result<()> {
    if has > octets {
        file.set_len(octets)?;
    }
    match fallocate(file, FallocateFlags::empty(), 0, octets) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(octets),
        Err(error) => Err(error.into()),
    }
}

/// Makes reads and writes go past the page cache, if a read then still works (`O_DIRECT` of open(2)).
fn go_direct(file: &File) -> bool {
    let Ok(flags) = fcntl_getfl(file) else { return false };
    if fcntl_setfl(file, flags | OFlags::DIRECT).is_err() {
        return false;
    }
    let works = Buffer::of(BLOCK_OCTETS)
        .and_then(|mut buffer| file.read_exact_at(&mut buffer[..BLOCK_OCTETS], 0))
        .is_ok();
    works || fcntl_setfl(file, flags).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path, octets: Option<u64>) -> String {
        open(path, octets).expect_err("it must be refused")
    }

    #[test]
    fn made_once_and_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tier");
        assert!(refusal(&path, None).ends_with("is new: give --ssd-size"));
        assert!(refusal(&path, Some(1 << 20)).contains("are too few"));
        let made = open(&path, Some(100 << 20)).unwrap().superblock;
        assert_eq!((made.segment_octets, made.segments), (4 << 20, 24));
        let found = open(&path, None).unwrap();
        assert_eq!(found.superblock, made);
        assert!(refusal(&path, None).contains("in use by another process"));
        drop(found);
        for (octets, segments) in [(200 << 20, 49), (50 << 20, 12)] {
            let resized = open(&path, Some(octets)).unwrap().superblock;
            assert_eq!(resized, Superblock { segments, ..made });
            assert!(std::fs::metadata(&path).unwrap().len() <= octets);
        }
    }

    #[test]
    fn with_another_size_nothing_comes_back_that_was_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tier");
        let made = open(&path, Some(100 << 20)).unwrap();
        let segment_octets = made.superblock.segment_octets;
        let segment = |number: u64| SEGMENTS_START + number * segment_octets;
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let begins_with = |number: u64| {
            let mut octet = [0];
            file.read_exact_at(&mut octet, segment(number)).unwrap();
            octet[0]
        };
        let (first, last) = (0, made.superblock.segments - 1);
        for number in [first, last] {
            file.write_all_at(b"LMB1", segment(number)).unwrap();
        }
        drop(made);
        drop(open(&path, Some(200 << 20)).unwrap());
        assert_eq!((begins_with(first), begins_with(last)), (b'L', b'L'), "larger: all stays");
        drop(open(&path, Some(120 << 20)).unwrap());
        assert_eq!((begins_with(first), begins_with(last)), (0, 0), "smaller: it begins anew");
    }

    #[test]
    fn what_does_not_begin_at_the_front_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tier");
        let mut front = vec![0; 128 << 10];
        front[64 << 10] = 1;
        std::fs::write(&path, &front).unwrap();
        assert!(refusal(&path, Some(OCTETS_MIN)).contains("has something else in it"));
        std::fs::write(&path, vec![0; 128 << 10]).unwrap();
        assert!(open(&path, Some(OCTETS_MIN)).is_ok(), "nothing but zeros");
        assert!(refusal(&path, Some(1 << 47)).contains("are too many"));
    }

    #[test]
    fn a_torn_superblock_has_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tier");
        let made = open(&path, Some(OCTETS_MIN)).unwrap().superblock;
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let other = [!made.seed[8]];
        file.write_all_at(&other, 40).unwrap();
        assert_eq!(open(&path, None).unwrap().superblock, made);
        file.write_all_at(&other, 40).unwrap();
        file.write_all_at(&other, 40 + BLOCK_OCTETS as u64).unwrap();
        assert!(refusal(&path, None).contains("is damaged"));
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tier");
        std::fs::write(&path, b"somebody's letters").unwrap();
        assert!(refusal(&path, Some(OCTETS_MIN)).contains("has something else in it"));
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody's letters");
        let mut block = vec![0; BLOCK_OCTETS];
        made(OCTETS_MIN).unwrap().encode(&mut block);
        block[8] = 200;
        std::fs::write(&path, &block).unwrap();
        assert!(
            refusal(&path, Some(OCTETS_MIN)).contains("another version of lastmile (format 200)")
        );
        assert!(refusal(directory.path(), Some(OCTETS_MIN)).contains("can't be opened"));
        let missing = directory.path().join("no/such");
        assert!(refusal(&missing, Some(OCTETS_MIN)).contains("can't be opened"));
        assert!(refusal(Path::new("/dev/null"), Some(OCTETS_MIN)).contains("neither a file nor"));
    }
}
