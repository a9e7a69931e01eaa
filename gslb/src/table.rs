//! The university lab's table: name patterns with an A or CNAME row, the nearest value by location.

use crate::wire::name::{self, LowerName};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

/// Seconds that a row's answer may be remembered; the table has no TTLs. Short, so that an edited
/// table shows.
pub(crate) const TTL: u32 = 60;
/// Rows of a table: a hand-written file has hundreds. It bounds what a mistaken file can take.
const ROWS_MAX: usize = 1_000_000;
/// A values of one row: so many fit with room to spare into one answer's worth of distances.
const VALUES_MAX: usize = 256;

/// The table with its locations; immutable.
#[derive(Default, Debug)]
pub(crate) struct LabTable {
    rows: Vec<Row>,
    /// Names without `*.`, in lower case, to the first row of that name.
    exact: HashMap<Box<[u8]>, usize, RandomState>,
    /// What follows `*.`, in lower case, to the first row of that pattern.
    below: HashMap<Box<[u8]>, usize, RandomState>,
    locations: HashMap<IpAddr, Location, RandomState>,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Addresses to choose from; at least one.
    A(Vec<Ipv4Addr>),
    /// Another name, in wire form as written.
    Cname(Box<[u8]>),
}

/// A place in the plane; the unit is the file's own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Location {
    x: f64,
    y: f64,
}

impl LabTable {
    /// Reads the table and, if there is one, the table of locations.
    ///
    /// # Errors
    /// Which of the two texts, the line, and what is wrong with it.
    pub(crate) fn read(table: &str, locations: &str) -> Result<Self, (LabFile, usize, String)> {
        let mut read = Self::default();
        for (line, fields) in rows(table) {
            read.add_row(&fields).map_err(|message| (LabFile::Table, line, message))?;
        }
        for (line, fields) in rows(locations) {
            read.add_location(&fields).map_err(|message| (LabFile::Locations, line, message))?;
        }
        Ok(read)
    }

    /// Rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The first row that matches `name`; `*.` covers any subdomain, the domain itself not.
    pub(crate) fn find(&self, name: &LowerName) -> Option<&Row> {
        let below = (1..=name.labels()).filter_map(|skipped| self.below.get(name.suffix(skipped)));
        let first = self.exact.get(name.as_wire()).into_iter().chain(below).min()?;
        self.rows.get(*first)
    }

    /// The one of `values` that is nearest to `client`, and whether the choice depends on the
    /// client at all; any one, by `random`, when the location of the client or of all values is
    /// unknown.
    pub(crate) fn nearest(
        &self,
        values: &[Ipv4Addr],
        client: IpAddr,
        random: u64,
    ) -> Option<(Ipv4Addr, bool)> {
        let depends = values.len() > 1 && !self.locations.is_empty();
        let near = self.locations.get(&client).and_then(|from| {
            let distance = |value: &&Ipv4Addr| {
                self.locations.get(&IpAddr::V4(**value)).map(|to| from.distance(*to))
            };
            values
                .iter()
                .filter_map(|value| Some((value, distance(&value)?)))
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(value, _)| *value)
        });
        let any = || values.get((random % values.len().max(1) as u64) as usize).copied();
        near.or_else(any).map(|value| (value, depends))
    }

    fn add_row(&mut self, fields: &[&str]) -> Result<(), String> {
        const FORM: &str = "a row is `NAME A ADDRESS...` or `NAME CNAME NAME`";
        let [owner, rtype, values @ ..] = fields else { return Err(FORM.to_owned()) };
        if values.is_empty() {
            return Err(format!("{owner} {rtype}: no value; {FORM}"));
        }
        let row = match rtype.to_ascii_uppercase().as_str() {
            "A" if values.len() > VALUES_MAX => {
                return Err(format!("{owner}: {} values, at most {VALUES_MAX}", values.len()));
            }
            "A" => Row::A(
                values
                    .iter()
                    .map(|v| v.parse().map_err(|_| format!("{v:?} is not an IPv4 address")))
                    .collect::<Result<_, _>>()?,
            ),
            "CNAME" => match values {
                [target] => Row::Cname(read_name(target)?),
                _ => return Err(format!("{owner}: a CNAME has one value, not {}", values.len())),
            },
            _ => return Err(format!("type {rtype:?} is not one of A, CNAME")),
        };
        if self.rows.len() >= ROWS_MAX {
            return Err(format!("one row too many (at most {ROWS_MAX})"));
        }
        let (names, owner) = match owner.strip_prefix("*.") {
            Some(rest) => (&mut self.below, rest),
            None => (&mut self.exact, *owner),
        };
        // The first row of a pattern wins; a later one of the same pattern is never reached.
        names.entry(name::to_lower(&read_name(owner)?)).or_insert(self.rows.len());
        self.rows.push(row);
        Ok(())
    }

    fn add_location(&mut self, fields: &[&str]) -> Result<(), String> {
        let [address, x, y] = fields else {
            return Err("a row is `ADDRESS X Y`".to_owned());
        };
        let coordinate = |text: &str| {
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            value.ok_or_else(|| format!("{text:?} is not a number"))
        };
        let address: IpAddr =
            address.parse().map_err(|_| format!("{address:?} is not an address"))?;
        let location = Location { x: coordinate(x)?, y: coordinate(y)? };
        if self.locations.len() >= ROWS_MAX {
            return Err(format!("one row too many (at most {ROWS_MAX})"));
        }
        match self.locations.insert(address, location) {
            Some(before) if before != location => Err(format!("{address} already has a location")),
            _ => Ok(()),
        }
    }
}

