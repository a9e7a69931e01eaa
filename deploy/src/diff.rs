//! `lastmile gslb diff`: which share of the clients a new map or zone file would move.

use crate::cli::DiffFlags;
use crate::failure::Failure;
use crate::node::say;
use lastmile_gslb::{Config, ZoneSource, diff};
use std::path::Path;

/// Prints the shares.
///
/// # Errors
/// [`Failure::Misused`] for what is wrong with a file.
pub fn run(flags: &DiffFlags) -> Result<(), Failure> {
    let config = |file: &Path| {
        let (zone, map) = match &flags.zone {
            Some(zone) => (zone.clone(), Some(file.to_owned())),
            None => (file.to_owned(), None),
        };
        Config { zone: Some(ZoneSource::File(zone)), map, ..Config::default() }
    };
    let difference = diff(&config(&flags.old), &config(&flags.new), flags.clients.as_deref());
    let difference = difference.map_err(|error| Failure::Misused(error.to_string()))?;
    match flags.json {
        true => say(&serde_json::json!(difference).to_string()),
        false => say(difference.to_string().trim_end()),
    }
    Ok(())
}
