//! The meaning of HTTP octets: pure functions, no I/O, no clock.
