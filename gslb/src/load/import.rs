//! `[[import]]`: the networks of a database of countries, cities or AS numbers become prefixes of the map, by rules.

use super::file::{ImportEntry, RuleEntry, Source};
use super::read_octets;
use super::regions::RegionNames;
use crate::ConfigError;
use crate::map::{Layer, PREFIXES_MAX, Prefix, Prefixes, RegionIndex};
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use toml::Spanned;

/// Databases: of countries, of cities, of AS numbers, and some of one's own.
const IMPORTS_MAX: usize = 16;
/// The mean radius of the Earth (IUGG), in kilometres.
const EARTH_RADIUS_KM: f64 = 6371.0088;
/// Nothing is farther away: half of a great circle.
const DISTANCE_KM_MAX: f64 = 20_016.0;
const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];
const LATITUDES: RangeInclusive<f64> = -90.0..=90.0;
const LONGITUDES: RangeInclusive<f64> = -180.0..=180.0;

/// Adds the networks of every database to `prefixes`, those of each in a layer of its own.
pub(super) fn read_imports(
    source: &Source<'_>,
    entries: &[ImportEntry],
    names: &RegionNames<'_>,
    prefixes: &mut Prefixes,
) -> Result<(), ConfigError> {
    for (index, entry) in entries.iter().enumerate() {
        if index >= IMPORTS_MAX {
            let message = format!("is one database too many; at most {IMPORTS_MAX}");
            return Err(source.wrong("import.file", &entry.file, message));
        }
        let rules = read_rules(source, entry, names)?;
        let path = source.directory.join(entry.file.get_ref());
        let octets = read_octets(&path)?;
        let file = path.display().to_string();
        let networks =
            networks(&octets, &rules).map_err(|message| ConfigError::new(&file, None, message))?;
        if networks.is_empty() {
            let message = "has no network that a rule is for";
            return Err(source.wrong("import.file", &entry.file, message));
        }
        let layer = Layer::Import(index as u16);
        for (prefix, region) in networks {
            prefixes
                .push(prefix, region, layer, 0)
                .map_err(|message| ConfigError::new(&file, None, format!("{prefix} {message}")))?;
        }
    }
    Ok(())
}

/// Which networks are of a region: those that have one of the values of each list, if it is not empty.
#[derive(Debug, Default)]
struct Rule<'a> {
    continents: Vec<&'a str>,
    countries: Vec<&'a str>,
    /// With their countries, as in `US-CA` (ISO 3166-2).
    subdivisions: Vec<&'a str>,
    cities: Vec<&'a str>,
    as_numbers: Vec<u32>,
    /// Kilometres, and from where.
    within: Option<(f64, Location)>,
    region: RegionIndex,
}

/// Degrees.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
}

fn read_rules<'a>(
    source: &Source<'_>,
    entry: &'a ImportEntry,
    names: &RegionNames<'_>,
) -> Result<Vec<Rule<'a>>, ConfigError> {
    if entry.rules.is_empty() {
        return Err(source.wrong("import.file", &entry.file, "has no `rules`"));
    }
    entry.rules.iter().map(|rule| read_rule(source, rule, names)).collect()
}

