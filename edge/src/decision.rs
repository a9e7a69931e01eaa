//! What was decided about a request, and why: for Cache-Status, a counter and the log, from one place.

use crate::counters::Counter;
use crate::io::Io;
use crate::log::Entry;
use crate::request::Request;
use crate::worker::Worker;
use core::net::SocketAddr;
use crossbeam::utils::CachePadded;
use lastmile_http::cache::reuse::StaleReason;
use lastmile_http::cache::status::{CacheStatus, ForwardReason, write_cache_status};

/// Why a request went upstream.
#[derive(Clone, Copy)]
pub(crate) struct Why {
    /// In the terms of RFC 9211 §2.2.
    pub(crate) forward: ForwardReason,
    /// In our own, which say more.
    pub(crate) reason: &'static str,
}

impl Why {
    /// Where our own reason says no more, or more.
    pub(crate) fn detail(self) -> Option<&'static str> {
        Some(self.reason).filter(|reason| *reason != self.forward.token())
    }

    pub(crate) fn with(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// The Cache-Status of a response that is not stored.
    pub(crate) fn status(self, status: Option<u16>) -> CacheStatus<'static> {
        let (reason, detail) = (self.forward, self.detail());
        CacheStatus::Forward { reason, status, ttl: None, stored: false, collapsed: false, detail }
    }
}

impl From<ForwardReason> for Why {
    fn from(forward: ForwardReason) -> Self {
        Self { forward, reason: forward.token() }
    }
}

impl From<StaleReason> for Why {
    fn from(stale: StaleReason) -> Self {
        let forward =
            if stale.is_request() { ForwardReason::Request } else { ForwardReason::Stale };
        Self { forward, reason: stale.reason() }
    }
}

/// The decision about the request at hand, kept for the log, if there is one, until its response has been sent.
#[derive(Default)]
pub(crate) struct Noted(Option<Box<Note>>);

#[derive(Default)]
struct Note {
    status: u16,
    reason: &'static str,
    cache: Vec<u8>,
}

/// Counts why a request is answered as it is, and notes it for the log if there is one.
pub(crate) fn decide<I: Io>(
    worker: &Worker<I>,
    noted: &mut Noted,
    request: &Request<'_>,
    status: u16,
    cache: &CacheStatus<'_>,
    reason: &'static str,
) {
    count(worker, reason);
    if worker.shared.config.log.is_some() {
        let note = noted.0.get_or_insert_default();
        note.cache.clear();
        (note.status, note.reason) = (status, reason);
        let mut key = Vec::new();
        let shown = request.site.show_key.then(|| {
            let target = &request.target;
            let (authority, path) = (target.authority, target.path_and_query);
            lastmile_http::cache::key::write_key(&request.site.key, authority, path, &mut key);
            &key[..]
        });
        write_cache_status(worker.name(), cache, shown, &mut note.cache);
    }
}

/// Notes a request that was refused.
pub(crate) fn decide_refusal<I: Io>(
    worker: &Worker<I>,
    noted: &mut Noted,
    status: u16,
    reason: &'static str,
) {
    count(worker, reason);
    if worker.shared.config.log.is_some() {
        *noted = Noted(Some(Box::new(Note { status, reason, cache: Vec::new() })));
    }
}

/// Counts a reason, where it is about less than a whole request too.
pub(crate) fn count<I: Io>(worker: &Worker<I>, reason: &'static str) {
    worker.counters().reasons.of(reason).increment();
}

/// Writes the decision to the log, with what was sent. `request` is `None` when it was not understood.
pub(crate) fn log<I: Io>(
    worker: &Worker<I>,
    noted: &Noted,
    client: SocketAddr,
    request: Option<&Request<'_>>,
    octets: u64,
) {
    let (Some(log), Some(noted)) = (&worker.shared.config.log, &noted.0) else { return };
    let entry = Entry {
        time: worker.io.now(),
        edge: worker.name(),
        client: client.ip(),
        method: request.map_or(b"", |request| request.head.method),
        host: request.map_or(b"", |request| request.target.authority),
        target: request.map_or(b"", |request| request.head.target),
        status: noted.status,
        octets,
        cache: &noted.cache,
        reason: noted.reason,
    };
    log.try_record(|line| entry.write_to(line));
}

