//! Tables of Cache-Control as it is met in the wild.

use super::*;
use crate::head::parse_fields;
use proptest::prelude::*;

fn response(lines: &str) -> ResponseDirectives {
    let mut spans = Vec::new();
    response_directives(parse_fields(lines.as_bytes(), &mut spans).unwrap())
}

fn request(lines: &str) -> RequestDirectives {
    let mut spans = Vec::new();
    request_directives(parse_fields(lines.as_bytes(), &mut spans).unwrap())
}

#[test]
fn seconds_of_max_age() {
    // RFC 9111 §1.2.2, §4.2.1, §5.2
    let rows: [(&str, Option<u32>, &str); 37] = [
        ("max-age=60", Some(60), "plain"),
        ("MAX-AGE=60", Some(60), "names are case-insensitive"),
        ("max-age=\"60\"", Some(60), "§5.2: the quoted form is accepted too"),
        ("max-age=060", Some(60), "leading zeros"),
        ("max-age=0", Some(0), "zero"),
        ("max-age=2147483648", Some(1 << 31), "§1.2.2: the largest"),
        ("max-age=2147483647", Some((1 << 31) - 1), "one less"),
        ("max-age=99999999999999999999999", Some(1 << 31), "§1.2.2: overflow is the largest"),
        ("max-age=-60", Some(0), "negative: invalid, so stale"),
        ("max-age=60.0", Some(0), "fractional: invalid"),
        ("max-age='60'", Some(0), "single quotes are no quotes"),
        ("max-age=60a", Some(0), "trailing letters"),
        ("max-age=a60", Some(0), "leading letters"),
        ("max-age", Some(0), "no argument"),
        ("max-age=", Some(0), "an empty argument"),
        ("max-age=\"60", Some(0), "quotes that do not end"),
        ("max-age =60", Some(0), "space before the sign"),
        ("max-age= 60", Some(0), "space after the sign"),
        ("max-age=60, max-age=10", Some(10), "the most restrictive of two"),
        ("max-age=10, max-age=60", Some(10), "in either order"),
        ("max-age=60, max-age=junk", Some(0), "invalid is the most restrictive"),
        (", ,public,, max-age=60 ,", Some(60), "empty members and spaces"),
        ("x=\"max-age=10\", max-age=60", Some(60), "not within a quoted string"),
        ("x=\"a, max-age=10, b\", max-age=60", Some(60), "nor after a comma in one"),
        ("max-age=\"060\"", Some(60), "both at once"),
        ("max-age=\" 60\"", Some(0), "space within the quotes"),
        ("max-age=\"6\\0\"", Some(0), "a quoted pair is no digit"),
        ("max-age=+60", Some(0), "a sign"),
        ("max-age=0x3c", Some(0), "hexadecimal"),
        ("max-age=6e1", Some(0), "an exponent"),
        ("max-age=60;", Some(0), "a semicolon"),
        ("max-age=60 s", Some(0), "a unit"),
        ("max-age=60=60", Some(0), "two signs"),
        ("max-age=2147483649", Some(1 << 31), "§1.2.2: one more than the largest"),
        ("max-age=0, max-age=60", Some(0), "§4.2.1: the first or stale; here both"),
        ("xmax-age=60", None, "another directive"),
        ("max-age-x=60", None, "yet another"),
    ];
    for (value, expected, why) in rows {
        let read = response(&format!("Cache-Control: {value}\r\n"));
        assert_eq!(read.max_age, expected.map(DeltaSeconds), "{why}");
    }
}

