//! What Cache-Control says, as it is met in the wild (RFC 9111 §5.2), and Pragma of a request (§5.4).

use super::targeted;
use crate::fields::{is_token, list_members, trim_ows, unquoted};
use crate::head::Fields;
use crate::time::DeltaSeconds;

/// The directives of a response that a shared cache acts on (RFC 9111 §5.2.2, RFC 5861, RFC 8246).
///
/// Of duplicates and conflicts the most restrictive counts (RFC 9111 §4.2.1). That section would have the first of two
/// lifetimes used, or the response considered stale; with the shorter one a response is at any time judged in one of
/// these two ways. A max-age or s-maxage without a valid argument is 0, since caches are encouraged to consider
/// invalid freshness information as stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// §5.2.2.5: must not be stored.
    pub no_store: bool,
    /// §5.2.2.4: must not be used without validation. Set by the form without field names, and by one whose names can't
    /// be told or are needed here; for the other form see [`is_withheld`].
    pub no_cache: bool,
    /// §5.2.2.7: must not be stored by a shared cache. Set by the form without field names, like `no_cache`.
    pub private: bool,
    /// §5.2.2.9: may be stored though it could not be otherwise.
    pub public: bool,
    /// §5.2.2.2: must not be used when stale.
    pub must_revalidate: bool,
    /// §5.2.2.8: must not be used by a shared cache when stale.
    pub proxy_revalidate: bool,
    /// §5.2.2.3: may be stored only by who understands the status.
    pub must_understand: bool,
    /// §5.2.2.6: the content must not be transformed.
    pub no_transform: bool,
    /// RFC 8246 §2: does not change while it is fresh.
    pub immutable: bool,
    /// §5.2.2.1: freshness lifetime.
    pub max_age: Option<DeltaSeconds>,
    /// §5.2.2.10: freshness lifetime for shared caches.
    pub s_maxage: Option<DeltaSeconds>,
    /// RFC 5861 §3: may be used for so long after it became stale while it is revalidated.
    pub stale_while_revalidate: Option<DeltaSeconds>,
    /// RFC 5861 §4: may be used for so long after it became stale if there is an error.
    pub stale_if_error: Option<DeltaSeconds>,
    /// RFC 9213 §2.2: they come from CDN-Cache-Control, so that neither Cache-Control nor Expires counts.
    pub targeted: bool,
}

/// The directives of a request (RFC 9111 §5.2.1). Of duplicates the most restrictive counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// §5.2.1.5: nothing of the request or its response must be stored.
    pub no_store: bool,
    /// §5.2.1.4: a stored response must not be used without validation.
    pub no_cache: bool,
    /// §5.2.1.7: only a stored response is wanted, else 504 (Gateway Timeout).
    pub only_if_cached: bool,
    /// §5.2.1.6: the content must not be transformed.
    pub no_transform: bool,
    /// §5.2.1.1: no older response is wanted. 0 when the argument is invalid.
    pub max_age: Option<DeltaSeconds>,
    /// §5.2.1.3: it must stay fresh for so long.
    pub min_fresh: Option<DeltaSeconds>,
    /// §5.2.1.2: it may be stale for so long; the maximum when there is no argument.
    pub max_stale: Option<DeltaSeconds>,
    /// RFC 5861 §4: if there is an error, it may be stale for so long. 0 when the argument is invalid.
    pub stale_if_error: Option<DeltaSeconds>,
}

const NEVER: DeltaSeconds = DeltaSeconds(0);

/// Fields that decide how a response is kept, chosen, aged or understood. Without them what is stored would mean
/// something else, so a qualified directive that names one of them counts as unqualified, as RFC 9111 §5.2.2.4 and
/// §5.2.2.7 allow.
const NEEDED: [&[u8]; 12] = [
    b"age",
    b"cache-control",
    b"cdn-cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"date",
    b"expires",
    b"transfer-encoding",
    b"vary",
];

