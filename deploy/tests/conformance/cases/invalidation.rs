//! What a change at the upstream invalidates: RFC 9111 §4.4, RFC 9110 §9.2.1.

use crate::case::{Case, Step, answer, case, get, method, ok};

const FRESH: &str = "Cache-Control: max-age=3600";

/// Unsafe and unknown methods.
const UNSAFE: &[&str] = &["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO", "get"];
const DONE: &[u16] = &[200, 201, 202, 204, 301, 302, 303, 307];
const NOT_DONE: &[u16] = &[400, 403, 404, 405, 409, 500, 503];

fn stored(name: String, why: &str) -> Case {
    case(name, "RFC 9111 §4.4", why).step(get().answer(ok([FRESH])).miss())
}

pub(crate) fn cases() -> Vec<Case> {
    let gone = || get().answer(ok([FRESH])).miss();
    let change = |verb| method(verb).content("x");
    let mut cases = Vec::new();
    for &verb in UNSAFE {
        let name = format!(
            "invalidate-{}{}",
            verb.to_lowercase(),
            if verb == "get" { "-lower" } else { "" }
        );
        cases.push(stored(name, "not known to be safe").step(change(verb).miss()).step(gone()));
        let name = format!(
            "keep-{}-failed{}",
            verb.to_lowercase(),
            if verb == "get" { "-lower" } else { "" }
        );
        let failed = change(verb).answer(answer(500, [])).miss();
        cases.push(stored(name, "nothing changed").step(failed).step(get().hit(1)));
    }
    for &status in DONE {
        let step = change("POST").answer(answer(status, [])).miss();
        let name = format!("invalidate-post-{status}");
        cases.push(stored(name, "2xx and 3xx are no errors").step(step).step(gone()));
    }
    for &status in NOT_DONE {
        let step = change("POST").answer(answer(status, [])).miss();
        let name = format!("keep-post-{status}");
        cases.push(stored(name, "nothing changed").step(step).step(get().hit(1)));
    }
    for verb in ["OPTIONS", "TRACE", "HEAD"] {
        let name = format!("keep-{}", verb.to_lowercase());
        cases.push(stored(name, "safe").step(method(verb).status(200)).step(get().hit(1)));
    }
    cases.extend(others());
    cases.extend(named());
    cases
}

fn others() -> Vec<Case> {
    let post = || method("POST").content("x").miss();
    vec![
        stored("invalidate-variants".to_owned(), "all that is stored for the URI")
            .step(get().with(["X-A: 1"]).at("/v").answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(get().with(["X-A: 2"]).at("/v").answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(post().at("/v"))
            .step(get().with(["X-A: 1"]).at("/v").answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(get().with(["X-A: 2"]).at("/v").answer(ok([FRESH, "Vary: X-A"])).miss())
            .step(get().hit(1)),
        stored("keep-other-query".to_owned(), "another URI")
            .step(post().at("?a=b"))
            .step(get().hit(1)),
        stored("keep-other-host".to_owned(), "another URI")
            .step(post().host("other.customer.test"))
            .step(get().hit(1)),
        stored("invalidate-other-spelling".to_owned(), "the same URI, spelt otherwise")
            .step(get().at("/~a").answer(ok([FRESH])).miss())
            .step(post().at("/%7Ea").host("WWW.customer.test:80"))
            .step(get().at("/~a").answer(ok([FRESH])).miss()),
        stored("post-never-stored".to_owned(), "its answer is stored for nobody")
            .step(post().at("/p").answer(ok([FRESH])))
            .step(post().at("/p").answer(ok([FRESH])))
            .step(get().at("/p").answer(ok([FRESH])).miss()),
    ]
}

/// A field of the answer, and whether it invalidates what is stored.
const NAMED: &[(&str, &str, &str, bool, &str)] = &[
    ("location", "Location", "{path}", true, "a path"),
    (
        "location-relative",
        "Location",
        "../invalidate-location-relative",
        true,
        "a reference to resolve",
    ),
    ("location-absolute", "Location", "http://www.customer.test{path}", true, "the same origin"),
    (
        "location-port",
        "Location",
        "http://www.customer.test:80{path}",
        true,
        "the same origin, spelt otherwise",
    ),
    (
        "location-case",
        "Location",
        "HTTP://WWW.Customer.test{path}",
        true,
        "the same origin, in another case",
    ),
    ("location-authority", "Location", "//www.customer.test{path}", true, "the same scheme"),
    ("location-fragment", "Location", "{path}#a", true, "a fragment is not of the URI's key"),
    (
        "location-other-host",
        "Location",
        "http://other.customer.test{path}",
        false,
        "another origin",
    ),
    (
        "location-other-port",
        "Location",
        "http://www.customer.test:8080{path}",
        false,
        "another origin",
    ),
    (
        "location-other-scheme",
        "Location",
        "https://www.customer.test{path}",
        false,
        "another origin",
    ),
    ("location-query", "Location", "{path}?a", false, "another URI"),
    ("content-location", "Content-Location", "{path}", true, "a path"),
    (
        "content-location-absolute",
        "Content-Location",
        "http://www.customer.test{path}",
        true,
        "the same origin",
    ),
    (
        "content-location-other-host",
        "Content-Location",
        "http://other.customer.test{path}",
        false,
        "another origin",
    ),
    ("link", "Link", "<{path}>; rel=invalidates", false, "no other field counts"),
];

/// URIs that the response names.
fn named() -> Vec<Case> {
    let post = |line: &str, status| -> Step {
        let line = [line];
        method("POST").at("/form").content("x").answer(answer(status, line)).miss()
    };
    let mut cases: Vec<Case> = NAMED
        .iter()
        .map(|(name, field, value, is_gone, why)| {
            let line = format!("{field}: {value}");
            let last = get().answer(ok([FRESH]));
            stored(format!("invalidate-{name}"), why).step(post(&line, 201)).step(if *is_gone {
                last.miss()
            } else {
                last.hit(1)
            })
        })
        .collect();
    cases.push(
        stored("keep-location-failed".to_owned(), "nothing changed")
            .step(post("Location: {path}", 500))
            .step(get().hit(1)),
    );
    cases.push(
        stored("keep-location-get".to_owned(), "a safe method changes nothing")
            .step(get().at("/form").answer(answer(302, ["Location: {path}"])).miss())
            .step(get().hit(1)),
    );
    cases
}
