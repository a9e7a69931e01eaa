//! The meaning of HTTP octets: pure functions, no I/O, no clock.

#![forbid(unsafe_code)]

pub mod chunked;
pub mod fields;
pub mod framing;
pub mod head;
pub mod persistence;
pub mod target;
pub mod time;