fn read_rule<'a>(
    source: &Source<'_>,
    entry: &'a RuleEntry,
    names: &RegionNames<'_>,
) -> Result<Rule<'a>, ConfigError> {
    let list =
        |key: &str, values: &'a [Spanned<String>], allowed: &str, is_good: fn(&str) -> bool| {
            let bad = values.iter().find(|value| !is_good(value.get_ref()));
            match bad {
                None => Ok(values.iter().map(|value| value.get_ref().as_str()).collect()),
                Some(value) => Err(source.wrong(key, value, format!("is not {allowed}"))),
            }
        };
    let rule = Rule {
        continents: list(
            "import.rules.continent",
            &entry.continent,
            "a continent; allowed: AF, AN, AS, EU, NA, OC, SA",
            |code| CONTINENTS.contains(&code),
        )?,
        countries: list(
            "import.rules.country",
            &entry.country,
            "a code of a country such as DE (ISO 3166-1)",
            is_country,
        )?,
        subdivisions: list(
            "import.rules.subdivision",
            &entry.subdivision,
            "a code of a subdivision such as US-CA (ISO 3166-2)",
            |code| {
                code.split_once('-').is_some_and(|(of, part)| is_country(of) && !part.is_empty())
            },
        )?,
        cities: list("import.rules.city", &entry.city, "a name", |name| !name.is_empty())?,
        as_numbers: entry
            .asn
            .iter()
            .map(|number| as_number(source, number))
            .collect::<Result<_, _>>()?,
        within: read_within(source, entry)?,
        region: names
            .find(entry.region.get_ref())
            .map_err(|message| source.wrong("import.rules.region", &entry.region, message))?,
    };
    let lists = [&rule.continents, &rule.countries, &rule.subdivisions, &rule.cities];
    let is_for_all = lists.iter().all(|list| list.is_empty());
    if is_for_all && rule.as_numbers.is_empty() && rule.within.is_none() {
        let message = "has no condition; allowed: continent, country, subdivision, city, asn, \
                       within_km with of";
        return Err(source.wrong("import.rules.region", &entry.region, message));
    }
    Ok(rule)
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|octet| octet.is_ascii_uppercase())
}

fn as_number(source: &Source<'_>, number: &Spanned<i64>) -> Result<u32, ConfigError> {
    source.number("import.rules.asn", Some(number), 0, 1..=i64::from(u32::MAX))
}

fn read_within(
    source: &Source<'_>,
    entry: &RuleEntry,
) -> Result<Option<(f64, Location)>, ConfigError> {
    match (&entry.within_km, &entry.of) {
        (None, None) => Ok(None),
        (Some(km), Some(of)) => {
            if !(*km.get_ref() > 0.0 && *km.get_ref() <= DISTANCE_KM_MAX) {
                let message =
                    format!("is not allowed; allowed: above 0, at most {DISTANCE_KM_MAX}");
                return Err(source.wrong("import.rules.within_km", km, message));
            }
            let [latitude, longitude] = *of.get_ref();
            if !LATITUDES.contains(&latitude) || !LONGITUDES.contains(&longitude) {
                let message = "is not [latitude, longitude] in degrees";
                return Err(source.wrong("import.rules.of", of, message));
            }
            Ok(Some((*km.get_ref(), Location { latitude, longitude })))
        }
        (Some(km), None) => {
            Err(source.wrong("import.rules.within_km", km, "needs `of`, [latitude, longitude]"))
        }
        (None, Some(of)) => Err(source.wrong("import.rules.of", of, "needs `within_km`")),
    }
}

/// What is read of a network, in the layout of GeoIP2 and GeoLite2; all of it may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    continent: Continent<'a>,
    country: Country<'a>,
    /// The country in some databases that have nothing else.
    country_code: Option<&'a str>,
    /// From the largest to the smallest.
    subdivisions: Vec<Country<'a>>,
    city: City<'a>,
    location: PerhapsLocation,
    autonomous_system_number: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Continent<'a> {
    code: Option<&'a str>,
}

/// Also a subdivision, whose code is that within its country.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct City<'a> {
    #[serde(borrow)]
    names: CityNames<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CityNames<'a> {
    en: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PerhapsLocation {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Rule<'_> {
    fn is_for(&self, record: &Record<'_>) -> bool {
        let is_in = |list: &[&str], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.contains(&value))
        };
        let country = record.country.iso_code.or(record.country_code);
        let is_subdivision = |code: &&str| {
            let (of, part) = code.split_once('-').unwrap_or_default();
            country == Some(of) && record.subdivisions.iter().any(|it| it.iso_code == Some(part))
        };
        let as_number = record.autonomous_system_number;
        is_in(&self.continents, record.continent.code)
            && is_in(&self.countries, country)
            && (self.subdivisions.is_empty() || self.subdivisions.iter().any(is_subdivision))
            && is_in(&self.cities, record.city.names.en)
            && (self.as_numbers.is_empty()
                || as_number.is_some_and(|number| self.as_numbers.contains(&number)))
            && self.within.is_none_or(|(km, of)| {
                let PerhapsLocation { latitude, longitude } = record.location;
                let place = latitude.zip(longitude);
                let place = place.map(|(latitude, longitude)| Location { latitude, longitude });
                place.is_some_and(|place| distance_km(of, place) <= km)
            })
    }
}

