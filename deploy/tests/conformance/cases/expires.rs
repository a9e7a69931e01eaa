//! Expires, Date and Age, and heuristics: RFC 9111 §4.2, §5.1, §5.3, RFC 9110 §5.6.7, §6.6.1.

use super::lifetimes::{Row, case_of};
use crate::case::{Case, Check, Manner, Reuse, case, get, ok};
use Reuse::{Asked, Hit};

const EXPIRES: &[Row] = &[
    ("expires-future", "§5.3", &["Expires: {now+3600}"], Hit, "fresh until then"),
    ("expires-past", "§5.3", &["Expires: {now-3600}"], Asked, "stale"),
    ("expires-now", "§5.3", &["Date: {now}", "Expires: {now}"], Asked, "a lifetime of 0"),
    (
        "expires-rfc850",
        "RFC 9110 §5.6.7",
        &["Expires: {850:now+864000}"],
        Hit,
        "obsolete formats are understood",
    ),
    ("expires-rfc850-past", "RFC 9110 §5.6.7", &["Expires: {850:now-864000}"], Asked, "and meant"),
    (
        "expires-asctime",
        "RFC 9110 §5.6.7",
        &["Expires: {asctime:now+864000}"],
        Hit,
        "obsolete formats are understood",
    ),
    (
        "expires-asctime-past",
        "RFC 9110 §5.6.7",
        &["Expires: {asctime:now-864000}"],
        Asked,
        "and meant",
    ),
    ("expires-0", "§5.3", &["Expires: 0"], Asked, "the past"),
    ("expires-minus-1", "§5.3", &["Expires: -1"], Asked, "the past"),
    ("expires-word", "§5.3", &["Expires: never"], Asked, "invalid: the past"),
    (
        "expires-case-weekday",
        "§4.2",
        &["Expires: THU, 18 Aug 2050 02:01:18 GMT"],
        Hit,
        "dates are matched in any case",
    ),
    (
        "expires-case-month",
        "§4.2",
        &["Expires: Thu, 18 AUG 2050 02:01:18 GMT"],
        Hit,
        "dates are matched in any case",
    ),
    (
        "expires-case-zone",
        "§4.2",
        &["Expires: Thu, 18 Aug 2050 02:01:18 gMT"],
        Hit,
        "dates are matched in any case",
    ),
    (
        "expires-one-digit-hour",
        "§5.3",
        &["Expires: Thu, 18 Aug 2050 2:01:18 GMT"],
        Asked,
        "of no format",
    ),
    ("expires-dots", "§5.3", &["Expires: Thu, 18 Aug 2050 02.01.18 GMT"], Asked, "of no format"),
    ("expires-no-comma", "§5.3", &["Expires: Thu 18 Aug 2050 02:01:18 GMT"], Asked, "of no format"),
    (
        "expires-spaces",
        "§5.3",
        &["Expires: Thu, 18  Aug  2050  02:01:18  GMT"],
        Asked,
        "of no format",
    ),
    ("expires-empty", "§5.3", &["Expires:"], Asked, "invalid: the past"),
    ("expires-number", "§5.3", &["Expires: 4102444800"], Asked, "seconds since 1970 are no date"),
    ("expires-iso", "§5.3", &["Expires: 2099-01-01T00:00:00Z"], Asked, "another format is no date"),
    (
        "expires-zone",
        "§5.3",
        &["Expires: Thu, 18 Aug 2050 02:01:18 CET"],
        Asked,
        "other zones are invalid",
    ),
    ("expires-utc", "§5.3", &["Expires: Thu, 18 Aug 2050 02:01:18 UTC"], Asked, "GMT only"),
    ("expires-offset", "§5.3", &["Expires: Thu, 18 Aug 2050 02:01:18 +0000"], Asked, "GMT only"),
    (
        "expires-two-digits",
        "§5.3",
        &["Expires: Thu, 18 Aug 50 02:01:18 GMT"],
        Asked,
        "an IMF-fixdate has four digits",
    ),
    ("expires-dashes", "§5.3", &["Expires: Thu, 18-Aug-2050 02:01:18 GMT"], Asked, "of no format"),
    ("expires-no-weekday", "§5.3", &["Expires: 18 Aug 2050 02:01:18 GMT"], Asked, "of no format"),
    ("expires-quoted", "§5.3", &["Expires: \"{now+3600}\""], Asked, "no quotes"),
    ("expires-hour-24", "§5.3", &["Expires: Thu, 18 Aug 2050 24:01:18 GMT"], Asked, "no such hour"),
    ("expires-day-32", "§5.3", &["Expires: Thu, 32 Aug 2050 02:01:18 GMT"], Asked, "no such day"),
    ("expires-far", "§4.2.1", &["Expires: Fri, 31 Dec 9999 23:59:59 GMT"], Hit, "no overflow"),
    (
        "expires-2038",
        "§4.2.1",
        &["Expires: Tue, 19 Jan 2038 14:14:08 GMT"],
        Hit,
        "no overflow at 31 bits",
    ),
    (
        "expires-two-lines",
        "§5.3",
        &["Expires: {now-3600}", "Expires: {now+3600}"],
        Asked,
        "the first, and stricter",
    ),
    ("expires-two-bad", "§5.3", &["Expires: {now+3600}", "Expires: 0"], Asked, "ours is stricter"),
    (
        "expires-max-age",
        "§5.3",
        &["Expires: {now-3600}", "Cache-Control: max-age=3600"],
        Hit,
        "max-age goes before it",
    ),
    (
        "expires-max-age-0",
        "§5.3",
        &["Expires: {now+3600}", "Cache-Control: max-age=0"],
        Asked,
        "max-age goes before it",
    ),
    (
        "expires-s-maxage-0",
        "§5.3",
        &["Expires: {now+3600}", "Cache-Control: s-maxage=0"],
        Asked,
        "s-maxage too",
    ),
    (
        "expires-max-age-bad",
        "§4.2.1",
        &["Expires: {now+3600}", "Cache-Control: max-age=x"],
        Asked,
        "invalid: stale",
    ),
    (
        "expires-date-older",
        "§4.2.1",
        &["Date: {now-7200}", "Expires: {now-3600}"],
        Asked,
        "an hour long, but two hours old",
    ),
    (
        "expires-date-older-fresh",
        "§4.2.1",
        &["Date: {now-3600}", "Expires: {now+3600}"],
        Hit,
        "two hours long, one hour old",
    ),
    (
        "expires-date-newer",
        "§4.2.1",
        &["Date: {now+3600}", "Expires: {now+1800}"],
        Asked,
        "before its Date: a clock that is fast",
    ),
    (
        "expires-date-newer-fresh",
        "§4.2.1",
        &["Date: {now+3600}", "Expires: {now+7200}"],
        Hit,
        "an hour, on a clock that is fast",
    ),
    (
        "expires-date-slow",
        "§4.2.3",
        &["Date: {now-300}", "Expires: {now-100}"],
        Asked,
        "apparent_age is 300, the lifetime 200",
    ),
    (
        "expires-no-date",
        "RFC 9110 §6.6.1",
        &["-Date", "Expires: {now+3600}"],
        Hit,
        "received now is its Date",
    ),
    (
        "expires-no-date-past",
        "RFC 9110 §6.6.1",
        &["-Date", "Expires: {now-3600}"],
        Asked,
        "received now is its Date",
    ),
    (
        "expires-bad-date",
        "RFC 9110 §6.6.1",
        &["Date: yesterday", "Expires: {now+3600}"],
        Hit,
        "as if there were none",
    ),
    ("expires-age", "§4.2.3", &["Expires: {now+3600}", "Age: 7200"], Asked, "Age counts here too"),
    (
        "date-old-max-age",
        "§4.2.3",
        &["Date: {now-7200}", "Cache-Control: max-age=3600"],
        Asked,
        "apparent_age",
    ),
    (
        "date-old-max-age-fresh",
        "§4.2.3",
        &["Date: {now-1800}", "Cache-Control: max-age=3600"],
        Hit,
        "apparent_age",
    ),
    (
        "date-old-s-maxage",
        "§4.2.3",
        &["Date: {now-7200}", "Cache-Control: s-maxage=3600"],
        Asked,
        "apparent_age",
    ),
    (
        "date-future-max-age",
        "§4.2.3",
        &["Date: {now+7200}", "Cache-Control: max-age=3600"],
        Hit,
        "max(0, ...)",
    ),
    (
        "date-850-max-age",
        "RFC 9110 §5.6.7",
        &["Date: {850:now-7200}", "Cache-Control: max-age=3600"],
        Asked,
        "obsolete formats count",
    ),
    (
        "date-asctime-max-age",
        "RFC 9110 §5.6.7",
        &["Date: {asctime:now-7200}", "Cache-Control: max-age=3600"],
        Asked,
        "obsolete formats count",
    ),
    (
        "date-missing-max-age",
        "RFC 9110 §6.6.1",
        &["-Date", "Cache-Control: max-age=3600"],
        Hit,
        "received now is its Date",
    ),
];

