//! Which octets a response must have.

use crate::ask::{Answer, Ask};
use crate::catalogue::{Resource, coding, content, ranges};

pub fn judge_content(
    ask: &Ask,
    answer: &Answer,
    resource: &Resource,
    tag: &str,
) -> Result<(), String> {
    if resource.vary(2) == Some("Accept-Encoding") {
        let expected = coding(ask.field("accept-encoding"));
        if answer.field("content-encoding").unwrap_or("-") != expected {
            return Err(format!("the coding is not {expected}"));
        }
    }
    if ask.method == "HEAD" {
        let length = answer.number("content-length");
        let right = length.is_none_or(|length| length == resource.octets);
        return right.then_some(()).ok_or_else(|| format!("a HEAD's length is {length:?}"));
    }
    if answer.status == 206 {
        return judge_part(ask, answer, resource, tag);
    }
    if answer.status != resource.status {
        return Err(format!("status {}", answer.status));
    }
    compare(answer, tag, 0, resource.octets)
}

fn judge_part(ask: &Ask, answer: &Answer, resource: &Resource, tag: &str) -> Result<(), String> {
    let condition = ask.field("If-Range").filter(|_| !tag.starts_with("W/"));
    let is_date = condition.is_some_and(|condition| condition.ends_with("GMT"));
    if condition.is_some_and(|other| other != tag && !is_date) {
        return Err("a part of another version than the client has".into());
    }
    if is_date && condition != answer.field("last-modified") {
        return Err("a part of another version than the client has".into());
    }
    let wanted = ranges(ask.field("Range").unwrap_or_default(), resource.octets);
    let boundary = answer.field("content-type").and_then(|value| {
        Some(value.strip_prefix("multipart/byteranges; boundary=")?.trim_matches('"').to_owned())
    });
    let wanted = union(wanted);
    let Some(boundary) = boundary else {
        let [(first, end)] = wanted[..] else {
            return Err(format!("one part of {wanted:?}"));
        };
        let expected = format!("bytes {first}-{}/{}", end - 1, resource.octets);
        if answer.field("content-range") != Some(&expected) {
            return Err(format!("Content-Range is not {expected}"));
        }
        return compare(answer, tag, first, end - first);
    };
    if !answer.complete {
        return Ok(());
    }
    let parts = parts(&answer.content, &boundary, resource.octets, tag)?;
    if union(parts.clone()) != wanted {
        return Err(format!("{parts:?} instead of {wanted:?}"));
    }
    Ok(())
}

/// Ranges in order, those that touch or overlap as one.
fn union(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut union: Vec<(u64, u64)> = Vec::new();
    for (first, end) in ranges {
        match union.last_mut() {
            Some((_, last_end)) if first <= *last_end => *last_end = end.max(*last_end),
            _ => union.push((first, end)),
        }
    }
    union
}

/// The parts of a multipart/byteranges content (RFC 9110 §14.6), whose octets are right.
fn parts(
    content: &[u8],
    boundary: &str,
    complete: u64,
    tag: &str,
) -> Result<Vec<(u64, u64)>, String> {
    let malformed = || "a malformed multipart content".to_owned();
    let mut rest = content;
    let mut parts = Vec::new();
    loop {
        let delimiter = format!("--{boundary}");
        rest = rest.strip_prefix(delimiter.as_bytes()).ok_or_else(malformed)?;
        if rest == b"--\r\n" || rest == b"--" {
            return Ok(parts);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or_else(malformed)?;
        let mut range = None;
        loop {
            let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or_else(malformed)?;
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 2..];
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Range: bytes ") {
                range = Some(value.to_owned());
            }
        }
        let range = range.ok_or_else(malformed)?;
        let (octets, length) = range.split_once('/').ok_or_else(malformed)?;
        let (first, last) = octets.split_once('-').ok_or_else(malformed)?;
        let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else {
            return Err(malformed());
        };
        let count = (last + 1).checked_sub(first).ok_or_else(malformed)?;
        let octets = rest.get(..count as usize).ok_or_else(malformed)?;
        if length != complete.to_string() || octets != self::content(tag, first, count) {
            return Err(format!("other octets than {range} of the origin's"));
        }
        rest = rest[count as usize..].strip_prefix(b"\r\n").ok_or_else(malformed)?;
        parts.push((first, last + 1));
    }
}

/// The content is these octets, or the beginning of them if it did not come whole.
fn compare(answer: &Answer, tag: &str, first: u64, count: u64) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_united() {
        for (ranges, expected, why) in [
            (vec![(0, 2), (2, 4)], vec![(0, 4)], "touching"),
            (vec![(3, 4), (0, 2)], vec![(0, 2), (3, 4)], "a gap of one"),
            (vec![(0, 9), (2, 4)], vec![(0, 9)], "within"),
        ] {
            assert_eq!(union(ranges), expected, "{why}");
        }
    }
}
