//! The zones of the zone file: their records, and their secondaries.

use super::file::{Source, ZoneEntry};
use super::master;
use crate::ConfigError;
use crate::wire::name;
use crate::zone::{Secondaries, Zones};
use std::fmt::Display;
use std::str::FromStr;
use toml::Spanned;

/// Prefixes and addresses in a list of a zone. Each secondary is told of each change.
const SECONDARIES_MAX: usize = 64;

pub(super) fn read_zone(
    source: &Source<'_>,
    entry: &ZoneEntry,
    zones: &mut Zones,
) -> Result<(), ConfigError> {
    let apex = name::to_lower(&source.name("zone.name", &entry.name)?);
    let mut zone = match (&entry.records, &entry.file) {
        (Some(records), None) => master::read_zone(&apex, records.get_ref()).map_err(|bad| {
            let span = records.span();
            let opening = source.text.get(span.clone()).unwrap_or_default();
            // A newline right behind three quotes is not part of the text.
            let skipped = opening.starts_with("\"\"\"\n") || opening.starts_with("'''\n");
            let first = source.line(span.start) + usize::from(skipped);
            let line = bad.line.map_or_else(|| source.line(span.start), |line| first + line - 1);
            ConfigError::new(source.name, Some(line), format!("zone.records: {}", bad.message))
        }),
        (None, Some(file)) => {
            let path = source.directory.join(file.get_ref());
            let text = super::read_file(&path)?;
            master::read_zone(&apex, &text)
                .map_err(|bad| ConfigError::new(&path.display().to_string(), bad.line, bad.message))
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(source.wrong("zone.name", &entry.name, "needs either `records` or `file`"))
        }
    }?;
    zone.secondaries = Secondaries {
        transfer_to: read_list(source, "zone.transfer_to", &entry.transfer_to, |message| message)?,
        notify: read_list(
            source,
            "zone.notify",
            &entry.notify,
            |_| "is not an address with a port, such as 192.0.2.53:53 or [2001:db8::53]:53",
        )?,
    };
    if zones.insert(zone) {
        Ok(())
    } else {
        Err(source.wrong("zone.name", &entry.name, "is already a zone above"))
    }
}

fn read_list<T: FromStr>(
    source: &Source<'_>,
    key: &str,
    texts: &[Spanned<String>],
    message: fn(T::Err) -> &'static str,
) -> Result<Vec<T>, ConfigError>
where
    T::Err: Display,
{
    if let Some(text) = texts.get(SECONDARIES_MAX) {
        let message = format!("is one too many; allowed: {SECONDARIES_MAX}");
        return Err(source.wrong(key, text, message));
    }
    let read = |text: &Spanned<String>| {
        text.get_ref().parse().map_err(|error| source.wrong(key, text, message(error)))
    };
    texts.iter().map(read).collect()
}
