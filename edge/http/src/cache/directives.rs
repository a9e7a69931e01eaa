//! What Cache-Control says, as it is met in the wild (RFC 9111 §5.2), and Pragma (§5.4).

use crate::fields::{trim_ows, unquoted};
use crate::head::Fields;
use crate::time::DeltaSeconds;

/// The directives of a response that a shared cache acts on (RFC 9111 §5.2.2, RFC 5861, RFC 8246).
///
/// Of duplicates and conflicts the most restrictive counts (§4.2.1). A max-age or s-maxage without a valid argument is
/// 0: "caches are encouraged to consider responses that have invalid freshness information to be stale".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// §5.2.2.5: must not be stored.
    pub no_store: bool,
    /// §5.2.2.4: must not be used without validation. Also set for the form with field names, which is stricter than
    /// that asks for and what most caches do.
    pub no_cache: bool,
    /// Each no-cache names fields that it is about.
    pub no_cache_qualified: bool,
    /// §5.2.2.7: must not be stored by a shared cache. Also set for the form with field names.
    pub private: bool,
    /// Each private names fields that it is about.
    pub private_qualified: bool,
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
}

const NEVER: DeltaSeconds = DeltaSeconds(0);

/// Reads Cache-Control of a response.
#[must_use]
pub fn response_directives(fields: Fields<'_>) -> ResponseDirectives {
    let mut read = ResponseDirectives::default();
    let (mut no_cache_whole, mut private_whole) = (false, false);
    for member in fields.list("cache-control") {
        let (name, argument) = split(member);
        if name.eq_ignore_ascii_case(b"max-age") {
            least(&mut read.max_age, argument.seconds().unwrap_or(NEVER));
        } else if name.eq_ignore_ascii_case(b"s-maxage") {
            least(&mut read.s_maxage, argument.seconds().unwrap_or(NEVER));
        } else if name.eq_ignore_ascii_case(b"no-store") {
            read.no_store = true;
        } else if name.eq_ignore_ascii_case(b"no-cache") {
            read.no_cache = true;
            no_cache_whole |= !argument.names_fields();
        } else if name.eq_ignore_ascii_case(b"private") {
            read.private = true;
            private_whole |= !argument.names_fields();
        } else if name.eq_ignore_ascii_case(b"public") {
            read.public = true;
        } else if name.eq_ignore_ascii_case(b"must-revalidate") {
            read.must_revalidate = true;
        } else if name.eq_ignore_ascii_case(b"proxy-revalidate") {
            read.proxy_revalidate = true;
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
        }
    }
    read.no_cache_qualified = read.no_cache && !no_cache_whole;
    read.private_qualified = read.private && !private_whole;
    read
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
    /// White space around the `=`, or quotes that do not end.
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
        matches!(self, Self::Value(value) if !trim_ows(value).is_empty())
    }
}

/// Takes a directive apart. The name is recognised even when white space follows it, so that nothing that restricts is
/// lost; the argument is then malformed.
fn split(member: &[u8]) -> (&[u8], Argument<'_>) {
    let Some(equals) = member.iter().position(|&octet| octet == b'=') else {
        return (member, Argument::None);
    };
    let (name, value) = (&member[..equals], &member[equals + 1..]);
    let trimmed = trim_ows(name);
    if trimmed.len() < name.len() || trim_ows(value).len() < value.len() {
        return (trimmed, Argument::Malformed);
    }
    let argument = match value.first() {
        Some(b'"') => unquoted(value).map_or(Argument::Malformed, Argument::Value),
        _ => Argument::Value(value),
    };
    (name, argument)
}

#[cfg(test)]
mod tests;
