//! `lastmile rules`: the rules of HTTP that the edge is held to, as a table or as JSON.

use crate::cli::RulesFlags;
use crate::failure::Failure;
use crate::node::say;
use lastmile_edge::http::rules::{Rule, Stand, all};
use std::fmt::Write as _;
use std::str::FromStr;

/// An RFC, or a section of one with its subsections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    rfc: u16,
    section: Option<String>,
}

impl FromStr for Section {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let mut rfcs: Vec<_> = all().map(|rule| rule.rfc.to_string()).collect();
            rfcs.dedup();
            let rfcs = rfcs.join(", ");
            format!("{text:?} is no section with rules; allowed: {rfcs}, or a section as 9111-4.2")
        };
        let (rfc, section) = match text.split_once('-') {
            Some((rfc, section)) => (rfc, Some(section.to_owned())),
            None => (text, None),
        };
        let found = Self { rfc: rfc.parse().map_err(|_| wrong())?, section };
        if all().any(|rule| found.has(rule)) { Ok(found) } else { Err(wrong()) }
    }
}

impl Section {
    fn has(&self, rule: &Rule) -> bool {
        let is_within = |section: &String| {
            let rest = rule.section.strip_prefix(section.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.rfc == rule.rfc && self.section.as_ref().is_none_or(is_within)
    }
}

/// Prints the rules that the flags ask for.
///
/// # Errors
/// None: a section without rules is refused when the flags are read.
pub fn run(flags: &RulesFlags) -> Result<(), Failure> {
    let is_asked_for = |rule: &&Rule| flags.section.as_ref().is_none_or(|s| s.has(rule));
    let rules: Vec<_> = all().filter(is_asked_for).collect();
    say(&if flags.json { json(&rules) } else { table(&rules) });
    Ok(())
}

fn stand(rule: &Rule) -> String {
    match rule.stand {
        Stand::InForce => "in force".to_owned(),
        Stand::Departed(why) => format!("departed: {why}"),
        Stand::NotApplicable(why) => format!("not applicable: {why}"),
    }
}

/// A line for each rule, its columns parted by bars, and the sums.
fn table(rules: &[&Rule]) -> String {
    let mut text = String::new();
    for rule in rules {
        let section = format!("RFC {} §{}", rule.rfc, rule.section);
        let test = if rule.test.is_empty() { "-" } else { rule.test };
        let stand = stand(rule);
        let _ = writeln!(text, "{section:<19} | {} | {test} | {stand}", rule.rule);
    }
    let count = |which: fn(&Stand) -> bool| rules.iter().filter(|rule| which(&rule.stand)).count();
    let _ = write!(
        text,
        "{} rules: {} in force, {} departed from, {} not applicable",
        rules.len(),
        count(|stand| matches!(stand, Stand::InForce)),
        count(|stand| matches!(stand, Stand::Departed(_))),
        count(|stand| matches!(stand, Stand::NotApplicable(_))),
    );
    text
}

fn json(rules: &[&Rule]) -> String {
    let object = |rule: &&Rule| {
        let (stand, reason) = match rule.stand {
            Stand::InForce => ("in force", None),
            Stand::Departed(why) => ("departed", Some(why)),
            Stand::NotApplicable(why) => ("not applicable", Some(why)),
        };
        serde_json::json!({
            "rfc": rule.rfc,
            "section": rule.section,
            "rule": rule.rule,
            "test": Some(rule.test).filter(|test| !test.is_empty()),
            "stand": stand,
            "reason": reason,
        })
    };
    serde_json::Value::Array(rules.iter().map(object).collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections() {
        let count = |text: &str| {
            let section: Section = text.parse().unwrap();
            all().filter(|rule| section.has(rule)).count()
        };
        assert!(count("9111") > count("9111-4") && count("9111-4") > count("9111-4.2"));
        assert!(count("9111-4.2") > count("9111-4.2.1"), "subsections are part of a section");
        assert_eq!(count("9111-4.2.1") + count("9111-4.2.2"), {
            let is_one =
                |rule: &&Rule| rule.rfc == 9111 && ["4.2.1", "4.2.2"].contains(&rule.section);
            all().filter(is_one).count()
        });
        for text in ["", "9", "911", "9111-", "9111-99", "9111 4", "x-1", "9111-4."] {
            let error = text.parse::<Section>().unwrap_err();
            assert!(error.contains("allowed: ") && error.contains("9111"), "{text}: {error}");
        }
    }

    #[test]
    fn a_departure_says_why() {
        let rules: Vec<_> = all().collect();
        let (table, json) = (table(&rules), json(&rules));
        let departed = rules.iter().find(|rule| matches!(rule.stand, Stand::Departed(_))).unwrap();
        let Stand::Departed(why) = departed.stand else { unreachable!() };
        assert!(table.contains(&format!("departed: {why}")), "{table}");
        assert!(table.lines().last().unwrap().starts_with(&format!("{} rules: ", rules.len())));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json.as_array().unwrap().len(), rules.len());
        assert_eq!(json[0]["stand"], "in force");
    }
}