/// The directives of a response that apply here: those of CDN-Cache-Control if it is valid, else those of
/// Cache-Control (RFC 9213 §2.2).
#[must_use]
pub fn response_directives(fields: Fields<'_>) -> ResponseDirectives {
    targeted::directives(fields).unwrap_or_else(|| cache_control(fields))
}

/// Whether a directive that applies here, `private="..."` or `no-cache="..."`, names the field `name`: it must neither
/// be stored nor reused, unlike the rest of the response (RFC 9111 §5.2.2.4, §5.2.2.7).
#[must_use]
pub fn is_withheld(fields: Fields<'_>, name: &[u8]) -> bool {
    let mut found = false;
    each_withheld(fields, |withheld| found |= withheld.eq_ignore_ascii_case(name));
    found
}

/// Whether there is any name that [`is_withheld`] would find.
#[must_use]
pub fn withholds(fields: Fields<'_>) -> bool {
    let mut found = false;
    each_withheld(fields, |_| found = true);
    found
}

fn each_withheld(fields: Fields<'_>, mut visit: impl FnMut(&[u8])) {
    if targeted::each_withheld(fields, &mut visit).is_some() {
        return;
    }
    for member in fields.list("cache-control") {
        let (name, argument) = split(member);
        let is_qualifiable =
            name.eq_ignore_ascii_case(b"private") || name.eq_ignore_ascii_case(b"no-cache");
        if let Argument::Value(names) = argument
            && is_qualifiable
            && names_fields(names)
        {
            list_members(names).for_each(&mut visit);
        }
    }
}

/// Whether the argument of a qualified directive says clearly which fields are meant, and these can be left out.
pub(super) fn names_fields(names: &[u8]) -> bool {
    // An apostrophe may stand in a token, but here it is meant as a quote.
    let is_name = |name: &[u8]| is_token(name) && !name.contains(&b'\'');
    let is_needed = |name: &[u8]| NEEDED.iter().any(|needed| needed.eq_ignore_ascii_case(name));
    list_members(names).next().is_some()
        && list_members(names).all(|name| is_name(name) && !is_needed(name))
}

fn cache_control(fields: Fields<'_>) -> ResponseDirectives {
    let mut read = ResponseDirectives::default();
    for member in fields.list("cache-control") {
        let (name, argument) = split(member);
        if name.eq_ignore_ascii_case(b"max-age") {
            least(&mut read.max_age, argument.seconds().unwrap_or(NEVER));
        } else if name.eq_ignore_ascii_case(b"s-maxage") {
            least(&mut read.s_maxage, argument.seconds().unwrap_or(NEVER));
        } else if name.eq_ignore_ascii_case(b"public") {
            read.public = true;
        } else if name.eq_ignore_ascii_case(b"must-understand") {
            read.must_understand = true;
        } else if name.eq_ignore_ascii_case(b"no-transform") {
            read.no_transform = true;
        } else if name.eq_ignore_ascii_case(b"immutable") {
            read.immutable = true;
        } else if name.eq_ignore_ascii_case(b"stale-while-revalidate") {
            least(&mut read.stale_while_revalidate, argument.seconds().unwrap_or(NEVER));
        } else if name.eq_ignore_ascii_case(b"stale-if-error") {
            least(&mut read.stale_if_error, argument.seconds().unwrap_or(NEVER));
        } else {
            read.restrict(name, argument);
        }
        if argument == Argument::Malformed {
            read.restrict_by_words(member);
        }
    }
    read
}

impl ResponseDirectives {
    /// Takes a directive that restricts into account; others change nothing.
    fn restrict(&mut self, name: &[u8], argument: Argument<'_>) {
        if name.eq_ignore_ascii_case(b"no-store") {
            self.no_store = true;
        } else if name.eq_ignore_ascii_case(b"no-cache") {
            self.no_cache |= !argument.names_fields();
        } else if name.eq_ignore_ascii_case(b"private") {
            self.private |= !argument.names_fields();
        } else if name.eq_ignore_ascii_case(b"must-revalidate") {
            self.must_revalidate = true;
        } else if name.eq_ignore_ascii_case(b"proxy-revalidate") {
            self.proxy_revalidate = true;
        }
    }

