//! What the front counts. One thread writes, others read.

use super::corrections::Outcome;
use crate::counters::Counter;
use hyper::StatusCode;

/// One row for each counter: field, exported name, help.
macro_rules! counters {
    ($($field:ident, $name:literal, $help:literal;)*) => {
        /// The counters of the front.
        #[derive(Default, Debug)]
        pub(crate) struct HttpCounters {
            $(pub(super) $field: Counter,)*
        }

        impl HttpCounters {
            /// Name, help, value.
            pub(crate) fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$(($name, $help, self.$field.value()),)*]
            }
        }
    };
}

counters! {
    connections, "lastmile_gslb_http_connections_total", "HTTP connections accepted.";
    evicted, "lastmile_gslb_http_evicted_total",
        "HTTP connections closed for a newer one, all places being taken.";
    bad_proxy, "lastmile_gslb_http_closed_total{reason=\"proxy\"}",
        "HTTP connections closed before a request.";
    bad_tls, "lastmile_gslb_http_closed_total{reason=\"tls\"}",
        "HTTP connections closed before a request.";
    slow, "lastmile_gslb_http_closed_total{reason=\"slow\"}",
        "HTTP connections closed before a request.";
    redirects, "lastmile_gslb_http_requests_total{kind=\"redirect\"}", "HTTP requests, by kind.";
    resolves, "lastmile_gslb_http_requests_total{kind=\"resolve\"}", "HTTP requests, by kind.";
    messages, "lastmile_gslb_http_requests_total{kind=\"doh\"}", "HTTP requests, by kind.";
    pairs, "lastmile_gslb_http_requests_total{kind=\"whoami\"}", "HTTP requests, by kind.";
    others, "lastmile_gslb_http_requests_total{kind=\"other\"}", "HTTP requests, by kind.";
    ok, "lastmile_gslb_http_responses_total{status=\"200\"}", "HTTP responses, by status.";
    found, "lastmile_gslb_http_responses_total{status=\"302\"}", "HTTP responses, by status.";
    not_found, "lastmile_gslb_http_responses_total{status=\"404\"}", "HTTP responses, by status.";
    misdirected, "lastmile_gslb_http_responses_total{status=\"421\"}", "HTTP responses, by status.";
    refused, "lastmile_gslb_http_responses_total{status=\"4xx\"}",
        "HTTP responses, by status.";
    unavailable, "lastmile_gslb_http_responses_total{status=\"503\"}", "HTTP responses, by status.";
    looped, "lastmile_gslb_http_responses_total{status=\"508\"}", "HTTP responses, by status.";
    by_client, "lastmile_gslb_http_redirects_total{reason=\"client\"}",
        "Redirects: to the client's edge, to the URL's own, to one of a hot URL's, to the next \
         because those had their share, to a name.";
    by_home, "lastmile_gslb_http_redirects_total{reason=\"home\"}", "Redirects.";
    by_copy, "lastmile_gslb_http_redirects_total{reason=\"copy\"}", "Redirects.";
    by_overflow, "lastmile_gslb_http_redirects_total{reason=\"overflow\"}", "Redirects.";
    by_name, "lastmile_gslb_http_redirects_total{reason=\"name\"}", "Redirects.";
    agree, "lastmile_gslb_http_pairs_total{outcome=\"agrees\"}",
        "Resolvers and clients that came with one name: in one region, in two, a network that has \
         been counted, a resolver that tells subnets, a client in no prefix, a name that is not known.";
    differ, "lastmile_gslb_http_pairs_total{outcome=\"differs\"}", "Pairs.";
    known, "lastmile_gslb_http_pairs_total{outcome=\"known\"}", "Pairs.";
    tells_subnet, "lastmile_gslb_http_pairs_total{outcome=\"subnet\"}", "Pairs.";
    no_region, "lastmile_gslb_http_pairs_total{outcome=\"nowhere\"}", "Pairs.";
    no_name, "lastmile_gslb_http_pairs_total{outcome=\"unknown\"}", "Pairs.";
}

impl HttpCounters {
    pub(super) fn count_status(&self, status: StatusCode) {
        match status {
            StatusCode::OK => &self.ok,
            StatusCode::FOUND => &self.found,
            StatusCode::NOT_FOUND => &self.not_found,
            StatusCode::MISDIRECTED_REQUEST => &self.misdirected,
            StatusCode::SERVICE_UNAVAILABLE => &self.unavailable,
            StatusCode::LOOP_DETECTED => &self.looped,
            // Of the client's fault all others.
            _ => &self.refused,
        }
        .count();
    }

    pub(super) fn count_pair(&self, outcome: Outcome) {
        match outcome {
            Outcome::Agrees => &self.agree,
            Outcome::Differs => &self.differ,
            Outcome::Known => &self.known,
        }
        .count();
    }
}
