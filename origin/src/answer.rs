//! An answer before it becomes a response: status, fields, content, and how to send it.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode, Version};

use crate::content::{Content, Framing, Piece, Plan};
use crate::journal::Record;
use crate::wire::Fate;

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) pieces: Vec<Piece>,
    /// Octets of all pieces; `None` when only their end tells.
    pub(crate) size: Option<u64>,
    pub(crate) plan: Plan,
}

impl Answer {
    /// No content.
    pub(crate) fn empty(status: StatusCode, fields: HeaderMap) -> Self {
        Self { status, fields, pieces: Vec::new(), size: Some(0), plan: Plan::default() }
    }

    /// A line of text for a person.
    pub(crate) fn text(status: StatusCode, text: &str) -> Self {
        let octets = Bytes::from(format!("{text}\n"));
        let mut answer = Self::empty(status, HeaderMap::new());
        answer.fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        answer.size = Some(octets.len() as u64);
        answer.pieces.push(Piece::Octets(octets));
        answer
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.insert(name, value);
        self
    }

    /// The response to a request of this method.
    pub(crate) fn into_response(
        self,
        method: &Method,
        mut record: Record,
        fate: Arc<Fate>,
    ) -> Response<Content> {
        let Self { status, fields, mut pieces, size, mut plan } = self;
        record.entry().status = status.as_u16();
        let framing = plan.framing;
        // RFC 9110 §15.3.5, §15.4.5: neither has content.
        let bare = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let mut announced = size.filter(|_| framing == Framing::Length);
        let mut length = None;
        if bare || method == Method::HEAD {
            // RFC 9110 §9.3.2: the fields of HEAD are those of GET.
            length = announced.filter(|_| !bare);
            announced = Some(0);
            pieces.clear();
            plan.cut = None;
        }
        let mut response = Response::new(Content::new(pieces, announced, plan, record, fate));
        *response.status_mut() = status;
        *response.headers_mut() = fields;
        if let Some(length) = length {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if framing == Framing::UntilClose {
            *response.version_mut() = Version::HTTP_10;
        }
        response
    }
}

/// The exchange ends without a response; hyper closes the connection then.
#[derive(Debug)]
pub(crate) struct Abandoned;

impl std::fmt::Display for Abandoned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ended without a response")
    }
}

impl std::error::Error for Abandoned {}
