//! The way to the parent or the origin: addresses, kept connections, and one request with its response's head.

pub(crate) mod addresses;
pub(crate) mod fetch;
pub(crate) mod outgoing;
pub(crate) mod pool;
mod resolve;