const AGES: &[Row] = &[
    ("age-less", "§4.2.3", &["Cache-Control: max-age=3600", "Age: 1800"], Hit, "1800 s are left"),
    ("age-more", "§4.2.3", &["Cache-Control: max-age=3600", "Age: 3601"], Asked, "too old"),
    ("age-0", "§5.1", &["Cache-Control: max-age=3600", "Age: 0"], Hit, "made now"),
    (
        "age-zeros",
        "§5.1",
        &["Cache-Control: max-age=3600", "Age: 007200"],
        Asked,
        "delta-seconds are 1*DIGIT",
    ),
    (
        "age-large",
        "§1.2.2",
        &["Cache-Control: max-age=3600", "Age: 2147483648"],
        Asked,
        "no overflow",
    ),
    (
        "age-huge",
        "§1.2.2",
        &["Cache-Control: max-age=3600", "Age: 99999999999"],
        Asked,
        "no overflow",
    ),
    (
        "age-64-bits",
        "§1.2.2",
        &["Cache-Control: max-age=3600", "Age: 18446744073709551617"],
        Asked,
        "no overflow",
    ),
    (
        "age-negative",
        "§5.1",
        &["Cache-Control: max-age=3600", "Age: -7200"],
        Hit,
        "invalid: ignored",
    ),
    ("age-word", "§5.1", &["Cache-Control: max-age=3600", "Age: old"], Hit, "invalid: ignored"),
    ("age-float", "§5.1", &["Cache-Control: max-age=3600", "Age: 7200.0"], Hit, "invalid: ignored"),
    ("age-suffix", "§5.1", &["Cache-Control: max-age=3600", "Age: 7200a"], Hit, "invalid: ignored"),
    (
        "age-quoted",
        "§5.1",
        &["Cache-Control: max-age=3600", "Age: \"7200\""],
        Hit,
        "invalid: ignored",
    ),
    (
        "age-parameter",
        "§5.1",
        &["Cache-Control: max-age=3600", "Age: 7200;a=b"],
        Hit,
        "invalid: ignored",
    ),
    ("age-empty", "§5.1", &["Cache-Control: max-age=3600", "Age:"], Hit, "invalid: ignored"),
    (
        "age-members",
        "§5.1",
        &["Cache-Control: max-age=3600", "Age: 7200, 0"],
        Asked,
        "the first of several",
    ),
    (
        "age-lines",
        "§5.1",
        &["Cache-Control: max-age=3600", "Age: 7200", "Age: 0"],
        Asked,
        "the first of several",
    ),
    (
        "age-date",
        "§4.2.3",
        &["Cache-Control: max-age=3600", "Age: 7200", "Date: {now-60}"],
        Asked,
        "the larger of both",
    ),
    (
        "age-date-older",
        "§4.2.3",
        &["Cache-Control: max-age=3600", "Age: 60", "Date: {now-7200}"],
        Asked,
        "the larger of both",
    ),
];

