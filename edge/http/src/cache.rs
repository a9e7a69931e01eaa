//! The rules of an HTTP cache (RFC 9111), in the order in which a request and its response meet them.

/// §4.2.3: how old a response is.
pub mod age;
/// §5.2: what Cache-Control says.
pub mod directives;
/// §4.2.1 and §4.2.2: how long a response stays fresh.
pub mod freshness;
/// §4.4: what a request with side effects makes unusable.
pub mod invalidation;
/// §2: under which key responses to a request are stored.
pub mod key;
/// §4: whether a stored response may be used as it is.
pub mod reuse;
/// RFC 9211: telling clients what the cache did.
pub mod status;
/// §3: whether a response may be stored.
pub mod storable;
/// §4.3: asking whether a stored response is still right, and what the answer changes.
pub mod validation;
/// §4.1: which of several stored responses a request selects.
pub mod vary;
