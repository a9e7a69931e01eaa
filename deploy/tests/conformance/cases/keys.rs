//! What tells one stored response from another: RFC 9111 §2, RFC 9110 §4.2.3, RFC 3986 §6.2.2.

use crate::case::{Case, Check, Manner, Reuse, Step, case, get, method, ok};
use Reuse::{Asked, Hit};

const FRESH: &str = "Cache-Control: max-age=3600";

/// What is behind the path in a first request and in a second one, and whether the first answers the second.
type Row = (&'static str, &'static str, &'static str, Reuse, &'static str);

const ROWS: &[Row] = &[
    ("query-same", "?a=b", "?a=b", Hit, "the same"),
    ("query-other", "?a=b", "?a=c", Asked, "another"),
    ("query-none", "?a=b", "", Asked, "none is another"),
    ("query-order", "?a=1&b=2", "?b=2&a=1", Asked, "order may matter"),
    ("query-empty", "", "?", Hit, "ours: no origin tells them apart"),
    ("query-value-none", "?a", "?a=", Asked, "not the same octets"),
    ("query-twice", "?a=1", "?a=1&a=1", Asked, "not the same octets"),
    ("query-case", "?a=b", "?A=b", Asked, "queries have case"),
    ("query-plus", "?a=+", "?a=%20", Asked, "not the same octets"),
    ("query-unreserved", "?a=%7Eb", "?a=~b", Hit, "unreserved octets, encoded"),
    ("query-digits", "?a=%2f", "?a=%2F", Hit, "digits of an encoding have no case"),
    ("query-ampersand", "?a=1%262", "?a=1&2", Asked, "a reserved octet, encoded"),
    ("query-semicolon", "?a=1;b=2", "?a=1&b=2", Asked, "not the same octets"),
    ("query-slash", "?a=/../b", "?b", Asked, "no segments there"),
    ("path-case", "/a", "/A", Asked, "paths have case"),
    ("path-slash", "/a", "/a/", Asked, "a slash more"),
    ("path-slashes", "/a", "//a", Asked, "a slash more"),
    ("path-unreserved", "/%7Ea", "/~a", Hit, "unreserved octets, encoded"),
    ("path-unreserved-plain", "/~a", "/%7Ea", Hit, "the other way round"),
    ("path-letter", "/%61bc", "/abc", Hit, "unreserved octets, encoded"),
    ("path-digits", "/a%3ab", "/a%3Ab", Hit, "digits of an encoding have no case"),
    ("path-reserved", "/a%3Ab", "/a:b", Asked, "a reserved octet, encoded"),
    ("path-encoded-slash", "/a%2Fb", "/a/b", Asked, "no separator"),
    ("path-encoded-question", "/a%3Fb", "/a?b", Asked, "no query"),
    ("path-encoded-percent", "/a%2541", "/aA", Asked, "decoded once"),
    ("path-semicolon", "/a;b", "/a", Asked, "not the same octets"),
    ("path-percent", "/a%zz", "/a%ZZ", Asked, "nothing encoded, so octet for octet"),
    ("path-bracket", "/a[b]", "/a[b]", Hit, "not of a URI, but met in the wild"),
    ("path-dots-asked", "/b", "/a/../b", Hit, "dot segments lead there"),
    ("path-dot-asked", "/a/b", "/a/./b", Hit, "dot segments lead there"),
    ("path-dots-encoded", "/b", "/a/%2E%2e/b", Hit, "dot segments lead there"),
    ("path-dots-stored", "/a/../b", "/b", Asked, "ours: the origin may see it otherwise"),
    ("path-dots-name", "/a..b", "/a..b", Hit, "no dot segment"),
];

/// Hosts of a first and a second request.
const HOSTS: &[(&str, &str, &str, Reuse, &str)] = &[
    ("host-other", "a.test", "b.test", Asked, "another"),
    ("host-case", "a.test", "A.TEST", Hit, "hosts have no case"),
    ("host-port-default", "a.test", "a.test:80", Hit, "the default"),
    ("host-port-empty", "a.test", "a.test:", Hit, "none is the default"),
    ("host-port-other", "a.test", "a.test:8080", Asked, "another"),
    ("host-suffix", "a.test", "a.test.b.test", Asked, "another"),
];

pub(crate) fn cases() -> Vec<Case> {
    let rows = ROWS.iter().map(|&(name, first, second, reuse, why)| {
        let line = |suffix: &str| Check::ReceivedLine(format!("GET {{path}}{suffix} HTTP/1.1"));
        let step = get().at(second).answer(ok([FRESH]));
        case(format!("key-{name}"), "RFC 9110 §4.2.3, RFC 3986 §6.2.2", why)
            .step(get().at(first).answer(ok([FRESH])).miss().check(line(first)))
            .step(if reuse == Hit { step.hit(1) } else { step.miss().check(line(second)) })
    });
    let hosts = HOSTS.iter().map(|&(name, first, second, reuse, why)| {
        let step = get().host(second).answer(ok([FRESH]));
        case(format!("key-{name}"), "RFC 9110 §4.2.1, §4.2.3", why)
            .step(get().host(first).answer(ok([FRESH])).miss().received("host", first))
            .step(if reuse == Hit { step.hit(1) } else { step.miss() })
    });
    rows.chain(hosts).chain(targets()).chain(deceptions()).chain(contents()).collect()
}

