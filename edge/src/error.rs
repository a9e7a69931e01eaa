//! What can go wrong with an exchange: whose fault it is, which status says so, and whether a repeat can help.

use crate::io::IoError;
use lastmile_http::framing::FramingError;
use lastmile_http::head::HeadError;

/// Why an exchange with the upstream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection could be opened.
    Connect(IoError),
    /// The upstream's name has no address.
    NoAddress,
    /// The connection was lost before the response's head.
    NoResponse(IoError),
    /// The response's head is malformed.
    BadHead(HeadError),
    /// The response's framing is malformed.
    BadFraming(FramingError),
    /// The response's content ended early.
    Truncated,
    /// The connection was lost in the middle of the content.
    Lost(IoError),
    /// The request has passed this cache before.
    Loop,
    /// The request may only be answered from the store (RFC 9111 §5.2.1.7).
    OnlyIfCached,
    /// The fetch was abandoned by this edge: it is ending, or there was nobody left to fetch for.
    Abandoned,
}

impl Failure {
    /// The status of the response that we make instead (RFC 9110 §15.6).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Connect(IoError::TimedOut)
            | Self::NoResponse(IoError::TimedOut)
            | Self::Lost(IoError::TimedOut)
            | Self::OnlyIfCached => 504,
            Self::Connect(IoError::Exhausted) | Self::Abandoned => 503,
            Self::Loop => 508,
            Self::Connect(_)
            | Self::NoAddress
            | Self::NoResponse(_)
            | Self::BadHead(_)
            | Self::BadFraming(_)
            | Self::Truncated
            | Self::Lost(_) => 502,
        }
    }

    /// The error type of Proxy-Status (RFC 9209 §2.3), which says which side failed and never names an address.
    #[must_use]
    pub const fn proxy_error(self) -> &'static str {
        match self {
            Self::Connect(IoError::TimedOut) => "connection_timeout",
            Self::Connect(IoError::Refused) => "connection_refused",
            Self::Connect(IoError::Unreachable) => "destination_ip_unroutable",
            Self::Connect(IoError::Closed) => "connection_terminated",
            Self::Connect(IoError::Exhausted) | Self::Abandoned => "proxy_internal_response",
            Self::NoAddress => "dns_error",
            Self::NoResponse(IoError::TimedOut) => "http_response_timeout",
            Self::Lost(IoError::TimedOut) => "connection_read_timeout",
            Self::NoResponse(_) | Self::Lost(_) => "connection_terminated",
            Self::BadHead(_) | Self::BadFraming(_) => "http_protocol_error",
            Self::Truncated => "http_response_incomplete",
            Self::Loop => "proxy_loop_detected",
            Self::OnlyIfCached => "http_request_denied",
        }
    }

    /// One sentence for the person who sees the response.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Connect(IoError::TimedOut) => "the upstream did not accept a connection in time",
            Self::Connect(IoError::Refused) => "the upstream refused the connection",
            Self::Connect(IoError::Exhausted) => "this cache can't open more connections",
            Self::Connect(_) => "the upstream can't be reached",
            Self::NoAddress => "the upstream's name has no address",
            Self::NoResponse(IoError::TimedOut) => "the upstream did not answer in time",
            Self::NoResponse(_) => "the upstream closed the connection without an answer",
            Self::BadHead(_) | Self::BadFraming(_) => "the upstream's answer is malformed",
            Self::Truncated => "the upstream's answer ended early",
            Self::Lost(_) => "the connection to the upstream was lost",
            Self::Loop => "the request came back to this cache: the upstreams form a loop",
            Self::OnlyIfCached => "nothing usable is stored, and the request asked for no more",
            Self::Abandoned => "this cache is ending",
        }
    }

    /// Which side failed: `upstream`, `client`, or this `cache`.
    #[must_use]
    pub const fn side(self) -> &'static str {
        match self {
            Self::Connect(IoError::Exhausted) | Self::Loop | Self::Abandoned => "cache",
            Self::OnlyIfCached => "client",
            Self::Connect(_)
            | Self::NoAddress
            | Self::NoResponse(_)
            | Self::BadHead(_)
            | Self::BadFraming(_)
            | Self::Truncated
            | Self::Lost(_) => "upstream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_whose_it_is() {
        for (failure, status, side, why) in [
            (Failure::Connect(IoError::Refused), 502, "upstream", "nobody listens there"),
            (Failure::Connect(IoError::TimedOut), 504, "upstream", "no answer in time"),
            (Failure::Connect(IoError::Exhausted), 503, "cache", "we have no descriptor left"),
            (Failure::Truncated, 502, "upstream", "it ended early"),
            (Failure::Loop, 508, "cache", "the caches are set up in a circle"),
            (Failure::OnlyIfCached, 504, "client", "it asked for no more than is stored"),
            (Failure::Abandoned, 503, "cache", "we are ending"),
        ] {
            assert_eq!((failure.status(), failure.side()), (status, side), "{why}");
        }
    }
}
