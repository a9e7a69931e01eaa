//! Whether a response may be stored (RFC 9111 §3).

use super::directives::{ResponseDirectives, request_directives};
use super::freshness::{has_validator, is_explicit, is_heuristically_cacheable};
use crate::head::{RequestHead, ResponseHead};
use crate::time::UnixTime;

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStorable {
    /// The request was no GET.
    Method,
    /// The status is not one whose responses may be stored: interim, 304, or not understood where that is required.
    Status,
    /// It is a part of a representation: 206 (Partial Content).
    Partial,
    /// Cache-Control says so.
    NoStore,
    /// It is for one user.
    Private,
    /// The request says so.
    RequestNoStore,
    /// The request had Authorization, and the response does not say that others may have it.
    Authorization,
    /// `Vary: *`: no request would ever select it.
    VaryStar,
    /// Neither the response nor the definition of its status says that it may be stored.
    NotExplicit,
    /// It could never be used: not fresh, or not to be used without validation, and there is nothing to validate with.
    NoFreshnessNoValidator,
}

impl NotStorable {
    /// A token for the detail of Cache-Status, logs and counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::Partial => "partial",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::RequestNoStore => "request-no-store",
            Self::Authorization => "authorization",
            Self::VaryStar => "vary-star",
            Self::NotExplicit => "not-explicit",
            Self::NoFreshnessNoValidator => "no-freshness-no-validator",
        }
    }
}

/// Whether a shared cache may store `response` to `request`, and whether that is of any use.
///
/// # Errors
/// The first reason why not.
pub fn storable(
    request: &RequestHead<'_>,
    response: &ResponseHead<'_>,
    directives: &ResponseDirectives,
    now: UnixTime,
) -> Result<(), NotStorable> {
    // RFC 9111 §3: "the request method is understood by the cache". What a HEAD or a POST returns is not kept.
    if request.method != b"GET" {
        return Err(NotStorable::Method);
    }
    check_status(response.status, directives)?;
    check_directives(request, directives)?;
    // RFC 9111 §4.1: never matches.
    if response.fields.list("vary").any(|name| name == b"*") {
        return Err(NotStorable::VaryStar);
    }
    check_use(response, directives, now)
}

/// RFC 9111 §3: "the response status code is final", and the cache understands it where that matters.
fn check_status(status: u16, directives: &ResponseDirectives) -> Result<(), NotStorable> {
    match status {
        206 => Err(NotStorable::Partial),
        ..200 | 304 | 600.. => Err(NotStorable::Status),
        _ if directives.must_understand && !is_understood(status) => Err(NotStorable::Status),
        _ => Ok(()),
    }
}

/// The statuses whose caching requirements are met here (RFC 9110 §15, RFC 9111 §5.2.2.3): all that RFC 9110 defines
/// but those that [`check_status`] refuses.
fn is_understood(status: u16) -> bool {
    matches!(status, 200..=205 | 300..=303 | 305 | 307 | 308)
        || matches!(status, 400..=417 | 421 | 422 | 426 | 500..=505)
}

fn check_directives(
    request: &RequestHead<'_>,
    directives: &ResponseDirectives,
) -> Result<(), NotStorable> {
    // RFC 9111 §5.2.2.3: who understands the status disregards a no-store beside must-understand.
    if directives.no_store && !directives.must_understand {
        return Err(NotStorable::NoStore);
    }
    // §5.2.2.7, for a shared cache.
    if directives.private {
        return Err(NotStorable::Private);
    }
    // §5.2.1.5
    if request_directives(request.fields).no_store {
        return Err(NotStorable::RequestNoStore);
    }
    // §3.5
    let for_others =
        directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if request.fields.contains("authorization") && !for_others {
        return Err(NotStorable::Authorization);
    }
    Ok(())
}

