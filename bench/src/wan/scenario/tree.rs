//! A TOML file as a tree whose values know their lines, and partial trees that are laid over it.

use super::Wrong;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How deep tables and lists may lie in each other: a link's change is at 5. Deeper is no scenario.
const DEPTH_MAX: usize = 16;

/// A value and where it is.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What TOML has, but for dates, which mean nothing here.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
}

/// Keys and their values, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<(String, Node)>,
}

impl Table {
    /// A whole file.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let document = DeTable::parse(text).map_err(|error| Wrong {
            line: error.span().map_or(0, |span| line_of(text, span.start)),
            what: error.message().lines().collect::<Vec<_>>().join("; "),
        })?;
        table(text, document.get_ref(), 0)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(at).1)
    }

    /// Lays `over` on it: a table merges, anything else replaces, `{ absent = true }` removes.
    pub(super) fn merge(&mut self, over: Self) -> Result<(), Wrong> {
        for (key, node) in over.entries {
            if is_absent(&key, &node)? {
                if self.remove(&key).is_none() {
                    let what = format!("{key}.absent: there is no {key} to be removed");
                    return Err(Wrong { line: node.line, what });
                }
                continue;
            }
            let below = self.entries.iter_mut().find(|(name, _)| *name == key);
            match (below, node) {
                (
                    Some((_, Node { value: Value::Table(below), line })),
                    Node { value: Value::Table(over), line: over_line },
                ) => {
                    *line = over_line;
                    below.merge(over)?;
                }
                (Some((_, below)), node) => *below = new(node)?,
                (None, node) => self.entries.push((key, new(node)?)),
            }
        }
        Ok(())
    }
}

/// What was not there before: in it there is nothing to be removed.
fn new(node: Node) -> Result<Node, Wrong> {
    let Value::Table(over) = node.value else { return Ok(node) };
    let mut table = Table::default();
    table.merge(over)?;
    Ok(Node { line: node.line, value: Value::Table(table) })
}

/// Whether it is `{ absent = true }`.
fn is_absent(key: &str, node: &Node) -> Result<bool, Wrong> {
    let Value::Table(table) = &node.value else { return Ok(false) };
    let Some(absent) = table.get("absent") else { return Ok(false) };
    match (&absent.value, table.entries.len()) {
        (Value::Flag(true), 1) => Ok(true),
        _ => {
            let what = format!("{key}.absent: allowed: true, and nothing beside it");
            Err(Wrong { line: absent.line, what })
        }
    }
}

impl Value {
    /// As a message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

fn table(text: &str, read: &DeTable<'_>, depth: usize) -> Result<Table, Wrong> {
    let mut entries: Vec<_> = read.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entries = entries.into_iter().map(|(key, value)| {
        let line = line_of(text, key.span().start);
        Ok((key.get_ref().to_string(), node(text, line, value, depth)?))
    });
    Ok(Table { entries: entries.collect::<Result<_, Wrong>>()? })
}

fn node(text: &str, line: usize, read: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Wrong> {
    let wrong = |what: String| Wrong { line, what };
    if depth > DEPTH_MAX {
        return Err(wrong(format!("tables lie too deep in each other; allowed: {DEPTH_MAX}")));
    }
    let value = match read.get_ref() {
        DeValue::String(value) => Value::Text(value.to_string()),
        DeValue::Integer(value) => {
            let number = i64::from_str_radix(value.as_str(), value.radix());
            Value::Integer(number.map_err(|_| wrong(format!("{value}: too large a number")))?)
        }
        DeValue::Float(value) => {
            let number = value.as_str().parse().ok().filter(|number: &f64| number.is_finite());
            Value::Float(number.ok_or_else(|| wrong(format!("{value}: no number")))?)
        }
        DeValue::Boolean(value) => Value::Flag(*value),
        DeValue::Datetime(value) => return Err(wrong(format!("{value}: a date has no use here"))),
        DeValue::Array(values) => {
            let values = values
                .iter()
                .map(|value| node(text, line_of(text, value.span().start), value, depth + 1));
            Value::List(values.collect::<Result<_, Wrong>>()?)
        }
        DeValue::Table(value) => Value::Table(table(text, value, depth + 1)?),
    };
    Ok(Node { line, value })
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().filter(|octet| **octet == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `key=value` of all leaves, in order.
    fn leaves(table: &Table, prefix: &str) -> Vec<String> {
        let of = |(key, node): &(String, Node)| match &node.value {
            Value::Table(table) => leaves(table, &format!("{prefix}{key}.")),
            value => vec![format!("{prefix}{key}={}", value.shown())],
        };
        table.entries.iter().flat_map(of).collect()
    }

    #[test]
    fn what_is_laid_over() {
        for (base, over, merged, why) in [
            ("a = 1\nb = 2", "a = 3", "a=3 b=2", "a value replaces, in its place"),
            ("[t]\na = 1\nb = 2", "t.b = 3", "t.a=1 t.b=3", "a table merges"),
            ("[t]\na = 1", "u.a = 2", "t.a=1 u.a=2", "a new entry comes last"),
            ("[t.x]\na = 1\n[t.y]\n", "t.x = { absent = true }", "", "an entry is removed"),
            ("[t]\na = 1", "t = 2", "t=2", "a value in place of a table"),
            ("t = 2", "[t]\na = 1", "t.a=1", "a table in place of a value"),
            ("a = [1, 2]", "a = [3]", "a=a list", "a list is replaced"),
        ] {
            let mut table = Table::parse(base).unwrap();
            table.merge(Table::parse(over).unwrap()).unwrap();
            assert_eq!(leaves(&table, "").join(" "), merged, "{why}");
        }
    }

    #[test]
    fn what_cannot_be() {
        for (base, over, line, why) in [
            ("a = 1", "\nb = { absent = true }", 2, "nothing to remove"),
            ("a = 1", "b.c.absent = true", 1, "nothing to remove it from"),
            ("[a]\n", "a = { absent = false }", 1, "it is there or not mentioned"),
            ("[a]\n", "[a]\nabsent = true\nb = 1", 2, "removed and changed"),
        ] {
            let mut table = Table::parse(base).unwrap();
            let wrong = table.merge(Table::parse(over).unwrap()).unwrap_err();
            assert_eq!(wrong.line, line, "{why}: {}", wrong.what);
        }
        for (text, line, why) in [
            ("a = 1\na = 2", 2, "twice"),
            ("a = 1979-05-27", 1, "a date"),
            ("\n\nx = nan", 3, "no number"),
            ("x = 99999999999999999999", 1, "too large"),
        ] {
            assert_eq!(Table::parse(text).unwrap_err().line, line, "{why}");
        }
    }
}
