//! Every mutant of edge/mutants/list still applies: `edge/mutants/run` would otherwise find out after an hour.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]

use std::path::Path;

/// A name, a file from the root of the repository, and what is to be replaced in it by what.
struct Mutant<'a> {
    name: &'a str,
    file: &'a str,
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

fn mutants(list: &str) -> Vec<Mutant<'_>> {
    let mut mutants: Vec<Mutant<'_>> = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, file)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
            mutants.push(Mutant { name, file, old: Vec::new(), new: Vec::new() });
        } else if let Some(old) = line.strip_prefix('-') {
            mutants.last_mut().unwrap().old.push(old);
        } else if let Some(new) = line.strip_prefix('+') {
            mutants.last_mut().unwrap().new.push(new);
        }
    }
    mutants
}

#[test]
fn every_mutant_applies_in_exactly_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let list = std::fs::read_to_string(root.join("edge/mutants/list")).unwrap();
    let mutants = mutants(&list);
    assert!(mutants.len() >= 26, "the list is not read: {} mutants", mutants.len());
    for (index, Mutant { name, file, old, new }) in mutants.iter().enumerate() {
        assert!(mutants[..index].iter().all(|other| other.name != *name), "{name} is there twice");
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let count = text.matches(&old.join("\n")).count();
        assert_eq!(count, 1, "{name}: the text to replace is {count} times in {file}");
        assert_ne!(old, new, "{name} changes nothing");
    }
}
