//! Knobs of the machine itself that can be written here, to values that do no harm for a moment: applied, read back,
//! taken back; and taken back after a crash between any two steps.
//!
//! A real network card is left alone, as it may carry the only network: of that only the interrupts go to other cores.
//! Numbers and offloads of cards are tested on veth devices in `tune.rs`, their files in /sys on veth devices here.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

#[allow(dead_code, reason = "each test program uses its part")]
mod kernel;

use kernel::{Crashing, applied, ids};
use lastmile_tuning::apply::{apply, revert, verified};
use lastmile_tuning::audit;
use lastmile_tuning::journal::{self, Kept};
use lastmile_tuning::knobs::form::Form;
use lastmile_tuning::knobs::{self, Access, Knob, Limit, Scope};
use lastmile_tuning::netns::Namespace;
use lastmile_tuning::profile::Profile;
use lastmile_tuning::sysctl;
use lastmile_tuning::system::live::{Live, Process};
use lastmile_tuning::system::{Found, Reading, System as _, survey};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the journals of the machine's own knobs are, which only root can write to.
const FOLDER: &str = "/run/lastmile-tests";

/// There is one machine: one test at a time, also of other runs of this program. What one that was killed has left is
/// put back first.
fn alone() -> (MutexGuard<'static, ()>, Option<File>) {
    static MACHINE: Mutex<()> = Mutex::new(());
    let turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let lock = fs::create_dir_all(FOLDER).and_then(|()| File::create("/run/lastmile-tests.lock"));
    if let Ok(lock) = &lock {
        lock.lock().unwrap();
        let journal = Path::new(FOLDER).join("tune.json");
        revert(&mut Live::default(), &journal, true, &mut |_| {}).unwrap();
    }
    (turn, lock.ok())
}

/// What is wanted where one more than there is would not do: the first that is another one and offered. And why that.
const CHOSEN: &[(&str, &[&str], &str)] = &[
    ("fs.pipe-max-size", &["2097152", "1048576"], "the kernel rounds up to a power of two"),
    ("kernel.io_uring_disabled", &["1", "0"], "root still may"),
    ("cpu.governor", &["performance", "schedutil", "powersave"], "all of them run"),
    ("cpu.resume_latency", &["200", "100"], "a core sleeps less deeply"),
    ("vm.dirty_bytes", &["3000001536", "3000005632"], "about what the ratio makes of 16 GB"),
    ("vm.dirty_background_bytes", &["1500000256", "1500004352"], "half of it"),
    ("memory.thp", &["madvise", "never"], "always would make processes larger"),
    ("memory.thp_defrag", &["madvise", "defer"], "always would make processes wait"),
    ("memory.thp_shmem", &["advise", "never"], "only for who asks"),
    ("block.scheduler", &["none", "mq-deadline"], "both serve any device"),
    ("block.read_ahead", &["1024", "2048"], "whole pages"),
    ("block.nr_requests", &["64", "128"], "no more than any device has"),
    ("block.wbt_latency", &["50000", "75000"], "as devices have it by default"),
    ("nic.rps_flow_cnt", &["256", "512"], "a power of two"),
    ("net.core.default_qdisc", &["fq_codel", "pfifo_fast"], "for devices that are made meanwhile"),
    ("net.core.rps_sock_flow_entries", &["256", "512"], "a power of two"),
    ("process.nofile", &["64"], "of a process of ours"),
    ("process.memlock", &["4096"], "of a process of ours"),
];

