//! max-age and s-maxage as they come in the wild: RFC 9111 §5.2, §4.2.1, §1.2.2.

use crate::case::{Case, Reuse, twice};
use Reuse::{Asked, Hit};

/// Name, section, fields, what becomes of the second request, why.
pub(crate) type Row = (&'static str, &'static str, &'static [&'static str], Reuse, &'static str);

/// How long it is fresh. With an Age of 100 and a lifetime of 3600 a response is fresh, and stale without the latter.
const LIFETIMES: &[Row] = &[
    ("max-age", "§5.2.2.1", &["Cache-Control: max-age=3600", "Age: 100"], Hit, "fresh"),
    ("max-age-0", "§5.2.2.1", &["Cache-Control: max-age=0"], Asked, "never fresh"),
    (
        "max-age-spent",
        "§5.2.2.1",
        &["Cache-Control: max-age=100", "Age: 100"],
        Asked,
        "§4.2: the lifetime must be greater than the age",
    ),
    ("max-age-upper", "§5.2", &["Cache-Control: MAX-AGE=3600"], Hit, "in any case"),
    ("max-age-mixed", "§5.2", &["cAcHe-cOnTrOl: MaX-aGe=3600"], Hit, "in any case, the name too"),
    (
        "max-age-quoted",
        "§5.2",
        &["Cache-Control: max-age=\"3600\""],
        Hit,
        "recipients ought to accept both forms",
    ),
    (
        "max-age-apostrophes",
        "§4.2.1",
        &["Cache-Control: max-age='3600'"],
        Asked,
        "no number: stale",
    ),
    (
        "max-age-space-before",
        "§4.2.1",
        &["Cache-Control: max-age =100"],
        Asked,
        "no white space is allowed",
    ),
    ("max-age-space-after", "§4.2.1", &["Cache-Control: max-age= 100"], Asked, "nor here"),
    (
        "max-age-zeros",
        "§1.2.2",
        &["Cache-Control: max-age=003600", "Age: 100"],
        Hit,
        "delta-seconds are 1*DIGIT",
    ),
    ("max-age-zero-0", "§1.2.2", &["Cache-Control: max-age=00"], Asked, "still 0"),
    ("max-age-decimal", "§4.2.1", &["Cache-Control: max-age=3600.0"], Asked, "no integer: stale"),
    ("max-age-decimal-5", "§4.2.1", &["Cache-Control: max-age=0.5"], Asked, "no integer: stale"),
    ("max-age-suffix", "§4.2.1", &["Cache-Control: max-age=3600a"], Asked, "no integer: stale"),
    ("max-age-prefix", "§4.2.1", &["Cache-Control: max-age=a3600"], Asked, "no integer: stale"),
    ("max-age-exponent", "§4.2.1", &["Cache-Control: max-age=1e9"], Asked, "no integer: stale"),
    ("max-age-hex", "§4.2.1", &["Cache-Control: max-age=0x1000"], Asked, "no integer: stale"),
    ("max-age-negative", "§1.2.2", &["Cache-Control: max-age=-3600"], Asked, "non-negative only"),
    ("max-age-plus", "§4.2.1", &["Cache-Control: max-age=+3600"], Asked, "no sign"),
    ("max-age-no-argument", "§4.2.1", &["Cache-Control: max-age"], Asked, "none: stale"),
    ("max-age-empty", "§4.2.1", &["Cache-Control: max-age="], Asked, "none: stale"),
    ("max-age-quoted-empty", "§4.2.1", &["Cache-Control: max-age=\"\""], Asked, "none: stale"),
    ("max-age-2147483647", "§1.2.2", &["Cache-Control: max-age=2147483647"], Hit, "31 bits"),
    (
        "max-age-2147483648",
        "§1.2.2",
        &["Cache-Control: max-age=2147483648"],
        Hit,
        "the largest to be told apart",
    ),
    (
        "max-age-2147483649",
        "§1.2.2",
        &["Cache-Control: max-age=2147483649"],
        Hit,
        "as if it were the largest",
    ),
    (
        "max-age-4294967296",
        "§1.2.2",
        &["Cache-Control: max-age=4294967296"],
        Hit,
        "no 32 bits that begin again",
    ),
    ("max-age-99999999999", "§1.2.2", &["Cache-Control: max-age=99999999999"], Hit, "no overflow"),
    (
        "max-age-18446744073709551617",
        "§1.2.2",
        &["Cache-Control: max-age=18446744073709551617"],
        Hit,
        "no 64 bits that begin again",
    ),
    (
        "max-age-twice-same",
        "§4.2.1",
        &["Cache-Control: max-age=3600, max-age=3600"],
        Hit,
        "both say so",
    ),
    (
        "max-age-twice-line",
        "§4.2.1",
        &["Cache-Control: max-age=3600, max-age=0"],
        Asked,
        "stricter, or the first: ours is stricter",
    ),
    (
        "max-age-twice-line-0",
        "§4.2.1",
        &["Cache-Control: max-age=0, max-age=3600"],
        Asked,
        "the first, and stricter",
    ),
    (
        "max-age-twice-lines",
        "§4.2.1",
        &["Cache-Control: max-age=0", "Cache-Control: max-age=3600"],
        Asked,
        "the first, and stricter",
    ),
    (
        "max-age-two-lines",
        "RFC 9110 §5.3",
        &["Cache-Control: foo", "Cache-Control: max-age=3600"],
        Hit,
        "lines are one list",
    ),
    (
        "max-age-in-extension",
        "§5.2",
        &["Cache-Control: extension=\"max-age=3600\""],
        Asked,
        "inside of a quoted-string is no directive",
    ),
    (
        "max-age-behind-extension",
        "§5.2",
        &["Cache-Control: extension=\"max-age=0, a\", max-age=3600"],
        Hit,
        "nor does it count beside one",
    ),
    (
        "max-age-in-escape",
        "§5.2",
        &["Cache-Control: extension=\"a\\\", max-age=0, \\\"\", max-age=3600"],
        Hit,
        "an escaped quote ends nothing",
    ),
    (
        "no-store-in-extension",
        "§5.2",
        &["Cache-Control: extension=\"no-store\", max-age=3600"],
        Hit,
        "inside of a quoted-string is no directive",
    ),
    (
        "max-age-other-name",
        "§5.2.3",
        &["Cache-Control: x-max-age=3600"],
        Asked,
        "another directive",
    ),
    (
        "max-age-longer-name",
        "§5.2.3",
        &["Cache-Control: max-age2=3600"],
        Asked,
        "another directive",
    ),
    (
        "max-age-unknown-beside",
        "§5.2.3",
        &["Cache-Control: foo, bar=2, baz=\"x\", max-age=3600"],
        Hit,
        "unknown ones are ignored",
    ),
    (
        "max-age-empty-members",
        "RFC 9110 §5.6.1",
        &["Cache-Control: ,, max-age=3600 ,\t,"],
        Hit,
        "empty members are ignored",
    ),
    (
        "max-age-no-space",
        "RFC 9110 §5.6.1",
        &["Cache-Control: foo,max-age=3600"],
        Hit,
        "white space is optional",
    ),
    (
        "max-age-tabs",
        "RFC 9110 §5.6.1",
        &["Cache-Control: foo\t,\tmax-age=3600\t"],
        Hit,
        "tabs are white space",
    ),
    (
        "max-age-semicolon",
        "§5.2",
        &["Cache-Control: foo; max-age=3600"],
        Asked,
        "a semicolon separates no directives",
    ),
    ("s-maxage", "§5.2.2.10", &["Cache-Control: s-maxage=3600"], Hit, "for shared caches"),
    ("s-maxage-upper", "§5.2", &["Cache-Control: S-MAXAGE=3600"], Hit, "in any case"),
    (
        "s-maxage-beats-max-age",
        "§5.2.2.10",
        &["Cache-Control: max-age=0, s-maxage=3600"],
        Hit,
        "it overrides max-age",
    ),
    (
        "s-maxage-first",
        "§5.2.2.10",
        &["Cache-Control: s-maxage=3600, max-age=0"],
        Hit,
        "whatever the order",
    ),
    (
        "s-maxage-0",
        "§5.2.2.10",
        &["Cache-Control: s-maxage=0, max-age=3600"],
        Asked,
        "it overrides max-age",
    ),
    (
        "s-maxage-beats-expires",
        "§5.2.2.10",
        &["Cache-Control: s-maxage=3600", "Expires: {now-3600}"],
        Hit,
        "it overrides Expires",
    ),
    (
        "s-maxage-bad",
        "§4.2.1",
        &["Cache-Control: s-maxage=x, max-age=3600"],
        Asked,
        "invalid: stale",
    ),
    ("s-maxage-quoted", "§5.2", &["Cache-Control: s-maxage=\"3600\""], Hit, "both forms"),
    ("s-maxage-overflow", "§1.2.2", &["Cache-Control: s-maxage=99999999999"], Hit, "no overflow"),
];

pub(crate) fn cases() -> Vec<Case> {
    LIFETIMES.iter().map(case_of).collect()
}

/// A row without the number of its RFC is of RFC 9111.
pub(crate) fn case_of(&(name, citation, fields, reuse, why): &Row) -> Case {
    let made = twice((name.to_owned(), citation, why), 200, fields, reuse);
    let whole = if citation.starts_with('§') { "RFC 9111 " } else { "" };
    Case { citation: format!("{whole}{citation}"), ..made }
}
