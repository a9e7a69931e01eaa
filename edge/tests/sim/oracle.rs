//! What must be true of every response that a client gets.
//!
//! 1. The octets are those of what was asked for: the content that the origin gives, in the version that it had when it
//!    made or confirmed the response (`made`), to the variant that the request selects; whole, or exactly the ranges
//!    that were asked for; never fields of two versions together.
//! 2. `made` is a time that the RFCs allow: the response was fresh when it was used, or stale within its windows (RFC
//!    5861) or what the request allows, or it came from the origin after it was asked for. What needs the origin for
//!    each use (no-cache, no-store, private) is never older than the request.
//! 3. What a client saw succeed by an unsafe method makes all older responses to that URI, and to those on the same
//!    origin that Location and Content-Location named, unusable for all requests made after it (RFC 9111 §4.4).
//! 4. Age is never understated by more than a second for each cache.
//! 5. A content that was cut short never looks whole; without a cause none is cut short.
//! 6. An error has a cause: the origin was not well, or the request asked for it.
//! 7. What ends at a hop, and what is for one client only, reaches no other.
//!
//! And of every run: one fetch a key however many ask at the same time, one validation in the background, a stale
//! response instead of an error where the response allows it and nowhere else; no task, connection or octet left when
//! all are idle. Every outcome of a decision is reached over all seeds: `reached.rs`.

mod content;
mod time;

use crate::ask::{Answer, Ask};
use crate::catalogue::{Requested, Selecting, Validator};
use crate::settings::Settings;
use content::judge_content;
pub use time::STALE_FETCH_MS;
use time::{judge_age, judge_use};

/// What the oracle knows beside request and response.
pub struct Facts<'a> {
    pub settings: &'a Settings,
    /// Nothing was done to the network or the origin that excuses an error.
    pub strict: bool,
    /// The origin was not well when it made the response.
    pub unwell: bool,
    /// The clocks of parent and edge show the same as the origin's, whose Date the response has.
    pub synchronous: bool,
    /// Nothing older than this may be used: the URI was invalidated then.
    pub invalidated_ms: u64,
}

/// Judges `answer`.
pub fn judge(ask: &Ask, answer: &Answer, facts: &Facts<'_>) -> Result<(), String> {
    let strict = facts.strict;
    if !answer.complete && strict {
        return Err("cut short without a cause".into());
    }
    if answer.field("cache-status").is_none() && answer.status != 304 {
        return Err("no Cache-Status".into());
    }
    if answer.field("x-hop").is_some() || answer.field("keep-alive").is_some() {
        return Err("a field of another connection".into());
    }
    if ask.raw.is_some() {
        let refused = matches!(answer.status, 400..=499 | 501 | 505)
            || !strict && matches!(answer.status, 502..=504);
        return refused.then_some(()).ok_or_else(|| format!("{} for nonsense", answer.status));
    }
    // What is stored need not be forwarded.
    if ask.field("Via").is_some() && !answer.is_hit() {
        return (answer.status == 508).then_some(()).ok_or_else(|| "a loop is not seen".into());
    }
    if ask.method == "OPTIONS" && answer.status == 200 && answer.any_cache_says("last-hop") {
        return Ok(());
    }
    if ask.field("Max-Forwards") == Some("x") {
        return (answer.status == 400).then_some(()).ok_or_else(|| "not 400".into());
    }
    if ask.field("Expect").is_some_and(|expected| expected != "100-continue") {
        return (answer.status == 417).then_some(()).ok_or_else(|| "not 417".into());
    }
    let Some(made_ms) = answer.made_ms() else {
        return match answer.status {
            200 if ask.is_unsafe() || ask.method == "OPTIONS" => judge_echo(ask, answer),
            416 => judge_unsatisfiable(ask),
            504 if ask.directive("only-if-cached").is_some() => Ok(()),
            502..=504 if !strict => Ok(()),
            // A client that does not take earlier answers stops sending, too.
            408 if !strict && ask.content.is_some() => Ok(()),
            status => Err(format!("status {status} is not the origin's")),
        };
    };
    if made_ms > answer.head_ms {
        return Err("made in the future".into());
    }
    if answer.asked_ms > made_ms && made_ms < facts.invalidated_ms {
        return Err(format!("made at {made_ms}, invalidated at {}", facts.invalidated_ms));
    }
    judge_age(answer, made_ms, facts)?;
    if answer.field("x-tag") == Some("error") {
        return judge_error(ask, answer, made_ms, facts);
    }
    let requested = Requested::new(ask.host, &ask.target).ok_or("the origin has no such thing")?;
    let tag = judge_identity(ask, answer, &requested, made_ms, facts)?;
    judge_use(ask, answer, requested.resource, made_ms, facts)?;
    if answer.status == 304 {
        return judge_not_modified(ask, answer, &requested);
    }
    judge_content(ask, answer, requested.resource, &tag)
}

