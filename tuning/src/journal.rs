//! What values were before they were changed: a file by which they are put back, also after a crash in the middle.
//!
//! It is written before the first value is, and replaced as a whole: beside it, synchronised, renamed, the folder
//! synchronised. So at any moment it has the old value of everything that may have been changed.

use crate::knobs::{self, Knob};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The form of the file. Another number is another form.
const VERSION: u32 = 1;

/// A journal has an entry of some 150 octets for each place. 64 MiB are more than all queues of the largest machine.
const FILE_OCTETS_MAX: u64 = 64 << 20;

/// Values of one place that are remembered as ours, the last ones: each is of another profile, and one that is
/// forgotten is only taken for somebody else's.
const NEW_MAX: usize = 16;

/// Where the journal is unless `--journal` says otherwise.
pub const PATH: &str = "/var/lib/lastmile/tune.json";

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    version: u32,
    /// Which run of the machine the values belong to: a new one begins with the kernel's own.
    boot: String,
    /// Which network namespace.
    namespace: u64,
    /// The profile that was applied last.
    pub profile: String,
    /// The routes that were meant; none means the default routes.
    pub routes: Vec<String>,
    /// The knobs that it wanted something of.
    pub wanted: Vec<String>,
    /// The process whose limits were meant, told from later ones with its number.
    #[serde(default)]
    pub process: Option<String>,
    /// What it wanted and the kernel or the hardware did not take.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// The file of policies whose prefixes have routes; none without any.
    #[serde(default)]
    pub policies: Option<String>,
    /// What these routes say: values by knob, by prefix.
    #[serde(default)]
    pub said: BTreeMap<String, BTreeMap<String, String>>,
    /// The knobs that they were asked for; none means all.
    #[serde(default)]
    pub asked: Vec<String>,
    /// In the order in which they are written.
    pub entries: Vec<Entry>,
}

/// A value that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The knob's id.
    pub knob: String,
    /// Which of its places.
    pub instance: String,
    /// What was to be written.
    pub value: String,
    /// Why it is not.
    pub why: String,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The knob's id.
    pub knob: String,
    /// Which of its places.
    pub instance: String,
    /// What was there before anything was changed.
    pub old: String,
    /// What was written, or was about to be: more than one after several profiles.
    pub new: Vec<String>,
    /// Whether the kernel may have changed it along with another one.
    pub is_along: bool,
    /// Whether `new` has what it was changed to along. Until then, as after a crash, it may be whatever.
    #[serde(default)]
    pub is_settled: bool,
}

impl Entry {
    /// Whether `found` is of our making: written by us, or changed along.
    #[must_use]
    pub fn is_ours(&self, found: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        self.is_open() || self.new.iter().any(|new| same(found, new))
    }

    /// Whether it may have been changed along to a value that nobody has noted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_along && !self.is_settled
    }

    /// Notes `found` as what it was changed to along.
    pub fn settle(&mut self, found: &str) {
        self.is_settled = true;
        self.remember(found);
    }

    fn remember(&mut self, new: &str) {
        if self.new.iter().any(|known| known == new) {
            return;
        }
        self.new.push(new.to_owned());
        if self.new.len() > NEW_MAX {
            self.new.remove(0);
        }
    }
}

impl Journal {
    /// An empty one for the calling thread's namespace and this run of the machine.
    ///
    /// # Errors
    /// What reading /proc says.
    pub fn new() -> io::Result<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
        Ok(Self::empty(boot.trim().to_owned(), namespace))
    }

    fn empty(boot: String, namespace: u64) -> Self {
        Self {
            version: VERSION,
            boot,
            namespace,
            profile: String::new(),
            routes: Vec::new(),
            wanted: Vec::new(),
            process: None,
            refused: Vec::new(),
            policies: None,
            said: BTreeMap::new(),
            asked: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Whether it is of another network namespace than the calling thread's.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        Self::new().is_ok_and(|here| here.namespace != self.namespace)
    }

    /// Whether a profile or policies are applied, rather than only something left of them.
    #[must_use]
    pub fn is_of_something(&self) -> bool {
        !self.profile.is_empty() || self.policies.is_some()
    }

    /// The knobs that the profile wanted something of, as far as this version knows them.
    #[must_use]
    pub fn knobs(&self) -> Vec<&'static Knob> {
        self.wanted.iter().filter_map(|id| knobs::find(id)).collect()
    }

    /// What is left of it after taking back: these entries, and nothing that is applied.
    #[must_use]
    pub fn left(self, entries: Vec<Entry>) -> Self {
        Self { entries, ..Self::empty(self.boot, self.namespace) }
    }

    /// Adds a place, or says what is written there now (`None`: it may change along with another): what was there first
    /// stays.
    pub fn note(&mut self, knob: &str, instance: &str, old: &str, new: Option<&str>) {
        note(&mut self.entries, knob, instance, old, new);
    }
}

