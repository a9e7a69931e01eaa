//! Fields that are stored, made, forwarded and left out: RFC 9111 §3.1, RFC 9110 §7.6, RFC 9211.

use crate::case::{Case, Check, Manner, answer, case, get, head, method, ok};

const FRESH: &str = "Cache-Control: max-age=3600";

/// A response with this field line comes out of the store with it.
const KEPT: &[(&str, &str)] = &[
    ("Test-Header", "a"),
    ("X-Test-Header", "a, b"),
    ("Content-Foo", "a"),
    ("X-Empty", ""),
    ("Content-Encoding", "gzip"),
    ("Content-Language", "en"),
    ("Content-Location", "/a"),
    ("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A=="),
    ("Content-Type", "text/plain; charset=\"utf-8\""),
    ("Content-Disposition", "attachment; filename=\"a,b.txt\""),
    ("Content-Security-Policy", "default-src 'self'; img-src *"),
    ("Set-Cookie", "a=b; Path=/; HttpOnly"),
    ("Set-Cookie2", "a=b"),
    ("ETag", "W/\"a\""),
    ("Last-Modified", "{now-86400}"),
    ("Expires", "{now+60}"),
    ("Link", "</a>; rel=\"preload\", </b>"),
    ("Strict-Transport-Security", "max-age=1"),
    ("Access-Control-Allow-Origin", "*"),
    ("Clear-Site-Data", "\"cookies\""),
    ("P3P", "CP=\"x\""),
    ("Server", "upstream/1.0"),
    ("Retry-After", "60"),
    ("Allow", "GET"),
    ("Accept-Ranges", "bytes"),
    ("WWW-Authenticate", "Basic realm=\"a\""),
    ("Pragma", "no-cache"),
    ("Warning", "110 - \"a\""),
    ("X-Accel-Expires", "0"),
    ("Surrogate-Key", "a b"),
    ("Refresh", "0;url=/a"),
    ("NEL", "{\"report_to\":\"a\"}"),
];

