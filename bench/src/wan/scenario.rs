//! Scenario files: a small internet, what is measured in it and what is expected, in one or several cases. docs/lab.md
//! tells of the format.
//!
//! A case is a partial document that is laid over the rest of the file (`tree`); what results is read key by key
//! (`fields`): `place` reads hosts, routes and programs, `link` the links, `measuring` what is measured and
//! `expecting` what of it is expected.

mod expecting;
mod fields;
mod link;
mod measuring;
mod place;
mod tree;

pub use expecting::{Against, Expect, FigureName};
pub use measuring::{CLIENTS_MAX, Connection, Kind, Measure, Url};
pub use place::{HostSettings, ProgramSettings, Ready, RouteSettings};

use super::topology::LinkSettings;
use fields::{Field, Fields};
use std::fmt;
use tree::{Node, Table, Value};

/// Cases of a scenario: each takes seconds.
const CASES_MAX: usize = 64;

/// Measurements of a case.
const REPEAT_MAX: u32 = 1000;

/// Characters of a name, which is a part of file names and of what programs are told.
const NAME_CHARACTERS_MAX: usize = 60;

/// What a scenario file says.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: String,
    /// One line.
    pub title: String,
    /// Paragraphs, separated by empty lines.
    pub about: String,
    /// At least one, in the order of the file, with different names.
    pub cases: Vec<Case>,
}

/// A scene with a name.
#[derive(Clone, Debug)]
pub struct Case {
    /// Such as `initcwnd 10`.
    pub name: String,
    /// What is different in it, in words.
    pub about: String,
    /// Whole: with what the case does not mention.
    pub scene: Scene,
}

/// All that a case is made of.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Of everything random in the links.
    pub seed: u64,
    /// Measurements; the median counts.
    pub repeat: u32,
    /// In the order of the file, which is that of their addresses.
    pub hosts: Vec<HostSettings>,
    /// In the order of the file.
    pub links: Vec<LinkSettings>,
    /// What routes say about connections.
    pub routes: Vec<RouteSettings>,
    /// In the order in which they start.
    pub programs: Vec<ProgramSettings>,
    /// What is measured.
    pub measure: Measure,
    /// What is expected of it.
    pub expect: Vec<Expect>,
}

/// What is wrong with a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Its name.
    pub file: String,
    /// Counted from 1; 0 if it is no line in particular.
    pub line: usize,
    /// Key, value, and what is allowed, in one line.
    pub what: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for ScenarioError {}

/// A line and what is wrong there.
#[derive(Clone, Debug)]
struct Wrong {
    line: usize,
    what: String,
}

impl Scenario {
    /// Reads `text`, which messages call `file`.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        read(text).map_err(|wrong| ScenarioError {
            file: file.to_owned(),
            line: wrong.line,
            what: wrong.what,
        })
    }
}

fn read(text: &str) -> Result<Scenario, Wrong> {
    let mut base = Table::parse(text)?;
    let cases = base.remove("cases");
    let own = Fields::root(&base, "");
    let name = name(&own.need("name", "\"f1\"")?)?;
    let title = own.need("title", "\"What is shown\"")?.line()?.to_owned();
    let about = own.get("about").map(|about| about.text()).transpose()?.unwrap_or_default();
    let mut scenario = Scenario { name, title, about: about.trim().to_owned(), cases: Vec::new() };
    for key in ["name", "title", "about"] {
        base.remove(key);
    }
    match &cases {
        None => {
            let (name, about) = (scenario.name.clone(), String::new());
            scenario.cases.push(Case { name, about, scene: scene(&base)? });
        }
        Some(node) => {
            let all = Field { key: "cases".to_owned(), node };
            for field in all.list(CASES_MAX)? {
                scenario.cases.push(case(&base, &field, &scenario.cases)?);
            }
            if scenario.cases.is_empty() {
                return Err(all.wrong("tables that are each headed [[cases]]"));
            }
        }
    }
    for (at, case) in scenario.cases.iter().enumerate() {
        for expect in &case.scene.expect {
            expect.check_case(&scenario.cases[..at])?;
        }
    }
    Ok(scenario)
}

