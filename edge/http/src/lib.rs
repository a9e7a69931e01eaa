//! The meaning of HTTP octets: pure functions, no I/O, no clock.

#![forbid(unsafe_code)]

pub mod cache;
pub mod chunked;
pub mod expect;
pub mod fields;
pub mod framing;
pub mod head;
pub mod max_forwards;
pub mod multipart;
pub mod persistence;
pub mod precondition;
pub mod range;
pub mod rules;
pub mod target;
pub mod time;
mod uri;
pub mod validator;
