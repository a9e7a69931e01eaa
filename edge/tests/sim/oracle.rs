//! What must be true of every response that a client gets.

use crate::client::{Answer, Ask};
use crate::origin::{Resource, content, part};

/// Caches between client and origin.
const HOPS: u64 = 2;
/// By how much the edge may understate an age, and so overstay a lifetime: each cache on the path writes whole seconds,
/// rounded down (RFC 9111 §5.1), and its clock shows the last tick of 50 ms. Skewed clocks add nothing: where Date is
/// misleading the sum of Age, of what the request took and of the time in the store is not (RFC 9111 §4.2.3).
pub const UNDERSTATED_MS: u64 = HOPS * (1000 + 50);

/// Judges `answer`. `strict` says that nothing was done to the network or the origin that excuses an error.
pub fn judge(ask: &Ask, answer: &Answer, strict: bool) -> Result<(), String> {
    if !answer.complete && strict {
        return Err("cut short without a cause".into());
    }
    if answer.field("cache-status").is_none() && answer.status != 304 {
        return Err("no Cache-Status".into());
    }
    if ask.raw.is_some() {
        let refused = matches!(answer.status, 400..=499 | 501 | 505);
        return refused.then_some(()).ok_or_else(|| format!("{} for nonsense", answer.status));
    }
    if ask.method == "POST" && answer.status == 200 {
        return judge_post(ask, answer);
    }
    if ask.method == "DELETE" && answer.status == 200 {
        return Ok(());
    }
    let Some(tag) = answer.field("x-tag") else {
        return match answer.status {
            304 => judge_not_modified(ask, answer),
            416 => judge_unsatisfiable(ask),
            504 if ask.field("Cache-Control") == Some("only-if-cached") => Ok(()),
            502..=504 if !strict => Ok(()),
            status => Err(format!("status {status} is not the origin's")),
        };
    };
    let (_, resource) = Resource::find(ask.path).ok_or("a path that the origin does not have")?;
    judge_identity(ask, answer, resource, tag)?;
    judge_time(ask, answer, resource)?;
    if answer.status == 304 {
        return judge_not_modified(ask, answer);
    }
    judge_content(ask, answer, resource, tag)
}

/// The tag is one that the origin gave to this path and variant at the time that it says.
fn judge_identity(
    ask: &Ask,
    answer: &Answer,
    resource: &Resource,
    tag: &str,
) -> Result<(), String> {
    let made_ms = answer.made_ms().ok_or("no time of making")?;
    let variant = ask.field("X-Variant").filter(|_| resource.varies).unwrap_or("-");
    let expected = resource.tag(variant, resource.version_at(made_ms));
    if tag != expected {
        return Err(format!("{tag} instead of {expected}"));
    }
    if answer.field("etag").is_some_and(|other| other != tag) {
        return Err("fields of two versions are mixed".into());
    }
    Ok(())
}

fn judge_time(ask: &Ask, answer: &Answer, resource: &Resource) -> Result<(), String> {
    let made_ms = answer.made_ms().ok_or("no time of making")?;
    if made_ms > answer.head_ms {
        return Err("made in the future".into());
    }
    // The edge wrote the head some time after the request was sent.
    let age_ms_min = answer.asked_ms.saturating_sub(made_ms);
    let stated = answer.number("age").ok_or("no Age")? * 1000;
    if stated + UNDERSTATED_MS < age_ms_min {
        return Err(format!("Age says {stated} ms, it is at least {age_ms_min} ms"));
    }
    let collapsed = answer.fields.iter().any(|(_, value)| value.ends_with("; collapsed"));
    let wants_news = ask.field("Cache-Control") == Some("no-cache");
    if (wants_news || resource.policy == "no-store") && age_ms_min > 0 {
        return Err(format!("{age_ms_min} ms old, where only a new one will do"));
    }
    if age_ms_min > resource.lifetime * 1000 + UNDERSTATED_MS && !collapsed {
        return Err(format!("{age_ms_min} ms old, with a lifetime of {} s", resource.lifetime));
    }
    Ok(())
}

fn judge_content(ask: &Ask, answer: &Answer, resource: &Resource, tag: &str) -> Result<(), String> {
    if ask.method == "HEAD" {
        let length = answer.number("content-length");
        let right = length.is_none_or(|length| length == resource.octets);
        return right.then_some(()).ok_or_else(|| format!("a HEAD's length is {length:?}"));
    }
    let range = ask.field("Range").and_then(|range| part(range, resource.octets));
    let (first, count) = match answer.status {
        206 => {
            let (first, count) = range.ok_or("a part that was not asked for")?;
            if ask.field("If-Range").is_some_and(|other| other != tag) {
                return Err("a part of another version than the client has".into());
            }
            let expected = format!("bytes {first}-{}/{}", first + count - 1, resource.octets);
            if answer.field("content-range") != Some(&expected) {
                return Err(format!("Content-Range is not {expected}"));
            }
            (first, count)
        }
        status if status == resource.status => (0, resource.octets),
        status => return Err(format!("status {status}")),
    };
    let received = answer.content.len() as u64;
    if received > count || answer.complete && received < count {
        return Err(format!("{received} octets instead of {count} look complete"));
    }
    // What has come of a response that was cut short is right too.
    if answer.content != content(tag, first, received) {
        return Err("other octets than the origin's".into());
    }
    Ok(())
}

fn judge_not_modified(ask: &Ask, answer: &Answer) -> Result<(), String> {
    let asked = ask.field("If-None-Match").ok_or("304 for a request without a condition")?;
    let tag = answer.field("etag").ok_or("304 without ETag")?;
    if asked != tag {
        return Err(format!("304 says {tag}, the client has {asked}"));
    }
    let (_, resource) = Resource::find(ask.path).ok_or("a path that the origin does not have")?;
    let version = tag.trim_matches('"').rsplit('-').next().and_then(|digits| digits.parse().ok());
    let version: u64 = version.ok_or("a tag without a version")?;
    let usable_ms = resource.lifetime * 1000 + UNDERSTATED_MS;
    let earliest = answer.asked_ms.saturating_sub(usable_ms).max(crate::world::BEGIN_MS);
    let versions = resource.version_at(earliest)..=resource.version_at(answer.head_ms);
    if !versions.contains(&version) {
        return Err(format!("304 for version {version}, current are {versions:?}"));
    }
    Ok(())
}

fn judge_unsatisfiable(ask: &Ask) -> Result<(), String> {
    let (_, resource) = Resource::find(ask.path).ok_or("a path that the origin does not have")?;
    match ask.field("Range").map(|range| part(range, resource.octets)) {
        Some(None) => Ok(()),
        _ => Err("416 for a range that can be served".into()),
    }
}

fn judge_post(ask: &Ask, answer: &Answer) -> Result<(), String> {
    let sum = ask.content.iter().fold(0u64, |sum, octet| sum * 31 % 65_521 + u64::from(*octet));
    let expected = format!("{} {sum}", ask.content.len());
    let whole = answer.content == expected.as_bytes();
    let right = whole || !answer.complete && expected.as_bytes().starts_with(&answer.content);
    right.then_some(()).ok_or_else(|| "the origin did not get what the client sent".into())
}