/// Which of the lab's two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabFile {
    /// `NAME TYPE VALUE...`
    Table,
    /// `ADDR X Y`
    Locations,
}

impl Location {
    fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// Lines that say something, with their number and fields; `#` begins a comment.
fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.split('#').next().unwrap_or_default();
        let fields: Vec<_> = line.split_whitespace().collect();
        (!fields.is_empty()).then_some((index + 1, fields))
    })
}

fn read_name(text: &str) -> Result<Box<[u8]>, String> {
    name::from_text(text).map_err(|message| format!("{text:?} {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
www.cdn.test. A 10.0.0.1
*.video.cdn.test. CNAME storage.cdn.test.
*.cdn.test. A 10.0.0.2 10.0.0.3 10.0.0.4
a.video.cdn.test. A 10.0.0.9
www.cdn.test. CNAME never.test.
";
    const LOCATIONS: &str = "10.0.0.2 0 0\n10.0.0.3 10 0\n192.0.2.1 1 5\n192.0.2.2 9 -3\n";

    fn row(name: &str) -> Option<String> {
        let table = LabTable::read(TABLE, LOCATIONS).unwrap();
        let wire = name::from_text(name).unwrap();
        match table.find(&LowerName::read(&wire).unwrap().0)? {
            Row::A(values) => Some(values[0].to_string()),
            Row::Cname(target) => Some(name::to_text(target)),
        }
    }

    #[test]
    fn the_first_matching_row_wins() {
        for (name, expected, why) in [
            ("www.cdn.test.", Some("10.0.0.1"), "an exact row"),
            ("WWW.cdn.TEST", Some("10.0.0.1"), "in any case, with or without the dot"),
            (
                "a.video.cdn.test.",
                Some("storage.cdn.test."),
                "an earlier wildcard beats a later name",
            ),
            ("x.y.video.cdn.test.", Some("storage.cdn.test."), "any depth"),
            ("video.cdn.test.", Some("10.0.0.2"), "a subdomain of the third row only"),
            ("cdn.test.", None, "`*.` does not cover the domain itself"),
            ("other.test.", None, "no row"),
        ] {
            assert_eq!(row(name).as_deref(), expected, "{name}: {why}");
        }
    }

    #[test]
    fn the_nearest_value_or_any() {
        let table = LabTable::read(TABLE, LOCATIONS).unwrap();
        let values: Vec<Ipv4Addr> =
            ["10.0.0.4", "10.0.0.2", "10.0.0.3"].map(|a| a.parse().unwrap()).to_vec();
        for (client, random, expected, why) in [
            ("192.0.2.1", 0, "10.0.0.2", "(1,5) is nearer to (0,0)"),
            ("192.0.2.2", 0, "10.0.0.3", "(9,-3) is nearer to (10,0)"),
            ("192.0.2.9", 0, "10.0.0.4", "an unknown client gets any"),
            ("192.0.2.9", 4, "10.0.0.2", "as the random number says"),
        ] {
            let got = table.nearest(&values, client.parse().unwrap(), random).unwrap();
            assert_eq!(got, (expected.parse().unwrap(), true), "{client}: {why}");
        }
        let unknown = table.nearest(&values[..1], "192.0.2.1".parse().unwrap(), 7).unwrap();
        assert_eq!(unknown, (values[0], false), "one value is everybody's");
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        for (table, locations, expected, why) in [
            ("a.test. A", "", (LabFile::Table, 1, "no value"), "no value"),
            ("\n\na.test.\n", "", (LabFile::Table, 3, "a row is"), "only a name"),
            ("a.test. MX b.test.", "", (LabFile::Table, 1, "A, CNAME"), "another type"),
            ("a.test. A ::1", "", (LabFile::Table, 1, "IPv4"), "IPv6 in an A row"),
            ("a.test. CNAME b. c.", "", (LabFile::Table, 1, "one value"), "two targets"),
            ("a..test. A 10.0.0.1", "", (LabFile::Table, 1, "not a name"), "an empty label"),
            ("", "10.0.0.1 1", (LabFile::Locations, 1, "ADDRESS X Y"), "no Y"),
            ("", "x 1 2", (LabFile::Locations, 1, "not an address"), "no address"),
            ("", "10.0.0.1 1 nan", (LabFile::Locations, 1, "not a number"), "not finite"),
            ("", "10.0.0.1 1 1\n10.0.0.1 2 2", (LabFile::Locations, 2, "already"), "two places"),
        ] {
            let (file, line, message) = LabTable::read(table, locations).unwrap_err();
            assert_eq!((file, line), (expected.0, expected.1), "{why}");
            assert!(message.contains(expected.2), "{why}: {message}");
        }
    }
}
