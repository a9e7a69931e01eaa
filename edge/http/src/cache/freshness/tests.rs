//! Tables of lifetimes, and what always holds of ages.

use super::*;
use crate::cache::directives::response_directives;
use crate::head::{Version, parse_fields};
use crate::time::write_http_date;
use proptest::prelude::*;

/// Sun, 06 Nov 1994 08:49:37 GMT
const DATE: UnixTime = UnixTime::from_seconds(784_111_777);

fn policy(status: u16, lines: &str, requested: UnixTime, received: UnixTime) -> StoredPolicy {
    let mut spans = Vec::new();
    let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
    let head = ResponseHead { version: Version::Http11, status, reason: b"", fields };
    StoredPolicy::new(&head, &response_directives(fields), requested, received)
}

/// `{0}` to `{+9}`: a date so many seconds from [`DATE`].
fn with_dates(lines: &str) -> String {
    let mut text = String::new();
    for part in lines.split_inclusive('}') {
        let Some((before, offset)) = part.strip_suffix('}').and_then(|part| part.split_once('{'))
        else {
            text.push_str(part);
            continue;
        };
        let seconds = DATE.seconds().checked_add_signed(offset.parse().unwrap()).unwrap();
        let mut date = Vec::new();
        write_http_date(UnixTime::from_seconds(seconds), &mut date);
        text = text + before + std::str::from_utf8(&date).unwrap();
    }
    text
}

