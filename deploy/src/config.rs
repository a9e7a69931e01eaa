//! `lastmile.toml`: a table for each role, whose keys are the role's flags, and a `[[site]]` for each
//! site of an edge. A role's keys become arguments in front of those that were typed, so that both go
//! through the same checks.

pub mod site;

use crate::failure::Failure;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use lastmile_edge::site::Site;
use std::ffi::OsString;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A configuration is written by hand; a larger file is another file.
const FILE_OCTETS_MAX: u64 = 1 << 20;

/// One key of the file, as the arguments that mean the same.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    table: String,
    key: String,
    arguments: Vec<String>,
}

/// What a file says.
#[derive(Debug, Default)]
struct Contents {
    entries: Vec<Entry>,
    sites: Vec<Site>,
}

/// `arguments` with those of the file that `--config` names put in front, except for keys that were
/// given as flags; and the file's sites.
///
/// # Errors
/// [`Failure::Misused`]: file, line, key, value, and what is allowed.
pub fn merge(
    command: &Command,
    matches: &ArgMatches,
    arguments: Vec<OsString>,
) -> Result<(Vec<OsString>, Vec<Site>), Failure> {
    let Some((role, flags)) = matches.subcommand() else { return Ok((arguments, Vec::new())) };
    let Ok(Some(path)) = flags.try_get_one::<std::path::PathBuf>("config") else {
        return Ok((arguments, Vec::new()));
    };
    let contents = read(command, path)?;
    let typed = |key: &str| {
        let argument = tables(command)
            .find(|table| table.get_name() == role)
            .and_then(|table| keys(table).find(|argument| argument.get_long() == Some(key)));
        argument.is_some_and(|argument| {
            flags.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
        })
    };
    // The program's name and the command come first: there are no flags before a command.
    let (first, rest) = arguments.split_at(arguments.len().min(2));
    let of_file = contents
        .entries
        .into_iter()
        .filter(|entry| entry.table == role && !typed(&entry.key))
        .flat_map(|entry| entry.arguments)
        .map(OsString::from);
    let arguments = first.iter().cloned().chain(of_file).chain(rest.iter().cloned()).collect();
    Ok((arguments, contents.sites))
}

/// Looks at every table of the file at `path`; says how many keys of roles and how many sites it has.
///
/// # Errors
/// As for [`merge`].
pub fn check(command: &Command, path: &Path) -> Result<(usize, usize), Failure> {
    read(command, path).map(|contents| (contents.entries.len(), contents.sites.len()))
}

/// The text of a file that a user wrote.
///
/// # Errors
/// [`Failure::Misused`] when it can't be read, is too large or is no text.
pub fn text_of(path: &Path) -> Result<String, Failure> {
    let misused = |what: String| Failure::Misused(format!("{}: {what}", path.display()));
    let metadata = std::fs::metadata(path).map_err(|error| misused(error.to_string()))?;
    if metadata.is_file() && metadata.len() > FILE_OCTETS_MAX {
        return Err(misused(format!("larger than {FILE_OCTETS_MAX} octets")));
    }
    std::fs::read_to_string(path).map_err(|error| misused(error.to_string()))
}

/// The names of the tables that a configuration may have, other than `[[site]]`.
#[must_use]
pub fn table_names(command: &Command) -> Vec<String> {
    tables(command).map(|table| table.get_name().to_owned()).collect()
}

fn read(command: &Command, path: &Path) -> Result<Contents, Failure> {
    contents(command, &text_of(path)?).map_err(|(line, what)| {
        let place = if line == 0 { String::new() } else { format!(":{line}") };
        Failure::Misused(format!("{}{place}: {what}", path.display()))
    })
}

/// The commands that read a configuration, each the table of its name.
fn tables(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|sub| sub.get_arguments().any(|argument| argument.get_long() == Some("config")))
}

/// The flags of a command that a file may set.
fn keys(table: &Command) -> impl Iterator<Item = &Arg> {
    table.get_arguments().filter(|argument| {
        argument.get_long().is_some_and(|long| !["config", "help", "version"].contains(&long))
    })
}

/// Line and message of what is wrong.
type Wrong = (usize, String);

fn contents(command: &Command, text: &str) -> Result<Contents, Wrong> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        (line, error.message().lines().collect::<Vec<_>>().join("; "))
    })?;
    let mut found = Contents::default();
    for (name, value) in in_order(document.get_ref()) {
        let line = line_of(text, name.span().start);
        let name = name.get_ref().as_ref();
        if name == "site" {
            found.sites = site::sites(text, value)?;
            continue;
        }
        let table = tables(command).find(|table| table.get_name() == name).ok_or_else(|| {
            let names = table_names(command).join(", ");
            (line, format!("{name}: unknown table; allowed: {names}, [[site]]"))
        })?;
        let contents = value.get_ref().as_table().ok_or_else(|| {
            (line, format!("{name}: a {} instead of a table", value.get_ref().type_str()))
        })?;
        for (key, value) in in_order(contents) {
            let line = line_of(text, value.span().start);
            let key = key.get_ref().as_ref();
            let arguments = arguments_of(command, table, key, value.get_ref())
                .map_err(|what| (line, format!("{name}.{key}: {what}")))?;
            found.entries.push(Entry { table: name.to_owned(), key: key.to_owned(), arguments });
        }
    }
    Ok(found)
}