/// Another value, or why there is none.
fn another(found: &Found) -> Result<String, String> {
    let value = match &found.reading {
        Reading::Is(value) if value.is_writable => value,
        Reading::Is(_) => return Err("read-only here".to_owned()),
        Reading::Absent(why) | Reading::Denied(why) | Reading::Failed(why) => {
            return Err(why.clone());
        }
    };
    let (form, now) = (found.knob.form, value.text.as_str());
    let offered = value.offered.as_ref();
    let is_other = |text: &str| {
        !form.same(text, now) && offered.is_none_or(|offered| offered.iter().any(|it| it == text))
    };
    if let Some((_, texts, _)) = CHOSEN.iter().find(|(id, ..)| *id == found.knob.id) {
        let other = texts.iter().find(|text| is_other(text));
        return other.map(ToString::to_string).ok_or_else(|| format!("nothing but {now} here"));
    }
    match form {
        Form::Integer { max, .. } => {
            let now: i64 = now.parse().unwrap();
            Ok((if now < max { now + 1 } else { now - 1 }).to_string())
        }
        Form::Integers { .. } => {
            let more = |word: &str| (word.parse::<i64>().unwrap() + 2).to_string();
            Ok(now.split_whitespace().map(more).collect::<Vec<_>>().join(" "))
        }
        // A core that every machine has, or one that most have.
        Form::Mask => Ok(if is_other("1") { "1" } else { "2" }.to_owned()),
        Form::Limit => {
            let more = now.parse::<u64>().map(|now| (now + 1).to_string());
            more.map_err(|_| format!("nothing is more than {now}"))
        }
        Form::Names => {
            let all = sysctl::read("net.ipv4.tcp_available_congestion_control").unwrap();
            let first = all.split_whitespace().next().unwrap_or_default().to_owned();
            let other = [all, first].into_iter().find(|names| is_other(names));
            other.ok_or_else(|| format!("nothing but {now} here"))
        }
        Form::Name | Form::Word(_) | Form::Selected(_) => panic!("{} has no choice", found.knob.id),
    }
}

/// Some knobs of a system.
struct Part {
    system: Live,
    is_meant: fn(&Knob) -> bool,
    journal: PathBuf,
    /// What is there before, by which it is put back also when the test fails.
    found: Vec<Found>,
}

impl Part {
    fn new(folder: &Path, process: Option<Process>, is_meant: fn(&Knob) -> bool) -> Self {
        let mut system = Live { process, ..Live::default() };
        let found = survey(&mut system, knobs::all().filter(|knob| is_meant(knob)));
        Self { system, is_meant, journal: folder.join("tune.json"), found }
    }

    /// What is the machine's, for who is [`alone`]. Without root there is little that can be written, and not there.
    fn of_machine(process: Option<Process>, is_meant: fn(&Knob) -> bool) -> Self {
        let folder = Path::new(FOLDER);
        let own = std::env::temp_dir().join(format!("lastmile-tests-{}", std::process::id()));
        Self::new(if folder.exists() { folder } else { &own }, process, is_meant)
    }

    /// `audit --json` of it.
    fn snapshot(&mut self) -> String {
        let is_meant = self.is_meant;
        let found = survey(&mut self.system, knobs::all().filter(|knob| is_meant(knob)));
        let rows = audit::rows(&found, &Profile::default(), self.system.cpus());
        serde_json::to_string_pretty(&rows).unwrap()
    }

