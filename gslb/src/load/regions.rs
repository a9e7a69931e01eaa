//! `[[region]]` and the prefixes of the map.

use super::file::{File, RegionEntry, Source};
use super::import::read_imports;
use crate::ConfigError;
use crate::map::{
    Conflict, Layer, Prefix, PrefixMap, Prefixes, REGIONS_MAX, RegionIndex, read_csv,
};
use crate::steer::{Region, hash};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Regions by name.
pub(super) struct RegionNames<'a> {
    /// Looked at for each line of a CSV.
    indices: HashMap<&'a str, RegionIndex, RandomState>,
    listed: String,
}

impl<'a> RegionNames<'a> {
    pub(super) fn new(
        source: &Source<'_>,
        entries: &'a [RegionEntry],
    ) -> Result<Self, ConfigError> {
        let mut indices = HashMap::default();
        for (index, entry) in entries.iter().enumerate() {
            if index >= REGIONS_MAX {
                return Err(source.wrong("region.name", &entry.name, "is one region too many"));
            }
            if indices.insert(entry.name.get_ref().as_str(), index as RegionIndex).is_some() {
                return Err(source.wrong("region.name", &entry.name, "is already a region above"));
            }
        }
        let names: Vec<_> = entries.iter().map(|entry| entry.name.get_ref().as_str()).collect();
        Ok(Self { indices, listed: names.join(", ") })
    }

    pub(super) fn find(&self, name: &str) -> Result<RegionIndex, String> {
        let found = self.indices.get(name).copied();
        found.ok_or_else(|| format!("is not a region; allowed: {}", self.listed))
    }
}

pub(super) fn read_regions(
    source: &Source<'_>,
    entries: &[RegionEntry],
    names: &RegionNames<'_>,
) -> Result<Vec<Region>, ConfigError> {
    let read_region = |(index, entry): (usize, &RegionEntry)| {
        let mut order = vec![index as RegionIndex];
        for near in &entry.nearest {
            let region = names
                .find(near.get_ref())
                .map_err(|message| source.wrong("region.nearest", near, message))?;
            if !order.contains(&region) {
                order.push(region);
            }
        }
        // Regions that `nearest` leaves out follow in the order of the file.
        for region in 0..entries.len() as RegionIndex {
            if !order.contains(&region) {
                order.push(region);
            }
        }
        let name = entry.name.get_ref().as_str();
        let seed = hash::seed_of_region(name);
        Ok(Region { name: name.into(), seed, edges: Vec::new(), order, state: Arc::default() })
    };
    entries.iter().enumerate().map(read_region).collect()
}

/// The map of the networks of databases, over them the CSV's prefixes, and over these the inline ones.
pub(super) fn read_map(
    source: &Source<'_>,
    file: &File,
    names: &RegionNames<'_>,
    csv: Option<(&str, &str)>,
) -> Result<PrefixMap, ConfigError> {
    let mut prefixes = Prefixes::default();
    let mut inline = Vec::new();
    for (index, entry) in file.region.iter().enumerate() {
        for text in &entry.prefixes {
            let wrong = |message: &str| source.wrong("region.prefixes", text, message);
            let prefix: Prefix = text.get_ref().parse().map_err(wrong)?;
            let place = inline.len();
            prefixes.push(prefix, index as RegionIndex, Layer::Inline, place).map_err(wrong)?;
            inline.push(text);
        }
    }
    let csv_name = csv.map_or("", |(name, _)| name);
    if let Some((_, text)) = csv {
        let find =
            |name: &str| names.find(name).map_err(|message| format!("region: {name:?} {message}"));
        read_csv(text, find, |prefix, region, line| {
            prefixes.push(prefix, region, Layer::Csv, line)
        })
        .map_err(|(line, message)| ConfigError::new(csv_name, Some(line), message))?;
    }
    read_imports(source, &file.import, names, &mut prefixes)?;
    prefixes.compile().map_err(|Conflict { prefix, layer, place }| {
        const TWICE: &str = "already has another region";
        match layer {
            Layer::Inline => source.wrong("region.prefixes", inline[place], TWICE),
            // The networks of a database never stand twice.
            Layer::Csv | Layer::Import(_) => {
                let message = format!("prefix: \"{prefix}\" {TWICE}");
                ConfigError::new(csv_name, Some(place), message)
            }
        }
    })
}