fn case(base: &Table, field: &Field<'_>, before: &[Case]) -> Result<Case, Wrong> {
    let fields = field.fields()?;
    let named = fields.need("name", "\"initcwnd 10\"")?;
    let name = named.line()?.to_owned();
    if before.iter().any(|case| case.name == name) {
        return Err(named.wrong("a name that no other case has"));
    }
    let about = fields.get("about").map(|about| about.text()).transpose()?.unwrap_or_default();
    let Value::Table(own) = &field.node.value else {
        return Err(field.wrong("a table"));
    };
    let mut over = own.clone();
    for key in ["name", "about"] {
        over.remove(key);
    }
    for key in ["title", "cases"] {
        if let Some(node) = over.get(key) {
            let what = format!("{}.{key}: not a matter of a case", field.key);
            return Err(Wrong { line: node.line, what });
        }
    }
    let (expected, mut merged) = (over.remove("expect"), base.clone());
    merged.merge(over)?;
    if let Some(expected) = expected {
        add_expectations(&mut merged, &expected)?;
    }
    Ok(Case { name, about: about.trim().to_owned(), scene: scene(&merged)? })
}

/// Those of a case replace those of the base for the same figures; all others stay.
fn add_expectations(merged: &mut Table, expected: &Node) -> Result<(), Wrong> {
    let figure = |node: &Node| match &node.value {
        Value::Table(table) => match table.get("value").map(|node| &node.value) {
            Some(Value::Text(name)) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    };
    let Value::List(own) = &expected.value else {
        return Err(Field { key: "expect".to_owned(), node: expected }.wrong("a list"));
    };
    let own_figures: Vec<_> = own.iter().map(figure).collect();
    let mut all = match merged.remove("expect").map(|node| node.value) {
        Some(Value::List(list)) => list,
        _ => Vec::new(),
    };
    all.retain(|node| !own_figures.contains(&figure(node)));
    all.extend(own.iter().cloned());
    let node = Node { line: expected.line, value: Value::List(all) };
    merged.entries.push(("expect".to_owned(), node));
    Ok(())
}

fn scene(table: &Table) -> Result<Scene, Wrong> {
    let fields = Fields::root(table, "");
    let seed = fields.get("seed").map_or(Ok(1), |seed| seed.count(0..=u32::MAX))?;
    let repeat = fields.get("repeat").map_or(Ok(7), |repeat| repeat.count(1..=REPEAT_MAX))?;
    let hosts = place::hosts(&fields.need("hosts", "{ client = {}, origin = {} }")?)?;
    let links = link::links(fields.get("links").as_ref(), &hosts)?;
    let routes = place::routes(fields.get("routes").as_ref(), &hosts)?;
    let programs = place::programs(fields.get("programs").as_ref(), &hosts)?;
    let measure = measuring::measure(&fields.need("measure", "{ kind = \"fetch\" }")?, &hosts)?;
    let expect = expecting::expect(fields.get("expect").as_ref(), &measure, &links)?;
    fields.end()?;
    Ok(Scene { seed: seed.into(), repeat, hosts, links, routes, programs, measure, expect })
}

/// Letters, digits, `-` and `_`: fit for a file's name.
fn name(field: &Field<'_>) -> Result<String, Wrong> {
    let text = field.text()?;
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err(field.wrong(NAME_ALLOWED)),
    }
}

const NAME_ALLOWED: &str = "up to 60 letters, digits, - and _, the first one a letter or digit";

fn is_name(text: &str) -> bool {
    let within = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= NAME_CHARACTERS_MAX
        && text.chars().all(within)
}

#[cfg(test)]
mod tests;
