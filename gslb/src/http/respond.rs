//! Responses in few words. Each says that it must not be stored; DNS messages say otherwise themselves.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode, header};
use serde_json::Value;

/// Content of a media type.
pub(super) fn response(
    status: StatusCode,
    media_type: &'static str,
    content: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(content.into()));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A sentence.
pub(super) fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", text)
}

/// An object for programs, also those of other sites' pages: it is what anybody can ask DNS.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let response = response(status, "application/json", format!("{value}\n"));
    with_field(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
}

/// A mistake of the client, and what is allowed.
pub(super) fn json_error(message: &str) -> Response<Full<Bytes>> {
    json(StatusCode::BAD_REQUEST, &serde_json::json!({ "error": message }))
}

/// The same with another field. A value that is none, which no part of a request target can make, is left out.
pub(super) fn with_field(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: &str,
) -> Response<Full<Bytes>> {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        response.headers_mut().insert(name, value);
    }
    response
}
