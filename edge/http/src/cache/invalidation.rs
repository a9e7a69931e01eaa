//! What a request with side effects makes unusable (RFC 9111 §4.4).

use crate::head::Fields;
use crate::target::Target;
use crate::uri::Reference;

/// Location and Content-Location field lines that are looked at in one response. Each can stand there once: more are a
/// mistake, and each costs a removal from the store.
const REFERENCES_MAX: usize = 16;

/// Whether the answer to a request invalidates what is stored for its target: when the method may have changed
/// something and the status says that it may have succeeded.
#[must_use]
pub fn invalidates(method: &[u8], status: u16) -> bool {
    // RFC 9111 §4.4: "a 'non-error response' is one with a 2xx (Successful) or 3xx (Redirection) status code."
    !is_safe(method) && matches!(status, 200..=399)
}

/// Whether a method is safe (RFC 9110 §9.2.1). One that is not known may have side effects (RFC 9111 §4.4).
#[must_use]
pub fn is_safe(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
}

/// Hands authority and path with query of the URIs to `invalidate` that the response's Location and Content-Location
/// refer to, those of other origins than the request's excepted. For a response that [`invalidates`] its target.
///
/// `target` is the request's. References are relative to it (RFC 9110 §8.7, §10.2.2), fragments are dropped, what is no
/// reference is passed over. A URI may come twice, and the target may be among them. The first 16 field lines count.
pub fn other_targets(
    target: &Target<'_>,
    response: Fields<'_>,
    mut invalidate: impl FnMut(&[u8], &[u8]),
) {
    let values = response.all("location").chain(response.all("content-location"));
    let references = values.take(REFERENCES_MAX).filter_map(Reference::parse);
    let mut path_and_query = Vec::new();
    // RFC 9111 §4.4: what one origin answers may not invalidate what another one has.
    for reference in references.filter(|reference| reference.is_within(target.authority)) {
        path_and_query.clear();
        reference.resolve(target.path_and_query, &mut path_and_query);
        invalidate(target.authority, &path_and_query);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::has_dot_segments;
    use crate::head::parse_fields;
    use proptest::prelude::*;

    #[test]
    fn table() {
        // RFC 9111 §4.4, RFC 9110 §9.2.1
        for (method, status, expected, why) in [
            ("POST", 200, true, "unsafe, succeeded"),
            ("PUT", 201, true, "unsafe, succeeded"),
            ("DELETE", 204, true, "unsafe, succeeded"),
            ("PATCH", 200, true, "unsafe, succeeded"),
            ("POST", 303, true, "a redirection is no error"),
            ("FOO", 200, true, "unknown methods count as unsafe"),
            ("get", 200, true, "methods are case-sensitive: unknown"),
            ("POST", 404, false, "an error of the client"),
            ("POST", 500, false, "an error of the server"),
            ("POST", 100, false, "not final"),
            ("GET", 200, false, "safe"),
            ("HEAD", 200, false, "safe"),
            ("OPTIONS", 200, false, "safe"),
            ("TRACE", 200, false, "safe"),
        ] {
            assert_eq!(
                invalidates(method.as_bytes(), status),
                expected,
                "{method} {status}: {why}"
            );
        }
    }

    fn others(request: &str, lines: &str) -> Vec<String> {
        let (path_start, mut spans) = (request.find(['/', '*']).unwrap(), Vec::new());
        let (authority, path_and_query) = request.split_at(path_start);
        let target =
            Target { authority: authority.as_bytes(), path_and_query: path_and_query.as_bytes() };
        let response = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let mut found = Vec::new();
        other_targets(&target, response, |authority, path_and_query| {
            let octets = [authority, path_and_query].concat();
            found.push(String::from_utf8(octets).unwrap());
        });
        found
    }

    #[test]
    fn references() {
        // RFC 9111 §4.4, RFC 9110 §4.3.1, RFC 3986 §4.2, §5.2
        let rows: [(&str, &str, Option<&str>, &str); 54] = [
            ("a.test/b/c?d", "/e", Some("a.test/e"), "an absolute path"),
            ("a.test/b/c?d", "/e?f", Some("a.test/e?f"), "with a query"),
            (
                "a.test/b/c?d",
                "/e#f",
                Some("a.test/e"),
                "a fragment is none of it (RFC 9110 §4.2.5)",
            ),
            ("a.test/b/c?d", "e", Some("a.test/b/e"), "a relative path"),
            ("a.test/b/c?d", "e/", Some("a.test/b/e/"), "with a segment"),
            ("a.test/b/", "e", Some("a.test/b/e"), "in a directory"),
            ("a.test/b/c?d=/e/", "f", Some("a.test/b/f"), "a slash in the query is no directory"),
            ("a.test/b/c?d", "./e", Some("a.test/b/e"), "a dot"),
            ("a.test/b/c?d", "../e", Some("a.test/e"), "two dots"),
            ("a.test/b/c?d", "../../../e", Some("a.test/e"), "above the root"),
            ("a.test/b/c?d", "..", Some("a.test/"), "only dots"),
            ("a.test/b/c?d", "%2e%2e/e", Some("a.test/e"), "encoded dots"),
            ("a.test/b/c?d", "?e", Some("a.test/b/c?e"), "only a query"),
            ("a.test/b/c?d", "?", Some("a.test/b/c?"), "an empty query"),
            ("a.test/b/c?d", "#e", Some("a.test/b/c?d"), "only a fragment: the target itself"),
            ("a.test/b/c?d", "", Some("a.test/b/c?d"), "nothing: the target itself (§4.4)"),
            ("a.test/b/c?d", "e:f", None, "another scheme"),
            ("a.test/b/c?d", "./e:f", Some("a.test/b/e:f"), "a colon that makes no scheme"),
            ("a.test/b/c?d", "/e:f", Some("a.test/e:f"), "nor here"),
            ("a.test/b/c?d", "?e:f", Some("a.test/b/c?e:f"), "nor in the query"),
            ("a.test/b", "1e:f", None, "no scheme"),
            ("a.test/b", ":e", None, "an empty scheme"),
            ("a.test/b", "http://a.test/e", Some("a.test/e"), "absolute"),
            ("a.test/b", "HTTP://A.TEST/e", Some("a.test/e"), "scheme and host have no case"),
            ("a.test/b", "http://a.test:80/e", Some("a.test/e"), "the default port"),
            ("a.test/b", "http://a.test:/e", Some("a.test/e"), "an empty port"),
            ("a.test/b", "http://a.test:080/e", Some("a.test/e"), "zeros before the port"),
            ("a.test:80/b", "http://a.test/e", Some("a.test:80/e"), "the other way"),
            ("a.test:8080/b", "http://a.test:8080/e", Some("a.test:8080/e"), "another port"),
            ("a.test:8080/b", "http://a.test/e", None, "not the same port"),
            ("a.test/b", "http://a.test:8080/e", None, "not the same port"),
            ("a.test/b", "http://a.test:65616/e", None, "no port, though it is 80 in 16 bits"),
            ("a.test/b", "http://a.test:x/e", None, "no port"),
            ("a.test/b", "http://b.test/e", None, "another host"),
            ("a.test/b", "http://a.test.b.test/e", None, "begins like the host"),
            ("a.test/b", "http://b.a.test/e", None, "ends like the host"),
            ("a.test/b", "http://a.test@b.test/e", None, "a user that looks like the host"),
            ("a.test/b", "http://u@a.test/e", None, "a user"),
            ("a.test/b", "http://u:80@a.test/e", None, "a user and a password"),
            ("a.test/b", "https://a.test/e", None, "another scheme is another origin"),
            ("a.test/b", "ftp://a.test/e", None, "another scheme"),
            ("a.test/b", "//a.test/e", Some("a.test/e"), "without the scheme"),
            ("a.test/b", "//b.test/e", None, "without the scheme, another host"),
            ("a.test/b", "///e", None, "without a host"),
            ("a.test/b", "http:///e", None, "without a host (RFC 9110 §4.2.1)"),
            ("a.test/b", "http:e", None, "without an authority (§5.2.2, strict)"),
            ("a.test/b", "http://a.test", Some("a.test/"), "without a path"),
            ("a.test/b", "http://a.test?e", Some("a.test/?e"), "with a query only"),
            (
                "a.test/b",
                "http://a.test/e//../f/./g",
                Some("a.test/e/f/g"),
                "dots and empty segments",
            ),
            ("[::1]:8080/b", "http://[::1]:8080/e", Some("[::1]:8080/e"), "a literal address"),
            ("[::1]/b", "http://[::2]/e", None, "another one"),
            ("/b", "/e", Some("/e"), "HTTP/1.0 without Host"),
            ("/b", "http://a.test/e", None, "which can be anybody's"),
            ("a.test*", "e", Some("a.test/e"), "no path to be relative to"),
        ];
        for (request, value, expected, why) in rows {
            for name in ["Location", "Content-Location", "LOCATION"] {
                let found = others(request, &format!("{name}: {value}\r\n"));
                let expected = expected.map(str::to_owned);
                assert_eq!(found, Vec::from_iter(expected), "{request} {name}: {value}: {why}");
            }
        }
    }

    #[test]
    fn examples_of_rfc_3986() {
        // RFC 3986 §5.4, with the base http://a/b/c/d;p?q
        for (reference, expected) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("g;x", "/b/c/g;x"),
            ("g;x?y#s", "/b/c/g;x?y"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../", "/"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("../../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            (".g", "/b/c/.g"),
            ("g..", "/b/c/g.."),
            ("..g", "/b/c/..g"),
            ("./../g", "/b/g"),
            ("./g/.", "/b/c/g/"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g;x=1/./y", "/b/c/g;x=1/y"),
            ("g;x=1/../y", "/b/c/y"),
            ("g?y/./x", "/b/c/g?y/./x"),
            ("g?y/../x", "/b/c/g?y/../x"),
            ("g#s/../x", "/b/c/g"),
        ] {
            let found = others("a/b/c/d;p?q", &format!("Location: {reference}\r\n"));
            assert_eq!(found, [format!("a{expected}")], "{reference}");
        }
    }

    #[test]
    fn all_lines_are_looked_at() {
        // RFC 9111 §4.4
        let lines = "Location: /c\r\nContent-Location: /d\r\nX-Location: /e\r\nLocation: a b\r\n\
            location: http://b.test/\r\nLocation: /f\r\nContent-location: g\r\n";
        assert_eq!(
            others("a/b", lines),
            ["a/c", "a/f", "a/d", "a/g"],
            "malformed and foreign ones"
        );
        assert_eq!(others("a/b", "Link: </c>\r\nRefresh: 0; url=/d\r\n"), [""; 0], "no others");
        let many = "Location: /c\r\n".repeat(100);
        assert_eq!(others("a/b", &many).len(), REFERENCES_MAX, "not without bound");
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_origin(value in "(http:|https:|)(//|/|)[ab.:@/?#%2eE\\\\]{0,12}") {
            for found in others("a.b:81/c/d?e", &format!("Location: {value}\r\n")) {
                let path_and_query = found.strip_prefix("a.b:81").unwrap();
                prop_assert!(path_and_query.starts_with('/'), "{value:?}: {found}");
                prop_assert!(!path_and_query.contains('#'), "{value:?}: {found}");
                prop_assert!(!has_dot_segments(path_and_query.as_bytes()), "{value:?}: {found}");
                // What an absolute reference leads to has its own host: that of the request, spelled out.
                if let Some(rest) = value.strip_prefix("http://").or(value.strip_prefix("//")) {
                    prop_assert!(rest.starts_with("a.b:81"), "{value:?}: {found}");
                }
            }
        }

        #[test]
        fn what_is_resolved_is_absolute(path in "/[ab./%2e]{0,8}", value in "[ab./?%2e]{1,12}") {
            // The target of one request is that of another which refers to it in full.
            let one = others(&format!("a{path}"), &format!("Location: {value}\r\n"));
            for found in &one {
                let again = others("a/x", &format!("Location: http://{found}\r\n"));
                prop_assert_eq!(&again, &one);
            }
        }

        #[test]
        fn arbitrary_octets_never_panic(authority: Vec<u8>, base: Vec<u8>, octets: Vec<u8>) {
            if let Some(reference) = Reference::parse(&octets) {
                let _ = reference.is_within(&authority);
                reference.resolve(&base, &mut Vec::new());
            }
        }
    }
}
