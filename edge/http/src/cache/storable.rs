//! Whether a response may be stored (RFC 9111 §3).

use super::directives::{ResponseDirectives, is_withheld, request_directives};
use super::freshness::{has_validator, is_explicit, is_heuristically_cacheable};
use crate::fields::parse_content_length;
use crate::head::{Fields, RequestHead, ResponseHead};
use crate::time::UnixTime;

/// What a site decides about storing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoringRules {
    /// What becomes of responses with Set-Cookie.
    pub set_cookie: SetCookie,
    /// The cookies on which responses depend are part of the cache key.
    pub keyed_cookies: bool,
    /// The directives of requests count for nothing.
    pub ignore_client_directives: bool,
}

/// What becomes of a response with Set-Cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCookie {
    /// It is stored as it is, when it says by itself that it may be (RFC 9111 §7.3).
    #[default]
    Store,
    /// It is stored without the field.
    Withhold,
    /// It is not stored.
    Refuse,
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStorable {
    /// The request was no GET.
    Method,
    /// The request had content, which no cache key covers.
    RequestContent,
    /// The status is not one whose responses may be stored: interim, 304, about one request or connection only, or
    /// not understood where that is required.
    Status,
    /// It is a part of a representation, 206 (Partial Content), that was not asked for.
    Partial,
    /// Cache-Control says so.
    NoStore,
    /// It is for one user.
    Private,
    /// The request says so.
    RequestNoStore,
    /// The request had Authorization, and the response does not say that others may have it.
    Authorization,
    /// The request had Cookie, and the response does not say that it is the same for others.
    Cookie,
    /// The response has Set-Cookie, and neither it nor the site says that others may have it.
    SetCookie,
    /// `Vary: *`: no request would ever select it.
    VaryStar,
    /// Neither the response nor the definition of its status says that it may be stored.
    NotExplicit,
    /// It could never be used: not fresh, or not to be used without validation, and there is nothing to validate with.
    NoFreshnessNoValidator,
}

impl NotStorable {
    /// Every reason, for whoever counts them.
    pub const ALL: &[Self] = &[
        Self::Method,
        Self::RequestContent,
        Self::Status,
        Self::Partial,
        Self::NoStore,
        Self::Private,
        Self::RequestNoStore,
        Self::Authorization,
        Self::Cookie,
        Self::SetCookie,
        Self::VaryStar,
        Self::NotExplicit,
        Self::NoFreshnessNoValidator,
    ];

    /// A token for the detail of Cache-Status, logs and counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::RequestContent => "request-content",
            Self::Status => "status",
            Self::Partial => "partial",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::RequestNoStore => "request-no-store",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::SetCookie => "set-cookie",
            Self::VaryStar => "vary-star",
            Self::NotExplicit => "not-explicit",
            Self::NoFreshnessNoValidator => "no-freshness-no-validator",
        }
    }
}

/// Whether a shared cache may store `response` to `request`, and whether that is of any use.
///
/// `directives` are those of the response, with the site's defaults if it has any. Of a 206 only what its status and
/// its fields say as of any other response; whether the part itself can be kept is another question.
///
/// # Errors
/// The first reason why not.
pub fn storable(
    request: &RequestHead<'_>,
    response: &ResponseHead<'_>,
    directives: &ResponseDirectives,
    rules: &StoringRules,
    now: UnixTime,
) -> Result<(), NotStorable> {
    // RFC 9111 §3: "the request method is understood by the cache". What a HEAD or a POST returns is not kept.
    if request.method != b"GET" {
        return Err(NotStorable::Method);
    }
    // RFC 9110 §9.3.1: content of a GET has no meaning to anyone but the origin. It is not in the key, so a response
    // that depends on it would be served to those who did not send it.
    if has_content(request.fields) {
        return Err(NotStorable::RequestContent);
    }
    check_status(request, response.status, directives)?;
    check_directives(request, directives, rules)?;
    check_cookies(request, response.fields, directives, rules)?;
    // RFC 9111 §4.1: never matches.
    if response.fields.list("vary").any(|name| name == b"*") {
        return Err(NotStorable::VaryStar);
    }
    check_use(response, directives, now)
}

/// RFC 9112 §6: there is content, or what can't be told from it.
fn has_content(request: Fields<'_>) -> bool {
    request.contains("transfer-encoding")
        || !matches!(parse_content_length(request), Ok(None | Some(0)))
}

/// RFC 9111 §3: "the response status code is final", and the cache understands it where that matters.
fn check_status(
    request: &RequestHead<'_>,
    status: u16,
    directives: &ResponseDirectives,
) -> Result<(), NotStorable> {
    match status {
        // RFC 9110 §14.2, §15.3.7: a part that was not asked for would be taken for the whole.
        206 if !request.fields.contains("range") => Err(NotStorable::Partial),
        ..200 | 304 | 600.. => Err(NotStorable::Status),
        _ if is_about_one_request(status) => Err(NotStorable::Status),
        _ if directives.must_understand && !is_understood(status) => Err(NotStorable::Status),
        _ => Ok(()),
    }
}

/// Statuses that say something about what no cache key has: whoever came next would be told it too.
///
/// RFC 9110 §15.5.8: the next hop's proxy; §15.5.9, §15.5.20, §15.5.22 and RFC 8470 §5.2: this connection; §15.5.13,
/// §15.5.17, §15.5.18: the request's conditions, Range, Expect. Storing them when they are explicit would be allowed.
/// RFC 6585 §3 to §6: 428, 429, 431 and 511 must not be stored.
fn is_about_one_request(status: u16) -> bool {
    matches!(status, 407 | 408 | 412 | 416 | 417 | 421 | 425 | 426 | 428 | 429 | 431 | 511)
}

/// The statuses whose caching requirements are met here (RFC 9111 §5.2.2.3): those that RFC 9110 §15 defines, and 451
/// (RFC 7725), but for those that [`check_status`] refuses. It defines neither 306 nor 418, which are unused.
fn is_understood(status: u16) -> bool {
    matches!(status, 200..=206 | 300..=303 | 305 | 307 | 308)
        || matches!(status, 400..=406 | 409..=411 | 413..=415 | 422 | 451 | 500..=505)
}

fn check_directives(
    request: &RequestHead<'_>,
    directives: &ResponseDirectives,
    rules: &StoringRules,
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
    if !rules.ignore_client_directives && request_directives(request.fields).no_store {
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

/// Against taking what is one user's for what is everyone's (cache deception), where only a guess says that it may be
/// kept: heuristics are meant for what nobody thought about (RFC 9111 §4.2.2), and who sets cookies without a word
/// about caches did not think of any.
fn check_cookies(
    request: &RequestHead<'_>,
    response: Fields<'_>,
    directives: &ResponseDirectives,
    rules: &StoringRules,
) -> Result<(), NotStorable> {
    // With no-cache the origin is asked, each time, by whoever wants it.
    let is_guess = !is_explicit(response, directives) && !directives.public && !directives.no_cache;
    // RFC 9111 §4.1: with Vary the cookies select.
    let varies = || response.list("vary").any(|name| name.eq_ignore_ascii_case(b"cookie"));
    if is_guess && !rules.keyed_cookies && request.fields.contains("cookie") && !varies() {
        return Err(NotStorable::Cookie);
    }
    let is_refused = match rules.set_cookie {
        SetCookie::Store => is_guess,
        SetCookie::Withhold => false,
        SetCookie::Refuse => true,
    };
    if is_refused && response.contains("set-cookie") && !is_withheld(response, b"set-cookie") {
        return Err(NotStorable::SetCookie);
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
mod tests;
