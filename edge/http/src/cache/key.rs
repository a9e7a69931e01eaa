//! The primary cache key: the URI that a request is for (RFC 9111 §2, §4).

/// Writes the key to `out`, behind what is there: the host in lower case without the default port, then path and query.
///
/// RFC 9110 §4.2.3 calls URIs equivalent that differ only in this: the case of the host, an absent, empty or default
/// port, an empty path. Path and query are taken octet for octet: a key that is finer than need be costs a miss, one
/// that is coarser than the origin's idea of its URIs gives the wrong response.
///
/// `authority` is the effective host with or without port, and the scheme is http. An authority has neither `/`, `?`
/// nor `*`, so that two different pairs of authority and path never have the same key.
pub fn write_key(authority: &[u8], path_and_query: &[u8], out: &mut Vec<u8>) {
    let host = without_default_port(authority);
    out.extend(host.iter().map(u8::to_ascii_lowercase));
    if matches!(path_and_query.first(), None | Some(b'?')) {
        out.push(b'/');
    }
    out.extend_from_slice(path_and_query);
}

/// RFC 9110 §4.2.1 and RFC 3986 §3.2.3: for http, no port and an empty one are port 80.
fn without_default_port(authority: &[u8]) -> &[u8] {
    authority.strip_suffix(b":80").or_else(|| authority.strip_suffix(b":")).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(authority: &str, path_and_query: &str) -> String {
        let mut out = Vec::new();
        write_key(authority.as_bytes(), path_and_query.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn table() {
        // RFC 9110 §4.2.3
        let rows: [(&str, &str, &str, &str); 15] = [
            ("a.test", "/b?c", "a.test/b?c", "plain"),
            ("A.Test", "/B?C", "a.test/B?C", "the host is case-insensitive, the rest is not"),
            ("a.test:80", "/", "a.test/", "the default port"),
            ("a.test:", "/", "a.test/", "an empty port"),
            ("a.test:8080", "/", "a.test:8080/", "another port"),
            ("a.test:180", "/", "a.test:180/", "ends like the default port"),
            ("[::1]:80", "/", "[::1]/", "a literal address with the default port"),
            ("[fe80::80]", "/", "[fe80::80]/", "no port, though it looks like one"),
            ("a.test", "", "a.test/", "an empty path"),
            ("a.test", "?x", "a.test/?x", "an empty path with a query"),
            ("a.test", "/?", "a.test/?", "an empty query is not no query"),
            ("a.test", "*", "a.test*", "OPTIONS *"),
            ("a.test", "/%7e", "a.test/%7e", "no decoding"),
            ("a.test", "/a/../b", "a.test/a/../b", "no dot segments removed"),
            ("", "/b", "/b", "HTTP/1.0 without Host"),
        ];
        for (authority, path_and_query, expected, why) in rows {
            assert_eq!(key(authority, path_and_query), expected, "{why}");
        }
        let mut out = b"x".to_vec();
        write_key(b"a", b"/", &mut out);
        assert_eq!(out, b"xa/", "appends");
    }

    proptest! {
        #[test]
        fn different_uris_have_different_keys(
            left in ("[a-b.:0-9]{0,6}", "(/[a-b/?.]{0,4})"),
            right in ("[a-b.:0-9]{0,6}", "(/[a-b/?.]{0,4})"),
        ) {
            let same = |(host, path): &(String, String)| {
                let host = without_default_port(host.as_bytes()).to_vec();
                (host, path.clone())
            };
            let keys = (key(&left.0, &left.1), key(&right.0, &right.1));
            prop_assert_eq!(keys.0 == keys.1, same(&left) == same(&right));
        }
    }
}
