//! DNSSEC (RFC 4033, 4034, 4035): everything is signed when tables are made, nothing when they are asked.
//!
//! | file | job |
//! | --- | --- |
//! | `key.rs` | the key pair of a zone, as BIND and ldns write it |
//! | `keygen.rs` | a new one |
//! | `rrsig.rs` | the signature of an RRset |
//! | `chain.rs` | NSEC: which names there are |
//! | `sets.rs` | the sets of addresses that steering can answer with, each with its signature |
//! | `sign.rs` | a zone is signed, and signed again in time |

pub(crate) mod chain;
pub(crate) mod key;
pub(crate) mod keygen;
pub(crate) mod rrsig;
pub(crate) mod sets;
pub(crate) mod sign;

#[cfg(test)]
mod tests;
