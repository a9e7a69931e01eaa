//! A request as this edge understands it, or the reason why it does not.

use crate::site::{Site, Sites};
use crate::tunnel::wants_upgrade;
use lastmile_http::cache::directives::{RequestDirectives, request_directives};
use lastmile_http::cache::key::{KeyRules, write_key};
use lastmile_http::expect::{Expectation, expectation};
use lastmile_http::framing::{Framing, FramingError, request_framing};
use lastmile_http::head::{HeadError, RequestHead};
use lastmile_http::max_forwards::{MaxForwards, max_forwards};
use lastmile_http::persistence::request_wants_persistence;
use lastmile_http::target::{Target, TargetError, effective_target};

/// A request whose head is sound.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) head: RequestHead<'a>,
    pub(crate) target: Target<'a>,
    pub(crate) framing: Framing,
    pub(crate) site: &'a Site,
    /// What the client wants to hear before it sends its content.
    pub(crate) expectation: Expectation,
    /// Whether the request may be forwarded.
    pub(crate) max_forwards: MaxForwards,
    /// The client would go on in another protocol, and its site allows it.
    pub(crate) upgrades: bool,
    /// The connection may go on after the response: the client wants it, and this edge is not ending.
    pub(crate) persists: bool,
}

/// Why a request is refused: the client's fault, answered with a 4xx or 5xx and a closed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Head(HeadError),
    Target(TargetError),
    Framing(FramingError),
    /// CONNECT: this is no proxy for other protocols.
    Connect,
    /// TRACE with content.
    TraceContent,
    /// Max-Forwards is no number.
    MaxForwards,
    /// Expect has something other than 100-continue.
    Expectation,
    /// The head did not arrive in time.
    Timeout,
}

impl Refusal {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Head(error) => error.status(),
            Self::Target(error) => error.status(),
            Self::Framing(error) => error.status(),
            Self::Connect => 405,
            // RFC 9110 §9.3.8: "MUST NOT send content in a TRACE request".
            Self::TraceContent | Self::MaxForwards => 400,
            Self::Expectation => 417,
            Self::Timeout => 408,
        }
    }

    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Head(error) => error.reason(),
            Self::Target(error) => error.reason(),
            Self::Framing(error) => error.reason(),
            Self::Connect => "connect-not-supported",
            Self::TraceContent => "trace-with-content",
            Self::MaxForwards => "bad-max-forwards",
            Self::Expectation => "unknown-expectation",
            Self::Timeout => "request-timeout",
        }
    }
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        head: RequestHead<'a>,
        sites: &'a Sites,
        draining: bool,
    ) -> Result<Self, Refusal> {
        if head.method == b"CONNECT" {
            return Err(Refusal::Connect);
        }
        let target = effective_target(&head).map_err(Refusal::Target)?;
        let framing = request_framing(&head).map_err(Refusal::Framing)?;
        let has_content = has_content(framing);
        if has_content && head.method == b"TRACE" {
            return Err(Refusal::TraceContent);
        }
        let expectation = expectation(&head, has_content).map_err(|_| Refusal::Expectation)?;
        let max_forwards =
            max_forwards(head.method, head.fields).map_err(|_| Refusal::MaxForwards)?;
        let persists = !draining && request_wants_persistence(head.version, head.fields);
        let site = sites.of(target.authority);
        let upgrades = site.upgrade && !has_content && wants_upgrade(&head);
        Ok(Self { head, target, framing, site, expectation, max_forwards, upgrades, persists })
    }

    /// Whether the store may answer: GET and HEAD without content, that stay HTTP.
    pub(crate) fn is_cacheable(&self) -> bool {
        !self.has_content() && (self.head.method == b"GET" || self.is_head()) && !self.upgrades
    }

    pub(crate) fn has_content(&self) -> bool {
        has_content(self.framing)
    }

    /// What the client says about the use of stored responses, as far as its site listens to that.
    pub(crate) fn directives(&self) -> RequestDirectives {
        if self.site.ignore_client_directives {
            return RequestDirectives::default();
        }
        request_directives(self.head.fields)
    }

    /// Whether the client has written path and query as the cache key has them. The upstream is sent what the client
    /// has written, and may see something else in it.
    pub(crate) fn is_spelled_as_its_key(&self) -> bool {
        let mut key = Vec::new();
        write_key(&KeyRules::default(), b"", self.target.path_and_query, &mut key);
        key == self.target.path_and_query
    }

    pub(crate) fn is_head(&self) -> bool {
        self.head.method == b"HEAD"
    }
}

fn has_content(framing: Framing) -> bool {
    !matches!(framing, Framing::None | Framing::Length(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmile_http::head::{HeadLimits, Parsed, parse_request};

    fn refusal(octets: &str) -> Option<(u16, &'static str)> {
        let mut spans = Vec::new();
        let parsed = parse_request(octets.as_bytes(), &mut spans, &HeadLimits::default());
        let Ok(Parsed::Complete { head, .. }) = parsed else { panic!("{octets}: {parsed:?}") };
        let refusal = Request::new(head, &Sites::default(), false).err()?;
        Some((refusal.status(), refusal.reason()))
    }

    #[test]
    fn what_a_sound_head_may_still_not_ask() {
        let rows = [
            ("GET /", "", None, "the usual one"),
            ("CONNECT a:80", "", Some((405, "connect-not-supported")), "RFC 9110 §9.3.6"),
            ("TRACE /", "Content-Length: 1\r\n", Some((400, "trace-with-content")), "§9.3.8"),
            (
                "TRACE /",
                "Transfer-Encoding: chunked\r\n",
                Some((400, "trace-with-content")),
                "no content, or so it says",
            ),
            ("TRACE /", "Content-Length: 0\r\n", None, "that is no content"),
            ("OPTIONS *", "Max-Forwards: -1\r\n", Some((400, "bad-max-forwards")), "§7.6.2"),
            ("GET /", "Max-Forwards: -1\r\n", None, "means nothing for GET"),
            ("POST /", "Expect: x\r\n", Some((417, "unknown-expectation")), "§10.1.1"),
            ("GET /", "Expect: 100-continue\r\n", None, "means nothing without content"),
            ("GET *", "", Some((400, "bad-target-form")), "RFC 9112 §3.2.4"),
            (
                "POST /",
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                Some((400, "transfer-coding-and-length")),
                "RFC 9112 §6.3",
            ),
        ];
        for (line, fields, expected, why) in rows {
            let octets = format!("{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(refusal(&octets), expected, "{line} {fields:?}: {why}");
        }
    }
}