#[test]
fn lifetime() {
    // RFC 9111 §4.2.1, §5.3
    let rows: [(&str, u32, &str); 53] = [
        ("Cache-Control: max-age=60\r\n", 60, "max-age"),
        ("Cache-Control: max-age=60, s-maxage=5\r\n", 5, "s-maxage first, in a shared cache"),
        ("Cache-Control: max-age=5, s-maxage=60\r\n", 60, "even when it is longer"),
        ("Cache-Control: max-age=5\r\nDate: {0}\r\nExpires: {60}\r\n", 5, "before Expires"),
        ("Cache-Control: max-age=x\r\nDate: {0}\r\nExpires: {60}\r\n", 0, "even an invalid one"),
        ("Cache-Control: public\r\nDate: {0}\r\nExpires: {60}\r\n", 60, "Expires less Date"),
        ("Date: {-100}\r\nExpires: {-40}\r\n", 60, "both in the past: the difference counts"),
        ("Date: {100}\r\nExpires: {60}\r\n", 0, "Expires before Date"),
        ("Expires: {60}\r\n", 60, "no Date: the time of receipt stands in"),
        ("Date: junk\r\nExpires: {60}\r\n", 60, "an invalid Date: likewise"),
        ("Expires: 0\r\n", 0, "§5.3: an invalid date is in the past"),
        ("Expires: {60}, {90}\r\n", 0, "a list is no date"),
        ("Expires: {60}\r\nExpires: {30}\r\n", 30, "the more restrictive of two lines"),
        ("Expires: {30}\r\nExpires: 0\r\n", 0, "an invalid one is the most restrictive"),
        ("Expires: Sunday, 06-Nov-94 08:50:37 GMT\r\n", 60, "RFC 9110 §5.6.7: RFC 850 form"),
        ("Expires: Sun Nov  6 08:50:37 1994\r\n", 60, "RFC 9110 §5.6.7: asctime form"),
        ("Expires: Fri, 31 Dec 9999 23:59:59 GMT\r\n", 1 << 31, "§1.2.2: clamped"),
        ("Cache-Control: max-age=60, max-age=5\r\n", 5, "§4.2.1: the shorter of two"),
        ("Cache-Control: max-age=5\r\nCache-Control: max-age=60\r\n", 5, "of two lines too"),
        ("Cache-Control: s-maxage=x, max-age=60\r\n", 0, "§4.2.1: invalid, so stale"),
        ("Cache-Control: s-maxage=0, max-age=60\r\n", 0, "§5.2.2.10: even 0 comes first"),
        ("Cache-Control: max-age=60, no-cache\r\n", 60, "§4.2.1: no-cache forbids the use anyway"),
        ("Date: {0}\r\nExpires: {0}\r\n", 0, "as soon as it is made"),
        ("Date: {100}\r\nExpires: {160}\r\n", 60, "both in the future: the difference counts"),
        ("Date: {-100}\r\nExpires: {0}\r\n", 100, "expires now: a hundred seconds after Date"),
        ("Date:\r\nExpires: {60}\r\n", 60, "an empty Date is none"),
        ("Date: 0\r\nExpires: {60}\r\n", 60, "nor is a number"),
        ("Date: {0}, {9}\r\nExpires: {60}\r\n", 60, "nor a list"),
        ("Date: {0}\r\nDate: {-40}\r\nExpires: {60}\r\n", 60, "the first of two Dates"),
        ("Date: Sunday, 06-Nov-94 08:49:27 GMT\r\nExpires: {60}\r\n", 70, "Date in RFC 850 form"),
        ("Date: Sun Nov  6 08:49:27 1994\r\nExpires: {60}\r\n", 70, "Date in asctime form"),
        ("Expires: sun, 06 nov 1994 08:50:37 gmt\r\n", 60, "RFC 9111 §4.2: in any case"),
        ("Expires:\r\n", 0, "§5.3: empty"),
        ("Expires: -1\r\n", 0, "§5.3: negative"),
        ("Expires: 60\r\n", 0, "§5.3: seconds are no date"),
        ("Expires: \"{60}\"\r\n", 0, "§5.3: quotes"),
        ("Expires: '{60}'\r\n", 0, "§5.3: single quotes"),
        ("Expires: Sun, 06 Nov 1994 08:50:37 UTC\r\n", 0, "§4.2: another zone"),
        ("Expires: Sun, 06 Nov 1994 08:50:37 PST\r\n", 0, "§4.2: another zone"),
        ("Expires: Sun, 06 Nov 1994 08:50:37\r\n", 0, "§4.2: no zone"),
        ("Expires: 06 Nov 1994 08:50:37 GMT\r\n", 0, "no weekday"),
        ("Expires: Sun, 6 Nov 1994 08:50:37 GMT\r\n", 0, "one digit for the day"),
        ("Expires: Sun, 06 Nov 94 08:50:37 GMT\r\n", 0, "a short year in the long form"),
        ("Expires: Sun, 06-Nov-1994 08:50:37 GMT\r\n", 0, "hyphens"),
        ("Expires: Sun, 06 Nov 1994 8:50:37 GMT\r\n", 0, "one digit for the hour"),
        ("Expires: Sun, 06 Nov 1994 08.50.37 GMT\r\n", 0, "dots"),
        ("Expires: Sun,  06 Nov 1994 08:50:37 GMT\r\n", 0, "two spaces"),
        ("Expires: Sun, 06 Nov 1994 08:50:37 GMT;\r\n", 0, "something behind it"),
        ("Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 0, "the epoch"),
        ("Expires: {30}\r\nExpires: {60}\r\n", 30, "§4.2.1: in either order"),
        ("CDN-Cache-Control: max-age=5\r\nExpires: {60}\r\n", 5, "RFC 9213 §2.2"),
        ("CDN-Cache-Control: foo\r\nExpires: {60}\r\n", 0, "RFC 9213 §2.2: is ignored"),
        ("CDN-Cache-Control: FOO\r\nExpires: {60}\r\n", 60, "RFC 9213 §2.1: invalid"),
    ];
    for (lines, expected, why) in rows {
        let policy = policy(200, &with_dates(lines), DATE, DATE);
        assert_eq!(policy.freshness_lifetime(), DeltaSeconds(expected), "{why}");
    }
}

#[test]
fn heuristic() {
    // RFC 9111 §4.2.2, RFC 9110 §15.1
    let modified = "Date: {0}\r\nLast-Modified: {-1000}\r\n";
    let public = "Cache-Control: public\r\nLast-Modified: {-1000}\r\n";
    let rows: [(u16, &str, u32, &str); 26] = [
        (200, modified, 100, "a tenth of the time since"),
        (203, modified, 100, "by definition"),
        (204, modified, 100, "by definition"),
        (301, modified, 100, "by definition"),
        (308, modified, 100, "by definition"),
        (404, modified, 100, "by definition"),
        (410, modified, 100, "by definition"),
        (501, modified, 100, "by definition"),
        (206, modified, 100, "by definition"),
        (300, modified, 100, "by definition"),
        (405, modified, 100, "by definition"),
        (414, modified, 100, "by definition"),
        (451, modified, 100, "RFC 7725 §3: by definition"),
        (307, modified, 0, "not by definition"),
        (403, modified, 0, "not by definition"),
        (201, modified, 0, "not by definition"),
        (302, modified, 0, "not by definition"),
        (500, modified, 0, "not by definition"),
        (201, public, 100, "marked as cacheable"),
        (599, modified, 0, "unknown"),
        (200, "Date: {-500}\r\nLast-Modified: {-1000}\r\n", 50, "before Date, not before now"),
        (200, "CDN-Cache-Control: foo\r\nLast-Modified: {-1000}\r\n", 100, "RFC 9213 §2.2"),
        (201, "CDN-Cache-Control: public\r\nLast-Modified: {-90}\r\n", 9, "RFC 9213 §2.2"),
        (200, "Last-Modified: {1000}\r\n", 0, "modified in the future"),
        (200, "Last-Modified: junk\r\n", 0, "not a date"),
        (200, "Last-Modified: {-99999999}\r\n", 86_400, "no more than a day"),
    ];
    for (status, lines, expected, why) in rows {
        let policy = policy(status, &with_dates(lines), DATE, DATE);
        assert_eq!(policy.freshness_lifetime(), DeltaSeconds(expected), "{status}: {why}");
    }
    let explicit = with_dates("Cache-Control: max-age=0\r\nLast-Modified: {-1000}\r\n");
    let policy = policy(200, &explicit, DATE, DATE);
    assert_eq!(policy.freshness_lifetime(), DeltaSeconds(0), "§4.2.2: not when it is explicit");
}

#[test]
fn current_age_and_ttl() {
    // RFC 9111 §4.2.3; times in milliseconds after DATE.
    let after = |milliseconds| DATE.plus(Duration::from_millis(milliseconds));
    let rows: [(&str, u64, u64, u64, u32, i64, &str); 16] = [
        ("", 0, 0, 0, 0, 60, "at once"),
        ("", 0, 0, 9_000, 9, 51, "resident time"),
        ("", 0, 2_000, 9_000, 9, 51, "the response took two of these"),
        ("Age: 5\r\n", 0, 2_000, 9_000, 14, 46, "Age is added to delay and resident time"),
        ("Date: {-20}\r\n", 0, 0, 9_000, 29, 31, "apparent age"),
        ("Date: {30}\r\n", 0, 0, 9_000, 9, 51, "a Date in the future"),
        ("", 0, 600, 1_400, 1, 59, "parts of a second add up"),
        ("", 0, 0, 100_000, 100, -40, "stale"),
        ("Age: 61\r\n", 0, 0, 0, 61, -1, "stale when it arrives"),
        ("Age: 7\r\nAge: 60\r\n", 0, 0, 0, 7, 53, "§5.1: the first of several"),
        ("Age: x\r\nDate: {-20}\r\n", 0, 0, 0, 20, 40, "§5.1: an invalid one is ignored"),
        ("Age: -5\r\n", 0, 0, 9_000, 9, 51, "§5.1: so is a negative one"),
        ("Age: 9999999999\r\n", 0, 0, 9_000, 1 << 31, 60 - (1 << 31), "§1.2.2: a huge one"),
        ("Age: 5\r\nDate: {-20}\r\n", 0, 0, 0, 20, 40, "the larger of Age and apparent age"),
        ("Age: 30\r\nDate: {-20}\r\n", 0, 0, 0, 30, 30, "in either order"),
        ("Date: junk\r\n", 0, 0, 9_000, 9, 51, "an invalid Date says nothing"),
    ];
    for (lines, requested, received, now, age, ttl, why) in rows {
        let lines = with_dates(lines) + "Cache-Control: max-age=60\r\n";
        let policy = policy(200, &lines, after(requested), after(received));
        assert_eq!(policy.current_age(after(now)), DeltaSeconds(age), "{why}");
        assert_eq!(policy.ttl(after(now)), ttl, "{why}");
    }
}

#[test]
fn what_is_kept() {
    let get = |lines: &str| policy(200, &with_dates(lines), DATE, DATE);
    // RFC 9111 §4.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10
    assert!(get("Cache-Control: must-revalidate\r\n").must_revalidate());
    assert!(get("Cache-Control: proxy-revalidate\r\n").must_revalidate());
    assert!(get("Cache-Control: s-maxage=9\r\n").must_revalidate());
    assert!(!get("Cache-Control: max-age=9\r\n").must_revalidate());
    // §5.2.2.4
    assert!(get("Cache-Control: no-cache\r\n").no_cache());
    // RFC 5861 §3, §4
    let stale = get("Cache-Control: stale-while-revalidate=5, stale-if-error=7\r\n");
    assert_eq!(stale.stale_while_revalidate(), DeltaSeconds(5));
    assert_eq!(stale.stale_if_error(), DeltaSeconds(7));
    // RFC 9110 §6.6.1
    assert_eq!(get("Date: {-7}\r\n").date(), UnixTime::from_seconds(DATE.seconds() - 7));
    assert_eq!(get("Date: junk\r\n").date(), DATE);
    // RFC 9111 §4.3.1
    assert!(get("ETag: \"a\"\r\n").has_validator());
    assert!(get("ETag: a\r\n").has_validator());
    assert!(get("Last-Modified: {-9}\r\n").has_validator());
    assert!(!get("ETag:\r\nLast-Modified: junk\r\n").has_validator());
    assert!(!get("").has_validator());
}

proptest! {
    #[test]
    fn age_never_falls_and_never_leaves_out_what_was_received(
        age in 0u32..1 << 31,
        date_offset in -100_000i64..100_000,
        delay in 0u64..100_000,
        earlier in 0u64..1 << 40,
        later in 0u64..1 << 40,
    ) {
        let lines = with_dates(&format!("Age: {age}\r\nDate: {{{date_offset}}}\r\n"));
        let received = DATE.plus(Duration::from_millis(delay));
        let policy = policy(200, &lines, DATE, received);
        let (earlier, later) = (earlier.min(later), earlier.max(later));
        let [earlier, later] =
            [earlier, later].map(|resident| received.plus(Duration::from_millis(resident)));
        prop_assert!(policy.current_age(earlier) <= policy.current_age(later));
        prop_assert!(policy.ttl(earlier) >= policy.ttl(later));
        prop_assert!(policy.current_age(earlier) >= DeltaSeconds(age));
        prop_assert!(policy.age(later) - policy.age(earlier) == later.saturating_since(earlier));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_younger_than_it_arrived(
        age in 0u32..1000, back in 0u64..100_000,
    ) {
        let policy = policy(200, &format!("Age: {age}\r\n"), DATE, DATE);
        let now = UnixTime::from_milliseconds(DATE.milliseconds() - back);
        prop_assert!(policy.current_age(now) >= DeltaSeconds(age));
    }
}