/// These are for one connection or one proxy (RFC 9111 §3.1).
const LEFT_OUT: &[(&str, &str)] = &[
    ("Connection", "x-other"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"),
    ("Upgrade", "websocket"),
    ("Proxy-Authenticate", "Basic realm=\"a\""),
    ("Proxy-Authentication-Info", "nextnonce=\"a\""),
    ("Proxy-Authorization", "Basic eDp5"),
];

pub(crate) fn cases() -> Vec<Case> {
    let kept = KEPT.iter().map(|&(name, value)| {
        let line = format!("{name}: {value}");
        let named = format!("kept-{}", name.to_ascii_lowercase());
        case(named, "RFC 9111 §3.1", "all fields are stored")
            .step(get().answer(ok([FRESH, &line])).miss().has(name, value))
            .step(get().hit(1).has(name, value))
    });
    let left_out = LEFT_OUT.iter().map(|&(name, value)| {
        let line = format!("{name}: {value}");
        let named = format!("left-out-{}", name.to_ascii_lowercase());
        case(named, "RFC 9111 §3.1, RFC 9110 §7.6.1", "for one connection or proxy")
            .step(get().answer(ok([FRESH, &line])).miss())
            .step(get().hit(1).lacks(name))
    });
    kept.chain(left_out)
        .chain(connections())
        .chain(made())
        .chain(statuses())
        .chain(interim())
        .collect()
}

fn connections() -> Vec<Case> {
    let citation = "RFC 9110 §7.6.1";
    vec![
        case("connection-named", citation, "what Connection names is for one connection")
            .step(get().answer(ok([FRESH, "Connection: x-hop", "X-Hop: 1"])).miss().lacks("x-hop"))
            .step(get().hit(1).lacks("x-hop")),
        case("connection-named-several", citation, "several, on two lines, in any case").step(
            get()
                .answer(ok([
                    FRESH,
                    "Connection: X-ONE,, x-two",
                    "Connection: x-three",
                    "X-One: 1",
                    "X-Two: 2",
                    "X-Three: 3",
                    "X-Four: 4",
                ]))
                .miss()
                .lacks("x-one")
                .lacks("x-two")
                .lacks("x-three")
                .has("x-four", "4"),
        ),
        case("connection-request", citation, "the same on the way up").step(
            get()
                .with(["Connection: x-hop, keep-alive", "X-Hop: 1", "Keep-Alive: 5", "X-Other: 1"])
                .answer(ok([FRESH]))
                .miss()
                .not_received("x-hop")
                .not_received("keep-alive")
                .received("x-other", "1"),
        ),
        case("te-request", "RFC 9110 §10.1.4", "for one connection")
            .step(get().with(["TE: trailers", "Connection: TE"]).miss().not_received("te")),
        case("proxy-request", "RFC 9110 §11.7.2", "for this proxy").step(
            get().with(["Proxy-Connection: keep-alive"]).miss().not_received("proxy-connection"),
        ),
        case("cookies-two", "RFC 6265 §3, RFC 9110 §5.3", "lines of Set-Cookie stay apart")
            .step(get().answer(ok([FRESH, "Set-Cookie: a=1", "Set-Cookie: b=2"])).miss())
            .step(get().hit(1).has("set-cookie", "a=1, b=2")),
        case("name-space", "RFC 9112 §5.1", "white space behind a name is removed from responses")
            .step(get().answer(ok([FRESH, "X-A : b"])).miss().has("x-a", "b"))
            .step(get().hit(1).has("x-a", "b")),
        case("chunked", "RFC 9112 §7.1", "comes with its length out of the store")
            .step(get().answer(ok([FRESH]).sent(Manner::Chunked)).miss())
            .step(get().hit(1).lacks("transfer-encoding").has("content-length", "9")),
        case("until-close", "RFC 9112 §6.3", "complete when it ends")
            .step(get().answer(ok([FRESH]).sent(Manner::UntilClose)).miss())
            .step(get().hit(1).has("content-length", "13")),
        case("trailers", "RFC 9110 §6.5.1", "no field of the head")
            .step(get().answer(ok([FRESH]).sent(Manner::Trailers)).miss().lacks("x-trailer"))
            .step(get().hit(1).lacks("x-trailer")),
        case("version-1-0", "RFC 9110 §7.6.3", "in Via is the version in which it came")
            .step(get().answer(ok([FRESH]).sent(Manner::Old)).miss().has("via", "1.0 edge"))
            .step(get().hit(1).has("via", "1.0 edge")),
        case("empty", "RFC 9110 §8.6", "no content is content")
            .step(get().answer(ok([FRESH]).content("")).miss())
            .step(get().hit(1).has("content-length", "0")),
        case("no-content", "RFC 9110 §8.6, §15.3.5", "no Content-Length in a 204")
            .step(get().answer(answer(204, [FRESH])).miss().lacks("content-length"))
            .step(get().hit(1).lacks("content-length").lacks("transfer-encoding")),
    ]
}

/// Fields that the cache makes.
fn made() -> Vec<Case> {
    vec![
        case("via", "RFC 9110 §7.6.3", "on all that is forwarded")
            .step(
                get().answer(ok([FRESH])).miss().has("via", "1.1 edge").received("via", "1.1 edge"),
            )
            .step(get().hit(1).has("via", "1.1 edge")),
        case("via-appended", "RFC 9110 §7.6.3", "behind what is there").step(
            get()
                .with(["Via: 1.0 a"])
                .answer(ok([FRESH, "Via: 1.1 b"]))
                .miss()
                .has("via", "1.1 b, 1.1 edge")
                .received("via", "1.0 a, 1.1 edge"),
        ),
        case("via-loop", "RFC 9110 §7.6.3", "a request that comes back is refused")
            .step(get().with(["Via: 1.1 edge"]).not_asked().own(508)),
        case("via-loop-forward", "RFC 9211 §2.2", "and was not forwarded").step(
            get()
                .with(["Via: 1.1 edge"])
                .not_asked()
                .own(508)
                .check(Check::FieldLacks("cache-status", "fwd".to_owned())),
        ),
        case("age-miss", "RFC 9111 §5.1", "what comes from the upstream has none, or its own")
            .step(get().answer(ok([FRESH, "Age: 100"])).miss().check(Check::AgeAtLeast(100)))
            .step(get().hit(1).check(Check::AgeAtLeast(100))),
        case("forwarded-for", "RFC 7239 §5.2", "who has asked")
            .step(get().miss().received("x-forwarded-for", "127.0.0.1")),
        case("forwarded-for-appended", "RFC 7239 §5.2", "behind what is there").step(
            get()
                .with(["X-Forwarded-For: 192.0.2.1"])
                .miss()
                .received("x-forwarded-for", "192.0.2.1, 127.0.0.1"),
        ),
        case("max-forwards-get", "RFC 9110 §7.6.2", "for TRACE and OPTIONS only")
            .step(get().with(["Max-Forwards: 0"]).miss().received("max-forwards", "0")),
        case("max-forwards-less", "RFC 9110 §7.6.2", "one less")
            .step(method("OPTIONS").with(["Max-Forwards: 5"]).miss().received("max-forwards", "4")),
        case("max-forwards-0", "RFC 9110 §7.6.2", "answered here")
            .step(method("OPTIONS").with(["Max-Forwards: 0"]).not_asked().status(200)),
        case("unknown-request-field", "RFC 9110 §5.1", "forwarded").step(
            get().with(["X-Unknown: 1", "X-Unknown: 2"]).miss().received("x-unknown", "1, 2"),
        ),
        case("unknown-method", "RFC 9110 §9.1", "forwarded as it is").step(
            method("FOO")
                .content("x")
                .miss()
                .check(Check::ReceivedLine("FOO {path} HTTP/1.1".into())),
        ),
    ]
}

/// RFC 9211
fn statuses() -> Vec<Case> {
    let told = "cache-status";
    vec![
        case("told-hit", "RFC 9211 §2.1, §2.4", "and for how long it is fresh")
            .step(get().answer(ok([FRESH, "Age: 100"])).miss().says(told, "edge; fwd=uri-miss"))
            .step(get().hit(1).says(told, "edge; hit; ttl=3")),
        case("told-stored", "RFC 9211 §2.5", "whether it is stored")
            .step(get().answer(ok([FRESH])).miss().says(told, "; stored")),
        case("told-not-stored", "RFC 9211 §2.5", "whether it is stored").step(
            get()
                .answer(ok(["Cache-Control: no-store"]))
                .miss()
                .says(told, "edge; fwd=uri-miss")
                .check(Check::FieldLacks(told, "; stored".into())),
        ),
        case("told-method", "RFC 9211 §2.2", "a method that is always forwarded")
            .step(method("POST").content("x").miss().says(told, "edge; fwd=method")),
        case("told-stale", "RFC 9211 §2.2", "stale")
            .step(get().answer(ok([FRESH, "Age: 7200"])).miss())
            .step(get().miss().says(told, "edge; fwd=stale")),
        case("told-request", "RFC 9211 §2.2", "the request wanted it")
            .step(get().answer(ok([FRESH])).miss())
            .step(get().with(["Cache-Control: no-cache"]).miss().says(told, "edge; fwd=request")),
        case("told-vary", "RFC 9211 §2.2", "another variant")
            .step(get().answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(get().with(["X-A: 1"]).miss().says(told, "edge; fwd=vary-miss")),
        case("told-partial", "RFC 9211 §2.2", "another part")
            .step(
                get()
                    .with(["Range: bytes=0-0"])
                    .answer(
                        answer(206, [FRESH, "ETag: \"a\"", "Content-Range: bytes 0-0/9"])
                            .content("0"),
                    )
                    .miss(),
            )
            .step(get().miss().says(told, "edge; fwd=partial")),
        case("told-appended", "RFC 9211 §2", "behind what caches before us have said")
            .step(
                get()
                    .answer(ok([FRESH, "Cache-Status: origin; hit"]))
                    .miss()
                    .says(told, "origin; hit, edge; fwd=uri-miss"),
            )
            .step(get().hit(1).says(told, "origin; hit, edge; hit")),
        case("told-head", "RFC 9211 §2", "without content too")
            .step(get().answer(ok([FRESH])).miss())
            .step(head().hit(1).says(told, "edge; hit")),
    ]
}

/// RFC 9110 §15.2
fn interim() -> Vec<Case> {
    let citation = "RFC 9110 §15.2";
    let forwarded = |status: u16| {
        let answer = ok([FRESH]).interim(status, ["Link: </a>; rel=preload"]);
        case(format!("interim-{status}"), citation, "forwarded, and not stored")
            .step(get().answer(answer).miss().check(Check::Interim(status)))
            .step(get().hit(1).check(Check::NoInterim))
    };
    vec![
        forwarded(102),
        forwarded(103),
        forwarded(199),
        case("interim-several", citation, "all of them")
            .step(
                get()
                    .answer(ok([FRESH]).interim(102, []).interim(103, ["Link: </a>"]))
                    .miss()
                    .check(Check::Interim(102))
                    .check(Check::Interim(103)),
            )
            .step(get().hit(1)),
        case("interim-post", citation, "for requests with content, too").step(
            method("POST")
                .content("x")
                .answer(ok([]).interim(103, []))
                .miss()
                .check(Check::Interim(103)),
        ),
        case("interim-head", citation, "for HEAD, too")
            .step(head().answer(ok([]).interim(103, [])).miss().check(Check::Interim(103))),
    ]
}
