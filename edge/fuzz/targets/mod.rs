//! The fuzz targets of lastmile-http: each is a function of arbitrary octets that panics when a property does not hold.
//!
//! The fuzzer calls one of them for ever, and a test of lastmile-http calls each with all of its corpus.

mod cache_control;
mod cache_status;
mod chunked;
mod date;
mod fields;
mod forwarding;
mod framing;
mod input;
mod key;
mod location;
mod part;
mod precondition;
mod range;
mod reading;
mod request_head;
mod response_head;
mod target;
mod uri_model;
mod validation;
mod vary;

/// A fuzz target: its name, which is that of its folder in the corpus, and what it does with an input.
pub type Row = (&'static str, fn(&[u8]));

/// All of them, in the order in which a message meets what they are about.
pub const TARGETS: &[Row] = &[
    ("request_head", request_head::run),
    ("response_head", response_head::run),
    ("fields", fields::run),
    ("target", target::run),
    ("forwarding", forwarding::run),
    ("framing", framing::run),
    ("chunked", chunked::run),
    ("key", key::run),
    ("vary", vary::run),
    ("cache_control", cache_control::run),
    ("date", date::run),
    ("precondition", precondition::run),
    ("range", range::run),
    ("part", part::run),
    ("validation", validation::run),
    ("location", location::run),
    ("cache_status", cache_status::run),
];
