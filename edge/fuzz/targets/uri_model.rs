//! URIs the slow way (RFC 3986): what keys and references are compared with. Shares no code with lastmile-http.

/// The normal form of path and query (§6.2.2), one that cuts where a key may.
pub fn normal(path_and_query: &[u8]) -> Vec<u8> {
    let mut halves = path_and_query.splitn(2, |octet| *octet == b'?');
    let path = halves.next().unwrap_or_default();
    let query = halves.next().unwrap_or_default();
    let mut out = if path == b"*" { path.to_vec() } else { normal_path(path) };
    if !query.is_empty() {
        out.push(b'?');
        let parameters = query.split(|octet| *octet == b'&').map(decoded_unreserved);
        out.extend(parameters.collect::<Vec<_>>().join(&b'&'));
    }
    out
}

/// §5.2.4, with a stack of segments.
pub fn normal_path(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<Vec<u8>> = vec![];
    let segments: Vec<_> =
        path.split(|octet| *octet == b'/').skip(1).map(decoded_unreserved).collect();
    let last = segments.len().wrapping_sub(1);
    for (index, segment) in segments.into_iter().enumerate() {
        let is_dots = segment == b"." || segment == b"..";
        if segment == b".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(segment);
        } else if index == last {
            kept.push(vec![]);
        }
    }
    [b"/", &kept.join(&b'/')[..]].concat()
}

/// §6.2.2.1, §6.2.2.2; a component with a `%` that encodes nothing is left alone.
fn decoded_unreserved(component: &[u8]) -> Vec<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let mut out = vec![];
    let mut rest = component;
    while let [octet, after @ ..] = rest {
        rest = after;
        if *octet != b'%' {
            out.push(*octet);
            continue;
        }
        let [high, low, after @ ..] = rest else { return component.to_vec() };
        let (Some(one), Some(two)) = (digit(*high), digit(*low)) else { return component.to_vec() };
        rest = after;
        let meant = (one * 16 + two) as u8;
        if meant.is_ascii_alphanumeric() || b"-._~".contains(&meant) {
            out.push(meant);
        } else {
            out.extend(format!("%{meant:02X}").bytes());
        }
    }
    out
}

/// A reference in its parts, the fragment left out.
pub struct Parts<'a> {
    pub scheme: Option<&'a [u8]>,
    pub authority: Option<&'a [u8]>,
    pub path: &'a [u8],
    pub query: Option<&'a [u8]>,
}

/// Takes a reference apart as Appendix B does.
pub fn parts(reference: &[u8]) -> Parts<'_> {
    let find = |octets: &[u8], marks: &[u8]| octets.iter().position(|octet| marks.contains(octet));
    let end = find(reference, b"#").unwrap_or(reference.len());
    let mut rest = &reference[..end];
    let mut query = None;
    if let Some(mark) = find(rest, b"?") {
        (rest, query) = (&rest[..mark], Some(&rest[mark + 1..]));
    }
    let mut scheme = None;
    if let Some(colon) = find(rest, b":/").filter(|at| rest[*at] == b':' && *at > 0) {
        (scheme, rest) = (Some(&rest[..colon]), &rest[colon + 1..]);
    }
    let mut authority = None;
    if let Some(after) = rest.strip_prefix(b"//") {
        let end = find(after, b"/").unwrap_or(after.len());
        (authority, rest) = (Some(&after[..end]), &after[end..]);
    }
    Parts { scheme, authority, path: rest, query }
}

/// The host in lower case and the port, 80 if there is none.
pub fn origin(authority: &[u8]) -> Option<(Vec<u8>, u32)> {
    let colon = authority.iter().rposition(|octet| *octet == b':');
    let colon = colon.filter(|colon| !authority[*colon..].contains(&b']'));
    let (host, port) = authority.split_at(colon.unwrap_or(authority.len()));
    let port = match port {
        [] | b":" => 80,
        [_, digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            str::from_utf8(digits).ok()?.parse().ok()?
        }
        _ => return None,
    };
    (!host.is_empty() && port <= 65_535).then(|| (host.to_ascii_lowercase(), port))
}
