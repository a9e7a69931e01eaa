//! Cache-Control of response and request, CDN-Cache-Control, and what follows for storing and for use without asking.

use super::input::Input;
use super::reading::trimmed;
use lastmile_http::cache::directives::{
    RequestDirectives, ResponseDirectives, is_withheld, request_directives, response_directives,
    withholds,
};
use lastmile_http::cache::freshness::StoredPolicy;
use lastmile_http::cache::reuse::{Reuse, reuse};
use lastmile_http::cache::stale::may_replace_error;
use lastmile_http::cache::storable::{StoringRules, storable};
use lastmile_http::head::{Fields, RequestHead, ResponseHead, Version, parse_fields};
use lastmile_http::time::{DeltaSeconds, UnixTime};
use std::time::Duration;

/// Milliseconds from the request to the response, and from there until it is asked for twice; an octet for the status;
/// the response's and the request's field lines.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let waits = [(); 3].map(|()| Duration::from_millis(input.number() % (1 << 40)));
    let status = input.pick(&[200, 404, 206, 301, 302, 500, 503, 204, 304, 410]);
    let (lines, request_lines) = (input.lines(), input.lines());
    let (mut spans, mut request_spans) = (Vec::new(), Vec::new());
    let Ok(fields) = parse_fields(&lines, &mut spans) else { return };
    let Ok(request_fields) = parse_fields(&request_lines, &mut request_spans) else { return };
    let directives = response_directives(fields);
    let asked = request_directives(request_fields);
    of_response(&lines, fields, &directives);
    of_request(&request_lines, &asked);
    let response = ResponseHead { version: Version::Http11, status, reason: b"", fields };
    let begin = UnixTime::from_seconds(1_767_225_600);
    let arrived = begin.plus(waits[0]);
    let policy = StoredPolicy::new(&response, &directives, begin, arrived);
    let times = [arrived, arrived.plus(waits[1]), arrived.plus(waits[1]).plus(waits[2])];
    of_use(&policy, &directives, &asked, times);
    let request = RequestHead {
        method: b"GET",
        target: b"/",
        version: Version::Http11,
        fields: request_fields,
    };
    of_store(&request, &response, &directives, begin);
}

