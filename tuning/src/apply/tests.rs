//! Applying and taking back on a table instead of a kernel, for what the kernel of a test has not.

use super::*;
use crate::journal::Kept;
use crate::system::Value;
use std::collections::BTreeMap;

/// Values by knob and instance, and what the "kernel" does when one is written.
#[derive(Default)]
struct Table {
    values: BTreeMap<(&'static str, String), String>,
    /// Whether reading fails.
    is_unreadable: bool,
    /// Whether nothing may be written.
    is_read_only: bool,
    /// A knob that takes no value.
    refuses: Option<&'static str>,
    /// Where the journal is, to be taken away.
    folder: Option<std::path::PathBuf>,
    /// Called with the knob's id after each write, to change others along.
    along: Option<fn(&mut Table, &str)>,
}

impl Table {
    fn put(&mut self, id: &str, instance: &str, text: &str) {
        let id = knobs::find(id).unwrap().id;
        self.values.insert((id, instance.to_owned()), text.to_owned());
    }
}

impl System for Table {
    fn instances(&mut self, knob: &'static Knob) -> Vec<String> {
        let of_it = self.values.keys().filter(|(id, _)| *id == knob.id);
        of_it.map(|(_, instance)| instance.clone()).collect()
    }

    fn read(&mut self, knob: &'static Knob, instance: &str) -> Reading {
        if self.is_unreadable {
            return Reading::Failed("no memory".to_owned());
        }
        match self.values.get(&(knob.id, instance.to_owned())) {
            Some(text) => Reading::Is(Value {
                text: text.clone(),
                offered: None,
                most: None,
                is_writable: !self.is_read_only,
            }),
            None => Reading::Absent("not in the table".to_owned()),
        }
    }

    fn write(&mut self, knob: &'static Knob, instance: &str, value: &str) -> Result<(), Refusal> {
        if self.refuses == Some(knob.id) {
            let why = "not in this kernel".to_owned();
            return Err(Refusal { kind: RefusalKind::Unavailable, why });
        }
        self.put(knob.id, instance, value);
        if let Some(along) = self.along {
            along(self, knob.id);
        }
        Ok(())
    }

    fn cpus(&self) -> usize {
        4
    }
}

fn profile(text: &str) -> Profile {
    Profile::parse("p.toml", text).unwrap()
}

/// A card whose driver sets the masks of queues anew with their number.
fn card() -> Table {
    let mut table = Table::default();
    table.put("nic.channels_combined", "eth0", "2");
    table.put("nic.rps_cpus", "eth0/rx-0", "3");
    table.put("nic.rps_cpus", "eth0/rx-1", "c");
    table.put("nic.rps_cpus", "eth00/rx-0", "1");
    table.along = Some(|table, id| {
        if id == "nic.channels_combined" {
            table.put("nic.rps_cpus", "eth0/rx-0", "0");
            table.put("nic.rps_cpus", "eth0/rx-1", "0");
        }
    });
    table
}

#[test]
fn masks_of_queues_that_a_driver_sets_anew_are_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let mut table = card();
    let before = table.values.clone();
    let profile = profile("nic.channels_combined = 1");
    assert_eq!(apply(&mut table, &journal, &profile, &mut |_| {}).unwrap().done, 1);
    assert_ne!(table.values, before);
    let reverted = revert(&mut table, &journal, false, &mut |_| {}).unwrap();
    assert_eq!((reverted.left.len(), table.values), (0, before));
}

#[test]
fn what_cannot_be_read_for_now_stays_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let mut table = Table::default();
    table.put("vm.swappiness", "", "60");
    let before = table.values.clone();
    apply(&mut table, &journal, &profile("vm.swappiness = 10"), &mut |_| {}).unwrap();
    table.is_unreadable = true;
    let mut events = Vec::new();
    let reverted = revert(&mut table, &journal, false, &mut |it| events.push(it)).unwrap();
    assert_eq!(reverted.left.len(), 1);
    assert!(matches!(&events[..], [Event::Stuck { why, .. }] if why == "no memory"), "{events:?}");
    table.is_unreadable = false;
    let reverted = revert(&mut table, &journal, false, &mut |_| {}).unwrap();
    assert_eq!((reverted.left.len(), table.values), (0, before));
}

#[test]
fn without_a_journal_of_the_second_round_the_first_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("deep/tune.json");
    let mut table = Table::default();
    table.put("vm.dirty_bytes", "", "0");
    table.put("vm.swappiness", "", "60");
    // Writing the second undoes the first once, so that there is another round.
    table.along = Some(|table, id| {
        if id == "vm.dirty_bytes"
            && let Some(folder) = table.folder.take()
        {
            table.put("vm.swappiness", "", "60");
            std::fs::remove_dir_all(folder).unwrap();
        }
    });
    table.folder = Some(folder.path().join("deep"));
    let before = table.values.clone();
    let wanted = profile("vm.dirty_bytes = 8192\nvm.swappiness = 10");
    let mut order = Vec::new();
    let error = apply(&mut table, &journal, &wanted, &mut |it| order.push(it)).unwrap_err();
    assert!(error.ends_with("; what was set is put back"), "{error}: {order:?}");
    assert_eq!(table.values, before, "{order:?}");
}

