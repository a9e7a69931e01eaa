//! What the origin counts; the table that metrics are made of.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number, moved by any thread. The origin is no hot path: one shared counter each is enough.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, amount: u64) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($field:ident $name:literal $help:literal;)*) => {
        /// Every counter of an origin.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $field: Counter,)* }

        impl Counters {
            /// Name, help and value of each; a name that ends in `_total` only grows.
            pub(crate) fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$(($name, $help, self.$field.value()),)*]
            }
        }
    };
}

counters! {
    connections_open "lastmile_origin_connections_open"
        "Connections open now.";
    connections "lastmile_origin_connections_total"
        "Connections accepted.";
    accept_failures "lastmile_origin_accept_failures_total"
        "Failed accepts, such as no descriptor left.";
    idle_timeouts "lastmile_origin_idle_timeouts_total"
        "Connections closed because nothing moved on them.";
    requests "lastmile_origin_requests_total"
        "Requests received.";
    responses_2xx "lastmile_origin_responses_2xx_total"
        "Responses with a status from 200 to 299.";
    responses_3xx "lastmile_origin_responses_3xx_total"
        "Responses with a status from 300 to 399.";
    responses_4xx "lastmile_origin_responses_4xx_total"
        "Responses with a status from 400 to 499.";
    responses_5xx "lastmile_origin_responses_5xx_total"
        "Responses with a status from 500 to 599.";
    content_received "lastmile_origin_content_received_octets_total"
        "Octets of request content received.";
    content_sent "lastmile_origin_content_sent_octets_total"
        "Octets of response content sent.";
    ended_complete "lastmile_origin_ended_complete_total"
        "Responses sent to their end.";
    ended_by_client "lastmile_origin_ended_by_client_total"
        "Exchanges that the client abandoned.";
    ended_on_purpose "lastmile_origin_ended_on_purpose_total"
        "Exchanges cut by close-early, reset-at or abort.";
    ended_by_failure "lastmile_origin_ended_by_failure_total"
        "Exchanges that the origin had to break off.";
    journal_write_failures "lastmile_origin_journal_write_failures_total"
        "Lines that the journal file refused.";
}

impl Counters {
    pub(crate) fn count_status(&self, status: u16) {
        let counter = match status {
            500.. => &self.responses_5xx,
            400.. => &self.responses_4xx,
            300.. => &self.responses_3xx,
            ..300 => &self.responses_2xx,
        };
        counter.add(1);
    }
}
