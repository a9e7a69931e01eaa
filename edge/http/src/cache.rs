//! The rules of an HTTP cache (RFC 9111), in the order in which a request and its response meet them:
//!
//! | file | section | what it says |
//! | --- | --- | --- |
//! | [`key`] | §2 | under which key responses to a request are stored |
//! | [`vary`] | §4.1 | which of several stored responses a request selects |
//! | [`directives`] | §5.2 | what Cache-Control says |
//! | [`reuse`] | §4 | whether a stored response may be used as it is |
//! | [`storable`] | §3 | whether a response may be stored |
//! | [`freshness`] | §4.2.1, §4.2.2 | how long a response stays fresh |
//! | [`age`] | §4.2.3 | how old a response is |
//! | [`validation`] | §4.3 | asking whether it is still right, and what the answer changes |
//! | [`invalidation`] | §4.4 | what a request with side effects makes unusable |
//! | [`status`] | RFC 9211 | telling clients what the cache did |

pub mod age;
pub mod directives;
pub mod freshness;
pub mod invalidation;
pub mod key;
pub mod reuse;
pub mod status;
pub mod storable;
pub mod validation;
pub mod vary;