#[test]
fn a_value_that_is_rounded_is_put_back_alone() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let mut table = Table::default();
    table.put("vm.swappiness", "", "60");
    table.put("nic.ring_rx", "eth0", "256");
    table.along = Some(|table, id| {
        let ring = (knobs::find("nic.ring_rx").unwrap().id, "eth0".to_owned());
        if id == ring.0 && table.values[&ring] == "300" {
            table.put(id, "eth0", "512");
        }
    });
    let before = table.values.clone();
    let mut events = Vec::new();
    let wanted = profile("nic.ring_rx = 300\nvm.swappiness = 10");
    let applied = apply(&mut table, &journal, &wanted, &mut |it| events.push(it)).unwrap();
    assert_eq!((applied.done, applied.is_rolled_back), (1, false), "{events:?}");
    assert_eq!(applied.skipped, [RefusalKind::Unavailable], "{events:?}");
    table.put("vm.swappiness", "", "60");
    assert_eq!(table.values, before, "{events:?}");
}

#[test]
fn what_somebody_else_made_of_what_changed_along_is_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let mut table = card();
    apply(&mut table, &journal, &profile("nic.channels_combined = 1"), &mut |_| {}).unwrap();
    table.put("nic.rps_cpus", "eth0/rx-0", "8");
    let mut events = Vec::new();
    let reverted = revert(&mut table, &journal, false, &mut |it| events.push(it)).unwrap();
    let left: Vec<_> = reverted.left.iter().map(|entry| entry.instance.as_str()).collect();
    assert_eq!(left, ["eth0/rx-0"], "{events:?}");
    assert!(matches!(&events[0], Event::Foreign { found, .. } if found == "8"), "{events:?}");
    let masks = |table: &Table| {
        let id = knobs::find("nic.rps_cpus").unwrap().id;
        ["eth0/rx-0", "eth0/rx-1"].map(|at| table.values[&(id, at.to_owned())].clone())
    };
    assert_eq!(masks(&table)[1], "c", "ours is back");
    assert_eq!(revert(&mut table, &journal, true, &mut |_| {}).unwrap().left.len(), 0);
    assert_eq!(masks(&table), ["3", "c"], "both by force");
}

#[test]
fn what_changes_along_while_it_is_taken_back_is_ours_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let mut table = card();
    let before = table.values.clone();
    apply(&mut table, &journal, &profile("nic.channels_combined = 1"), &mut |_| {}).unwrap();
    let along = table.along.take();
    table.along = Some(|table, id| {
        if id == "nic.channels_combined" {
            table.put("nic.rps_cpus", "eth0/rx-0", "5");
            std::panic::resume_unwind(Box::new("ended"));
        }
    });
    let work = || revert(&mut table, &journal, false, &mut |_| {});
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
    assert_ne!(table.values, before);
    table.along = along;
    let reverted = revert(&mut table, &journal, false, &mut |_| {}).unwrap();
    assert_eq!((reverted.left.len(), table.values), (0, before));
}

#[test]
fn what_is_in_force_already_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tune.json");
    let kept = || match crate::journal::read(&path).unwrap() {
        Kept::Journal(kept) => kept,
        other => panic!("{other:?}"),
    };
    let mut table = Table::default();
    table.put("vm.swappiness", "", "60");
    let good = profile("vm.swappiness = 60");
    assert_eq!(apply(&mut table, &path, &good, &mut |_| {}).unwrap().good, 1);
    assert_eq!((kept().wanted, kept().entries.len()), (vec!["vm.swappiness".to_owned()], 0));
    let reverted = revert(&mut table, &path, false, &mut |_| {}).unwrap();
    assert!(reverted.is_nothing && !path.exists());

    // After something was set, old values stay.
    apply(&mut table, &path, &profile("vm.swappiness = 10"), &mut |_| {}).unwrap();
    let other = Profile::parse("other", "vm.max_map_count = \">= 1024\"").unwrap();
    table.put("vm.max_map_count", "", "2048");
    assert_eq!(apply(&mut table, &path, &other, &mut |_| {}).unwrap().done, 0);
    assert_eq!((kept().profile.as_str(), kept().entries.len()), ("other", 1));
    assert_eq!(revert(&mut table, &path, false, &mut |_| {}).unwrap().back, 1);

    // Where there can be no journal: an error, but for those who could set nothing anyway.
    let nowhere = path.join("tune.json");
    std::fs::write(&path, "").unwrap();
    let error = apply(&mut table, &nowhere, &good, &mut |_| {}).unwrap_err();
    assert!(error.ends_with("; nothing is changed"), "{error}");
    table.is_read_only = true;
    let denied = apply(&mut table, &nowhere, &profile("vm.swappiness = 1"), &mut |_| {}).unwrap();
    assert_eq!((denied.failures(), denied.done), (1, 0));
}

