//! Request fields that are in no key must not change what is stored: RFC 9111 §2, §4.1.

use crate::case::{Case, Check, Manner, case, get, head, ok};

const FRESH: &str = "Cache-Control: max-age=3600";

/// Fields by which frameworks take another host, target, method or address for the request's. The upstream of these
/// cases writes all that it receives into its answer, as such frameworks do.
const FIELDS: &[&str] = &[
    "X-Forwarded-Host",
    "X-Forwarded-Scheme",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-SSL",
    "X_Forwarded_Host",
    "X-Host",
    "X-HTTP-Host-Override",
    "Forwarded",
    "Forwarded-Host",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Scheme",
    "X-Url-Scheme",
    "Front-End-Https",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "X-Backend-Host",
    "X-Middleware-Subrequest",
    "X-Wap-Profile",
    "Proxy",
    "Request-URI",
    "Base-Url",
    "Surrogate-Capability",
    "Content_Length",
    "User_Agent",
    "Accept_Language",
];

pub(crate) fn cases() -> Vec<Case> {
    let echo = || ok([FRESH]).sent(Manner::Echo);
    let clean = || Check::ContentLacks("evil".to_owned());
    let poisoned = FIELDS.iter().map(|&name| {
        let line = format!("{name}: evil");
        let named = format!("unkeyed-{}", name.to_ascii_lowercase());
        case(named, "RFC 9111 §2, §4.1", "one client's field must not be in everyone's response")
            .step(get().with([&line]).answer(echo()).asked().status(200).check(clean()))
            .step(get().not_asked().status(200).check(clean()))
    });
    let behind = || ok(["Cache-Control: max-age=60, stale-while-revalidate=3600", "Age: 100"]);
    let others = [
        case("unkeyed-behind", "RFC 5861 §3", "nor in what is fetched behind an answer")
            .step(get().answer(behind()).miss())
            .step(
                get()
                    .with(["X-Forwarded-Host: evil"])
                    .answer(echo())
                    .status(200)
                    .check(Check::AskedBehind)
                    .check(clean()),
            )
            .step(get().not_asked().check(clean()).contains("GET").eventually()),
        case("unkeyed-range", "RFC 9110 §14.2", "nor may a range be what others get")
            .step(
                get().with(["Range: bytes=0-0"]).answer(ok([FRESH]).content("0123456789")).asked(),
            )
            .step(get().not_asked().status(200).shows("0123456789")),
        case("unkeyed-head", "RFC 9111 §4.3.5", "nor may a HEAD say how others see it")
            .step(get().answer(ok([FRESH, "ETag: \"a\""])).miss())
            .step(head().with(["X-Forwarded-Host: evil"]).hit(1)),
        case(
            "unkeyed-condition",
            "RFC 9111 §4.3.2",
            "nor may a condition leave others without content",
        )
        .step(get().with(["If-Match: \"evil\""]).answer(ok([FRESH, "ETag: \"a\""])).asked())
        .step(get().status(200).contains("unkeyed-condition#")),
        case(
            "unkeyed-expect",
            "RFC 9110 §10.1.1",
            "an expectation that nobody knows is refused here",
        )
        .step(get().with(["Expect: evil"]).content("x").not_asked().own(417))
        .step(get().answer(ok([FRESH])).miss()),
        case(
            "unkeyed-connection",
            "RFC 9110 §7.6.1",
            "what Connection names is not seen by the origin",
        )
        .step(get().with(["Connection: X-A", "X-A: evil"]).answer(echo()).asked().check(clean()))
        .step(get().not_asked().check(clean())),
        case("unkeyed-connection-vary", "RFC 9111 §4.1", "so it selects nothing that is stored")
            .step(get().with(["Connection: X-A", "X-A: 1"]).answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(get().with(["X-A: 1"]).answer(ok([FRESH, "Vary: X-A"])).miss()),
    ];
    poisoned.chain(others).collect()
}