const HEURISTICS: &[Row] = &[
    ("heuristic-10-days", "§4.2.2", &["Last-Modified: {now-864000}"], Hit, "a tenth: one day"),
    (
        "heuristic-one-hour-old",
        "§4.2.2",
        &["Last-Modified: {now-864000}", "Age: 3600"],
        Hit,
        "within the tenth",
    ),
    (
        "heuristic-spent",
        "§4.2.2",
        &["Last-Modified: {now-864000}", "Age: 90000"],
        Asked,
        "the tenth is over",
    ),
    (
        "heuristic-850",
        "RFC 9110 §5.6.7",
        &["Last-Modified: {850:now-864000}"],
        Hit,
        "obsolete formats count",
    ),
    (
        "heuristic-asctime",
        "RFC 9110 §5.6.7",
        &["Last-Modified: {asctime:now-864000}"],
        Hit,
        "obsolete formats count",
    ),
    ("heuristic-future", "§4.2.2", &["Last-Modified: {now+864000}"], Asked, "no tenth of nothing"),
    ("heuristic-bad", "§4.2.2", &["Last-Modified: yesterday"], Asked, "nothing to guess from"),
    ("heuristic-etag", "§4.2.2", &["ETag: \"a\""], Asked, "nothing to guess from"),
    (
        "heuristic-expires-bad",
        "§5.3",
        &["Last-Modified: {now-864000}", "Expires: 0"],
        Asked,
        "explicit, so no heuristic",
    ),
    (
        "heuristic-max-age-0",
        "§4.2.2",
        &["Last-Modified: {now-864000}", "Cache-Control: max-age=0"],
        Asked,
        "explicit, so no heuristic",
    ),
    (
        "heuristic-max-age-bad",
        "§4.2.1",
        &["Last-Modified: {now-864000}", "Cache-Control: max-age=a"],
        Asked,
        "invalid: stale",
    ),
    (
        "heuristic-old-date",
        "§4.2.2",
        &["Last-Modified: {now-864000}", "Date: {now-432000}"],
        Asked,
        "a tenth of five days, five days ago",
    ),
    (
        "heuristic-set-cookie",
        "§7.3",
        &["Last-Modified: {now-864000}", "Set-Cookie: a=b"],
        Asked,
        "ours: nobody said that others may have it",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [EXPIRES, AGES, HEURISTICS].concat().iter().map(case_of).collect();
    let age = |name: &str, fields: &[&str], least, why: &str| {
        case(name, "RFC 9111 §4, §5.1", why)
            .step(get().answer(ok([]).lines(fields)).miss())
            .step(get().hit(1).check(Check::AgeAtLeast(least)).check(Check::AgeAtMost(least + 60)))
    };
    let fresh = "Cache-Control: max-age=86400";
    cases.extend([
        age("age-shown", &[fresh], 0, "on each response from the store"),
        age("age-shown-added", &[fresh, "Age: 500"], 500, "what was there counts on"),
        age("age-shown-date", &[fresh, "Date: {now-900}"], 900, "apparent_age"),
        age("age-shown-larger", &[fresh, "Date: {now-900}", "Age: 500"], 900, "the larger"),
        age("age-shown-future", &[fresh, "Date: {now+900}"], 0, "never negative"),
        age("age-shown-bad", &[fresh, "Age: -5"], 0, "invalid: ignored"),
        age("age-shown-lines", &[fresh, "Age: 700", "Age: 500"], 700, "one line comes out"),
        case("age-shown-resident", "RFC 9111 §4.2.3", "resident_time counts")
            .step(get().answer(ok([fresh, "Age: 100"])).miss())
            .step(get().after_ms(2500).hit(1).check(Check::AgeAtLeast(102))),
        case("age-shown-delay", "RFC 9111 §4.2.3", "response_delay counts")
            .step(get().answer(ok([fresh, "Age: 100"]).sent(Manner::Late)).miss())
            .step(get().hit(1).check(Check::AgeAtLeast(102))),
        case("stale-by-delay", "RFC 9111 §4.2.3", "it was old when it came")
            .step(
                get()
                    .answer(ok(["Cache-Control: max-age=101", "Age: 99"]).sent(Manner::Late))
                    .miss(),
            )
            .step(get().miss()),
        case("date-kept", "RFC 9110 §6.6.1", "a Date is not replaced")
            .step(get().answer(ok([fresh, "Date: {now-900}"])).miss().has("date", "{now-900}"))
            .step(get().hit(1).has("date", "{now-900}")),
        case("date-made", "RFC 9110 §6.6.1", "one is made where there is none")
            .step(get().answer(ok([fresh, "-Date"])).miss().says("date", "GMT"))
            .step(get().hit(1).says("date", "GMT")),
        case("expires-kept", "RFC 9110 §5.1", "it goes on as it came")
            .step(get().answer(ok([fresh, "Expires: 0"])).miss().has("expires", "0"))
            .step(get().hit(1).has("expires", "0").has("cache-control", "max-age=86400")),
        case("heuristic-query-at", "RFC 9111 §4.2.2", "a query does not forbid heuristics")
            .step(get().at("?a=b").answer(ok(["Last-Modified: {now-864000}"])).miss())
            .step(get().at("?a=b").hit(1)),
        case("stale-in-time", "RFC 9111 §4.2", "fresh, and later stale")
            .step(get().answer(ok(["Cache-Control: max-age=2"])).miss())
            .step(get().after_ms(4500).miss()),
    ]);
    cases
}
