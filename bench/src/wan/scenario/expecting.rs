//! What is expected of figures.

use super::fields::{Field, Fields};
use super::measuring::{Connection, Kind, Measure};
use super::{Case, Wrong};
use crate::wan::outcome::ExpectationKind;
use crate::wan::topology::LinkSettings;
use std::fmt;

/// Expectations of a case.
const EXPECTATIONS_MAX: usize = 64;

/// How far off a figure may be if nothing is said.
const WITHIN_DEFAULT: f64 = 0.02;

/// What a figure should be.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Which figure.
    pub figure: FigureName,
    /// How it is compared.
    pub kind: ExpectationKind,
    /// With what.
    pub against: Against,
    /// How far off it may be, as a part; of use to [`ExpectationKind::Near`] only.
    pub within: f64,
    /// Where it comes from.
    pub source: String,
    /// Where in the file.
    line: usize,
}

/// What a figure is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Against {
    /// A number in the figure's unit.
    Number(f64),
    /// So many times the median of the same figure in an earlier case.
    Case {
        /// Its name.
        case: String,
        /// So many times.
        part: f64,
    },
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FigureName {
    /// Until the connection is made.
    Connect,
    /// Until the first octet of the response.
    FirstByte,
    /// Until the last one.
    LastByte,
    /// The last octet of the first of two objects on a connection.
    First,
    /// Of a crowd: until the last octet, the median of its clients.
    Median,
    /// Of a crowd: the 99th percentile.
    P99,
    /// Of a crowd: the mean.
    Mean,
    /// How long a program took.
    Time,
    /// Octets of content per second.
    Goodput,
    /// Packets that links dropped.
    Drops,
    /// Segments that were sent again.
    Retransmissions,
    /// Requests without a whole, good response.
    Failures,
    /// Packets that left together.
    Flights,
    /// Requests that entered the link of this name.
    Requests(String),
}

/// Those without a parameter, and how a file calls them.
const FIGURES: &[(&str, FigureName)] = &[
    ("connect", FigureName::Connect),
    ("first_byte", FigureName::FirstByte),
    ("last_byte", FigureName::LastByte),
    ("first", FigureName::First),
    ("median", FigureName::Median),
    ("p99", FigureName::P99),
    ("mean", FigureName::Mean),
    ("time", FigureName::Time),
    ("goodput", FigureName::Goodput),
    ("drops", FigureName::Drops),
    ("retransmissions", FigureName::Retransmissions),
    ("failures", FigureName::Failures),
    ("flights", FigureName::Flights),
];

impl FigureName {
    /// Its unit in rows; empty for a count.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Connect
            | Self::FirstByte
            | Self::LastByte
            | Self::First
            | Self::Median
            | Self::P99
            | Self::Mean
            | Self::Time => "ms",
            Self::Goodput => "octets/s",
            Self::Drops
            | Self::Retransmissions
            | Self::Failures
            | Self::Flights
            | Self::Requests(_) => "",
        }
    }

    /// Whether `kind` of measurement has it.
    fn is_of(&self, kind: &Kind) -> bool {
        match self {
            Self::Connect => match kind {
                Kind::Fetch { connection, .. } => *connection == Connection::New,
                Kind::Connect { .. } => true,
                Kind::Crowd { .. } | Kind::Stream { .. } | Kind::Program { .. } => false,
            },
            Self::FirstByte | Self::LastByte | Self::Flights => {
                matches!(kind, Kind::Fetch { .. })
            }
            Self::First => {
                matches!(kind, Kind::Fetch { connection: Connection::Idle(_), .. })
            }
            Self::Median | Self::P99 | Self::Mean => matches!(kind, Kind::Crowd { .. }),
            Self::Time => matches!(kind, Kind::Program { .. }),
            Self::Goodput => matches!(kind, Kind::Stream { .. }),
            Self::Drops | Self::Retransmissions | Self::Failures | Self::Requests(_) => true,
        }
    }
}

impl fmt::Display for FigureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Requests(link) = self {
            return write!(f, "requests on {link}");
        }
        if *self == Self::First {
            return f.write_str("first object");
        }
        let name = FIGURES.iter().find(|(_, figure)| figure == self).map_or("", |(name, _)| name);
        f.write_str(&name.replace('_', " "))
    }
}

