//! The rules of HTTP that concern a cache, section by section: where each one is tested, or why it is not kept.
//!
//! `lastmile rules` prints this table. A test reads the sources of the workspace and holds the table to them.

/// Makes a table of [`Rule`]s. A row is `section rule => test` with `departed reason` or `foreign reason` behind it
/// when it is not simply in force; such a row needs no test.
macro_rules! rules {
    ($rfc:literal $(
        $section:literal $rule:literal $(=> $test:literal)?
            $(departed $departed:literal)? $(foreign $foreign:literal)?;
    )*) => {
        &[$(Rule {
            rfc: $rfc,
            section: $section,
            rule: $rule,
            test: [$($test,)? ""][0],
            stand: [
                $(Stand::Departed($departed),)?
                $(Stand::NotApplicable($foreign),)?
                Stand::InForce,
            ][0],
        },)*]
    };
}

mod rfc9110;
mod rfc9111;
mod rfc9112;
mod short;

/// One rule of an RFC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The RFC's number.
    pub rfc: u16,
    /// The section, such as `4.2.1`.
    pub section: &'static str,
    /// What it asks for, in one short sentence of our own words.
    pub rule: &'static str,
    /// A test that shows it, as `path/of/file.rs::name`; empty where none is needed.
    pub test: &'static str,
    /// Whether it is kept here.
    pub stand: Stand,
}

/// What has become of a rule here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is kept, and its test fails when it is not.
    InForce,
    /// It is a SHOULD or MUST that is not kept, or a MAY that caches are expected to use and this one does not: why.
    Departed(&'static str),
    /// It is about something that this cache is not or does not do: what.
    NotApplicable(&'static str),
}

/// The tables, by RFC.
const TABLES: &[&[Rule]] = &[
    short::RFC3986,
    short::RFC5861,
    short::RFC6585,
    short::RFC8246,
    short::RFC8297,
    rfc9110::RULES,
    rfc9111::RULES,
    rfc9112::RULES,
    short::RFC9209,
    short::RFC9211,
    short::RFC9213,
];

/// All rules, by RFC and section.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    TABLES.iter().copied().flatten()
}
