//! Two maps beside each other: which share of the address space, and of clients that were seen, another one would move.

use crate::load::{load, read_file};
use crate::map::{Prefix, RegionIndex};
use crate::steer::Policy;
use crate::wire::subnet::{Client, ClientSource};
use crate::{Config, ConfigError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

/// What is said of clients that no prefix has.
const NOWHERE: &str = "(no prefix)";

/// What a new map moves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Of the IPv4 addresses.
    pub v4: Vec<Move>,
    /// Of the IPv6 addresses that are given out, `2000::/3`.
    pub v6: Vec<Move>,
    /// Of the clients in a file.
    pub clients: Option<Vec<Move>>,
}

/// Clients that go to another region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Move {
    /// The region by the old map.
    pub from: String,
    /// The region by the new one.
    pub to: String,
    /// Which share of all they are, at most 1.
    pub share: f64,
}

/// Compares what two configurations make of the address space, and of the clients in a file: an address or a prefix
/// begins each of its lines, and `#` a comment, or they are those of the query log ([`crate::QueryLog`]).
///
/// # Errors
/// The first thing that is wrong with a file.
pub fn diff(old: &Config, new: &Config, clients: Option<&Path>) -> Result<Difference, ConfigError> {
    let ((old, _), (new, _)) = (load(old)?, load(new)?);
    let (old, new) = (&old.policy, &new.policy);
    let (mut v4, mut v6) = (Moves::default(), Moves::default());
    old.map.compare(
        &new.map,
        |before, after, share| {
            v4.add(name(old, before), name(new, after), share);
        },
        |before, after, share| {
            v6.add(name(old, before), name(new, after), share);
        },
    );
    let clients = clients.map(|file| seen(old, new, file)).transpose()?;
    Ok(Difference { v4: v4.sorted(), v6: v6.sorted(), clients })
}

fn name(policy: &Policy, region: Option<RegionIndex>) -> &str {
    region.map_or(NOWHERE, |region| &policy.regions[usize::from(region)].name)
}

/// What becomes of the clients in a file.
fn seen(old: &Policy, new: &Policy, file: &Path) -> Result<Vec<Move>, ConfigError> {
    let text = read_file(file)?;
    let (mut moves, mut all) = (Moves::default(), 0_u64);
    for (number, line) in text.lines().enumerate() {
        let client = read_client(line).map_err(|message| {
            ConfigError::new(&file.display().to_string(), Some(number + 1), message)
        })?;
        let Some(client) = client else { continue };
        let region = |policy: &Policy| policy.locate(&client).0.region;
        moves.add(name(old, region(old)), name(new, region(new)), 1.0);
        all += 1;
    }
    let mut moves = moves.sorted();
    moves.iter_mut().for_each(|it| it.share /= all as f64);
    Ok(moves)
}

/// What counts of a line of the query log.
#[derive(Deserialize)]
struct Logged {
    client: IpAddr,
    subnet: Option<String>,
}

/// The client of a line, if it has one.
fn read_client(line: &str) -> Result<Option<Client>, String> {
    let subnet = |text: &str| {
        let prefix: Prefix = text.parse().map_err(|message| format!("{text:?} {message}"))?;
        let (address, prefix_length) = prefix.parts();
        Ok(Some(Client { address, prefix_length, source: ClientSource::Subnet }))
    };
    if line.trim_start().starts_with('{') {
        let logged: Logged = serde_json::from_str(line)
            .map_err(|error| format!("is no line of the query log: {error}"))?;
        return match &logged.subnet {
            Some(text) => subnet(text),
            None => Ok(Some(Client::new(None, logged.client))),
        };
    }
    let words = line.split('#').next().unwrap_or_default();
    words.split([' ', '\t', ',']).find(|word| !word.is_empty()).map_or(Ok(None), subnet)
}

/// Shares by where they come from and where they go.
#[derive(Default)]
struct Moves<'a>(BTreeMap<(&'a str, &'a str), f64>);

impl<'a> Moves<'a> {
    fn add(&mut self, from: &'a str, to: &'a str, share: f64) {
        if from != to {
            *self.0.entry((from, to)).or_default() += share;
        }
    }

    /// The largest first.
    fn sorted(self) -> Vec<Move> {
        let moves = self.0.into_iter();
        let mut moves: Vec<_> = moves
            .map(|((from, to), share)| Move { from: from.to_owned(), to: to.to_owned(), share })
            .collect();
        moves.sort_by(|one, other| other.share.total_cmp(&one.share));
        moves
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("IPv4", Some(&self.v4)),
            ("IPv6", Some(&self.v6)),
            ("clients", self.clients.as_ref()),
        ];
        for (what, moves) in parts {
            let Some(moves) = moves else { continue };
            // Not `sum`, which is -0 of nothing.
            let all = moves.iter().fold(0.0, |all, it| all + it.share);
            writeln!(out, "{what}: {:.4} % would move", all * 100.0)?;
            for Move { from, to, share } in moves {
                writeln!(out, "  {:9.4} %  {from} -> {to}", share * 100.0)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ZoneSource;

    fn config(regions: &[(&str, &str)]) -> Config {
        let region = |(name, prefixes): &(&str, &str)| {
            format!("[[region]]\nname = \"{name}\"\nprefixes = [{prefixes}]\n")
        };
        let text = regions.iter().map(region).collect();
        Config {
            zone: Some(ZoneSource::Inline { name: "x".to_owned(), text }),
            ..Config::default()
        }
    }

    #[test]
    fn shares_are_of_the_address_space() {
        let old = config(&[("a", "\"0.0.0.0/1\", \"2000::/4\""), ("b", "\"128.0.0.0/2\"")]);
        // Regions in another order; a quarter of a goes to b, an eighth of all is new, and half of IPv6.
        let new = config(&[
            ("b", "\"128.0.0.0/2\", \"0.0.0.0/3\", \"192.0.0.0/3\", \"2000::/4\""),
            ("a", "\"32.0.0.0/3\", \"64.0.0.0/2\""),
        ]);
        let moved = |from: &str, to: &str, share| Move { from: from.into(), to: to.into(), share };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "10.0.0.1\n40.0.0.0/24, x # y\n\n200.0.0.1 A\n2001::1\n")
            .unwrap();
        let difference = diff(&old, &new, Some(file.path())).unwrap();
        let mut v4 = difference.v4.clone();
        v4.sort_by(|one, other| one.from.cmp(&other.from));
        assert_eq!(v4, [moved(NOWHERE, "b", 0.125), moved("a", "b", 0.125)]);
        assert_eq!(difference.v6, [moved("a", "b", 0.5)]);
        let clients = difference.clients.clone().unwrap();
        assert_eq!(clients, [moved("a", "b", 0.5), moved(NOWHERE, "b", 0.25)]);
        assert!(difference.to_string().starts_with("IPv4: 25.0000 % would move\n"), "{difference}");
        assert_eq!(
            diff(&old, &old, None).unwrap(),
            Difference { v4: vec![], v6: vec![], clients: None }
        );
        std::fs::write(file.path(), "10.0.0.1\nnobody\n").unwrap();
        let error = diff(&old, &new, Some(file.path())).unwrap_err().to_string();
        assert!(error.contains(":2: \"nobody\" is not a prefix"), "{error}");
        std::fs::write(file.path(), "{\"client\":\"10.0.0.1\",\"subnet\":7}\n").unwrap();
        let error = diff(&old, &new, Some(file.path())).unwrap_err().to_string();
        assert!(error.contains(":1: is no line of the query log: invalid type"), "{error}");
    }
}