#[test]
fn flags_of_a_response() {
    // RFC 9111 §5.2.2
    let none = ResponseDirectives::default();
    let seconds = |seconds| Some(DeltaSeconds(seconds));
    let rows: [(&str, ResponseDirectives, &str); 37] = [
        ("no-store", ResponseDirectives { no_store: true, ..none }, "§5.2.2.5"),
        ("No-Store", ResponseDirectives { no_store: true, ..none }, "case"),
        ("no-store=x", ResponseDirectives { no_store: true, ..none }, "an argument it has not"),
        ("no-store =x", ResponseDirectives { no_store: true, ..none }, "nothing strict is lost"),
        ("no-cache", ResponseDirectives { no_cache: true, ..none }, "§5.2.2.4"),
        ("no-cache=\"a, b\"", none, "§5.2.2.4: with field names it is about these alone"),
        (
            "no-cache=\"a\", no-cache",
            ResponseDirectives { no_cache: true, ..none },
            "with and without: without",
        ),
        ("no-cache=\"\"", ResponseDirectives { no_cache: true, ..none }, "naming nothing"),
        ("private", ResponseDirectives { private: true, ..none }, "§5.2.2.7"),
        (
            "private=Set-Cookie",
            none,
            "§5.2.2.7: the token form, which should not be sent, likewise",
        ),
        ("public", ResponseDirectives { public: true, ..none }, "§5.2.2.9"),
        (
            "must-revalidate, proxy-revalidate",
            ResponseDirectives { must_revalidate: true, proxy_revalidate: true, ..none },
            "§5.2.2.2, §5.2.2.8",
        ),
        (
            "must-understand,no-transform,immutable",
            ResponseDirectives {
                must_understand: true,
                no_transform: true,
                immutable: true,
                ..none
            },
            "§5.2.2.3, §5.2.2.6, RFC 8246 §2",
        ),
        (
            "s-maxage=5, max-age=7",
            ResponseDirectives { s_maxage: seconds(5), max_age: seconds(7), ..none },
            "§5.2.2.10",
        ),
        (
            "stale-while-revalidate=5, stale-if-error=7",
            ResponseDirectives {
                stale_while_revalidate: seconds(5),
                stale_if_error: seconds(7),
                ..none
            },
            "RFC 5861 §3, §4",
        ),
        (
            "stale-if-error=soon",
            ResponseDirectives { stale_if_error: seconds(0), ..none },
            "an invalid argument allows nothing",
        ),
        ("no-store, no-store", ResponseDirectives { no_store: true, ..none }, "twice"),
        ("no-store=?0", ResponseDirectives { no_store: true, ..none }, "no structured field"),
        ("NO-CACHE=\"\"", ResponseDirectives { no_cache: true, ..none }, "naming nothing"),
        ("no-cache=\", ,\"", ResponseDirectives { no_cache: true, ..none }, "naming nothing"),
        ("no-cache=", ResponseDirectives { no_cache: true, ..none }, "naming nothing"),
        ("private=\"a b\"", ResponseDirectives { private: true, ..none }, "no field name"),
        ("private=\"a\\-b\"", ResponseDirectives { private: true, ..none }, "a quoted pair"),
        ("private='a'", ResponseDirectives { private: true, ..none }, "single quotes"),
        ("private=\"a", ResponseDirectives { private: true, ..none }, "quotes that do not end"),
        ("private =a", ResponseDirectives { private: true, ..none }, "space before the sign"),
        ("private= \"a\"", ResponseDirectives { private: true, ..none }, "space after it"),
        ("private=\"a, Vary\"", ResponseDirectives { private: true, ..none }, "needed here"),
        ("no-cache=content-type", ResponseDirectives { no_cache: true, ..none }, "needed here"),
        (
            "max-age=7; no-store",
            ResponseDirectives { no_store: true, max_age: seconds(0), ..none },
            "§5.2: semicolons separate nothing, yet what restricts counts",
        ),
        (
            "private; no-cache;public",
            ResponseDirectives { private: true, no_cache: true, ..none },
            "but what allows does not",
        ),
        (
            "max-age=7 must-revalidate",
            ResponseDirectives { must_revalidate: true, max_age: seconds(0), ..none },
            "a comma is missing",
        ),
        (
            "x=\"a, no-store, max-age=9",
            ResponseDirectives { no_store: true, ..none },
            "a quote without end hides nothing that restricts",
        ),
        ("\"no-store\"", ResponseDirectives { no_store: true, ..none }, "all in quotes"),
        ("x=\"no-store, private\"", none, "§5.2.3: the argument of something unknown"),
        ("no-store-x, xprivate, no_cache", none, "other names"),
        ("foo, bar=baz, q=\"a\\\"b\"", none, "§5.2.3: unknown directives are ignored"),
    ];
    for (value, expected, why) in rows {
        assert_eq!(response(&format!("Cache-Control: {value}\r\n")), expected, "{value}: {why}");
    }
    assert_eq!(response("Pragma: no-cache\r\n"), none, "§5.4: Pragma is for requests");
    let lines = response("Cache-Control: max-age=9\r\nCache-Control: no-cache\r\n");
    assert!(lines.no_cache && lines.max_age == seconds(9), "several lines are one list");
}