/// Along the great circle, by the haversine.
fn distance_km(one: Location, other: Location) -> f64 {
    let half_sine = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let cosines = one.latitude.to_radians().cos() * other.latitude.to_radians().cos();
    let haversine = half_sine(one.latitude, other.latitude)
        + cosines * half_sine(one.longitude, other.longitude);
    2.0 * EARTH_RADIUS_KM * haversine.min(1.0).sqrt().asin()
}

/// The networks that a rule is for (the first one counts), as few prefixes as they can be.
fn networks(octets: &[u8], rules: &[Rule<'_>]) -> Result<Vec<(Prefix, RegionIndex)>, String> {
    let bad = |error: MaxMindDbError| format!("is no MaxMind DB, or a broken one: {error}");
    let reader = Reader::from_source(octets).map_err(bad)?;
    // Many networks share a record.
    let mut known: HashMap<usize, Option<RegionIndex>> = HashMap::new();
    let mut found = Vec::new();
    // Once each: without the IPv6 networks that are others' names for IPv4 ones (6to4, Teredo).
    for network in reader.networks(WithinOptions::default()).map_err(bad)? {
        let network = network.map_err(bad)?;
        let Some(offset) = network.offset() else { continue };
        let region = match known.get(&offset) {
            Some(region) => *region,
            None => {
                let record: Option<Record<'_>> = network.decode().map_err(bad)?;
                let rule = record.and_then(|record| rules.iter().find(|rule| rule.is_for(&record)));
                let region = rule.map(|rule| rule.region);
                known.insert(offset, region);
                region
            }
        };
        let Some(region) = region else { continue };
        let place = network.network().map_err(bad)?;
        append(&mut found, Prefix::new(place.ip(), place.prefix()), region);
        if found.len() > PREFIXES_MAX {
            return Err(format!("has more than {PREFIXES_MAX} networks that a rule is for"));
        }
    }
    Ok(found)
}

/// Appends a prefix, which comes after all others. Two halves of one region become the whole.
fn append(found: &mut Vec<(Prefix, RegionIndex)>, mut prefix: Prefix, region: RegionIndex) {
    while let Some(&(last, its_region)) = found.last()
        && its_region == region
        && let Some(whole) = last.joined(prefix)
    {
        found.pop();
        prefix = whole;
    }
    found.push((prefix, region));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(latitude: f64, longitude: f64) -> Location {
        Location { latitude, longitude }
    }

    #[test]
    fn distances() {
        let (berlin, paris) = (location(52.52, 13.405), location(48.8566, 2.3522));
        for (one, other, km, why) in [
            (berlin, paris, 877.5, "Berlin to Paris"),
            (paris, berlin, 877.5, "and back"),
            (berlin, berlin, 0.0, "nowhere"),
            (location(0.0, 179.0), location(0.0, -179.0), 222.4, "over the date line"),
            (location(90.0, 0.0), location(-90.0, 77.0), 20_015.1, "from pole to pole"),
        ] {
            let found = distance_km(one, other);
            assert!((found - km).abs() < 1.0, "{why}: {found} instead of {km}");
        }
    }

    #[test]
    fn a_rule_is_for_what_meets_each_of_its_conditions() {
        let record = || Record {
            continent: Continent { code: Some("EU") },
            country: Country { iso_code: Some("DE") },
            subdivisions: vec![Country { iso_code: Some("BY") }, Country { iso_code: Some("091") }],
            city: City { names: CityNames { en: Some("Munich") } },
            location: PerhapsLocation { latitude: Some(48.14), longitude: Some(11.58) },
            autonomous_system_number: Some(64500),
            ..Record::default()
        };
        let none = Rule::default;
        let augsburg = location(48.37, 10.9);
        for (rule, is_for, why) in [
            (Rule { continents: vec!["AS", "EU"], ..none() }, true, "one of the continents"),
            (Rule { continents: vec!["AS"], ..none() }, false, "another continent"),
            (Rule { countries: vec!["DE"], ..none() }, true, "the country"),
            (Rule { countries: vec!["AT", "CH"], ..none() }, false, "other countries"),
            (Rule { subdivisions: vec!["DE-BY"], ..none() }, true, "the subdivision"),
            (Rule { subdivisions: vec!["AT-5", "DE-091"], ..none() }, true, "a smaller one"),
            (Rule { subdivisions: vec!["US-BY"], ..none() }, false, "of another country"),
            (Rule { cities: vec!["Munich"], ..none() }, true, "the city"),
            (Rule { cities: vec!["München"], ..none() }, false, "names are English ones"),
            (Rule { as_numbers: vec![1, 64500], ..none() }, true, "one of the AS numbers"),
            (Rule { as_numbers: vec![1], ..none() }, false, "another one"),
            (Rule { within: Some((60.0, augsburg)), ..none() }, true, "near enough"),
            (Rule { within: Some((50.0, augsburg)), ..none() }, false, "too far away"),
            (
                Rule { countries: vec!["DE"], as_numbers: vec![64500], ..none() },
                true,
                "both conditions",
            ),
            (
                Rule { countries: vec!["DE"], as_numbers: vec![1], ..none() },
                false,
                "one of two conditions",
            ),
        ] {
            assert_eq!(rule.is_for(&record()), is_for, "{why}");
            assert!(!rule.is_for(&Record::default()), "{why}: of what nothing is known");
        }
        let short = Record { country_code: Some("DE"), ..Record::default() };
        assert!(Rule { countries: vec!["DE"], ..none() }.is_for(&short), "another layout");
    }

    #[test]
    fn halves_become_wholes() {
        let join = |prefixes: &[(&str, RegionIndex)]| {
            let mut found = Vec::new();
            for (prefix, region) in prefixes {
                append(&mut found, prefix.parse().unwrap(), *region);
            }
            let shown = found.iter().map(|(prefix, region)| format!("{prefix} {region}"));
            shown.collect::<Vec<_>>().join(", ")
        };
        for (prefixes, expected, why) in [
            (&[("10.0.0.0/9", 1), ("10.128.0.0/9", 1)][..], "10.0.0.0/8 1", "two halves"),
            (
                &[("10.0.0.0/9", 1), ("10.128.0.0/10", 1), ("10.192.0.0/10", 1)],
                "10.0.0.0/8 1",
                "halves of a half",
            ),
            (
                &[("10.0.0.0/9", 1), ("10.128.0.0/9", 2)],
                "10.0.0.0/9 1, 10.128.0.0/9 2",
                "two regions",
            ),
            (&[("10.0.0.0/8", 1), ("11.0.0.0/9", 1)], "10.0.0.0/8 1, 11.0.0.0/9 1", "two lengths"),
            (&[("9.0.0.0/8", 1), ("10.0.0.0/8", 1)], "9.0.0.0/8 1, 10.0.0.0/8 1", "of two wholes"),
            (&[("0.0.0.0/1", 1), ("128.0.0.0/1", 1)], "0.0.0.0/0 1", "everything"),
            (&[("0.0.0.0/0", 1), ("::/0", 1)], "0.0.0.0/0 1, ::/0 1", "two families"),
            (&[("2001:db8::/33", 1), ("2001:db8:8000::/33", 1)], "2001:db8::/32 1", "IPv6"),
        ] {
            assert_eq!(join(prefixes), expected, "{why}");
        }
    }
}