/// RFC 9112 §3.2
fn targets() -> [Case; 12] {
    let citation = "RFC 9112 §3.2.2";
    let absolute = "http://www.customer.test{path}";
    [
        case("target-absolute", citation, "the same URI")
            .step(get().answer(ok([FRESH])).miss())
            .step(get().target(absolute).hit(1)),
        case("target-absolute-host", citation, "the target goes before Host")
            .step(
                get()
                    .target(absolute)
                    .host("evil.test")
                    .answer(ok([FRESH]))
                    .miss()
                    .received("host", "www.customer.test"),
            )
            .step(get().hit(1))
            .step(get().host("evil.test").miss()),
        case("target-absolute-case", citation, "schemes and hosts have no case")
            .step(get().answer(ok([FRESH])).miss())
            .step(get().target("HTTP://WWW.CUSTOMER.TEST:80{path}").hit(1)),
        case("target-two-hosts", "RFC 9112 §3.2", "400")
            .step(get().with(["Host: evil.test"]).not_asked().own(400)),
        case("target-no-host", "RFC 9112 §3.2", "400").step(get().host("").not_asked().own(400)),
        case("target-host-user", "RFC 9110 §4.2.4", "400")
            .step(get().host("a@b.test").not_asked().own(400)),
        case("target-host-path", "RFC 9112 §3.2", "400")
            .step(get().host("a.test/b").not_asked().own(400)),
        case("target-host-port", "RFC 9112 §3.2", "400")
            .step(get().host("a.test:b").not_asked().own(400)),
        case("target-user", "RFC 9110 §4.2.4", "400")
            .step(get().target("http://a@www.customer.test{path}").not_asked().own(400)),
        case("target-fragment", "RFC 9112 §3.2", "no part of a target")
            .step(get().at("#a").not_asked().own(400)),
        case("target-space", "RFC 9112 §3", "400").step(get().at("/a b").not_asked().own(400)),
        case("target-bad-host", "RFC 9112 §3.2", "400")
            .step(get().host("a b").not_asked().own(400)),
    ]
}

/// A page of one user under a name that looks like everybody's.
fn deceptions() -> impl Iterator<Item = Case> {
    const SUFFIXES: [(&str, &str); 9] = [
        ("segment", "/account/a.css"),
        ("encoded-slash", "/account%2fa.css"),
        ("semicolon", "/account;a.css"),
        ("encoded-semicolon", "/account%3ba.css"),
        ("encoded-question", "/account%3fa.css"),
        ("encoded-hash", "/account%23a.css"),
        ("encoded-newline", "/account%0aa.css"),
        ("encoded-nul", "/account%00a.css"),
        ("dots", "/static/%2e%2e/account"),
    ];
    const MANNERS: [(&str, &[&str]); 3] = [
        ("private", &["Cache-Control: private"]),
        ("silent", &["Content-Type: text/html"]),
        ("cookie", &["Set-Cookie: session=1", "Last-Modified: {now-864000}"]),
    ];
    SUFFIXES.iter().flat_map(|&(name, suffix)| {
        MANNERS.iter().map(move |(manner, fields)| {
            let step = || get().at(suffix).answer(ok([]).lines(fields)).miss();
            let why = "the name of a URI says nothing about storing";
            case(format!("deception-{name}-{manner}"), "RFC 9111 §3, §4.2.2", why)
                .step(step().with(["Cookie: session=1"]))
                .step(step())
        })
    })
}

/// Content of a GET is in no key (RFC 9110 §9.3.1).
fn contents() -> [Case; 3] {
    let echo = || ok([FRESH]).sent(Manner::Echo);
    let clean = |step: Step| step.check(Check::ContentLacks("evil".into()));
    [
        case("fat-get", "RFC 9110 §9.3.1", "it must not change what others get")
            .step(get().content("evil").answer(ok([FRESH])).miss())
            .step(get().answer(ok([FRESH])).miss())
            .step(get().hit(2)),
        case("fat-get-hit", "RFC 9110 §9.3.1", "it is for the origin alone")
            .step(get().answer(ok([FRESH])).miss())
            .step(get().content("evil").answer(ok([FRESH])).miss())
            .step(get().hit(1)),
        case("post-echo", "RFC 9111 §4.4", "what a POST brings answers no GET")
            .step(method("POST").content("x").with(["X-A: evil"]).answer(echo()).asked())
            .step(clean(get().answer(echo()).asked()))
            .step(clean(get().not_asked())),
    ]
}