/// As [`Journal::note`], in a list of its own.
pub fn note(entries: &mut Vec<Entry>, knob: &str, instance: &str, old: &str, new: Option<&str>) {
    let known = |entry: &Entry| entry.knob == knob && entry.instance == instance;
    let at = entries.iter().position(known).unwrap_or_else(|| {
        entries.push(Entry {
            knob: knob.to_owned(),
            instance: instance.to_owned(),
            old: old.to_owned(),
            new: Vec::new(),
            is_along: false,
            is_settled: false,
        });
        entries.len() - 1
    });
    let entry = &mut entries[at];
    match new {
        None => (entry.is_along, entry.is_settled) = (true, false),
        Some(new) => entry.remember(new),
    }
}

/// Where a journal is, for one process at a time.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Locked as long as this lives.
    folder: File,
}

impl Drop for Place {
    /// Closing is not enough where a process has just been forked, which has the descriptor too until it executes.
    fn drop(&mut self) {
        let _ = self.folder.unlock();
    }
}

/// What is found at a place.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// The journal of an earlier run of the machine: its values went with that.
    Stale,
    /// One that can be taken back.
    Journal(Journal),
}

impl Place {
    /// The journal at `path`. Its folder is made if there is none.
    ///
    /// # Errors
    /// One line: a folder that cannot be made or opened; another process at work.
    pub fn lock(path: &Path) -> Result<Self, String> {
        let named = |error: io::Error| format!("{}: {error}", path.display());
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder).map_err(named)?;
        let file = File::open(folder).map_err(named)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                format!("{}: another lastmile tune is at work", path.display())
            }
            TryLockError::Error(error) => named(error),
        })?;
        Ok(Self { path: path.to_owned(), folder: file })
    }

    /// What is there. Reading takes no lock: see [`read`].
    ///
    /// # Errors
    /// As for [`read`].
    pub fn read(&self) -> Result<Kept, String> {
        read(&self.path)
    }

    /// Puts `journal` there, and returns when it is on the disk.
    ///
    /// # Errors
    /// One line, with the path.
    pub fn write(&self, journal: &Journal) -> Result<(), String> {
        let named = |error: io::Error| format!("{}: {error}", self.path.display());
        let text = serde_json::to_string_pretty(journal).map_err(|error| named(error.into()))?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        // The folder may be one in which others can put a link.
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let mut options = File::options();
        options.write(true).create(true).truncate(true).custom_flags(no_link);
        let mut file = options.open(&beside).map_err(named)?;
        file.write_all(text.as_bytes()).map_err(named)?;
        file.write_all(b"\n").map_err(named)?;
        file.sync_all().map_err(named)?;
        fs::rename(&beside, &self.path).map_err(named)?;
        self.folder.sync_all().map_err(named)
    }

    /// Takes away what is there.
    ///
    /// # Errors
    /// One line, with the path.
    pub fn remove(&self) -> Result<(), String> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{}: {error}", self.path.display()))
            }
            _ => {
                self.folder.sync_all().map_err(|error| format!("{}: {error}", self.path.display()))
            }
        }
    }
}

/// What is at `path`.
///
/// # Errors
/// As for [`load`]; a journal of another network namespace.
pub fn read(path: &Path) -> Result<Kept, String> {
    let named = |why: String| format!("{}: {why}", path.display());
    let Some(journal) = load(path)? else { return Ok(Kept::Nothing) };
    let here = Journal::new().map_err(|error| named(error.to_string()))?;
    if journal.boot != here.boot {
        return Ok(Kept::Stale);
    }
    if journal.is_elsewhere() {
        let why = "the journal of another network namespace; allowed: --netns PATH of that one, or \
                   `revert --forget` if there is none any more";
        return Err(named(why.to_owned()));
    }
    Ok(Kept::Journal(journal))
}

