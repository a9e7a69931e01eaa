//! Applying and taking back on a table instead of a kernel, for what the kernel of a test has not.

use super::*;
use crate::system::Value;
use std::collections::BTreeMap;

/// Values by knob and instance, and what the "kernel" does when one is written.
#[derive(Default)]
struct Table {
    values: BTreeMap<(&'static str, String), String>,
    /// Whether reading fails.
    is_unreadable: bool,
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
                is_writable: true,
            }),
            None => Reading::Absent("not in the table".to_owned()),
        }
    }

    fn write(&mut self, knob: &'static Knob, instance: &str, value: &str) -> Result<(), Refusal> {
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

#[test]
fn masks_of_queues_that_a_driver_sets_anew_are_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("tune.json");
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