#[test]
fn directives_of_a_request() {
    // RFC 9111 §5.2.1, §5.4
    let none = RequestDirectives::default();
    let seconds = |seconds| Some(DeltaSeconds(seconds));
    let no_cache = RequestDirectives { no_cache: true, ..none };
    let rows: [(&str, RequestDirectives, &str); 21] = [
        ("", none, "nothing"),
        ("Cache-Control: no-cache\r\n", no_cache, "§5.2.1.4"),
        ("Cache-Control: no-store\r\n", RequestDirectives { no_store: true, ..none }, "§5.2.1.5"),
        (
            "Cache-Control: only-if-cached, no-transform\r\n",
            RequestDirectives { only_if_cached: true, no_transform: true, ..none },
            "§5.2.1.7, §5.2.1.6",
        ),
        (
            "Cache-Control: max-age=5\r\n",
            RequestDirectives { max_age: seconds(5), ..none },
            "§5.2.1.1",
        ),
        (
            "Cache-Control: max-age=5, max-age=3\r\n",
            RequestDirectives { max_age: seconds(3), ..none },
            "the most restrictive",
        ),
        (
            "Cache-Control: max-age=x\r\n",
            RequestDirectives { max_age: seconds(0), ..none },
            "invalid: the most restrictive",
        ),
        (
            "Cache-Control: min-fresh=5, min-fresh=9\r\n",
            RequestDirectives { min_fresh: seconds(9), ..none },
            "§5.2.1.3: the longer is the more restrictive",
        ),
        ("Cache-Control: min-fresh=x\r\n", none, "invalid: ignored"),
        (
            "Cache-Control: max-stale\r\n",
            RequestDirectives { max_stale: seconds(1 << 31), ..none },
            "§5.2.1.2: without an argument any staleness will do",
        ),
        (
            "Cache-Control: max-stale=9\r\n",
            RequestDirectives { max_stale: seconds(9), ..none },
            "§5.2.1.2",
        ),
        (
            "Cache-Control: max-stale, max-stale=9\r\n",
            RequestDirectives { max_stale: seconds(9), ..none },
            "the most restrictive",
        ),
        (
            "Cache-Control: max-stale=x\r\n",
            RequestDirectives { max_stale: seconds(0), ..none },
            "an invalid argument allows nothing",
        ),
        (
            "Cache-Control: stale-if-error=9, stale-if-error=5\r\n",
            RequestDirectives { stale_if_error: seconds(5), ..none },
            "RFC 5861 §4",
        ),
        (
            "Cache-Control: stale-if-error\r\n",
            RequestDirectives { stale_if_error: seconds(0), ..none },
            "RFC 5861 §4: it has an argument",
        ),
        (
            "Cache-Control: max-stale=\r\n",
            RequestDirectives { max_stale: seconds(0), ..none },
            "an empty argument is not the same as none",
        ),
        ("CDN-Cache-Control: no-cache\r\n", none, "RFC 9213 §2: for responses"),
        ("Pragma: no-cache\r\n", no_cache, "§5.4"),
        ("Pragma: foo, No-Cache\r\n", no_cache, "§5.4: a list, case-insensitive"),
        ("Pragma: no-cache\r\nCache-Control: foo\r\n", none, "§5.4: Cache-Control comes first"),
        ("Pragma: foo\r\n", none, "another pragma"),
    ];
    for (lines, expected, why) in rows {
        assert_eq!(request(lines), expected, "{lines:?}: {why}");
    }
}