    /// Takes into account what restricts in a member that has not the form of a directive. `max-age=9; no-store` and a
    /// quote without end, which takes the rest of the line, are met in the wild; to RFC 9111 §5.2 they are unknown
    /// directives. Whoever wrote them meant to restrict, and being stricter is always allowed.
    fn restrict_by_words(&mut self, member: &[u8]) {
        let separates = |octet: &u8| matches!(octet, b',' | b';' | b'"' | b'=' | b' ' | b'\t');
        for word in member.split(separates) {
            self.restrict(word, Argument::None);
        }
    }
}

/// Reads Cache-Control of a request, and Pragma when there is no Cache-Control (RFC 9111 §5.4).
#[must_use]
pub fn request_directives(fields: Fields<'_>) -> RequestDirectives {
    let mut read = RequestDirectives::default();
    if !fields.contains("cache-control") {
        let is_no_cache = |member: &[u8]| split(member).0.eq_ignore_ascii_case(b"no-cache");
        read.no_cache = fields.list("pragma").any(is_no_cache);
        return read;
    }
    for member in fields.list("cache-control") {
        let (name, argument) = split(member);
        if name.eq_ignore_ascii_case(b"max-age") {
            least(&mut read.max_age, argument.seconds().unwrap_or(NEVER));
        } else if name.eq_ignore_ascii_case(b"no-cache") {
            read.no_cache = true;
        } else if name.eq_ignore_ascii_case(b"no-store") {
            read.no_store = true;
        } else if name.eq_ignore_ascii_case(b"only-if-cached") {
            read.only_if_cached = true;
        } else if name.eq_ignore_ascii_case(b"no-transform") {
            read.no_transform = true;
        } else if name.eq_ignore_ascii_case(b"min-fresh") {
            read.min_fresh = read.min_fresh.max(argument.seconds());
        } else if name.eq_ignore_ascii_case(b"max-stale") {
            let stale = match argument {
                Argument::None => DeltaSeconds::MAX,
                argument => argument.seconds().unwrap_or(NEVER),
            };
            least(&mut read.max_stale, stale);
        } else if name.eq_ignore_ascii_case(b"stale-if-error") {
            least(&mut read.stale_if_error, argument.seconds().unwrap_or(NEVER));
        }
    }
    read
}

fn least(directive: &mut Option<DeltaSeconds>, seconds: DeltaSeconds) {
    *directive = Some(directive.map_or(seconds, |earlier| earlier.min(seconds)));
}

/// What follows the name of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument<'a> {
    /// There is no `=`.
    None,
    /// A token or the inside of a quoted string; recipients accept both (RFC 9111 §5.2).
    Value(&'a [u8]),
    /// The member is not of the form `token` or `token=(token / quoted-string)`: white space around the `=`, nothing
    /// behind it, quotes that do not end, a semicolon, ...
    Malformed,
}

impl Argument<'_> {
    fn seconds(self) -> Option<DeltaSeconds> {
        match self {
            Self::Value(value) => DeltaSeconds::parse(value),
            Self::None | Self::Malformed => None,
        }
    }

    fn names_fields(self) -> bool {
        matches!(self, Self::Value(value) if names_fields(value))
    }
}

/// Takes a directive apart. The name is recognised even when white space follows it, so that nothing that restricts is
/// lost; the argument is then malformed.
fn split(member: &[u8]) -> (&[u8], Argument<'_>) {
    let Some(equals) = member.iter().position(|&octet| octet == b'=') else {
        return (member, if is_token(member) { Argument::None } else { Argument::Malformed });
    };
    let (name, value) = (&member[..equals], &member[equals + 1..]);
    let argument = match value.first() {
        _ if !is_token(name) => None,
        Some(b'"') => unquoted(value),
        _ => Some(value).filter(|value| is_token(value)),
    };
    (trim_ows(name), argument.map_or(Argument::Malformed, Argument::Value))
}

#[cfg(test)]
mod tests;