fn with<T>(lines: &[u8], run: impl FnOnce(Fields<'_>) -> T) -> T {
    run(parse_fields(lines, &mut Vec::new()).expect("made of lines that were parsed"))
}

fn of_response(lines: &[u8], fields: Fields<'_>, directives: &ResponseDirectives) {
    let targeted = fields.contains("cdn-cache-control");
    // A string that does not end in one line may end in the next.
    if !targeted || directives.targeted {
        let twice = with(&[lines, lines].concat(), response_directives);
        assert_eq!(twice, *directives, "said twice is said once");
    }
    assert!(targeted || !directives.targeted);
    // RFC 9213 §2.2: it replaces Cache-Control; RFC 9111 §5.2: otherwise the lines are one list.
    let more = with(&[lines, b"Cache-Control: no-store\r\n"].concat(), response_directives);
    let no_store = directives.no_store || !directives.targeted;
    assert_eq!(more, ResponseDirectives { no_store, ..*directives });
    let names: [&[u8]; 4] = [b"set-cookie", b"x-a", b"etag", b"vary"];
    for name in names {
        let is_one = is_withheld(fields, name);
        assert!(!is_one || withholds(fields));
        assert_eq!(is_one, is_withheld(fields, &name.to_ascii_uppercase()));
    }
    if directives.targeted {
        return;
    }
    plain_words(fields, directives);
    // Of CDN-Cache-Control, lines that are invalid may be valid in another order or case.
    if !targeted {
        let reversed: Vec<u8> =
            lines.split_inclusive(|octet| *octet == b'\n').rev().flatten().copied().collect();
        let in_reverse = with(&reversed, response_directives);
        assert_eq!(in_reverse, *directives, "the strictest, in any order");
        let upper = with(&lines.to_ascii_uppercase(), response_directives);
        assert_eq!(upper, *directives, "RFC 9111 §5.2: in any case");
    }
}

/// What stands there in plain words is understood (RFC 9111 §5.2.2).
fn plain_words(fields: Fields<'_>, directives: &ResponseDirectives) {
    for value in fields.all("cache-control").filter(|value| !value.contains(&b'"')) {
        for word in value.split(|octet| *octet == b',').map(trimmed) {
            let word = word.to_ascii_lowercase();
            match &word[..] {
                b"no-store" => assert!(directives.no_store),
                b"no-cache" => assert!(directives.no_cache),
                b"private" => assert!(directives.private),
                b"must-revalidate" => assert!(directives.must_revalidate),
                b"proxy-revalidate" => assert!(directives.proxy_revalidate),
                b"public" => assert!(directives.public),
                _ => {}
            }
            for (name, read) in
                [(&b"max-age="[..], directives.max_age), (b"s-maxage=", directives.s_maxage)]
            {
                let digits = word.strip_prefix(name).and_then(|rest| str::from_utf8(rest).ok());
                if let Some(Ok(seconds)) = digits.map(str::parse::<u32>) {
                    assert!(read.is_some_and(|read| read.0 <= seconds));
                }
            }
        }
    }
}

fn of_request(lines: &[u8], asked: &RequestDirectives) {
    let twice = with(&[lines, lines].concat(), request_directives);
    assert_eq!(twice, *asked, "said twice is said once");
    let reversed: Vec<u8> =
        lines.split_inclusive(|octet| *octet == b'\n').rev().flatten().copied().collect();
    assert_eq!(with(&reversed, request_directives), *asked, "in any order");
    let upper = with(&lines.to_ascii_uppercase(), request_directives);
    assert_eq!(upper, *asked, "in any case");
}

/// RFC 9111 §4.2: nothing is used past its time, and time only makes things worse.
fn of_use(
    policy: &StoredPolicy,
    directives: &ResponseDirectives,
    asked: &RequestDirectives,
    times: [UnixTime; 3],
) {
    let mut is_refused = false;
    let mut before = DeltaSeconds(0);
    let lifetime = i64::from(policy.freshness_lifetime().0);
    let forbidden =
        directives.must_revalidate || directives.proxy_revalidate || directives.s_maxage.is_some();
    for now in times {
        let current = policy.current_age(now);
        assert!(current >= before, "a response does not become younger");
        let resident = now.saturating_since(times[0]).as_secs().min(1 << 31);
        assert!(u64::from(current.0) >= resident, "§4.2.3: at least the time it was stored");
        before = current;
        let used = match reuse(policy, asked, now) {
            Reuse::Validate(_) => None,
            Reuse::Fresh { age, ttl } => {
                assert!(ttl > 0 || (asked.max_stale.is_some() && !forbidden));
                let min_fresh = asked.min_fresh.map_or(0, |seconds| i64::from(seconds.0));
                assert!(ttl >= min_fresh || ttl <= 0 && asked.min_fresh.is_none(), "§5.2.1.3");
                Some((age, ttl))
            }
            Reuse::WhileRevalidating { age, ttl } => {
                let allowed = directives.stale_while_revalidate.unwrap_or_default();
                assert!(ttl <= 0 && -ttl < i64::from(allowed.0) && !forbidden, "RFC 5861 §3");
                Some((age, ttl))
            }
        };
        if let Some((age, ttl)) = used {
            assert!(!is_refused, "what had to be validated does not become usable by waiting");
            assert!(!directives.no_cache && !asked.no_cache);
            assert!(asked.max_age.is_none_or(|max| max.0 > 0 && age <= max), "§5.2.1.1");
            assert_eq!((age, ttl), (current, lifetime - i64::from(age.0)));
        } else {
            is_refused = true;
        }
        if may_replace_error(policy, asked, now) {
            assert!(!directives.no_cache && !asked.no_cache);
            let is_stale = i64::from(current.0) >= lifetime;
            let allowed = directives.stale_if_error.max(asked.stale_if_error);
            assert!(!is_stale || !forbidden && allowed.is_some_and(|time| time.0 > 0));
        }
    }
}

/// RFC 9111 §3
fn of_store(
    request: &RequestHead<'_>,
    response: &ResponseHead<'_>,
    directives: &ResponseDirectives,
    now: UnixTime,
) {
    if storable(request, response, directives, &StoringRules::default(), now).is_err() {
        return;
    }
    let asked = request_directives(request.fields);
    assert!(!directives.private && !asked.no_store);
    assert!(!directives.no_store || directives.must_understand);
    assert!((200..600).contains(&response.status) && response.status != 304);
    let for_others =
        directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    assert!(for_others || !request.fields.contains("authorization"), "§3.5");
    assert!(!response.fields.list("vary").any(|name| name == b"*"), "§4.1");
    let other = RequestHead { method: b"POST", ..*request };
    assert!(storable(&other, response, directives, &StoringRules::default(), now).is_err());
}
