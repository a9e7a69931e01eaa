//! What a request with side effects makes unusable (RFC 9111 §4.4).

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