/// RFC 9111 §3, last item: it must be explicit, or the status allow heuristics. And it must be of use: what is never
/// fresh and can't be validated would only take up room.
fn check_use(
    response: &ResponseHead<'_>,
    directives: &ResponseDirectives,
    now: UnixTime,
) -> Result<(), NotStorable> {
    let is_explicit = is_explicit(response.fields, directives);
    if !is_explicit && !directives.public && !is_heuristically_cacheable(response.status) {
        return Err(NotStorable::NotExplicit);
    }
    // Heuristics need Last-Modified, which is a validator.
    let may_be_fresh = is_explicit && !directives.no_cache;
    if !may_be_fresh && !has_validator(response.fields, now) {
        return Err(NotStorable::NoFreshnessNoValidator);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::NotStorable::{
        Authorization, Method, NoFreshnessNoValidator, NoStore, NotExplicit, Partial, Private,
        RequestNoStore, Status, VaryStar,
    };
    use super::*;
    use crate::cache::directives::response_directives;
    use crate::head::{Version, parse_fields};

    type Outcome = Result<(), NotStorable>;

    fn outcome(request: (&str, &str), status: u16, lines: &str) -> Outcome {
        let (mut request_spans, mut spans) = (Vec::new(), Vec::new());
        let (method, request_lines) = request;
        let fields = parse_fields(request_lines.as_bytes(), &mut request_spans).unwrap();
        let request = RequestHead {
            method: method.as_bytes(),
            target: b"/",
            version: Version::Http11,
            fields,
        };
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        let response = ResponseHead { version: Version::Http11, status, reason: b"", fields };
        let now = UnixTime::from_seconds(784_111_777);
        storable(&request, &response, &response_directives(fields), now)
    }

    const GET: (&str, &str) = ("GET", "");
    const FRESH: &str = "Cache-Control: max-age=60\r\n";
    const TAG: &str = "ETag: \"a\"\r\n";

    #[test]
    fn methods_and_statuses() {
        // RFC 9111 §3, §5.2.2.3; RFC 9110 §15.1
        let understand = "Cache-Control: must-understand, no-store, max-age=60\r\n";
        let rows: [(&str, u16, &str, Outcome, &str); 25] = [
            ("GET", 200, FRESH, Ok(()), "the usual case"),
            ("HEAD", 200, FRESH, Err(Method), "no content to store"),
            ("POST", 200, FRESH, Err(Method), "not implemented, as in most caches"),
            ("get", 200, FRESH, Err(Method), "RFC 9110 §9.1: methods are case-sensitive"),
            ("GET", 103, FRESH, Err(Status), "not final"),
            ("GET", 206, FRESH, Err(Partial), "§3.3: not as a whole one"),
            ("GET", 304, FRESH, Err(Status), "not a response to store"),
            ("GET", 404, FRESH, Ok(()), "an error that is explicit"),
            ("GET", 500, FRESH, Ok(()), "any final status that is explicit"),
            ("GET", 299, FRESH, Ok(()), "even one that nobody knows"),
            ("GET", 600, FRESH, Err(Status), "RFC 9110 §15: out of range"),
            ("GET", 200, TAG, Ok(()), "status allows heuristics; can be validated"),
            ("GET", 404, TAG, Ok(()), "likewise"),
            ("GET", 201, TAG, Err(NotExplicit), "status allows no heuristics"),
            ("GET", 302, TAG, Err(NotExplicit), "likewise"),
            ("GET", 500, TAG, Err(NotExplicit), "likewise"),
            ("GET", 302, "Cache-Control: public\r\nETag: x\r\n", Ok(()), "§5.2.2.9: public"),
            ("GET", 302, "Expires: 0\r\n", Ok(()), "Expires makes it explicit"),
            ("GET", 302, "Cache-Control: s-maxage=9\r\n", Ok(()), "s-maxage too"),
            ("GET", 200, "", Err(NoFreshnessNoValidator), "could never be used"),
            ("GET", 200, "Cache-Control: public\r\n", Err(NoFreshnessNoValidator), "nor this"),
            ("GET", 200, understand, Ok(()), "understood: no-store is disregarded"),
            ("GET", 299, understand, Err(Status), "not understood"),
            ("GET", 299, "Cache-Control: must-understand, max-age=9\r\n", Err(Status), "likewise"),
            ("GET", 200, "Cache-Control: max-age=x\r\n", Ok(()), "invalid, so stale, is explicit"),
        ];
        for (method, status, lines, expected, why) in rows {
            assert_eq!(outcome((method, ""), status, lines), expected, "{status}: {why}");
        }
    }

    #[test]
    fn directives() {
        // RFC 9111 §3, §5.2.2
        let rows: [(&str, Outcome, &str); 9] = [
            ("Cache-Control: max-age=60, no-store\r\n", Err(NoStore), "§5.2.2.5"),
            ("Cache-Control: max-age=60, private\r\n", Err(Private), "§5.2.2.7"),
            ("Cache-Control: private=\"a\", max-age=60\r\n", Err(Private), "kept stricter"),
            ("Cache-Control: no-cache\r\nETag: \"a\"\r\n", Ok(()), "§5.2.2.4: may be stored"),
            ("Cache-Control: no-cache, max-age=60\r\n", Err(NoFreshnessNoValidator), "no use"),
            ("Cache-Control: max-age=60\r\nVary: *\r\n", Err(VaryStar), "§4.1"),
            ("Cache-Control: max-age=60\r\nVary: a, *\r\n", Err(VaryStar), "§4.1: in a list"),
            ("Cache-Control: max-age=60\r\nVary: a\r\n", Ok(()), "§4.1: a name"),
            ("Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", Ok(()), "§7.3: no reason not to"),
        ];
        for (lines, expected, why) in rows {
            assert_eq!(outcome(GET, 200, lines), expected, "{why}");
        }
    }

    #[test]
    fn authorization_and_the_request() {
        // RFC 9111 §3.5, §5.2.1.5
        let authorized = "Authorization: Basic eA==\r\n";
        let rows: [(&str, &str, Outcome, &str); 8] = [
            (authorized, "max-age=60", Err(Authorization), "§3.5"),
            (authorized, "max-age=60, public", Ok(()), "§3.5: public"),
            (authorized, "max-age=60, must-revalidate", Ok(()), "§3.5: must-revalidate"),
            (authorized, "s-maxage=60", Ok(()), "§3.5: s-maxage"),
            (authorized, "max-age=60, proxy-revalidate", Err(Authorization), "§3.5: not listed"),
            ("Cache-Control: no-store\r\n", "max-age=60", Err(RequestNoStore), "§5.2.1.5"),
            ("Cache-Control: no-cache\r\n", "max-age=60", Ok(()), "§5.2.1.4: may be stored"),
            ("Pragma: no-cache\r\n", "max-age=60", Ok(()), "§5.4: likewise"),
        ];
        for (request, value, expected, why) in rows {
            let lines = format!("Cache-Control: {value}\r\n");
            assert_eq!(outcome(("GET", request), 200, &lines), expected, "{why}");
        }
    }

    #[test]
    fn reasons_are_tokens_and_differ() {
        let all = [
            Method,
            Status,
            Partial,
            NoStore,
            Private,
            RequestNoStore,
            Authorization,
            VaryStar,
            NotExplicit,
            NoFreshnessNoValidator,
        ];
        let reasons: std::collections::HashSet<&str> = all.map(NotStorable::reason).into();
        assert_eq!(reasons.len(), all.len());
        assert!(reasons.iter().all(|reason| crate::fields::is_token(reason.as_bytes())));
    }
}
