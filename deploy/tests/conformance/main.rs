//! What the RFCs want of a cache, asked over sockets: an edge between cases and an upstream that does as they say.
//!
//! Written from RFC 9110, 9111, 9112, 5861, 9211 and 9213, and not from the edge: none of its code has a part in what
//! is expected. `CASE=vary cargo test -p lastmile --test conformance` runs the cases whose names contain the word.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `case` | the language of the tables |
//! | `cases` | the tables |
//! | `run` | all cases at a time, against one edge |
//! | `upstream` | what answers the edge, and keeps what it was asked |
//! | `client` | what asks the edge |
//! | `verdict` | what is wrong with an answer |
//! | `moment` | dates |

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod case;
mod cases;
mod client;
mod moment;
mod run;
mod upstream;
mod verdict;

use case::{Check, Step, case, get, ok};

/// All that one edge can be asked at a time.
#[test]
fn a_cache_as_the_rfcs_have_it() {
    run::run(cases::all(), cases::sites());
}

/// The cases are no good if what is wrong is not seen.
#[test]
fn what_is_wrong_is_seen() {
    let wrong = [
        get().not_asked(),
        get().hit(1),
        get().status(404),
        get().shows("other"),
        get().contains("other"),
        get().has("x-a", "c"),
        get().lacks("x-a"),
        get().says("cache-status", "hit"),
        get().received("via", "2 edge"),
        get().received("x-none", "a"),
        get().not_received("via"),
        get().check(Check::AgeAtLeast(1000)),
        get().check(Check::ReceivedLine("POST / HTTP/1.1".to_owned())),
        get().check(Check::Interim(103)),
        get().check(Check::CutShort),
        get().check(Check::Of(1)),
    ];
    let count = wrong.len();
    let cases = wrong.into_iter().enumerate().map(|(number, step)| {
        let first = get().answer(ok(["Cache-Control: no-store"])).miss();
        let step = Step { answer: ok(["X-A: b"]), ..step };
        case(format!("wrong-{number}"), "", "").step(first).step(step)
    });
    let failed = run::failures(&cases.collect::<Vec<_>>(), Vec::new());
    assert_eq!(failed.len(), count, "{}", failed.concat());
    assert!(failed.iter().all(|report| report.contains("WRONG")), "{}", failed.concat());
}

/// What is left when the upstream refuses connections.
#[test]
fn a_cache_without_an_upstream() {
    run::run(cases::gone(), Vec::new());
}