#[test]
fn what_is_not_taken_is_no_failure_and_verified_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tune.json");
    let mut table = Table { refuses: Some("nic.ring_rx"), ..Table::default() };
    table.put("vm.swappiness", "", "60");
    table.put("nic.ring_rx", "eth0", "256");
    let wanted = profile("nic.ring_rx = 300\nvm.swappiness = 10");
    let kept = || match crate::journal::read(&path).unwrap() {
        Kept::Journal(kept) => kept,
        other => panic!("{other:?}"),
    };
    let refused = || kept().refused;
    let applied = apply(&mut table, &path, &wanted, &mut |_| {}).unwrap();
    assert_eq!((applied.done, applied.failures()), (1, 0));
    assert_eq!(kept().entries.len(), 1, "what was not written is nothing to take back");
    let plan = verified(&mut table, &wanted, &refused());
    assert_eq!((plan.steps.len(), plan.good), (0, 1));
    let why = Obstacle::Refused("not in this kernel".to_owned());
    assert_eq!(plan.told[0].obstacle, why);
    let other = profile("nic.ring_rx = 400");
    assert_eq!(verified(&mut table, &other, &refused()).steps.len(), 1, "another value");

    // When it can be set after all, what somebody makes of it later is a difference again.
    table.refuses = None;
    assert_eq!(apply(&mut table, &path, &wanted, &mut |_| {}).unwrap().done, 1);
    table.put("nic.ring_rx", "eth0", "256");
    assert_eq!(verified(&mut table, &wanted, &refused()).steps.len(), 1);
}

#[test]
fn what_is_forgotten_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let mut table = Table::default();
    table.put("vm.swappiness", "", "60");
    table.put("nic.ring_rx", "eth0", "256");
    let wanted = profile("nic.ring_rx = 300\nvm.swappiness = 10");
    apply(&mut table, &journal, &wanted, &mut |_| {}).unwrap();
    table.refuses = Some("nic.ring_rx");
    let mut events = Vec::new();
    assert_eq!(revert(&mut table, &journal, false, &mut |_| {}).unwrap().left.len(), 1);
    let Kept::Journal(left) = crate::journal::read(&journal).unwrap() else { panic!("it is left") };
    assert!(!left.is_of_something() && left.wanted.is_empty(), "nothing is applied: {left:?}");
    let forgotten = forget(&mut table, &journal, &mut |it| events.push(it)).unwrap();
    assert_eq!((forgotten.left.len(), journal.exists()), (1, false));
    let expected =
        Event::Forgotten { place: "nic.ring_rx[eth0]".to_owned(), old: "256".to_owned() };
    assert_eq!(events.last(), Some(&expected));
    assert!(forget(&mut table, &journal, &mut |_| {}).unwrap().is_nothing);
}

#[test]
fn what_every_namespace_has_is_put_back_of_one_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tune.json");
    let mut table = Table::default();
    table.put("vm.swappiness", "", "60");
    table.put("net.ipv4.tcp_retries2", "", "15");
    let wanted = profile("vm.swappiness = 10\nnet.ipv4.tcp_retries2 = 9");
    apply(&mut table, &path, &wanted, &mut |_| {}).unwrap();
    let mut value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    value["namespace"] = 1.into();
    std::fs::write(&path, value.to_string()).unwrap();
    let forgotten = forget(&mut table, &path, &mut |_| {}).unwrap();
    assert_eq!((forgotten.back, forgotten.left.len(), path.exists()), (1, 1, false));
    let text = |id| table.values[&(knobs::find(id).unwrap().id, String::new())].as_str();
    assert_eq!((text("vm.swappiness"), text("net.ipv4.tcp_retries2")), ("60", "9"));
}

#[test]
fn what_is_undone_each_time_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
    let mut table = Table::default();
    table.put("vm.max_map_count", "", "2000");
    table.put("vm.swappiness", "", "60");
    // Each write of one makes the other what it was.
    table.along = Some(|table, id| match id {
        "vm.swappiness" => table.put("vm.max_map_count", "", "2000"),
        _ => table.put("vm.swappiness", "", "60"),
    });
    let before = table.values.clone();
    let wanted = profile("vm.swappiness = 10\nvm.max_map_count = 3000");
    let mut events = Vec::new();
    let applied = apply(&mut table, &journal, &wanted, &mut |it| events.push(it)).unwrap();
    assert!(applied.is_rolled_back && !journal.exists(), "{events:?}");
    assert_eq!((applied.left, table.values), (0, before), "{events:?}");
}
