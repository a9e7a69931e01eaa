//! Which of several stored responses a request selects: Vary and the fields it names (RFC 9111 §4.1).

mod cookies;
mod preferences;
#[cfg(test)]
mod tests;

use super::key::KeyRules;
use super::storable::NotStorable;
use crate::fields::{is_token, trim_ows};
use crate::head::Fields;
use preferences::{Negotiated, Preferences};

/// Names in one Vary. Each is looked for in every request for the URI; sites in use name one to five.
const NAMES_MAX: usize = 64;

/// Begins the line of a cookie: no field name has it.
const COOKIE_MARK: u8 = b'=';

/// Writes to `out`, behind what is there, what selects a response with this `vary` that answered `request`, in a form
/// that is the same for all requests that it fits: the request fields that Vary names and those that `rules` name, then
/// the cookies that `rules` name. Nothing when there are none.
///
/// A field is a line `name:value`, or `name` when the request has it not; names are in lower case, sorted, once each.
/// Field lines of one name are combined by commas and white space around commas is left out (RFC 9111 §4.1). Of
/// Accept, Accept-Charset, Accept-Encoding and Accept-Language the meaning counts: case, order and how a weight is
/// written do not. Nothing is taken for the same where the field's definition does not say so: no list of an unknown
/// field loses empty members, since its origin may take it for no list.
///
/// A cookie is a line that begins with `=`, so that no field can be taken for one. Where Cookie as a whole takes part
/// there are none.
///
/// # Errors
/// [`NotStorable::VaryStar`] for `Vary: *`, which no request matches, and for more than 64 names, which is as if.
pub fn selection(
    rules: &KeyRules,
    vary: Fields<'_>,
    request: Fields<'_>,
    out: &mut Vec<u8>,
) -> Result<(), NotStorable> {
    let named = vary.list("vary").take(NAMES_MAX + 1).map(<[u8]>::to_ascii_lowercase);
    let mut names: Vec<Vec<u8>> = named.collect();
    if names.len() > NAMES_MAX || names.iter().any(|name| name == b"*") {
        return Err(NotStorable::VaryStar);
    }
    names.extend(rules.fields.iter().map(|name| name.to_ascii_lowercase().into_bytes()));
    // No request has a field whose name is no token, so that one tells no requests apart.
    names.retain(|name| is_token(name));
    names.sort_unstable();
    names.dedup();
    for name in &names {
        out.extend_from_slice(name);
        if has(request, name) {
            out.push(b':');
            write_value(request, name, |octet| out.push(octet));
        }
        out.push(b'\n');
    }
    if !rules.cookies.is_empty() && !names.iter().any(|name| name == b"cookie") {
        write_cookies(&rules.cookies, request, out);
    }
    Ok(())
}

fn write_cookies(names: &[String], request: Fields<'_>, out: &mut Vec<u8>) {
    let mut names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    names.retain(|name| cookies::is_name(name));
    names.sort_unstable();
    names.dedup();
    for name in names {
        out.push(COOKIE_MARK);
        out.extend_from_slice(name);
        cookies::write_occurrences(request, name, |octet| out.push(octet));
        out.push(b'\n');
    }
}

/// Whether a request has the fields and cookies that [`selection`] wrote down. True for an empty selection. Does not
/// allocate.
#[must_use]
pub fn selects(selection: &[u8], request: Fields<'_>) -> bool {
    let mut lines = selection.split(|&octet| octet == b'\n').filter(|line| !line.is_empty());
    lines.all(|line| match line.split_first() {
        Some((&COOKIE_MARK, line)) => {
            let (name, occurrences) = cookies::split_name(line);
            let mut comparison = Comparison::new(occurrences);
            cookies::write_occurrences(request, name, |octet| comparison.push(octet));
            comparison.is_equal()
        }
        _ => has_line(request, line),
    })
}

fn has_line(request: Fields<'_>, line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&octet| octet == b':') else {
        // RFC 9111 §4.1: a field that was absent matches only if it is absent again.
        return !has(request, line);
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let mut comparison = Comparison::new(value);
    write_value(request, name, |octet| comparison.push(octet));
    // Not before: most requests have the fields of most others.
    comparison.is_equal() && has(request, name)
}

/// Compares octets that come one by one.
struct Comparison<'a> {
    rest: &'a [u8],
    is_equal: bool,
}

impl<'a> Comparison<'a> {
    fn new(expected: &'a [u8]) -> Self {
        Self { rest: expected, is_equal: true }
    }

    fn push(&mut self, octet: u8) {
        match self.rest.split_first() {
            Some((expected, rest)) if *expected == octet => self.rest = rest,
            _ => self.is_equal = false,
        }
    }

    fn is_equal(&self) -> bool {
        self.is_equal && self.rest.is_empty()
    }
}

fn has(request: Fields<'_>, name: &[u8]) -> bool {
    request.named(name).next().is_some()
}

/// Writes the value of a request field in the form that is the same for all values that are known to mean the same.
fn write_value(request: Fields<'_>, name: &[u8], mut write: impl FnMut(u8)) {
    if name == b"cookie" {
        return cookies::write_whole(request, write);
    }
    let negotiated = Negotiated::of(name);
    if let Some(kind) = negotiated
        && let Some(preferences) = Preferences::read(kind, request.named(name))
    {
        return preferences.write(write);
    }
    // RFC 9110 §8.3.2, §8.4.1, §8.5.1: these are compared without regard to case, whatever else is wrong with them.
    let is_case_insensitive = negotiated.is_some_and(|kind| kind != Negotiated::MediaType);
    let members = request.named(name).flat_map(members);
    for (index, member) in members.enumerate() {
        if index > 0 {
            write(b',');
        }
        for octet in member {
            write(if is_case_insensitive { octet.to_ascii_lowercase() } else { *octet });
        }
    }
}

/// What stands between the commas of one line, without white space at both ends. Empty members are among them, and a
/// comma in a quoted-string separates nothing.
fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let separates = move |octet: &u8| {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => is_escaped = true,
            _ => {}
        }
        *octet == b',' && !is_quoted
    };
    line.split(separates).map(trim_ows)
}
