//! Values of a table, asked for by key: what is not asked for is unknown.

use super::Wrong;
use super::tree::{Node, Table, Value};
use crate::wan::link::{Probability, text};
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A table whose keys are known once they have been asked for.
pub(super) struct Fields<'a> {
    /// What its keys are shown with, such as `links.path.`
    prefix: String,
    line: usize,
    table: &'a Table,
    known: RefCell<Vec<&'static str>>,
}

/// A value with its whole key.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) key: String,
    pub(super) node: &'a Node,
}

impl<'a> Fields<'a> {
    /// Of a table that is at the beginning of the file.
    pub(super) fn root(table: &'a Table, prefix: &str) -> Self {
        let line = table.entries.first().map_or(1, |(_, node)| node.line);
        Self { prefix: prefix.to_owned(), line, table, known: RefCell::default() }
    }

    /// The value of `name`, which is known from now on.
    pub(super) fn get(&self, name: &'static str) -> Option<Field<'a>> {
        self.known.borrow_mut().push(name);
        let node = self.table.get(name)?;
        Some(Field { key: format!("{}{name}", self.prefix), node })
    }

    /// The same; without it nothing goes.
    pub(super) fn need(&self, name: &'static str, example: &str) -> Result<Field<'a>, Wrong> {
        self.get(name).ok_or_else(|| {
            self.wrong(&format!("{}{name} is missing; such as {name} = {example}", self.prefix))
        })
    }

    /// Something about the table as a whole.
    pub(super) fn wrong(&self, what: &str) -> Wrong {
        Wrong { line: self.line, what: what.to_owned() }
    }

    /// Refuses keys that were not asked for.
    pub(super) fn end(self) -> Result<(), Wrong> {
        let known = self.known.into_inner();
        for (key, node) in &self.table.entries {
            if !known.contains(&key.as_str()) {
                let allowed = known.join(", ");
                let what = format!("{}{key}: unknown key; allowed: {allowed}", self.prefix);
                return Err(Wrong { line: node.line, what });
            }
        }
        Ok(())
    }
}

impl<'a> Field<'a> {
    /// That its value will not do.
    pub(super) fn wrong(&self, allowed: &str) -> Wrong {
        let value = self.node.value.shown();
        let what = format!("{}: {value} is not allowed; allowed: {allowed}", self.key);
        Wrong { line: self.node.line, what }
    }

    pub(super) fn text(&self) -> Result<&'a str, Wrong> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong("text in quotes")),
        }
    }

    /// Text that is not empty, of one line.
    pub(super) fn line(&self) -> Result<&'a str, Wrong> {
        let text = self.text()?;
        match text.trim().is_empty() || text.contains('\n') {
            true => Err(self.wrong("text of one line")),
            false => Ok(text),
        }
    }

    /// One of the names `among`, which are `what`.
    pub(super) fn one_of<'n>(
        &self,
        among: impl Iterator<Item = &'n str> + Clone,
        what: &str,
    ) -> Result<&'a str, Wrong> {
        let text = self.text()?;
        if among.clone().any(|name| name == text) {
            return Ok(text);
        }
        let names: Vec<_> = among.collect();
        Err(self.wrong(&format!("{what}: {}", names.join(", "))))
    }

    pub(super) fn flag(&self) -> Result<bool, Wrong> {
        match &self.node.value {
            Value::Flag(flag) => Ok(*flag),
            _ => Err(self.wrong("true, false")),
        }
    }

    /// A whole number within `range`.
    pub(super) fn count(&self, range: RangeInclusive<u32>) -> Result<u32, Wrong> {
        let number = match &self.node.value {
            Value::Integer(number) => u32::try_from(*number).ok(),
            _ => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.wrong(&format!("a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// A number that is not negative.
    pub(super) fn number(&self) -> Result<f64, Wrong> {
        let number = match &self.node.value {
            #[expect(clippy::cast_precision_loss, reason = "an expectation, of a few digits")]
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        };
        number.filter(|number| *number >= 0.0).ok_or_else(|| self.wrong("a number, 0 or more"))
    }

    /// A time of at most `max`.
    pub(super) fn duration(&self, max: Duration) -> Result<Duration, Wrong> {
        let time = text::duration(self.text()?).map_err(|what| self.refused(&what))?;
        match time <= max {
            true => Ok(time),
            false => Err(self.wrong(&format!("at most {max:?}"))),
        }
    }

    /// A part of a whole, from 0 to 1.
    pub(super) fn share(&self) -> Result<f64, Wrong> {
        self.parsed::<Probability>().map(Probability::part)
    }

    /// What text is read as by its type, whose error names the value and what is allowed.
    pub(super) fn parsed<T: FromStr<Err = String>>(&self) -> Result<T, Wrong> {
        self.text()?.parse().map_err(|what: String| self.refused(&what))
    }

    fn refused(&self, what: &str) -> Wrong {
        Wrong { line: self.node.line, what: format!("{}: {what}", self.key) }
    }

    /// Its entries, if it is a table.
    pub(super) fn fields(&self) -> Result<Fields<'a>, Wrong> {
        Ok(Fields {
            prefix: format!("{}.", self.key),
            line: self.node.line,
            table: self.table()?,
            known: RefCell::default(),
        })
    }

    /// Its entries, whose keys are names that the file chooses.
    pub(super) fn named(&self) -> Result<Vec<(&'a str, Field<'a>)>, Wrong> {
        let with_key = |(key, node): &'a (String, Node)| {
            (key.as_str(), Field { key: format!("{}.{key}", self.key), node })
        };
        Ok(self.table()?.entries.iter().map(with_key).collect())
    }

    /// Its values, if it is a list of at most `max`.
    pub(super) fn list(&self, max: usize) -> Result<Vec<Field<'a>>, Wrong> {
        let Value::List(values) = &self.node.value else {
            return Err(self.wrong("a list"));
        };
        if values.len() > max {
            return Err(self.wrong(&format!("a list of at most {max}")));
        }
        let key = |at| format!("{}[{at}]", self.key);
        Ok(values.iter().enumerate().map(|(at, node)| Field { key: key(at), node }).collect())
    }

    fn table(&self) -> Result<&'a Table, Wrong> {
        match &self.node.value {
            Value::Table(table) => Ok(table),
            _ => Err(self.wrong("a table")),
        }
    }
}
