//! `[[resolver]]`: where the clients of resolvers are whose own address does not tell.

use super::file::{ResolverEntry, Source};
use super::read_file;
use super::regions::RegionNames;
use crate::ConfigError;
use crate::map::{Conflict, Layer, Prefix, PrefixMap, Prefixes, read_csv};

/// The map of resolvers; `None` if there are none.
pub(super) fn read_resolvers(
    source: &Source<'_>,
    entries: &[ResolverEntry],
    names: &RegionNames<'_>,
) -> Result<Option<PrefixMap>, ConfigError> {
    let mut prefixes = Prefixes::default();
    // Where each prefix stands, for errors.
    let mut inline = Vec::new();
    let mut lines: Vec<(usize, usize)> = Vec::new();
    let mut files = Vec::new();
    for entry in entries {
        match (&entry.file, &entry.region) {
            (None, Some(region)) if !entry.prefixes.is_empty() => {
                let index = names
                    .find(region.get_ref())
                    .map_err(|message| source.wrong("resolver.region", region, message))?;
                for text in &entry.prefixes {
                    let wrong = |message: &str| source.wrong("resolver.prefixes", text, message);
                    let prefix: Prefix = text.get_ref().parse().map_err(wrong)?;
                    prefixes.push(prefix, index, Layer::Inline, inline.len()).map_err(wrong)?;
                    inline.push(text);
                }
            }
            (Some(file), None) if entry.prefixes.is_empty() => {
                let path = source.directory.join(file.get_ref());
                let find = |name: &str| {
                    names.find(name).map_err(|message| format!("region: {name:?} {message}"))
                };
                let name = path.display().to_string();
                read_csv(&read_file(&path)?, find, |prefix, region, line| {
                    lines.push((files.len(), line));
                    prefixes.push(prefix, region, Layer::Csv, lines.len() - 1)
                })
                .map_err(|(line, message)| ConfigError::new(&name, Some(line), message))?;
                files.push(name);
            }
            (Some(file), _) => {
                let message = "goes without `prefixes` and `region`: its lines are `prefix,region`";
                return Err(source.wrong("resolver.file", file, message));
            }
            (None, Some(region)) => {
                return Err(source.wrong("resolver.region", region, "needs `prefixes`"));
            }
            (None, None) => {
                let message = "resolver: needs either `prefixes` and `region`, or `file`";
                return Err(ConfigError::new(source.name, None, message));
            }
        }
    }
    let map = prefixes.compile().map_err(|Conflict { prefix, layer, place }| {
        const TWICE: &str = "already has another region";
        match layer {
            Layer::Inline => source.wrong("resolver.prefixes", inline[place], TWICE),
            Layer::Csv | Layer::Import(_) => {
                let (file, line) = lines[place];
                let message = format!("prefix: \"{prefix}\" {TWICE}");
                ConfigError::new(&files[file], Some(line), message)
            }
        }
    })?;
    Ok((map.prefixes() > 0).then_some(map))
}