/// The journal at `path`, whatever it is of.
///
/// # Errors
/// One line: a file that cannot be read or is no journal.
pub fn load(path: &Path) -> Result<Option<Journal>, String> {
    let named = |why: String| format!("{}: {why}", path.display());
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(error.to_string())),
        Ok(metadata) if metadata.len() > FILE_OCTETS_MAX => {
            return Err(named(format!("larger than {FILE_OCTETS_MAX} octets")));
        }
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let journal: Journal =
        serde_json::from_str(&text).map_err(|error| named(format!("no journal: {error}")))?;
    if journal.version != VERSION {
        let version = journal.version;
        return Err(named(format!("a journal of version {version}; allowed: {VERSION}")));
    }
    Ok(Some(journal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted() -> Journal {
        let mut journal = Journal::new().unwrap();
        journal.note("vm.swappiness", "", "60", Some("10"));
        journal.note("vm.dirty_bytes", "", "0", None);
        journal
    }

    #[test]
    fn what_was_there_first_stays() {
        let mut journal = noted();
        journal.note("vm.swappiness", "", "10", Some("20"));
        journal.note("vm.swappiness", "", "20", None);
        let entry = &journal.entries[0];
        assert_eq!((entry.old.as_str(), entry.new.len()), ("60", 2));
        assert!(entry.is_ours("10", |a, b| a == b) && entry.is_along);
        let same = |a: &str, b: &str| a == b;
        assert!(journal.entries[1].is_ours("anything", same), "changed along");
        journal.entries[1].settle("7");
        assert!(journal.entries[1].is_ours("7", same));
        assert!(!journal.entries[1].is_ours("anything", same), "what it became is known");
        journal.note("vm.dirty_bytes", "", "7", None);
        assert!(journal.entries[1].is_ours("anything", same), "changed along once more");
        assert_eq!((journal.entries[1].old.as_str(), journal.entries.len()), ("0", 2));
    }

    #[test]
    fn journals_of_an_earlier_version_are_read() {
        let mut journal = noted();
        journal.process = Some("7@9".to_owned());
        let mut value = serde_json::to_value(&journal).unwrap();
        let object = value.as_object_mut().unwrap();
        object.retain(|key, _| !["process", "refused"].contains(&key.as_str()));
        for entry in object["entries"].as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().remove("is_settled");
        }
        let read: Journal = serde_json::from_value(value).unwrap();
        assert_eq!(read, Journal { process: None, ..journal });
    }

    #[test]
    fn it_is_read_as_it_was_written_and_for_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/tune.json");
        let place = Place::lock(&path).unwrap();
        assert_eq!(place.read().unwrap(), Kept::Nothing);
        place.write(&noted()).unwrap();
        assert_eq!(place.read().unwrap(), Kept::Journal(noted()));
        let error = Place::lock(&path).unwrap_err();
        assert!(error.ends_with("another lastmile tune is at work"), "{error}");
        place.remove().unwrap();
        place.remove().unwrap();
        assert_eq!(place.read().unwrap(), Kept::Nothing);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing is left");
        drop(place);
        Place::lock(&path).unwrap();
    }

    #[test]
    fn journals_of_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tune.json");
        let place = Place::lock(&path).unwrap();
        place.write(&Journal { boot: "another".to_owned(), ..noted() }).unwrap();
        assert_eq!(place.read().unwrap(), Kept::Stale);
        for (journal, why) in [
            (Journal { namespace: 1, ..noted() }, "the journal of another network namespace"),
            (Journal { version: 9, ..noted() }, "a journal of version 9; allowed: 1"),
        ] {
            place.write(&journal).unwrap();
            let error = place.read().unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        for text in ["", "{}", "[1", "{\"version\": 1}"] {
            fs::write(&path, text).unwrap();
            assert!(place.read().unwrap_err().contains("no journal: "), "{text}");
        }
    }
}