/// An error that the origin made: while it was not well, and kept for as long as the site says.
fn judge_error(ask: &Ask, answer: &Answer, made_ms: u64, facts: &Facts<'_>) -> Result<(), String> {
    if !facts.unwell {
        return Err("an error of an origin that was well".into());
    }
    let requested = Requested::new(ask.host, &ask.target);
    let host = requested.map_or_else(String::new, |requested| requested.host);
    let lifetime_ms = facts.settings.of(&host).error_lifetime * 1000;
    let age_ms_min = answer.asked_ms.saturating_sub(made_ms);
    let collapsed = if answer.any_cache_says("; collapsed") { STALE_FETCH_MS } else { 0 };
    let stale_ms = time::accepted_s(ask, answer, &facts.settings.of(&host)) * 1000;
    let usable_ms = if lifetime_ms == 0 { 0 } else { lifetime_ms + time::understated_ms(facts) };
    if age_ms_min > usable_ms + stale_ms + collapsed {
        return Err(format!("an error {age_ms_min} ms old, with {usable_ms} ms"));
    }
    Ok(())
}

/// The tag is one that the origin gave to this variant at the time that it says. Returns it.
fn judge_identity(
    ask: &Ask,
    answer: &Answer,
    requested: &Requested,
    made_ms: u64,
    facts: &Facts<'_>,
) -> Result<String, String> {
    let version = requested.resource.version_at(made_ms);
    let expected = tags(ask, requested, version, facts);
    if requested.resource.validator == Validator::Modified {
        let modified = requested.resource.modified(version);
        if answer.field("last-modified").is_some_and(|other| other != modified) {
            return Err(format!("Last-Modified is not {modified}"));
        }
    }
    let given = [answer.field("x-tag"), answer.field("etag")];
    let mut given = given.into_iter().flatten();
    let Some(tag) = given.next() else { return Ok(expected[0].clone()) };
    if given.any(|other| other != tag) {
        return Err("fields of two versions are mixed".into());
    }
    let found = expected.iter().find(|expected| *expected == tag);
    found.cloned().ok_or_else(|| format!("{tag} instead of one of {expected:?}"))
}

/// The tags that an answer may have.
fn tags(ask: &Ask, requested: &Requested, version: u64, facts: &Facts<'_>) -> Vec<String> {
    let settings = facts.settings.of(&requested.host);
    // What is only passed on reaches the origin as it is.
    let passed = ask.method == "HEAD";
    let both = |is_there: bool| if is_there { &[true, false][..] } else { &[false] };
    let mut tags = Vec::new();
    for &dotted in both(requested.dotted) {
        // What is stored for all may be used for one who says who he is (RFC 9111 §3.5 is about storing).
        let has_user = requested.resource.selecting == Selecting::User;
        for &as_nobody in both(has_user && ask.field("Authorization").is_some()) {
            for &raw in both(passed) {
                let mut requested = Requested { dotted, ..requested.clone() };
                if settings.drops_utm && !raw {
                    let kept = requested.query.split('&').filter(|one| !one.starts_with("utm="));
                    requested.query = kept.collect::<Vec<_>>().join("&");
                }
                tags.push(requested.tag(version, |name| match name {
                    "x-forwarded-host" if !raw => None,
                    "authorization" if as_nobody => None,
                    name => ask.field(name),
                }));
            }
        }
    }
    tags
}

/// The client has what it says that it has, in the form of validator that it used.
fn judge_not_modified(ask: &Ask, answer: &Answer, requested: &Requested) -> Result<(), String> {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    if let Some(asked) = ask.field("If-None-Match") {
        let tag = answer.field("etag").ok_or("304 without ETag")?;
        if !asked.split(", ").any(|asked| opaque(asked) == opaque(tag)) {
            return Err(format!("304 says {tag}, the client has {asked}"));
        }
        return Ok(());
    }
    let asked = ask.field("If-Modified-Since").ok_or("304 for a request without a condition")?;
    let made_ms = answer.made_ms().unwrap_or_default();
    let modified = requested.resource.modified(requested.resource.version_at(made_ms));
    // All are of one day, so that they can be compared as they are.
    if *asked < *modified {
        return Err(format!("304 for what was modified at {modified}, the client has {asked}"));
    }
    Ok(())
}

fn judge_unsatisfiable(ask: &Ask) -> Result<(), String> {
    let requested = Requested::new(ask.host, &ask.target).ok_or("the origin has no such thing")?;
    match ask.field("Range") {
        Some(range) if crate::catalogue::ranges(range, requested.resource.octets).is_empty() => {
            Ok(())
        }
        _ => Err("416 for a range that can be served".into()),
    }
}

/// The origin got exactly what the client sent.
fn judge_echo(ask: &Ask, answer: &Answer) -> Result<(), String> {
    let content = ask.content.as_deref().unwrap_or_default();
    let sum = content.iter().fold(0u64, |sum, octet| sum * 31 % 65_521 + u64::from(*octet));
    let expected = format!("{} {sum}", content.len());
    let whole = answer.content == expected.as_bytes();
    let right = whole || !answer.complete && expected.as_bytes().starts_with(&answer.content);
    right.then_some(()).ok_or_else(|| "the origin did not get what the client sent".into())
}
