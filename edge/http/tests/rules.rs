//! The table of rules is held to the sources: every test that it names exists, and it is in order.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

use lastmile_http::rules::{Rule, Stand, all};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Rules of the RFCs that this cache is made of; fewer would say that a part was forgotten.
const RULES_MIN: usize = 200;

fn numbers(rule: &Rule) -> Vec<u16> {
    rule.section.split('.').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn rules_are_in_the_order_of_their_sections_and_said_once() {
    let mut said = BTreeSet::new();
    let mut before = (0, Vec::new());
    for rule in all() {
        let place = (rule.rfc, numbers(rule));
        assert!(before <= place, "RFC {} §{}: {}", rule.rfc, rule.section, rule.rule);
        assert!(said.insert(rule.rule), "said twice: {}", rule.rule);
        before = place;
    }
    assert!(said.len() >= RULES_MIN, "{} rules", said.len());
}

#[test]
fn rules_are_short_sentences() {
    for rule in all() {
        let text = rule.rule;
        assert!(text.ends_with('.') && !text.contains('\n'), "{text}");
        assert!(text.chars().count() <= 110, "{text}");
        match rule.stand {
            Stand::InForce => assert!(!rule.test.is_empty(), "needs a test: {text}"),
            Stand::Departed(why) | Stand::NotApplicable(why) => {
                assert!(!why.is_empty() && !why.ends_with('.'), "{why}");
            }
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tests = BTreeMap::new();
    let mut missing = Vec::new();
    for rule in all().filter(|rule| !rule.test.is_empty()) {
        let (file, name) = rule.test.split_once("::").unwrap();
        let tests = tests.entry(file).or_insert_with(|| {
            fs::read_to_string(root.join(file)).map(|text| test_names(&text)).unwrap_or_default()
        });
        if !tests.contains(name) {
            missing.push(rule.test);
        }
    }
    missing.dedup();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// The functions of `source` with the attribute `#[test]`, other attributes in between or not.
fn test_names(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
            names.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            is_test = false;
        }
    }
    names
}
