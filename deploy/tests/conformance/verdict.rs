//! What is wrong with what came back.

use crate::case::{Answer, Check, Step};
use crate::client::Response;
use crate::upstream::Received;

/// What one step has brought.
pub(crate) struct Seen<'a> {
    pub(crate) response: &'a Response,
    /// The requests that the upstream got meanwhile.
    pub(crate) received: &'a [Received],
}

/// One sentence for each expectation of `step` that is not met. `answer_of` gives the answer of a step (0 is this one),
/// and `fill` fills in what a table leaves open.
pub(crate) fn verdict(
    step: &Step,
    seen: &Seen<'_>,
    answer_of: &dyn Fn(usize) -> Answer,
    fill: &dyn Fn(&String) -> String,
) -> Vec<String> {
    let mut wrong: Vec<String> = step
        .checks
        .iter()
        .flat_map(|check| match check {
            Check::Of(of) => check_origin(step, seen.response, &answer_of(*of)),
            check => check_one(check, seen, fill).into_iter().collect(),
        })
        .collect();
    let expects_cut = step.checks.iter().any(|check| matches!(check, Check::CutShort));
    if seen.response.cut_short && !expects_cut {
        wrong.push("the content is cut short".to_owned());
    }
    wrong.extend(check_always(seen));
    wrong
}

/// What holds for every response.
fn check_always(seen: &Seen<'_>) -> Vec<String> {
    let response = seen.response;
    let lines = |name: &str| {
        let is = |line: &&(String, String)| line.0.eq_ignore_ascii_case(name);
        response.fields.iter().filter(is).count()
    };
    let status = response.field("cache-status").unwrap_or_default();
    let is_hit = seen.received.is_empty() && status.contains("edge; hit");
    let is_age = |age: String| !age.is_empty() && age.bytes().all(|octet| octet.is_ascii_digit());
    let rules = [
        (lines("date") == 1, "RFC 9110 §6.6.1: not one Date"),
        (lines("age") <= 1, "RFC 9111 §5.1: several lines of Age"),
        (response.field("age").is_none_or(is_age), "RFC 9111 §5.1: Age is no number"),
        (!is_hit || lines("age") == 1, "RFC 9111 §4: no Age on what is stored"),
        (lines("content-length") <= 1, "RFC 9110 §8.6: several lines of Content-Length"),
        (status.contains("edge;"), "RFC 9211 §2: no Cache-Status of this cache"),
        (lines("keep-alive") == 0, "RFC 9110 §7.6.1: a field of another connection"),
        (lines("proxy-connection") == 0, "RFC 9110 §7.6.1: a field of another connection"),
    ];
    let broken = rules.iter().filter(|(holds, _)| !holds);
    broken.map(|(_, rule)| (*rule).to_owned()).collect()
}

/// Status and content are those of `answer`, where the step does not say otherwise.
fn check_origin(step: &Step, response: &Response, answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    let says = |is: fn(&Check) -> bool| step.checks.iter().any(is);
    if !says(|check| matches!(check, Check::Status(_))) && response.status != answer.status {
        wrong.push(format!("status {}, expected {}", response.status, answer.status));
    }
    let has_content = step.method != "HEAD" && !matches!(response.status, 204 | 304 | 412 | 416);
    let is_open = says(|check| matches!(check, Check::Content(_) | Check::ContentHas(_)));
    let expected = answer.content.clone().unwrap_or_default();
    if has_content && !is_open && !says(|check| matches!(check, Check::CutShort)) {
        wrong.extend(unequal("content", Some(response.text()), &expected));
    }
    wrong
}

fn unequal(what: &str, got: Option<String>, expected: &str) -> Option<String> {
    let got = got.map_or_else(|| "nothing".to_owned(), |got| format!("{got:?}"));
    (got != format!("{expected:?}")).then(|| format!("{what} is {got}, expected {expected:?}"))
}

fn check_one(check: &Check, seen: &Seen<'_>, fill: &dyn Fn(&String) -> String) -> Option<String> {
    let Seen { response, received } = seen;
    let last = received.last();
    let is_wrong = match check {
        Check::NotAsked => !received.is_empty(),
        Check::Asked | Check::AskedBehind => received.is_empty(),
        Check::Status(status) => response.status != *status,
        Check::Content(content) => {
            return unequal("content", Some(response.text()), &fill(content));
        }
        Check::ContentHas(part) => !response.text().contains(&fill(part)),
        Check::ContentLacks(part) => response.text().contains(&fill(part)),
        Check::Field(name, value) => return unequal(name, response.field(name), &fill(value)),
        Check::FieldHas(name, part) => {
            !response.field(name).is_some_and(|value| value.contains(&fill(part)))
        }
        Check::FieldLacks(name, part) => {
            response.field(name).is_some_and(|value| value.contains(&fill(part)))
        }
        Check::NoField(name) => response.field(name).is_some(),
        Check::AnyField(name) => response.field(name).is_none(),
        Check::AgeAtLeast(least) => age(response).is_none_or(|age| age < *least),
        Check::AgeAtMost(most) => age(response).is_none_or(|age| age > *most),
        Check::Received(name, value) => {
            let got = last.and_then(|last| last.field(name));
            return unequal(&format!("received {name}"), got, &fill(value));
        }
        Check::NotReceived(name) => last.is_none_or(|last| last.field(name).is_some()),
        Check::ReceivedLine(line) => {
            let got = last.map(|last| last.line().to_owned());
            return unequal("received line", got, &fill(line));
        }
        Check::Interim(status) => !response.interim.contains(status),
        Check::NoInterim => !response.interim.is_empty(),
        Check::CutShort => !response.cut_short,
        Check::Of(_) => false,
    };
    is_wrong.then(|| format!("{check:?}"))
}

/// RFC 9111 §5.1: one non-negative integer.
fn age(response: &Response) -> Option<u64> {
    response.field("age")?.parse().ok()
}
