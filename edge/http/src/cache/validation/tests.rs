//! Tables and properties: what is asked, confirmed and changed by a validation.

use super::*;
use crate::head::parse_fields;
use proptest::prelude::*;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn with<T>(stored: &str, other: &str, run: impl Fn(Fields<'_>, Fields<'_>) -> T) -> T {
    let (mut stored_spans, mut spans) = (Vec::new(), Vec::new());
    let stored = parse_fields(stored.as_bytes(), &mut stored_spans).unwrap();
    run(stored, parse_fields(other.as_bytes(), &mut spans).unwrap())
}

fn fresh(stored: &str, update: &str) -> String {
    with(stored, update, |stored, other| {
        let mut out = Vec::new();
        freshened(stored, other, &mut out);
        String::from_utf8(out).unwrap()
    })
}

fn conditions(stored: Option<&str>, others: &[&str]) -> String {
    let mut spans = Vec::new();
    let selected = stored.map(|lines| parse_fields(lines.as_bytes(), &mut spans).unwrap());
    let mut out = Vec::new();
    write_conditions(selected, others.iter().map(|tag| tag.as_bytes()), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn conditions_for_one_response() {
    // RFC 9111 §4.3.1
    let modified = format!("Last-Modified: {DATE}\r\n");
    let since = format!("If-Modified-Since: {DATE}\r\n");
    for (stored, expected, why) in [
        ("", "", "no validator"),
        (&format!("Date: {DATE}\r\n"), "", "a Date is none"),
        ("ETag: \"a\"\r\n", "If-None-Match: \"a\"\r\n", "an entity tag"),
        ("ETag: W/\"a\"\r\n", "If-None-Match: W/\"a\"\r\n", "a weak one"),
        ("ETag: a\r\n", "If-None-Match: a\r\n", "as the origin sent it"),
        ("ETag: \"a,b\"\r\n", "If-None-Match: \"a,b\"\r\n", "a comma within a tag"),
        ("ETag: *\r\n", "", "would be any response"),
        ("ETag: a, b\r\n", "", "would be two tags"),
        ("ETag: \"a\", *\r\n", "", "would be any response"),
        ("ETag: ,\r\n", "", "would be no tag"),
        ("ETag:\r\n", "", "an empty tag is none"),
        (&modified, &since, "a date"),
        ("Last-Modified: x\r\n", "If-Modified-Since: x\r\n", "as the origin sent it"),
        ("Last-Modified:\r\n", "", "an empty date is none"),
        (
            &format!("ETag: \"a\"\r\n{modified}"),
            &format!("If-None-Match: \"a\"\r\n{since}"),
            "both, for recipients that know only one",
        ),
        (&format!("ETag: *\r\n{modified}"), &since, "a tag that can't be sent is none"),
    ] {
        assert_eq!(conditions(Some(stored), &[]), *expected, "{why}");
    }
    assert_eq!(conditions(None, &[]), "", "nothing stored");
}

#[test]
fn conditions_for_several_responses() {
    // RFC 9111 §4.3.1
    let dated = format!("Last-Modified: {DATE}\r\n");
    let both = format!("ETag: \"a\"\r\n{dated}");
    let rows: [(Option<&str>, &[&str], &str, &str); 13] = [
        (Some("ETag: \"a\"\r\n"), &["\"b\""], "If-None-Match: \"a\", \"b\"\r\n", "two"),
        (Some("ETag: \"a\r\n"), &["\"b\""], "If-None-Match: \"a\r\n", "quotes that do not end"),
        (Some("ETag: a\r\n"), &["\"b\""], "If-None-Match: a\r\n", "no quotes: alone"),
        (None, &["\"b\"", "\"c\""], "If-None-Match: \"b\", \"c\"\r\n", "none is selected"),
        (Some(""), &["\"b\""], "If-None-Match: \"b\"\r\n", "the selected has no validator"),
        (Some("ETag: *\r\n"), &["\"b\""], "If-None-Match: \"b\"\r\n", "nor one to send"),
        (None, &["W/\"b\"", "b", "*", ""], "", "no strong tag of others"),
        (
            Some("ETag: \"a\"\r\n"),
            &["\"a\"", "\"b\"", "\"b\""],
            "If-None-Match: \"a\", \"b\"\r\n",
            "once",
        ),
        (Some("ETag: W/\"a\"\r\n"), &["\"a\""], "If-None-Match: W/\"a\"\r\n", "weakly the same"),
        (Some(&both), &["\"b\""], "If-None-Match: \"a\", \"b\"\r\n", "a date is for one response"),
        (
            Some(&both),
            &["\"a\"", "W/\"b\""],
            &format!("If-None-Match: \"a\"\r\nIf-Modified-Since: {DATE}\r\n"),
            "no other after all",
        ),
        (
            Some(&dated),
            &["\"b\""],
            &format!("If-Modified-Since: {DATE}\r\n"),
            "RFC 9110 §13.1.3: tags would make the date count for nothing",
        ),
        (Some("Last-Modified:\r\n"), &["\"b\""], "If-None-Match: \"b\"\r\n", "an empty date"),
    ];
    for (stored, others, expected, why) in rows {
        assert_eq!(conditions(stored, others), expected, "{why}");
    }
}

#[test]
fn tags_of_others_are_bounded() {
    let tags: Vec<String> = (0..100).map(|index| format!("\"{index}\"")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let line = conditions(Some("ETag: \"x\"\r\n"), &tags);
    assert_eq!(line.matches(',').count(), OTHER_TAGS_MAX);
    let long: Vec<String> =
        (0..100).map(|index| format!("\"{}{index}\"", "x".repeat(500))).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    assert!(conditions(None, &long).len() < OTHER_TAGS_OCTETS_MAX + 100);
}

#[test]
fn which_response_a_304_is_about() {
    // RFC 9111 §4.3.4
    let other_date = "Sun, 06 Nov 1994 08:49:38 GMT";
    let (dated, redated) =
        (format!("Last-Modified: {DATE}\r\n"), format!("Last-Modified: {other_date}\r\n"));
    let (tagged, weak) = (format!("ETag: \"a\"\r\n{dated}"), format!("ETag: W/\"a\"\r\n{dated}"));
    let rows: [(&str, &str, bool, bool, &str); 22] = [
        ("ETag: \"a\"\r\n", "ETag: \"a\"\r\n", true, true, "the same strong tag"),
        ("ETag: \"a\"\r\n", "ETag: \"b\"\r\n", false, false, "another strong tag"),
        ("", "ETag: \"b\"\r\n", false, false, "a strong tag, and none to compare with"),
        (&dated, &tagged, false, false, "likewise, whatever the date"),
        (&tagged, &format!("ETag: \"b\"\r\n{dated}"), false, false, "the tag decides"),
        (&tagged, &format!("ETag: \"a\"\r\n{redated}"), true, true, "the tag decides"),
        ("ETag: W/\"a\"\r\n", "ETag: \"a\"\r\n", false, false, "a weak one is no strong one"),
        ("ETag: \"a\"\r\n", "ETag: W/\"a\"\r\n", true, false, "weakly the same"),
        ("ETag: W/\"a\"\r\n", "ETag: W/\"a\"\r\n", true, false, "both weak"),
        ("ETag: \"a\"\r\n", "ETag: W/\"b\"\r\n", false, false, "another weak tag"),
        (
            &tagged,
            &format!("ETag: W/\"b\"\r\n{dated}"),
            false,
            false,
            "though the date is the same",
        ),
        (&tagged, &format!("ETag: W/\"a\"\r\n{redated}"), false, false, "or the tag"),
        (&dated, &weak, true, false, "the date corresponds, and no stored tag differs"),
        ("", "ETag: W/\"a\"\r\n", false, false, "a weak tag, and none to compare with"),
        ("ETag: a\r\n", "ETag: a\r\n", true, false, "the same without quotes"),
        (&dated, &dated, true, false, "the same date"),
        (&tagged, &dated, true, false, "the same date, no tag"),
        (&dated, &redated, false, false, "another date"),
        ("", &dated, false, false, "a date, and none to compare with"),
        ("", "", true, false, "no validator on either side"),
        (&tagged, "", true, false, "none in the 304: what was asked about (RFC 9110 §15.4.5)"),
        (&tagged, "Cache-Control: x\r\n", true, false, "other fields say nothing"),
    ];
    for (stored, not_modified, expected, strongly, why) in rows {
        assert_eq!(with(stored, not_modified, identifies), expected, "{why}");
        assert_eq!(with(stored, not_modified, identifies_strongly), strongly, "strongly: {why}");
    }
}

#[test]
fn what_a_head_says_of_a_stored_response() {
    // RFC 9111 §4.3.5
    let dated = format!("Last-Modified: {DATE}\r\n");
    let tagged = format!("ETag: \"a\"\r\n{dated}");
    let rows: [(&str, &str, bool, &str); 16] = [
        ("", "", true, "nothing that differs"),
        (&tagged, "Content-Length: 5\r\n", true, "the same length"),
        (&tagged, "Content-Length: 6\r\n", false, "another length"),
        (&tagged, "Content-Length: 5, 5\r\n", true, "the same length twice"),
        (&tagged, "Content-Length: 5\r\nContent-Length: 6\r\n", false, "two lengths"),
        (&tagged, "Content-Length: x\r\n", false, "no length"),
        (&tagged, "ETag: \"a\"\r\n", true, "the same tag"),
        (&tagged, "ETag: \"b\"\r\nContent-Length: 5\r\n", false, "another tag"),
        (&tagged, "ETag: W/\"a\"\r\n", false, "not the same value"),
        (&tagged, "ETag: \"a\"\r\nETag: \"b\"\r\n", false, "two tags"),
        (&dated, "ETag: \"a\"\r\n", false, "a tag that is new"),
        (&tagged, &dated, true, "the same date"),
        (&tagged, "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT\r\n", false, "another date"),
        ("", &dated, false, "a date that is new"),
        (&tagged, &tagged, true, "both the same"),
        ("Content-Length: 7\r\n", "Content-Length: 5\r\n", true, "the octets stored count"),
    ];
    for (stored, head, expected, why) in rows {
        let confirms = |stored: Fields<'_>, head: Fields<'_>| head_confirms(stored, 5, head);
        assert_eq!(with(stored, head, confirms), expected, "{why}");
    }
}

#[test]
fn fields_after_an_update() {
    // RFC 9111 §3.1, §3.2, §4.3.4
    let rows: [(&str, &str, &str, &str); 27] = [
        ("A: 1\r\n", "", "A: 1\r\n", "nothing new"),
        ("A: 1\r\n", "A: 2\r\n", "A: 2\r\n", "replaced"),
        ("A: 1\r\n", "a: 2\r\n", "a: 2\r\n", "whatever the case"),
        ("A: 1\r\n", "B: 2\r\n", "A: 1\r\nB: 2\r\n", "added"),
        ("A: 1\r\n", "A:\r\n", "A: \r\n", "by an empty one"),
        ("A: 1\r\nA: 2\r\n", "A: 3\r\n", "A: 3\r\n", "all lines are replaced"),
        ("A: 1\r\n", "A: 2\r\nA: 3\r\n", "A: 2\r\nA: 3\r\n", "by all lines"),
        ("Content-Length: 5\r\n", "Content-Length: 0\r\n", "Content-Length: 5\r\n", "§3.2"),
        ("", "Content-Length: 0\r\n", "", "§3.2: nor added"),
        (
            "Content-Encoding: br\r\n",
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: br\r\n",
            "§3.2: the octets stay as they are coded",
        ),
        ("", "Content-Encoding: gzip\r\n", "", "§3.2: nor do they become coded"),
        ("A: 1\r\n", "Content-Range: bytes 0-1/2\r\n", "A: 1\r\n", "§3.2: removed by processing"),
        ("Content-Type: a\r\n", "Content-Type: c\r\n", "Content-Type: c\r\n", "§3.2: no exception"),
        ("Content-MD5: a\r\n", "Content-MD5: c\r\n", "Content-MD5: c\r\n", "§3.2: no prefix rule"),
        ("ETag: W/\"a\"\r\n", "ETag: W/\"a\"\r\n", "ETag: W/\"a\"\r\n", "validators too"),
        ("Vary: a\r\n", "Vary: b\r\n", "Vary: b\r\n", "§4.1: Vary too"),
        ("Expires: 1\r\n", "Cache-Control: x\r\n", "Expires: 1\r\nCache-Control: x\r\n", "both"),
        ("A: 1\r\n", "Connection: a\r\nA: 2\r\n", "A: 1\r\n", "§3.1: named by Connection"),
        ("A: 1\r\n", "Keep-Alive: x\r\nTE: y\r\n", "A: 1\r\n", "§3.1: hop by hop"),
        ("A: 1\r\n", "Transfer-Encoding: chunked\r\n", "A: 1\r\n", "§3.1: of the connection"),
        ("A: 1\r\n", "Upgrade: x\r\nProxy-Connection: y\r\n", "A: 1\r\n", "§3.1: likewise"),
        ("Connection: a\r\nA: 1\r\n", "", "", "§3.1: should not have been stored"),
        ("A: 1\r\n", "Proxy-Authenticate: x\r\n", "A: 1\r\n", "§3.1: the proxy's"),
        (
            "A: 1\r\n",
            "Proxy-Authentication-Info: x\r\nProxy-Authorization: x\r\n",
            "A: 1\r\n",
            "§3.1: likewise",
        ),
        ("Age: 9\r\nDate: x\r\n", "", "", "§4.2: as old as the 304"),
        ("Age: 9\r\nDate: x\r\n", "Age: 1\r\nDate: y\r\n", "Age: 1\r\nDate: y\r\n", "its own"),
        ("Age: 9\r\n", "Connection: age\r\nAge: 1\r\n", "", "§4.2: no old Age in any case"),
    ];
    for (stored, update, expected, why) in rows {
        assert_eq!(fresh(stored, update), expected, "{why}");
    }
}

fn lines() -> impl Strategy<Value = String> {
    let line = "(A|a|B|Date|ETag|Content-Length|Content-Encoding|Connection|TE): ?[ab]{0,2}\r\n";
    proptest::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

fn validators() -> impl Strategy<Value = String> {
    "(ETag: (W/)?\"[ab]\"\r\n)?(Last-Modified: [ab]\r\n)?"
}

proptest! {
    #[test]
    fn the_same_304_changes_nothing_the_second_time(stored in lines(), update in lines()) {
        let once = fresh(&stored, &update);
        prop_assert_eq!(fresh(&once, &update), once);
    }

    #[test]
    fn what_describes_the_octets_never_changes(stored in lines(), update in lines()) {
        let octets = |lines: &str| -> Vec<String> {
            let describes = |line: &&str| line.starts_with("Content-");
            lines.split_inclusive("\r\n").filter(describes).map(|line| line.replace(": ", ":")).collect()
        };
        let named = stored.contains("Connection");
        prop_assert!(named || octets(&fresh(&stored, &update)) == octets(&stored));
    }

    #[test]
    fn to_be_identified_strongly_is_to_be_identified(stored in validators(), other in validators()) {
        prop_assert!(!with(&stored, &other, identifies_strongly) || with(&stored, &other, identifies));
        // What is the same is identified, and stays so after the update.
        prop_assert!(with(&stored, &stored, identifies));
        if with(&stored, &other, identifies) {
            prop_assert!(with(&fresh(&stored, &other), &other, identifies));
        }
    }

    #[test]
    fn what_a_head_confirms_it_confirms_again(stored in validators(), head in validators()) {
        let confirms = |stored: Fields<'_>, head: Fields<'_>| head_confirms(stored, 5, head);
        prop_assert!(with(&stored, &stored, confirms));
        if with(&stored, &head, confirms) {
            prop_assert!(with(&fresh(&stored, &head), &head, confirms));
        }
    }

    #[test]
    fn a_tag_is_asked_about_once(
        selected in "(W/)?\"[a-c]\"", others in proptest::collection::vec("(W/)?\"[a-c]\"|[a*]", 0..8),
    ) {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let line = conditions(Some(&format!("ETag: {selected}\r\n")), &others);
        let value = line.strip_prefix("If-None-Match: ").unwrap().trim_end();
        let opaque: Vec<&str> =
            value.split(", ").map(|tag| tag.trim_start_matches("W/")).collect();
        let distinct: std::collections::HashSet<&&str> = opaque.iter().collect();
        prop_assert_eq!(distinct.len(), opaque.len());
        prop_assert!(value.starts_with(&selected));
        prop_assert!(!value[selected.len()..].contains("W/") && !value.contains('*'));
    }
}
