//! The rules of an HTTP cache (RFC 9111), in the order in which a request and its response meet them:
//!
//! | file | section | what it says |
//! | --- | --- | --- |
//! | [`key`] | §2 | under which key responses to a request are stored |
//! | [`unkeyed`] | | which request fields must not reach an origin, since no key has them |
//! | [`vary`] | §4.1 | which of several stored responses a request selects |
//! | [`directives`] | §5.2 | what Cache-Control says |
//! | `targeted` | RFC 9213 | what CDN-Cache-Control says in its place |
//! | [`reuse`] | §4 | whether a stored response may be used as it is |
//! | [`stale`] | §4.2.4, RFC 5861 | when a stale one may be used, and what a site says by default |
//! | [`storable`] | §3 | whether a response may be stored |
//! | [`partial`] | §3.3, §3.4 | what to do with a part of a representation |
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
pub mod partial;
pub mod reuse;
pub mod stale;
pub mod status;
pub mod storable;
mod targeted;
pub mod unkeyed;
pub mod validation;
pub mod vary;
