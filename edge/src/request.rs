//! A request as this edge understands it, or the reason why it does not.

use crate::site::{Site, Sites};
use lastmile_http::cache::directives::{RequestDirectives, request_directives};
use lastmile_http::framing::{Framing, FramingError, request_framing};
use lastmile_http::head::{HeadError, RequestHead};
use lastmile_http::persistence::request_wants_persistence;
use lastmile_http::target::{Target, TargetError, effective_target};

/// A request whose head is sound.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) head: RequestHead<'a>,
    pub(crate) target: Target<'a>,
    pub(crate) framing: Framing,
    pub(crate) site: &'a Site,
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
            Self::Timeout => 408,
        }
    }

    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Head(error) => error.reason(),
            Self::Target(error) => error.reason(),
            Self::Framing(error) => error.reason(),
            Self::Connect => "connect-not-supported",
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
        let persists = !draining && request_wants_persistence(head.version, head.fields);
        let site = sites.of(target.authority);
        Ok(Self { head, target, framing, site, persists })
    }

    /// Whether the store may answer: GET and HEAD without content.
    pub(crate) fn is_cacheable(&self) -> bool {
        matches!(self.framing, Framing::None | Framing::Length(0))
            && (self.head.method == b"GET" || self.is_head())
    }

    /// What the client says about the use of stored responses, as far as its site listens to that.
    pub(crate) fn directives(&self) -> RequestDirectives {
        if self.site.ignore_client_directives {
            return RequestDirectives::default();
        }
        request_directives(self.head.fields)
    }

    pub(crate) fn is_head(&self) -> bool {
        self.head.method == b"HEAD"
    }
}
