//! What an operator sets for a site, told apart by host.

use crate::case::{
    Answer, Case, Check, Manner, Reuse, Step, answer, case, fails, get, not_modified, ok,
};
use Reuse::{Asked, Hit};
use lastmile_edge::http::cache::key::{KeyRules, QueryRule};
use lastmile_edge::http::cache::stale::SiteDefaults;
use lastmile_edge::http::cache::storable::SetCookie;
use lastmile_edge::http::time::DeltaSeconds;
use lastmile_edge::site::Site;

const FRESH: &str = "Cache-Control: max-age=3600";

pub(crate) fn sites() -> Vec<Site> {
    let of = |host: &str| Site { hosts: vec![host.to_owned()], ..Site::default() };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let hour = DeltaSeconds(3600);
    let query = |rule| KeyRules { query: rule, ..KeyRules::default() };
    let defaults = SiteDefaults { error_lifetime: hour, ..SiteDefaults::default() };
    let errors = Site { defaults, ..of("errors.test") };
    let defaults = SiteDefaults { stale_if_error: hour, ..SiteDefaults::default() };
    let if_error = Site { defaults, ..of("if-error.test") };
    let defaults = SiteDefaults { stale_while_revalidate: hour, ..SiteDefaults::default() };
    let keyed = KeyRules {
        sort_query: true,
        query: QueryRule::Except(names(&["utm_*", "fbclid"])),
        fields: names(&["x-device"]),
        cookies: names(&["currency"]),
        ..KeyRules::default()
    };
    let one_host = KeyRules { host: Some("canon.test".to_owned()), ..KeyRules::default() };
    vec![
        errors,
        if_error,
        Site { defaults, ..of("while.test") },
        Site { ignore_client_directives: true, ..of("deaf.test") },
        Site { set_cookie: SetCookie::Withhold, ..of("withhold.test") },
        Site { set_cookie: SetCookie::Refuse, ..of("refuse.test") },
        Site { key: keyed, show_key: true, ..of("keyed.test") },
        Site { key: query(QueryRule::Drop), ..of("drop.test") },
        Site { key: query(QueryRule::Only(names(&["q"]))), ..of("only.test") },
        Site { key: one_host, hosts: names(&["one.test", "two.test"]), ..Site::default() },
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    errors().into_iter().chain(stale()).chain(clients()).chain(cookies()).chain(keys()).collect()
}

/// Two requests to one host, the second one for the same.
fn pair(name: String, why: &str, step: &dyn Fn() -> Step, reuse: Reuse) -> Case {
    case(name, "Site", why).step(step().miss()).step(match reuse {
        Hit => step().hit(1),
        Asked => step().miss(),
    })
}

fn errors() -> Vec<Case> {
    let rows: &[(u16, &[&str], Reuse, &str)] = &[
        (404, &[], Hit, "says nothing"),
        (410, &[], Hit, "says nothing"),
        (500, &[], Hit, "says nothing"),
        (503, &[], Hit, "says nothing"),
        (504, &["Cache-Control: public"], Hit, "says nothing about time"),
        (503, &["Cache-Control: max-age=0"], Asked, "what it says counts"),
        (503, &["Cache-Control: no-store"], Asked, "what it says counts"),
        (404, &["Cache-Control: private"], Asked, "what it says counts"),
        (404, &["Expires: 0"], Asked, "what it says counts"),
        (400, &[], Asked, "about one request"),
        (403, &[], Asked, "about one client"),
        (429, &[], Asked, "about one client"),
        (200, &[], Asked, "no error"),
    ];
    let case = |(number, &(status, fields, reuse, why)): (usize, &(u16, &[&str], Reuse, &str))| {
        let step = || get().host("errors.test").answer(answer(status, []).lines(fields));
        pair(format!("site-error-{status}-{number}"), why, &step, reuse)
    };
    rows.iter().enumerate().map(case).collect()
}

fn stale() -> Vec<Case> {
    let begin = |name: &str, host, control: &str, why: &str| {
        let control = format!("Cache-Control: {control}");
        case(name, "Site, RFC 9111 §4.2.4", why)
            .step(get().host(host).answer(ok([&control, "Age: 100"])).miss())
    };
    let error = || get().host("if-error.test").answer(answer(503, []));
    let later = || get().host("while.test").answer(ok([FRESH]));
    vec![
        begin("site-if-error", "if-error.test", "max-age=60", "the site allows it")
            .step(error().asked().status(200).check(Check::Of(1))),
        begin("site-if-error-close", "if-error.test", "max-age=60", "the site allows it")
            .step(error().answer(fails(Manner::Close)).asked().status(200).check(Check::Of(1))),
        begin(
            "site-if-error-0",
            "if-error.test",
            "max-age=60, stale-if-error=0",
            "what it says counts",
        )
        .step(error().miss()),
        begin(
            "site-if-error-never",
            "if-error.test",
            "max-age=60, must-revalidate",
            "RFC 9111 §5.2.2.2",
        )
        .step(error().miss()),
        begin("site-while", "while.test", "max-age=60", "the site allows it")
            .step(later().check(Check::Of(1)).check(Check::AskedBehind))
            .step(get().host("while.test").check(Check::Of(2)).not_asked().eventually()),
        begin(
            "site-while-0",
            "while.test",
            "max-age=60, stale-while-revalidate=0",
            "what it says counts",
        )
        .step(later().miss()),
        begin("site-while-never", "while.test", "s-maxage=60", "RFC 9111 §5.2.2.10")
            .step(later().miss()),
    ]
}

/// Clients whose directives count for nothing.
fn clients() -> Vec<Case> {
    let rows = [
        ("no-cache", "Cache-Control: no-cache"),
        ("max-age", "Cache-Control: max-age=0"),
        ("no-store", "Cache-Control: no-store"),
        ("pragma", "Pragma: no-cache"),
        ("min-fresh", "Cache-Control: min-fresh=99999"),
    ];
    let made = |(name, line): (&str, &str)| {
        let step = || get().host("deaf.test").with([line]).answer(ok([FRESH]));
        pair(format!("site-deaf-{name}"), "clients can't make the cache ask", &step, Hit)
    };
    rows.into_iter().map(made).collect()
}

fn cookies() -> Vec<Case> {
    let sets = || ok([FRESH, "Set-Cookie: a=b"]);
    let at = |host, answer: Answer| get().host(host).answer(answer);
    vec![
        case("site-cookie-withhold", "Site, RFC 9111 §7.3", "for the first client only")
            .step(at("withhold.test", sets()).miss().has("set-cookie", "a=b"))
            .step(at("withhold.test", ok([])).hit(1).lacks("set-cookie")),
        case("site-cookie-304", "Site, RFC 9111 §3.2, §7.3", "one that comes with a 304, too")
            .step(
                at("withhold.test", ok([FRESH, "Age: 7200", "ETag: \"abc\"", "Set-Cookie: a=b"]))
                    .miss(),
            )
            .step(
                at("withhold.test", not_modified([FRESH, "ETag: \"abc\"", "Set-Cookie: c=d"]))
                    .confirmed(1)
                    .status(200)
                    .has("set-cookie", "c=d"),
            )
            .step(at("withhold.test", ok([])).hit(1).lacks("set-cookie")),
        case("site-cookie-condition", "Site, RFC 9110 §15.4.5", "for whom a 200 became a 304")
            .step(
                at("withhold.test", ok([FRESH, "ETag: \"abc\"", "Set-Cookie: a=b"]))
                    .with(["If-None-Match: \"abc\""])
                    .asked()
                    .status(304)
                    .has("set-cookie", "a=b"),
            )
            .step(at("withhold.test", ok([])).hit(1).lacks("set-cookie")),
        pair("site-cookie-refuse".into(), "not stored", &|| at("refuse.test", sets()), Asked),
        pair(
            "site-cookie-none".into(),
            "nothing to refuse",
            &|| at("refuse.test", ok([FRESH])),
            Hit,
        ),
    ]
}

type KeyRow =
    (&'static str, &'static str, &'static str, &'static str, &'static str, Reuse, &'static str);

/// Host, and what is behind the path in two requests, with a field of the second one.
const KEYS: &[KeyRow] = &[
    (
        "dropped",
        "keyed.test",
        "?a=1",
        "?a=1&utm_source=x&fbclid=2",
        "X-B: 1",
        Hit,
        "parameters that are left out",
    ),
    ("dropped-all", "keyed.test", "", "?utm_source=x", "X-B: 1", Hit, "no parameter is left"),
    ("sorted", "keyed.test", "?b=2&a=1", "?a=1&b=2", "X-B: 1", Hit, "sorted"),
    (
        "sorted-values",
        "keyed.test",
        "?a=2&a=1",
        "?a=1&a=2",
        "X-B: 1",
        Asked,
        "those of one name keep their order",
    ),
    ("parameter", "keyed.test", "?a=1", "?a=2", "X-B: 1", Asked, "others count"),
    ("field", "keyed.test", "", "", "X-Device: mobile", Asked, "a field that counts"),
    ("cookie", "keyed.test", "", "", "Cookie: currency=eur", Asked, "a cookie that counts"),
    ("cookie-other", "keyed.test", "", "", "Cookie: session=1", Hit, "one that does not"),
    ("drop", "drop.test", "?a=1", "?b=2", "X-B: 1", Hit, "no query at all"),
    ("only", "only.test", "?q=1&x=2", "?x=3&q=1", "X-B: 1", Hit, "one parameter only"),
    ("only-other", "only.test", "?q=1", "?q=2", "X-B: 1", Asked, "that one"),
];

fn keys() -> Vec<Case> {
    let rows = KEYS.iter().map(|&(name, host, first, second, field, reuse, why)| {
        let step = get().host(host).at(second).with([field]).answer(ok([FRESH]));
        case(format!("site-key-{name}"), "Site, RFC 9111 §2", why)
            .step(get().host(host).at(first).answer(ok([FRESH])).miss())
            .step(if reuse == Hit { step.hit(1) } else { step.miss() })
    });
    let unsent =
        [("field", "X-Device: victim", "x-device"), ("cookie", "Cookie: currency=eur", "cookie")];
    let unsent = unsent.map(|(name, keyed, field)| {
        let named = format!("Connection: {field}");
        let step = || get().host("keyed.test").with([keyed]);
        case(
            format!("site-key-unsent-{name}"),
            "Site, RFC 9110 §7.6.1",
            "it was not sent, so nobody with it is meant",
        )
        .step(step().with([&named]).answer(ok([FRESH])).miss().not_received(field))
        .step(step().answer(ok([FRESH])).miss().received(field, keyed.split_once(": ").unwrap().1))
        .step(step().hit(2))
    });
    let line = |query: &str| Check::ReceivedLine(format!("GET {{path}}{query} HTTP/1.1"));
    rows.chain(unsent)
        .chain([
            case("site-key-sent", "Site", "what is in no key is not sent either").step(
                get().host("keyed.test").at("?utm_a=1&b=2&a=1").miss().check(line("?b=2&a=1")),
            ),
            case("site-key-shown", "RFC 9211 §2.7", "the key is shown").step(
                get()
                    .host("keyed.test")
                    .answer(ok([FRESH]))
                    .miss()
                    .says("cache-status", "; key=\"keyed.test/"),
            ),
            case("site-key-host", "Site", "one host for all names")
                .step(
                    get()
                        .host("one.test")
                        .answer(ok([FRESH]))
                        .miss()
                        .received("host", "canon.test"),
                )
                .step(get().host("two.test").hit(1)),
        ])
        .collect()
}
