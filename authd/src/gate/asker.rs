//! Who asks for what a proxy asks about: a person on the way to a page, or a program, and of which kind?

use http::{HeaderMap, header};
use policy::Target;

/// Who asks, as far as it matters to what a refusal looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A browser that opens a page: it can be sent to the sign-in page.
    Navigation,
    /// A gRPC client: it reads `grpc-status`.
    Grpc,
    /// Anything else, also a script of a page, a WebSocket and a preflight: it gets a status and a challenge, and is never sent
    /// elsewhere.
    Program,
}

impl Asker {
    /// Tells one from the other by the media type, by what browsers send (Fetch Metadata), else by `Accept`.
    #[must_use]
    pub fn of(target: &Target<'_>, headers: &HeaderMap) -> Self {
        if is_grpc(headers) {
            Self::Grpc
        } else if navigates(target, headers) {
            Self::Navigation
        } else {
            Self::Program
        }
    }
}

/// `application/grpc`, and with what follows it: `application/grpc+proto`, `application/grpc-web`.
fn is_grpc(headers: &HeaderMap) -> bool {
    let start = b"application/grpc";
    let given = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    given
        .and_then(|given| given.get(..start.len()))
        .is_some_and(|given| given.eq_ignore_ascii_case(start))
}

fn navigates(target: &Target<'_>, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| {
        headers
            .get(name)
            .is_some_and(|header| header.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    let never = !matches!(&*target.method, "GET" | "HEAD")
        || headers.contains_key(header::UPGRADE)
        || headers.contains_key(header::AUTHORIZATION)
        || headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        || is("x-requested-with", "XMLHttpRequest");
    let navigates = match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => headers.get(header::ACCEPT).is_some_and(|accept| {
            accept
                .as_bytes()
                .windows(9)
                .any(|part| part.eq_ignore_ascii_case(b"text/html"))
        }),
    };
    navigates && !never
}
