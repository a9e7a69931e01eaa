//! What must have happened at least once over all seeds, or the simulation has lost its teeth.

/// Counters that must not be 0.
pub const COUNTERS: &[&str] = &[
    "hits_total",
    "misses_total",
    "collapsed_total",
    "revalidations_total",
    "revalidated_total",
    "background_revalidations_total",
    "stale_served_total",
    "invalidated_total",
    "passes_total",
    "stored_total",
    "uncacheable_total",
    "overflowed_total",
    "readers_lapped_total",
    "aborted_total",
    "client_errors_total",
    "requests_bad_total",
    "request_timeouts_total",
    "upstream_errors_total",
    "upstream_reuses_total",
    "upstream_retries_total",
    "ram_evictions_total",
    "ssd_hits_total",
    "ssd_written_total",
    "ssd_damaged_total",
    "ssd_errors_total",
];

/// Reasons of decisions that no run reaches, and why not.
pub const OUT_OF_REACH: &[(&str, &str)] = &[
    ("bypass", "whatever is passed by has a reason that says more"),
    ("miss", "of a miss is always known whether it is the URI or Vary"),
    ("request", "which directive of the request it was says more"),
    ("range", "what is asked of a range is uri-miss or partial"),
    ("other", "every reason has a name"),
    (
        "upgrade",
        "no tunnels here: two pipes without a cache, which edge/src/tunnel.rs is tested for",
    ),
    ("request-content", "a GET with content is passed on as one with any other method"),
    ("destination_ip_unroutable", "this network has a route to everybody"),
    ("dns_error", "upstreams have addresses, not names"),
    ("proxy_internal_response", "no node ends, and none is short of descriptors"),
    (
        "http_response_incomplete",
        "what is cut short is noticed behind its head, too late to say so",
    ),
    ("connection_read_timeout", "likewise"),
    ("incomplete-field-line", "a head's end is found before its lines are looked at"),
    ("bad-status-line", "a reason of responses, whose faults are http_protocol_error"),
];

/// Reasons that some seeds reach, but too few for all runs to have one among them.
pub const RARE: &[(&str, &str)] = &[
    ("hit", "counted of hits that had to wait first, and of all only where there is a log"),
    ("no-room", "the store is full of what is arriving"),
];
