//! Tables of CDN-Cache-Control.

use super::*;
use crate::cache::directives::{is_withheld, response_directives, withholds};
use crate::head::parse_fields;
use proptest::prelude::*;

fn with<T>(lines: &str, run: impl FnOnce(Fields<'_>) -> T) -> T {
    let mut spans = Vec::new();
    run(parse_fields(lines.as_bytes(), &mut spans).unwrap())
}

fn targeted(value: &str) -> Option<ResponseDirectives> {
    with(&format!("CDN-Cache-Control: {value}\r\n"), directives)
}

const NONE: ResponseDirectives = ResponseDirectives {
    no_store: false,
    no_cache: false,
    private: false,
    public: false,
    must_revalidate: false,
    proxy_revalidate: false,
    must_understand: false,
    no_transform: false,
    immutable: false,
    max_age: None,
    s_maxage: None,
    stale_while_revalidate: None,
    stale_if_error: None,
    targeted: true,
};

#[test]
fn lifetimes() {
    // RFC 9213 §2.1, §2.2; RFC 8941 §3.2, §4.2.2; the field is not used where `None` is expected.
    let rows: [(&str, Option<Option<u32>>, &str); 34] = [
        ("max-age=60", Some(Some(60)), "an integer"),
        ("max-age=060", Some(Some(60)), "leading zeros are an integer too"),
        ("max-age=0", Some(Some(0)), "zero"),
        ("max-age=-60", Some(Some(0)), "negative: invalid, so stale (RFC 9111 §4.2.1)"),
        ("max-age=2147483648", Some(Some(1 << 31)), "RFC 9111 §1.2.2: the largest"),
        ("max-age=2147483649", Some(Some(1 << 31)), "RFC 9111 §1.2.2: clamped"),
        ("max-age=999999999999999", Some(Some(1 << 31)), "the largest integer, of 15 digits"),
        ("max-age=1000000000000000", None, "RFC 8941 §3.3.1: 16 digits are no integer"),
        ("max-age=60.5", Some(None), "§2.1: a decimal is not coerced"),
        ("max-age=60.0", Some(None), "§2.1: not even this one"),
        ("max-age=\"60\"", Some(None), "§2.1: nor is a string"),
        ("max-age=a60", Some(None), "nor a token"),
        ("max-age=60a", None, "no item at all"),
        ("max-age='60'", None, "single quotes are no item"),
        ("max-age", Some(None), "a boolean"),
        ("max-age=?1", Some(None), "a boolean"),
        ("max-age=(60)", Some(None), "an inner list"),
        ("max-age=:NjA=:", Some(None), "a byte sequence"),
        ("max-age=@60", None, "a date came after RFC 8941"),
        ("max-age=", None, "no value"),
        ("max-age =60", None, "no space before the sign"),
        ("max-age= 60", None, "nor after it"),
        ("max-age=60;a;b=\"c\"", Some(Some(60)), "§2.1: parameters are ignored"),
        ("max-age=60, max-age=10", Some(Some(10)), "RFC 8941 §3.2: the last of duplicates"),
        ("max-age=10, max-age=60", Some(Some(60)), "even if it is the longer one"),
        ("max-age=60, max-age=x", Some(None), "even if it is of the wrong type"),
        ("MAX-AGE=60", None, "RFC 8941 §3.1.2: keys are in lower case"),
        ("Max-Age=60, no-store", None, "one error spoils all"),
        ("max-age=60, foo=&", None, "even in an unknown directive"),
        ("max-age=60,", None, "a trailing comma"),
        (", max-age=60", None, "an empty member"),
        ("", None, "§2.1: empty"),
        ("foo", Some(None), "§2.2: an unknown directive makes the field valid"),
        ("s-maxage=9, foo=(a b), max-age=60", Some(Some(60)), "among others"),
    ];
    for (value, expected, why) in rows {
        let read = targeted(value).map(|read| read.max_age.map(|seconds| seconds.0));
        assert_eq!(read, expected, "{value}: {why}");
    }
}

#[test]
fn flags() {
    // RFC 9213 §2.1, §2.2
    let seconds = |seconds| Some(DeltaSeconds(seconds));
    let rows: [(&str, ResponseDirectives, &str); 23] = [
        ("no-store", ResponseDirectives { no_store: true, ..NONE }, "a boolean"),
        ("no-store=?1", ResponseDirectives { no_store: true, ..NONE }, "in full"),
        ("no-store=?0", NONE, "false: not set"),
        ("no-store;a=?0", ResponseDirectives { no_store: true, ..NONE }, "a parameter"),
        ("no-store=\"x\"", ResponseDirectives { no_store: true, ..NONE }, "still restricts"),
        ("no-store=0", ResponseDirectives { no_store: true, ..NONE }, "still restricts"),
        ("no-store=(a)", ResponseDirectives { no_store: true, ..NONE }, "still restricts"),
        ("no-cache", ResponseDirectives { no_cache: true, ..NONE }, "a boolean"),
        ("no-cache=?0", NONE, "false: not set"),
        ("no-cache=\"a, b\"", NONE, "only some fields"),
        ("no-cache=1", ResponseDirectives { no_cache: true, ..NONE }, "still restricts"),
        ("private", ResponseDirectives { private: true, ..NONE }, "a boolean"),
        ("private=\"a\"", NONE, "only some fields"),
        ("private=a", NONE, "a token"),
        ("private=(a)", ResponseDirectives { private: true, ..NONE }, "a list has no meaning"),
        ("private=\"\"", ResponseDirectives { private: true, ..NONE }, "naming nothing"),
        ("private=\"a\", private", ResponseDirectives { private: true, ..NONE }, "the last"),
        ("private, private=?0", NONE, "the last"),
        (
            "must-revalidate, proxy-revalidate=1, no-transform, must-understand, public, immutable",
            ResponseDirectives {
                must_revalidate: true,
                proxy_revalidate: true,
                no_transform: true,
                must_understand: true,
                public: true,
                immutable: true,
                ..NONE
            },
            "§2.2: all that Cache-Control has",
        ),
        ("must-understand=1, public=1, immutable=a", NONE, "what allows must be right"),
        (
            "stale-while-revalidate=5, stale-if-error=7, s-maxage=9",
            ResponseDirectives {
                stale_while_revalidate: seconds(5),
                stale_if_error: seconds(7),
                s_maxage: seconds(9),
                ..NONE
            },
            "extensions too",
        ),
        (
            "stale-while-revalidate=x, stale-if-error=-1",
            ResponseDirectives { stale_if_error: seconds(0), ..NONE },
            "ignored, and nothing",
        ),
        (
            "max-age=5, no-store",
            ResponseDirectives { max_age: seconds(5), no_store: true, ..NONE },
            "§2.2: conflicts are settled as in Cache-Control",
        ),
    ];
    for (value, expected, why) in rows {
        assert_eq!(targeted(value), Some(expected), "{value}: {why}");
    }
}

#[test]
fn which_field_applies() {
    // RFC 9213 §2.2
    let rows: [(&str, Option<u32>, bool, &str); 10] = [
        ("Cache-Control: max-age=1\r\n", Some(1), false, "there is no other"),
        ("CDN-Cache-Control: max-age=2\r\nCache-Control: max-age=1\r\n", Some(2), true, "first"),
        ("Cache-Control: no-store\r\nCDN-Cache-Control: max-age=2\r\n", Some(2), true, "alone"),
        ("CDN-Cache-Control: foo\r\nCache-Control: max-age=1\r\n", None, true, "even so"),
        ("CDN-Cache-Control:\r\nCache-Control: max-age=1\r\n", Some(1), false, "§2.1: empty"),
        ("CDN-Cache-Control: &\r\nCache-Control: max-age=1\r\n", Some(1), false, "§2.1: error"),
        (
            "CDN-Cache-Control: foo\r\nCDN-Cache-Control: max-age=2\r\n",
            Some(2),
            true,
            "RFC 8941 §4.2: several lines are one",
        ),
        (
            "CDN-Cache-Control: max-age=2\r\nCDN-Cache-Control: &\r\nCache-Control: max-age=1\r\n",
            Some(1),
            false,
            "an error in any of them",
        ),
        (
            "CDN-Cache-Control: max-age=2\r\nCDN-Cache-Control:\r\nCache-Control: max-age=1\r\n",
            Some(1),
            false,
            "RFC 8941 §4.2: an empty line leaves a trailing comma",
        ),
        (
            "Surrogate-Control: max-age=3\r\nCache-Control: max-age=1\r\n",
            Some(1),
            false,
            "§2.2: what is not on the target list changes nothing",
        ),
    ];
    for (lines, max_age, targeted, why) in rows {
        let read = with(lines, response_directives);
        assert_eq!(read.max_age, max_age.map(DeltaSeconds), "{lines:?}: {why}");
        assert_eq!(read.targeted, targeted, "{lines:?}: {why}");
    }
}

#[test]
fn withheld_fields() {
    // RFC 9111 §5.2.2.4, §5.2.2.7; RFC 9213 §2.2
    let rows: [(&str, bool, &str); 9] = [
        ("CDN-Cache-Control: private=\"Set-Cookie\"\r\n", true, "a string"),
        ("CDN-Cache-Control: no-cache=\"a, SET-COOKIE\"\r\n", true, "a list in any case"),
        ("CDN-Cache-Control: private=set-cookie\r\n", true, "a token"),
        ("CDN-Cache-Control: private=a, no-cache=set-cookie\r\n", true, "either directive"),
        ("CDN-Cache-Control: private=set-cookie, private=a\r\n", false, "the last of duplicates"),
        ("CDN-Cache-Control: foo=set-cookie\r\n", false, "another directive"),
        ("CDN-Cache-Control: private\r\n", false, "all of it, not this one"),
        (
            "CDN-Cache-Control: max-age=5\r\nCache-Control: private=set-cookie\r\n",
            false,
            "Cache-Control does not apply",
        ),
        (
            "CDN-Cache-Control: &\r\nCache-Control: private=set-cookie\r\n",
            true,
            "Cache-Control applies",
        ),
    ];
    for (lines, expected, why) in rows {
        assert_eq!(with(lines, |fields| is_withheld(fields, b"Set-Cookie")), expected, "{why}");
    }
    assert!(with("CDN-Cache-Control: private=a\r\n", withholds));
    assert!(!with("CDN-Cache-Control: private\r\nCache-Control: private=a\r\n", withholds));
}

proptest! {
    #[test]
    fn any_value_can_be_read(value in "[ -~\t]{0,60}", more in "[ -~\t]{0,20}") {
        let lines = format!("CDN-Cache-Control: {value}\r\nCDN-Cache-Control: {more}\r\n");
        let read = with(&lines, directives);
        prop_assert!(read.is_none_or(|read| read.targeted));
        let _ = with(&lines, |fields| is_withheld(fields, b"a"));
    }

    #[test]
    fn plain_directives_mean_the_same_in_both_fields(
        chosen in proptest::sample::subsequence(
            vec![
                "no-store", "no-cache", "no-cache=\"a\"", "private", "private=\"a, b\"", "public",
                "must-revalidate", "proxy-revalidate", "must-understand", "no-transform",
                "immutable", "max-age=4", "s-maxage=9", "stale-while-revalidate=1",
                "stale-if-error=2147483649", "foo", "foo=\"a, no-store\"",
            ],
            1..17,
        )
        // Of duplicates the last counts in one and the strictest in the other.
        .prop_filter("duplicates", |chosen| {
            let name = |member: &&str| member.split('=').next().map(str::to_owned);
            let names: std::collections::HashSet<_> = chosen.iter().map(name).collect();
            names.len() == chosen.len()
        }),
    ) {
        let value = chosen.join(", ");
        let plain = with(&format!("Cache-Control: {value}\r\n"), response_directives);
        prop_assert_eq!(targeted(&value), Some(ResponseDirectives { targeted: true, ..plain }));
        for name in ["a", "b", "c"] {
            let named = |field| with(&format!("{field}: {value}\r\n"), |fields| {
                is_withheld(fields, name.as_bytes())
            });
            prop_assert_eq!(named("Cache-Control"), named("CDN-Cache-Control"));
        }
    }
}