macro_rules! reasons {
    ($($reason:literal)*) => {
        /// Every reason, and the name of the sample that counts it.
        const REASONS: &[(&str, &str)] =
            &[$(($reason, concat!("decisions_total{reason=\"", $reason, "\"}"))),*];
    };
}

reasons! {
    // From the store; `hit` is the first, see Reasons::hit.
    "hit" "max-stale" "stale-while-revalidate" "stale-if-error" "collapsed" "revalidated"
    // Forwarded (RFC 9211 §2.2), and why in our own words.
    "bypass" "method" "uri-miss" "vary-miss" "miss" "request" "stale" "partial"
    "no-cache" "request-no-cache" "request-max-age" "request-min-fresh"
    "head" "range" "upgrade" "last-hop"
    // Not stored.
    "status" "no-store" "private" "request-no-store" "authorization" "vary-star"
    "not-explicit" "no-freshness-no-validator" "set-cookie" "cookie"
    "request-content" "dot-segments" "other-spelling" "vary-not-sent" "too-large" "no-room"
    // Failures (RFC 9209 §2.3).
    "connection_timeout" "connection_refused" "destination_ip_unroutable" "connection_terminated"
    "proxy_internal_response" "dns_error" "http_response_timeout" "connection_read_timeout"
    "http_protocol_error" "http_response_incomplete" "proxy_loop_detected" "http_request_denied"
    // Refusals.
    "bad-request-line" "bad-status-line" "incomplete-field-line" "bad-version"
    "bad-field-name" "bad-field-value" "bare-cr" "bare-lf"
    "obs-fold" "target-too-long" "head-too-large" "too-many-fields"
    "host-missing" "host-repeated" "bad-host" "bad-authority" "bad-target-form" "path-missing"
    "other-scheme" "connect-not-supported" "request-timeout" "trace-with-content"
    "bad-max-forwards" "unknown-expectation" "method-too-long" "client-gone"
    "bad-content-length" "content-length-too-large" "content-lengths-differ"
    "transfer-coding-in-http10" "transfer-coding-and-length" "bad-transfer-coding"
    "unknown-transfer-coding" "bad-chunk-size" "chunk-too-large" "bad-chunk-extension"
    "chunk-extension-too-long" "bad-chunk-line-end" "bad-trailer" "trailers-too-large"
    // Any other.
    "other"
}

/// A counter for each reason, on cache lines of their own: the first one is written at every hit.
#[derive(Debug)]
pub struct Reasons(Box<CachePadded<[Counter; REASONS.len()]>>);

impl Default for Reasons {
    fn default() -> Self {
        Self(Box::new(CachePadded::new(core::array::from_fn(|_| Counter::default()))))
    }
}

impl Reasons {
    /// The counter of the one reason that is counted on the way of a hit.
    pub(crate) fn hit(&self) -> &Counter {
        &self.0[0]
    }

    fn of(&self, reason: &str) -> &Counter {
        let index = REASONS.iter().position(|(known, _)| *known == reason);
        &self.0[index.unwrap_or(REASONS.len() - 1)]
    }

    /// Name and value of each, summed over workers.
    pub(crate) fn sum<'a>(
        all: &(impl Iterator<Item = &'a Self> + Clone),
    ) -> Vec<(&'static str, u64)> {
        let sum = |index: usize| all.clone().map(|reasons| reasons.0[index].value()).sum();
        REASONS.iter().enumerate().map(|(index, (_, name))| (*name, sum(index))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmile_http::cache::storable::NotStorable;

    #[test]
    fn every_reason_has_a_counter() {
        assert_eq!(REASONS[0].0, "hit");
        let stale = StaleReason::ALL.iter().map(|reason| reason.reason());
        let not_storable = NotStorable::ALL.iter().map(|reason| reason.reason());
        for reason in stale.chain(not_storable) {
            assert!(REASONS.iter().any(|(known, _)| *known == reason), "{reason}");
        }
    }
}