    /// The knobs that have another value, with it. It says which have none.
    fn others(&self) -> Vec<(&'static Knob, String)> {
        let mut others: Vec<(&'static Knob, String)> = Vec::new();
        for found in &self.found {
            if others.iter().any(|(knob, _)| *knob == found.knob) {
                continue;
            }
            match another(found) {
                Ok(other) => others.push((found.knob, other)),
                Err(why) => eprintln!("skipped: {}: {why}", found.knob.id),
            }
        }
        others
    }

    fn reverted(&mut self) {
        let journal = self.journal.clone();
        let mut events = Vec::new();
        // As another process does it, which was told nothing but the journal.
        let mut system = Live::default();
        let back = revert(&mut system, &journal, false, &mut |it| events.push(it)).unwrap();
        assert!(back.left.is_empty() && !journal.exists(), "{events:?}");
    }

    /// Each of `others` by itself. Returns which were set.
    fn each(&mut self, others: &[(&'static Knob, String)]) -> Vec<&'static Knob> {
        let journal = self.journal.clone();
        let before = self.snapshot();
        let mut set = Vec::new();
        for (knob, other) in others {
            let profile = profile([(*knob, other)]);
            let outcome = applied(&mut self.system, &journal, &profile);
            match outcome.done {
                0 => eprintln!("skipped: {} = {other}: {outcome:?}", knob.id),
                _ => {
                    set.push(*knob);
                    assert_ne!(self.snapshot(), before, "{}", knob.id);
                }
            }
            let Kept::Journal(kept) = journal::read(&journal).unwrap() else { panic!("a journal") };
            let now = verified(&mut self.system, &profile, &kept.refused);
            assert!(now.steps.is_empty() || outcome.failures() > 0, "{}: {now:?}", knob.id);
            assert_eq!(applied(&mut self.system, &journal, &profile).done, 0, "{} again", knob.id);
            self.reverted();
            assert_eq!(self.snapshot(), before, "{}", knob.id);
        }
        set
    }

    /// All of `others` together, and the end of the process before each of the steps.
    fn crashes(&mut self, others: &[(&'static Knob, String)]) -> usize {
        let journal = self.journal.clone();
        let before = self.snapshot();
        let profile = profile(others.iter().map(|(knob, other)| (*knob, other)));
        let steps = lastmile_tuning::apply::planned(&mut self.system, &profile).steps.len();
        for at in 0..steps {
            let mut system = Crashing { live: self.system.clone(), writes: 0, at, is_after: false };
            let work = AssertUnwindSafe(|| apply(&mut system, &journal, &profile, &mut |_| {}));
            assert!(catch_unwind(work).is_err(), "before step {at}");
            self.reverted();
            assert_eq!(self.snapshot(), before, "before step {at}");
        }
        applied(&mut self.system, &journal, &profile);
        let mut system =
            Crashing { live: self.system.clone(), writes: 0, at: steps / 2, is_after: true };
        let work = AssertUnwindSafe(|| revert(&mut system, &journal, false, &mut |_| {}));
        assert!(catch_unwind(work).is_err(), "while it is taken back");
        self.reverted();
        assert_eq!(self.snapshot(), before);
        steps
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // One can change another along.
        for found in self.found.iter().rev().chain(&self.found) {
            if let Reading::Is(value) = &found.reading
                && value.is_writable
                && self.system.read(found.knob, &found.instance).text() != Some(&value.text)
            {
                let _ = self.system.write(found.knob, &found.instance, &value.text);
            }
        }
    }
}

fn profile<'a>(wanted: impl IntoIterator<Item = (&'static Knob, &'a String)>) -> Profile {
    let lines = wanted.into_iter().map(|(knob, value)| format!("{} = {value:?}\n", knob.id));
    Profile::parse("others.toml", &lines.collect::<String>()).unwrap()
}

/// What is not of a network namespace, and of cards only the interrupts, if nobody else moves these.
fn is_of_the_machine(knob: &Knob) -> bool {
    let is_left_alone = match knob.access {
        Access::Interrupt => is_balanced(),
        _ => knob.scope == Scope::Nic,
    };
    knob.is_writable() && !knob.is_of_a_namespace() && !is_left_alone
}

/// Whether a daemon moves interrupts from core to core.
fn is_balanced() -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let names = processes.filter_map(|it| fs::read_to_string(it.path().join("comm")).ok());
    names.into_iter().any(|name| name == "irqbalance\n")
}

/// A process that waits, and ends with this.
struct Waiting(Child);

impl Waiting {
    fn start() -> (Self, Process) {
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = Process::of(i32::try_from(child.id()).unwrap()).unwrap();
        (Self(child), process)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn each_knob_of_the_machine_is_applied_verified_and_taken_back() {
    let _alone = alone();
    let (_waiting, process) = Waiting::start();
    let mut machine = Part::of_machine(Some(process), is_of_the_machine);
    let others = machine.others();
    let set = machine.each(&others);
    let is_ours = |knob: &&&Knob| matches!(knob.access, Access::Limit(Limit::Nofile, _));
    assert!(set.iter().any(|knob| is_ours(&knob)), "our own process's limits: {:?}", ids(&set));
    // A machine that lets one be written lets most of them.
    let is_free = set.iter().any(|knob| knob.id == "vm.swappiness");
    assert!(!is_free || set.len() > 30, "only {}: {:?}", set.len(), ids(&set));
}

#[test]
fn a_crash_between_any_two_steps_on_the_machine_is_taken_back() {
    let _alone = alone();
    let (_waiting, process) = Waiting::start();
    let mut machine = Part::of_machine(Some(process), is_of_the_machine);
    let mut others = machine.others();
    // Of what excludes each other, a profile has one.
    let known = others.clone();
    others.retain(|(knob, _)| {
        !knob.id.ends_with("_bytes") || !known.iter().any(|(other, _)| knob.excludes(other))
    });
    let steps = machine.crashes(&others);
    eprintln!("{steps} steps");
}

#[test]
fn what_the_kernel_changes_along_is_taken_back_too() {
    let _alone = alone();
    let mut machine = Part::of_machine(None, |knob| {
        knob.id.starts_with("vm.dirty") || knob.id == "vm.swappiness"
    });
    let knob = knobs::find("vm.dirty_bytes").unwrap();
    let Reading::Is(value) = machine.system.read(knob, "") else { panic!("all have {}", knob.id) };
    if !value.is_writable {
        eprintln!("skipped: {} is read-only here", knob.id);
        return;
    }
    let before = machine.snapshot();
    let journal = machine.journal.clone();
    // Whichever of ratio and octets is in force, the other becomes 0.
    for text in [
        "vm.swappiness = 61\nvm.dirty_bytes = 3000001536\n",
        "vm.swappiness = 62\nvm.dirty_ratio = 33\nvm.dirty_background_ratio = 4\n",
    ] {
        let profile = Profile::parse("p.toml", text).unwrap();
        let outcome = applied(&mut machine.system, &journal, &profile);
        assert!(outcome.done >= 2, "{outcome:?}");
        assert!(verified(&mut machine.system, &profile, &[]).steps.is_empty());
        assert_ne!(machine.snapshot(), before);
        machine.reverted();
        assert_eq!(machine.snapshot(), before);
    }
}

/// Runs `work` where the files of cards in /sys are those of two veth devices, which look like cards with hardware.
fn with_cards(work: impl FnOnce() + Send) {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: a network namespace takes CAP_SYS_ADMIN");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let inside = || {
        let link = "link add veth0 numrxqueues 2 numtxqueues 2 type veth peer veth1";
        assert!(Command::new("ip").args(link.split(' ')).status()?.success(), "ip {link}");
        // Nothing of this is seen outside of this thread, or stays when it ends.
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        mount("sysfs", folder.path(), "sysfs", MountFlags::empty(), None)?;
        let net = Path::new("/sys/class/net");
        mount("tmpfs", net, "tmpfs", MountFlags::empty(), None)?;
        for device in ["veth0", "veth1"] {
            fs::create_dir_all(net.join(device).join("device"))?;
            for name in ["queues", "gro_flush_timeout", "napi_defer_hard_irqs", "tx_queue_len"] {
                let real = folder.path().join("class/net").join(device).join(name);
                symlink(real, net.join(device).join(name))?;
            }
        }
        work();
        Ok(())
    };
    match namespace.run(inside) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: mounting takes CAP_SYS_ADMIN, and nobody who forbids it: {error}");
        }
        outcome => outcome.unwrap(),
    }
}

#[test]
fn files_of_cards_are_written_and_taken_back() {
    with_cards(|| {
        let is_file =
            |knob: &Knob| knob.scope == Scope::Nic && matches!(knob.access, Access::Files(_));
        // Hundreds of journals are written to it, each of which waits for its disk.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let mut cards = Part::new(folder.path(), None, is_file);
        let others = cards.others();
        let set = cards.each(&others);
        assert!(set.len() >= 6, "{:?}", ids(&set));
        assert!(cards.crashes(&others) > 10, "two devices with two queues");
    });
}