/// Keys in the order of the file, so that the first mistake is the one that is told.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn arguments_of(
    command: &Command,
    table: &Command,
    key: &str,
    value: &DeValue<'_>,
) -> Result<Vec<String>, String> {
    let argument =
        keys(table).find(|argument| argument.get_long() == Some(key)).ok_or_else(|| {
            let allowed: Vec<_> = keys(table).filter_map(Arg::get_long).collect();
            format!("unknown key; allowed: {}", allowed.join(", "))
        })?;
    let arguments = match argument.get_action() {
        ArgAction::SetTrue => match value.as_bool() {
            Some(true) => vec![format!("--{key}")],
            Some(false) => Vec::new(),
            None => return Err(format!("{} is not allowed; allowed: true, false", shown(value))),
        },
        ArgAction::Append => match value.as_array() {
            Some(values) => values
                .iter()
                .map(|value| Ok(format!("--{key}={}", scalar(value.get_ref())?)))
                .collect::<Result<_, String>>()?,
            None => vec![format!("--{key}={}", scalar(value)?)],
        },
        _ => vec![format!("--{key}={}", scalar(value)?)],
    };
    for argument in &arguments {
        accepted(command, table, argument)?;
    }
    Ok(arguments)
}

fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(format!("{} is not allowed; allowed: a string or a number", shown(value)))
        }
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(answer) => answer.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            format!("a value of type {}", value.type_str())
        }
    }
}

/// Tries one argument alone: no flag is required, so only its own value can be refused.
fn accepted(command: &Command, table: &Command, argument: &str) -> Result<(), String> {
    let words = [command.get_name(), table.get_name(), argument];
    match command.clone().try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(error) => Err(match std::error::Error::source(&error) {
            Some(reason) => reason.to_string(),
            None => error.to_string().lines().next().unwrap_or_default().to_owned(),
        }),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|octet| **octet == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn mistakes_name_line_key_and_what_is_allowed() {
        for (text, line, message, why) in [
            ("[edge]\nram = \"12 apples\"\n", 2, "edge.ram: \"12 apples\" is not a size", "value"),
            ("[edge]\n\nrum = 1\n", 3, "edge.rum: unknown key; allowed: listen, upstream", "key"),
            ("[edgy]\n", 1, "edgy: unknown table; allowed: up, edge, origin, gslb", "table"),
            ("edge = 3\n", 1, "edge: a integer instead of a table", "not a table"),
            ("[edge\n", 1, "", "not TOML"),
            ("[origin]\nsynthetic = \"yes\"\n", 2, "origin.synthetic: \"yes\" is not", "a switch"),
            ("[origin]\ndir = [\"a\"]\n", 2, "origin.dir: a value of type array", "one value"),
            (
                "[gslb]\nlisten = \"here\"\n",
                2,
                "gslb.listen: \"here\" is not an address",
                "address",
            ),
            ("[edge]\nlisten = [\"127.0.0.1:1\",\n \"x\"]\n", 2, "edge.listen: \"x\"", "in a list"),
            ("[up]\nedges = 0\n[edge]\nram = 1\n", 2, "up.edges: \"0\" is not a number", "a range"),
            ("[edge]\nconfig = \"a\"\n", 2, "edge.config: unknown key", "no file within a file"),
        ] {
            let (found, what) = contents(&Cli::command(), text).unwrap_err();
            assert_eq!(found, line, "{why}: {what}");
            assert!(what.starts_with(message), "{why}: {what}");
            assert!(!what.contains('\n'), "{why}: one line: {what}");
        }
    }

    #[test]
    fn the_shipped_example_has_every_key() {
        let example = include_str!("../examples/lastmile.toml");
        // What would end a role by itself, serve a directory or read a file that is not there, or fill a disk, is
        // commented out.
        let all =
            ["for", "dir", "ssd", "tcp-policy"].iter().fold(example.to_owned(), |all, key| {
                all.replace(&format!("\n# {key} = "), &format!("\n{key} = "))
            });
        let contents = contents(&Cli::command(), &all).unwrap();
        for table in tables(&Cli::command()) {
            for key in keys(table).filter_map(Arg::get_long) {
                let has = |entry: &Entry| entry.table == table.get_name() && entry.key == key;
                assert!(contents.entries.iter().any(has), "{}.{key}", table.get_name());
            }
        }
        for key in site::key_names() {
            assert!(example.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
        let commented = |line: &&str| line.contains(" = ") && !line.starts_with('#');
        for line in example.lines().filter(commented) {
            assert!(line.contains("  # "), "a comment says what it is: {line}");
        }
    }

    #[test]
    fn keys_become_arguments() {
        let text = "[origin]\nsynthetic = true\n[edge]\nlisten = [\"127.0.0.1:1\", \"[::1]:2\"]\n\
                    ram = 1048576\nfor = \"20s\"\n";
        let arguments: Vec<_> = contents(&Cli::command(), text)
            .unwrap()
            .entries
            .into_iter()
            .flat_map(|entry| entry.arguments)
            .collect();
        assert_eq!(
            arguments,
            [
                "--synthetic",
                "--listen=127.0.0.1:1",
                "--listen=[::1]:2",
                "--ram=1048576",
                "--for=20s"
            ]
        );
    }
}
