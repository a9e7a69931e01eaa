//! The meaning of HTTP octets: pure functions, no I/O, no clock.

#![forbid(unsafe_code)]

pub mod time;