impl Expect {
    /// Sees that the case it compares with is among those `before`, and has the figure.
    pub(super) fn check_case(&self, before: &[Case]) -> Result<(), Wrong> {
        let Against::Case { case, .. } = &self.against else { return Ok(()) };
        let found = before.iter().find(|other| other.name == *case);
        if found.is_some_and(|other| self.figure.is_of(&other.scene.measure.kind)) {
            return Ok(());
        }
        let names: Vec<_> = before.iter().map(|case| format!("{:?}", case.name)).collect();
        let what = format!(
            "expect.case: {case:?} is not allowed; allowed: an earlier case that has {}: {}",
            self.figure,
            names.join(", ")
        );
        Err(Wrong { line: self.line, what })
    }
}

/// Reads all `[[expect]]`.
pub(super) fn expect(
    field: Option<&Field<'_>>,
    measure: &Measure,
    links: &[LinkSettings],
) -> Result<Vec<Expect>, Wrong> {
    let Some(field) = field else { return Ok(Vec::new()) };
    field.list(EXPECTATIONS_MAX)?.iter().map(|field| one(field, measure, links)).collect()
}

fn one(field: &Field<'_>, measure: &Measure, links: &[LinkSettings]) -> Result<Expect, Wrong> {
    let fields = field.fields()?;
    let figure = figure(&fields.need("value", "\"last_byte\"")?, measure, links)?;
    let (kind, against) = comparison(&fields)?;
    let within_field = fields.get("within");
    let within = within_field.as_ref().map_or(Ok(WITHIN_DEFAULT), Field::share)?;
    if let Some(field) = within_field.filter(|_| kind != ExpectationKind::Near) {
        return Err(field.wrong("with near only"));
    }
    let given = fields.get("source").map(|source| source.text()).transpose()?;
    let source = match (&against, given) {
        (_, Some(source)) => source.trim().to_owned(),
        (Against::Number(_), None) => String::new(),
        (Against::Case { case, part }, None) => format!("{part} of {case:?}"),
    };
    fields.end()?;
    Ok(Expect { figure, kind, against, within, source, line: field.node.line })
}

fn figure(
    field: &Field<'_>,
    measure: &Measure,
    links: &[LinkSettings],
) -> Result<FigureName, Wrong> {
    let text = field.text()?;
    let figure = match text.strip_prefix("requests:") {
        Some(link) if links.iter().any(|known| known.name == link) => {
            Some(FigureName::Requests(link.to_owned()))
        }
        Some(_) => None,
        None => FIGURES.iter().find(|(name, _)| *name == text).map(|(_, figure)| figure.clone()),
    };
    figure.filter(|figure| figure.is_of(&measure.kind)).ok_or_else(|| {
        let of_kind = FIGURES.iter().filter(|(_, figure)| figure.is_of(&measure.kind));
        let mut names: Vec<_> = of_kind.map(|(name, _)| (*name).to_owned()).collect();
        names.extend(links.iter().map(|link| format!("requests:{}", link.name)));
        field.wrong(&names.join(", "))
    })
}

fn comparison(fields: &Fields<'_>) -> Result<(ExpectationKind, Against), Wrong> {
    let number = |field: &Field<'_>| field.number().map(Against::Number);
    let part = |field: &Field<'_>| {
        let fields = field.fields()?;
        let case = fields.need("case", "\"no CDN\"")?.text()?.to_owned();
        let part = fields.need("part", "0.75")?.number()?;
        fields.end()?;
        Ok(Against::Case { case, part })
    };
    type Read<'r> = &'r dyn Fn(&Field<'_>) -> Result<Against, Wrong>;
    let ways: [(&'static str, ExpectationKind, Read<'_>); 6] = [
        ("near", ExpectationKind::Near, &number),
        ("at_most", ExpectationKind::AtMost, &number),
        ("at_least", ExpectationKind::AtLeast, &number),
        ("near_of", ExpectationKind::Near, &part),
        ("at_most_of", ExpectationKind::AtMost, &part),
        ("at_least_of", ExpectationKind::AtLeast, &part),
    ];
    let mut found = None;
    for (key, kind, read) in ways {
        let Some(field) = fields.get(key) else { continue };
        if found.is_some() {
            return Err(field.wrong("one comparison for each [[expect]]"));
        }
        found = Some((kind, read(&field)?));
    }
    found.ok_or_else(|| {
        let keys: Vec<_> = ways.iter().map(|(key, _, _)| *key).collect();
        fields.wrong(&format!("expect: a comparison is missing; allowed: {}", keys.join(", ")))
    })
}