#[test]
fn withheld_fields() {
    // RFC 9111 §5.2.2.4, §5.2.2.7
    let rows: [(&str, bool, &str); 16] = [
        ("private=\"set-cookie\"", true, "§5.2.2.7"),
        ("no-cache=\"set-cookie\"", true, "§5.2.2.4"),
        ("Private=\"X-A, Set-COOKIE\"", true, "a list, in any case"),
        ("private=\" x-a ,, set-cookie \"", true, "spaces and empty members"),
        ("private=set-cookie", true, "§5.2.2.7: a token, which should not be sent"),
        ("max-age=5, private=\"a\", private=\"set-cookie\"", true, "each of several"),
        ("private, no-cache=\"set-cookie\"", true, "beside one that is about all"),
        ("private=\"set-cookie2\"", false, "another field"),
        ("private", false, "all of it, not this one"),
        ("private=\"\"", false, "naming nothing"),
        ("private=\"set-cookie", false, "malformed: about all of it"),
        ("private='set-cookie'", false, "malformed: about all of it"),
        ("private =\"set-cookie\"", false, "malformed: about all of it"),
        ("private=\"set-cookie, a b\"", false, "malformed: about all of it"),
        ("private=\"set-cookie, vary\"", false, "needed here: about all of it"),
        ("foo=\"set-cookie\", x=\"private=set-cookie\"", false, "other directives"),
    ];
    for (value, expected, why) in rows {
        let lines = format!("Cache-Control: {value}\r\n");
        let mut spans = Vec::new();
        let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
        assert_eq!(is_withheld(fields, b"Set-Cookie"), expected, "{value}: {why}");
        assert!(!expected || withholds(fields), "{value}: {why}");
        // Whatever is not clearly about some fields is about all of them.
        let read = response_directives(fields);
        let is_mentioned = value.starts_with("private");
        assert!(!is_mentioned || read.private || withholds(fields), "{value}: {why}");
    }
    let lines = "Cache-Control: no-store\r\nCACHE-CONTROL: max-age=5, private=a\r\n";
    let mut spans = Vec::new();
    let fields = parse_fields(lines.as_bytes(), &mut spans).unwrap();
    assert!(is_withheld(fields, b"A") && withholds(fields), "in a second line");
}

proptest! {
    #[test]
    fn any_value_can_be_read(value in "[ -~\t]{0,60}") {
        let lines = format!("Cache-Control: {value}\r\n");
        let _ = (response(&lines), request(&lines));
    }

    #[test]
    fn whatever_is_added_restricts_no_less(
        value in "[ -~]{0,30}", more in "[ -~]{0,30}",
    ) {
        let alone = response(&format!("Cache-Control: {value}\r\n"));
        let both = response(&format!("Cache-Control: {value}\r\nCache-Control: {more}\r\n"));
        prop_assert!(both.no_store || !alone.no_store);
        prop_assert!(both.no_cache || !alone.no_cache);
        prop_assert!(both.private || !alone.private);
        prop_assert!(both.must_revalidate || !alone.must_revalidate);
        prop_assert!(alone.max_age.is_none() || both.max_age <= alone.max_age);
        prop_assert!(alone.s_maxage.is_none() || both.s_maxage <= alone.s_maxage);
    }

    #[test]
    fn a_word_that_restricts_is_not_lost_in_a_malformed_directive(
        before in "[a-z]{1,4}[ ;]", word in "(no-store|No-Cache|private)", after in "[ ;][a-z]{1,4}",
    ) {
        let read = response(&format!("Cache-Control: max-age=9, {before}{word}{after}\r\n"));
        prop_assert!(read.no_store || read.no_cache || read.private);
    }

    #[test]
    fn the_order_of_directives_does_not_matter(
        directives in proptest::collection::vec(
            prop_oneof![
                Just("no-store"), Just("no-cache=\"a\""), Just("no-cache"), Just("private=a"),
                Just("max-age=4"), Just("max-age=x"), Just("s-maxage=9"), Just("max-stale"),
                Just("max-stale=3"), Just("min-fresh=2"), Just("min-fresh=5"), Just("public"),
            ],
            0..6,
        ),
    ) {
        let forwards = format!("Cache-Control: {}\r\n", directives.join(","));
        let backwards: Vec<&str> = directives.iter().rev().copied().collect();
        let backwards = format!("Cache-Control: {}\r\n", backwards.join(" , "));
        prop_assert_eq!(response(&forwards), response(&backwards));
        prop_assert_eq!(request(&forwards), request(&backwards));
    }
}
