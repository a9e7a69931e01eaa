//! A representation that can be asked for in parts and on conditions, whatever its octets come from.

use std::fmt::Write as _;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, RANGE,
};
use hyper::{HeaderMap, Method, StatusCode};

use crate::answer::Answer;
use crate::content::{Piece, Plan};
use crate::precondition::{self, Validators, Verdict};
use crate::range::{self, Selection};

/// Where the octets are.
#[derive(Debug, Clone)]
pub(crate) enum Octets {
    File(Arc<File>),
    /// With the seed of the path.
    Synthetic(u64),
}

impl Octets {
    fn piece(&self, range: Range<u64>) -> Piece {
        match self {
            Self::File(file) => Piece::File(Arc::clone(file), range),
            Self::Synthetic(seed) => Piece::Synthetic(*seed, range),
        }
    }
}

/// A selected representation (RFC 9110 §3.2).
#[derive(Debug)]
pub(crate) struct Representation {
    pub(crate) octets: Octets,
    pub(crate) size: u64,
    /// Fields of every answer, the validators' among them.
    pub(crate) fields: HeaderMap,
    /// With its fraction of a second, which a file has and the field cannot say.
    pub(crate) last_modified: Option<SystemTime>,
}

impl Representation {
    /// The answer to a request for it: preconditions in the order of RFC 9110 §13.2.2, then ranges.
    pub(crate) fn answer(self, method: &Method, request: &HeaderMap, now: SystemTime) -> Answer {
        let reads = method == Method::GET || method == Method::HEAD;
        let validators = Validators {
            etag: self.fields.get(ETAG).map(HeaderValue::as_bytes),
            last_modified: self.last_modified,
        };
        match precondition::evaluate(reads, request, validators) {
            Verdict::Perform => {}
            Verdict::NotModified => return self.not_modified(),
            Verdict::Failed => {
                return Answer::text(StatusCode::PRECONDITION_FAILED, "A precondition failed.");
            }
        }
        // RFC 9110 §14.2: ranges are defined for GET only.
        let field = request.get(RANGE).and_then(|value| value.to_str().ok());
        let Some(field) = field.filter(|_| method == Method::GET) else { return self.whole() };
        if !precondition::range_applies(request, validators, now) {
            return self.whole();
        }
        match range::select(field, self.size) {
            Selection::Whole => self.whole(),
            Selection::Unsatisfiable => {
                let text = "The representation has no such range.";
                Answer::text(StatusCode::RANGE_NOT_SATISFIABLE, text)
                    .with(CONTENT_RANGE, ascii(&format!("bytes */{}", self.size)))
            }
            Selection::Parts(parts) => match parts.as_slice() {
                [part] => self.part(part.clone()),
                _ => self.parts(&parts),
            },
        }
    }

    pub(crate) fn whole(self) -> Answer {
        let pieces = vec![self.octets.piece(0..self.size)];
        let mut answer = self.with_pieces(StatusCode::OK, pieces);
        answer.fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        answer
    }

    /// RFC 9110 §15.4.5: the fields that a cache would update, not those about the content.
    fn not_modified(mut self) -> Answer {
        self.fields.remove(CONTENT_TYPE);
        if self.fields.contains_key(ETAG) {
            self.fields.remove(LAST_MODIFIED);
        }
        Answer::empty(StatusCode::NOT_MODIFIED, self.fields)
    }

    fn part(self, part: Range<u64>) -> Answer {
        let field = ascii(&content_range(&part, self.size));
        let pieces = vec![self.octets.piece(part)];
        self.with_pieces(StatusCode::PARTIAL_CONTENT, pieces).with(CONTENT_RANGE, field)
    }

    /// RFC 9110 §14.6: multipart/byteranges.
    fn parts(self, parts: &[Range<u64>]) -> Answer {
        let boundary = boundary();
        let media_type = self.fields.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
        for (index, part) in parts.iter().enumerate() {
            let mut head = if index == 0 { String::new() } else { "\r\n".to_owned() };
            let _ = write!(head, "--{boundary}\r\n");
            if let Some(media_type) = media_type {
                let _ = write!(head, "Content-Type: {media_type}\r\n");
            }
            let _ = write!(head, "Content-Range: {}\r\n\r\n", content_range(part, self.size));
            pieces.push(Piece::Octets(Bytes::from(head)));
            pieces.push(self.octets.piece(part.clone()));
        }
        pieces.push(Piece::Octets(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
        self.with_pieces(StatusCode::PARTIAL_CONTENT, pieces)
            .with(CONTENT_TYPE, ascii(&format!("multipart/byteranges; boundary={boundary}")))
    }

    fn with_pieces(self, status: StatusCode, pieces: Vec<Piece>) -> Answer {
        let size = pieces.iter().map(|piece| match piece {
            Piece::Octets(octets) => Some(octets.len() as u64),
            Piece::File(_, range) | Piece::Synthetic(_, range) => Some(range.end - range.start),
            Piece::Request(_) => None,
        });
        let size = size.sum();
        Answer { status, fields: self.fields, pieces, size, plan: Plan::default() }
    }
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end - 1)
}

/// A boundary that no content holds by accident and that differs between responses.
fn boundary() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("lastmile-{:x}-{count:x}", now.as_nanos())
}

/// A field value made of our own ASCII text.
pub(crate) fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("text made here is visible ASCII")
}
