//! The forms of an answer: JSON for programs, a text or page for people, `grpc-status` for gRPC. What is in them is said elsewhere.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;

/// What `grpc-message` does not hold as it is.
const GRPC_MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// What a program is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) status: StatusCode,
    /// For programs.
    pub(super) code: &'static str,
    /// For people.
    pub(super) detail: &'static str,
}

impl Told {
    pub(super) fn as_json(self) -> Response<Full<Bytes>> {
        let body = json!({"detail": self.detail, "code": self.code}).to_string();
        with_type(self.status, "application/json", body)
    }

    /// The same with a status of gRPC beside that of HTTP, which stays what it is: to a proxy that asks over HTTP, 200 would be a
    /// permit. Clients take either; Envoy makes of it the 200 with trailers alone that they know best.
    pub(super) fn as_grpc(self) -> Response<Full<Bytes>> {
        let mut response = with_type(self.status, "application/grpc", String::new());
        let message = utf8_percent_encode(self.detail, GRPC_MESSAGE).to_string();
        let headers = response.headers_mut();
        headers.insert("grpc-status", HeaderValue::from(grpc_status(self.status)));
        if let Ok(message) = HeaderValue::try_from(message) {
            headers.insert("grpc-message", message);
        }
        response
    }
}

/// UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, or UNAVAILABLE.
fn grpc_status(status: StatusCode) -> u16 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::TOO_MANY_REQUESTS => 8,
        _ => 14,
    }
}

pub(super) fn plain(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    with_type(status, "text/plain; charset=utf-8", body.to_owned())
}

pub(super) fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn insert(response: &mut Response<Full<Bytes>>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
