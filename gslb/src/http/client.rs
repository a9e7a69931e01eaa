//! Who a request is from: the peer, or whom proxies that are trusted say. Pure.

use super::rules::{ClientField, Trusted};
use hyper::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// Proxies in a row that are looked at, from ours outwards; real paths have three or four.
const HOPS_MAX: usize = 32;

/// The client of a request that came from `peer`: the nearest address that is no trusted proxy's. The field is read
/// from the right, since only what trusted proxies have appended is true (RFC 7239 §8.1); it ends at what is no
/// address.
pub(super) fn client(
    peer: IpAddr,
    fields: &HeaderMap,
    field: ClientField,
    trusted: &Trusted,
) -> IpAddr {
    let mut client = peer.to_canonical();
    let name = match field {
        ClientField::XForwardedFor => "x-forwarded-for",
        ClientField::Forwarded => "forwarded",
    };
    let values = fields.get_all(name).iter().rev();
    // RFC 9110 §5.3: several lines are one list.
    let elements = values.flat_map(|value| {
        let value = value.to_str().unwrap_or("?");
        let quotes = field == ClientField::Forwarded;
        split(value, ',', quotes).into_iter().rev()
    });
    for element in elements.take(HOPS_MAX) {
        if !trusted.has(client) {
            break;
        }
        let said = match field {
            ClientField::XForwardedFor => node(element.trim()),
            ClientField::Forwarded => forwarded_for(element),
        };
        let Some(said) = said else { break };
        client = said;
    }
    client
}

/// The parts between separators; those in quotes (RFC 9110 §5.6.4) separate nothing, if there are `quotes`: a proxy may
/// quote what its client has said.
fn split(text: &str, separator: char, quotes: bool) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let separates = |char: char| {
        let is_plain = !is_quoted;
        is_quoted ^= quotes && char == '"' && !is_escaped;
        is_escaped = is_quoted && char == '\\' && !is_escaped;
        is_plain && char == separator
    };
    text.split(separates).collect()
}

/// RFC 7239 §4: the `for` of one element.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = split(element, ';', true).into_iter().filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case("for"));
    let (_, value) = found.next()?;
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    node(unquoted.unwrap_or(value))
}

/// RFC 7239 §6: an address, in brackets if it is one of IPv6, with a port or without; in X-Forwarded-For also one of
/// IPv6 without brackets. "unknown" and hidden names are none.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bracketed.unwrap_or(text).parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    Some(address.or_else(with_port)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn clients() {
        let trusted = ["192.0.2.0/24", "2001:db8::/32"].map(|prefix| prefix.parse().unwrap());
        let trusted = Trusted(trusted.into());
        let (proxy, stranger) = ("192.0.2.1", "203.0.113.5");
        let (xff, forwarded) = (ClientField::XForwardedFor, ClientField::Forwarded);
        let rows: &[(&str, ClientField, &[&str], &str, &str)] = &[
            (stranger, xff, &["10.0.0.1"], stranger, "who is not trusted is not believed"),
            ("::ffff:203.0.113.5", xff, &[], stranger, "IPv4 within IPv6"),
            (proxy, xff, &[], proxy, "a proxy that says nothing"),
            (proxy, xff, &["10.0.0.1"], "10.0.0.1", "a proxy that says whom"),
            (
                proxy,
                forwarded,
                &["for=10.0.0.1;host=\"a,for=6.6.6.6;x=y.test\""],
                "10.0.0.1",
                "what a client has said stands in quotes",
            ),
            (
                proxy,
                forwarded,
                &["for=10.0.0.1;host=\"a\\\",for=6.6.6.6\""],
                "10.0.0.1",
                "and an escaped quote does not end them",
            ),
            (proxy, forwarded, &["for=6.6.6.6, \"a,for=10.0.0.1"], proxy, "quotes that stay open"),
            ("::ffff:192.0.2.1", xff, &["10.0.0.1"], "10.0.0.1", "the same on a socket of IPv6"),
            (proxy, xff, &["10.9.9.9, 10.0.0.1"], "10.0.0.1", "what the client itself sent"),
            (proxy, xff, &["10.0.0.1, 192.0.2.9"], "10.0.0.1", "two proxies"),
            (proxy, xff, &["10.0.0.1", "192.0.2.9"], "10.0.0.1", "in two lines"),
            (proxy, xff, &["192.0.2.8, 192.0.2.9"], "192.0.2.8", "proxies only: the outermost"),
            (proxy, xff, &["10.0.0.1,junk"], proxy, "no address: the last that is known"),
            (proxy, xff, &["10.0.0.1,"], proxy, "an empty element"),
            (proxy, xff, &["10.0.0.1, junk, 192.0.2.9"], "192.0.2.9", "the same farther out"),
            (proxy, xff, &["10.0.0.1:1234"], "10.0.0.1", "with a port"),
            (proxy, xff, &["[2001:db9::1]:1234"], "2001:db9::1", "IPv6 with a port"),
            (proxy, xff, &["2001:db9::1"], "2001:db9::1", "IPv6"),
            (proxy, xff, &["::ffff:10.0.0.1"], "10.0.0.1", "mapped"),
            (proxy, xff, &["for=10.0.0.1"], proxy, "the other field's form"),
            (proxy, forwarded, &["for=10.0.0.1"], "10.0.0.1", "RFC 7239 §4"),
            (proxy, forwarded, &["For=\"[2001:db9::1]:47\";proto=https"], "2001:db9::1", "§6"),
            (proxy, forwarded, &["by=1.1.1.1; for=10.0.0.1"], "10.0.0.1", "not the first pair"),
            (proxy, forwarded, &["for=10.9.9.9, for=10.0.0.1;host=a"], "10.0.0.1", "the last one"),
            (proxy, forwarded, &["for=unknown"], proxy, "§6.2"),
            (proxy, forwarded, &["for=_hidden, for=192.0.2.9"], "192.0.2.9", "§6.3"),
            (proxy, forwarded, &["proto=https"], proxy, "nothing of it"),
        ];
        for &(peer, field, values, expected, why) in rows {
            let mut fields = HeaderMap::new();
            let name = if field == xff { "x-forwarded-for" } else { "forwarded" };
            for value in values {
                let name = HeaderName::from_static(name);
                fields.append(name, HeaderValue::from_str(value).unwrap());
            }
            let found = client(peer.parse().unwrap(), &fields, field, &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{why}");
        }
        let mut fields = HeaderMap::new();
        let many = vec!["192.0.2.9"; 1000].join(",");
        fields
            .append("x-forwarded-for", HeaderValue::from_str(&format!("10.0.0.1,{many}")).unwrap());
        let found = client(proxy.parse().unwrap(), &fields, xff, &trusted);
        assert_eq!(found, "192.0.2.9".parse::<IpAddr>().unwrap(), "a list without end");
    }
}
