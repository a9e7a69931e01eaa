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
}
