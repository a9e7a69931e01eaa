//! The primary cache key: the URI that a request is for (RFC 9111 §2, §4), as far as its site wants it told apart.

#[cfg(test)]
mod tests;

use crate::uri;

/// Parameters that are sorted without allocating. Links have up to some ten, forms more.
const SORTED_FEW: usize = 32;

/// What of a request is in its key. The default is the whole URI and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// A canonical host, with a port if need be, that replaces the request's in the key and towards the upstream, for
    /// sites with several names; `None` for the request's own.
    pub host: Option<String>,
    /// Which parameters of the query count. The other ones are not sent to the upstream either.
    pub query: QueryRule,
    /// Whether parameters are sorted by name in the key; those of one name keep their order.
    pub sort_query: bool,
    /// Names of request fields, in lower case, that select a stored response as if Vary named them.
    pub fields: Vec<String>,
    /// Names of cookies that do so.
    pub cookies: Vec<String>,
}

/// Which parameters of a query count: what stands between the `&`, with its name before the first `=`.
///
/// Names are compared by case, after percent-decoding. One that ends in `*` means all that begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum QueryRule {
    /// All, with their order.
    #[default]
    All,
    /// None: there is no query.
    Drop,
    /// Those with these names.
    Only(Vec<String>),
    /// Those without these names.
    Except(Vec<String>),
}

impl QueryRule {
    fn keeps(&self, parameter: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Drop => false,
            Self::Only(names) => names.iter().any(|pattern| is_named(parameter, pattern)),
            Self::Except(names) => !names.iter().any(|pattern| is_named(parameter, pattern)),
        }
    }
}

fn is_named(parameter: &[u8], pattern: &str) -> bool {
    let mut name = uri::decoded(name_of(parameter));
    match pattern.strip_suffix('*') {
        Some(prefix) => prefix.bytes().all(|octet| name.next() == Some(octet)),
        None => name.eq(pattern.bytes()),
    }
}

fn name_of(parameter: &[u8]) -> &[u8] {
    let end = parameter.iter().position(|octet| *octet == b'=');
    &parameter[..end.unwrap_or(parameter.len())]
}

/// Writes the key to `out`, behind what is there: the host in lower case without the default port, then path and query
/// in normal form.
///
/// `authority` is the effective host with or without port, and the scheme is http. `path_and_query` begins with `/` or
/// `?`, or is empty or `*`. Does not allocate, but for `out` and to sort more than 32 parameters.
///
/// The same key have URIs that RFC 9110 §4.2.3 and RFC 3986 §6.2.2 call equivalent: those that differ in the case of
/// the host, an absent, empty or default port, an empty path, percent-encoding of unreserved octets and the case of its
/// digits, dot segments; and those that differ in what `rules` leave out. An empty query counts as none. RFC 3986
/// §6.2.3 does not say so, but no server in use tells them apart, and the mark alone would be a way past the store.
///
/// All else is in the key octet for octet: one that is finer than need be costs a miss, one that is coarser than the
/// origin's idea of its URIs gives the wrong response. `%2F` is no `/`, and a `%` that encodes nothing leaves its
/// segment or parameter as it is.
pub fn write_key(rules: &KeyRules, authority: &[u8], path_and_query: &[u8], out: &mut Vec<u8>) {
    let authority = rules.host.as_ref().map_or(authority, |host| host.as_bytes());
    let start = out.len();
    out.extend_from_slice(without_default_port(authority));
    out[start..].make_ascii_lowercase();
    let is_whole_query = matches!(rules.query, QueryRule::All) && !rules.sort_query;
    if is_whole_query && is_normal(path_and_query) {
        out.extend_from_slice(path_and_query);
        return;
    }
    let (path, query) = uri::split_query(path_and_query);
    if path.is_empty() || path.starts_with(b"/") {
        uri::write_path(path, out);
    } else {
        out.extend_from_slice(path);
    }
    if let Some(query) = query {
        write_query(rules, query, out);
    }
}

/// RFC 9110 §4.2.1 and RFC 3986 §3.2.3: for http, no port and an empty one are port 80.
fn without_default_port(authority: &[u8]) -> &[u8] {
    authority.strip_suffix(b":80").or_else(|| authority.strip_suffix(b":")).unwrap_or(authority)
}

/// Whether there is nothing to normalise, which holds for nearly all. May be false for some that are normal.
fn is_normal(path_and_query: &[u8]) -> bool {
    let (Some(b'/'), Some(last)) = (path_and_query.first(), path_and_query.last()) else {
        return false;
    };
    // No branch within, so that many octets are looked at together.
    let pairs = path_and_query.iter().zip(&path_and_query[1..]);
    let is_plain = pairs.fold(true, |is_plain, (one, next)| {
        is_plain & (*one != b'%') & !((*one == b'/') & (*next == b'.'))
    });
    is_plain && !matches!(last, b'%' | b'?')
}

/// Writes `?` and the parameters of `query` that count, in normal form; nothing if they are empty.
fn write_query(rules: &KeyRules, query: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let parameters = query.split(|octet| *octet == b'&').filter(|kept| rules.query.keeps(kept));
    out.push(b'?');
    if rules.sort_query {
        write_sorted(parameters, out);
    } else {
        write_parameters(parameters.map(uri::normalised), out);
    }
    if out.len() == start + 1 {
        out.pop();
    }
}

fn write_sorted<'a>(parameters: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let (mut few, mut many) = ([&b""[..]; SORTED_FEW], Vec::new());
    let mut count = 0;
    for parameter in parameters {
        match few.get_mut(count) {
            Some(place) => *place = parameter,
            None if many.is_empty() => many = [&few[..], &[parameter]].concat(),
            None => many.push(parameter),
        }
        count += 1;
    }
    let sorted = if many.is_empty() { &mut few[..count] } else { &mut many[..] };
    let name = |parameter| uri::normalised(name_of(parameter));
    sorted.sort_by(|one, other| name(one).cmp(name(other)));
    write_parameters(sorted.iter().map(|parameter| uri::normalised(parameter)), out);
}

fn write_parameters(parameters: impl Iterator<Item = impl Iterator<Item = u8>>, out: &mut Vec<u8>) {
    for (index, parameter) in parameters.enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend(parameter);
    }
}

/// Writes to `out`, behind what is there, what the upstream is asked for: `path_and_query` octet for octet, but without
/// the parameters that `rules` leave out of the key. One that reached the origin could change a response that is then
/// stored for those who ask without it.
pub fn write_target(rules: &KeyRules, path_and_query: &[u8], out: &mut Vec<u8>) {
    let (path, query) = uri::split_query(path_and_query);
    let is_kept = |parameter: &&[u8]| rules.query.keeps(parameter);
    let parameters = || query.unwrap_or_default().split(|octet| *octet == b'&');
    if query.is_none() || parameters().all(|parameter| is_kept(&parameter)) {
        out.extend_from_slice(path_and_query);
        return;
    }
    out.extend_from_slice(path);
    let start = out.len();
    out.push(b'?');
    write_parameters(parameters().filter(is_kept).map(|kept| kept.iter().copied()), out);
    if out.len() == start + 1 {
        out.pop();
    }
}

/// Whether the path has a segment `.` or `..`, percent-encoded or not, which the key is without.
///
/// The origin is sent it as it is and may see another resource than the key says: a response to such a request is not
/// stored, or whoever asks for `/b` would be given what `/a/../b` brought. One that is stored may answer it.
#[must_use]
pub fn has_dot_segments(path_and_query: &[u8]) -> bool {
    uri::has_dot_segments(uri::split_query(path_and_query).0)
}
