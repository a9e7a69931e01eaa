//! What a worker counts. One writer for each counter: the worker; readers sum over the workers.

use crate::decision::Reasons;
use core::sync::atomic::{AtomicU64, Ordering};

/// A number that one worker writes and anybody reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one. Only the owning worker may call it: a load and a store instead of a locked instruction.
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// For gauges.
    pub(crate) fn decrement(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

const REASONS_HELP: &str = "Decisions by reason; one request may have several.";

macro_rules! counters {
    ($($field:ident $name:literal $help:literal)*) => {
        /// The counters of one worker. A name that ends in `_total` only grows; others are gauges.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(#[doc = $help] pub $field: Counter,)*
            /// Why requests were answered as they were.
            pub reasons: Reasons,
        }

        impl Counters {
            /// Name, description and value of each counter, summed over `workers`.
            pub(crate) fn sum<'a>(
                workers: impl Iterator<Item = &'a Self> + Clone,
            ) -> Vec<(&'static str, &'static str, u64)> {
                let sum = |value: fn(&Self) -> u64| {
                    workers.clone().map(value).fold(0, u64::wrapping_add)
                };
                let reasons = Reasons::sum(&workers.clone().map(|worker| &worker.reasons));
                let reasons = reasons.into_iter().map(|(name, value)| (name, REASONS_HELP, value));
                let all = [$(($name, $help, sum(|worker| worker.$field.value())),)*];
                all.into_iter().chain(reasons).collect()
            }
        }
    };
}

counters! {
    connections "connections" "Client connections open now."
    connections_accepted "connections_accepted_total" "Client connections accepted."
    accept_errors "accept_errors_total" "Accepts that failed, for want of descriptors for example."
    requests "requests_total" "Requests whose head was understood."
    requests_bad "requests_bad_total" "Requests refused for their form (4xx and a closed connection)."
    request_timeouts "request_timeouts_total" "Requests that did not arrive in time."
    hits "hits_total" "Requests answered from the store without asking the upstream."
    misses "misses_total" "Requests for which nothing usable was stored and the upstream was asked."
    collapsed "collapsed_total" "Requests answered from a fetch that another request had begun."
    passes "passes_total" "Requests sent to the upstream because of their method or form."
    revalidations "revalidations_total" "Stored responses that the upstream was asked to confirm."
    revalidated "revalidated_total" "Stored responses that the upstream confirmed (304)."
    stale_served "stale_served_total" "Requests answered stale: while revalidating, or instead of an error."
    background "background_revalidations_total" "Revalidations begun in the background."
    invalidated "invalidated_total" "Responses taken out of the store by unsafe methods."
    tunnels "tunnels_total" "Connections that switched to another protocol."
    stored "stored_total" "Responses stored."
    uncacheable "uncacheable_total" "Responses to cacheable requests that may not be stored."
    overflowed "overflowed_total" "Responses begun as storable that had no room in the store."
    readers_lapped "readers_lapped_total" "Clients cut off because they fell behind a response with no room."
    upstream_requests "upstream_requests_total" "Requests sent to the upstream, repeats included."
    upstream_connects "upstream_connects_total" "Connections opened to the upstream."
    upstream_reuses "upstream_reuses_total" "Requests sent on a kept upstream connection."
    upstream_retries "upstream_retries_total" "Requests repeated after a kept connection turned out closed."
    upstream_errors "upstream_errors_total" "Requests that the upstream failed."
    upstream_idle "upstream_connections_idle" "Idle upstream connections kept."
    client_errors "client_errors_total" "Responses cut short because the client went away or was too slow."
    aborted "aborted_total" "Responses cut short because the upstream failed in the middle."
    sent_octets "sent_octets_total" "Octets of responses handed to clients."
    by_reference "by_reference_octets_total" "Octets of responses that left the arena without a copy."
    major_faults "major_faults_total" "Times that a worker waited for a page of memory from a disk."
    received_octets "received_octets_total" "Octets of content received from the upstream."
}
