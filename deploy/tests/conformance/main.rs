//! What the RFCs want of a cache, asked over sockets: an edge between cases and an upstream that does as each case says.
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

/// All that one edge can be asked at a time.
#[test]
fn a_cache_as_the_rfcs_have_it() {
    run::run(cases::all(), cases::sites());
}

/// What is left when the upstream refuses connections.
#[test]
fn a_cache_without_an_upstream() {
    run::run(cases::gone(), Vec::new());
}
