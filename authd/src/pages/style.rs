//! Where does the look of the pages come from: one stylesheet, named by its own digest.
//!
//! A file rather than a `<style>` element: `style-src 'self'` stays the same policy on every page and through every change of
//! the look, and a browser fetches it once a release instead of with each page.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

const CSS: &str = include_str!("authd.css");

static PATH: LazyLock<String> = LazyLock::new(|| {
    let digest = digest::digest(&digest::SHA256, CSS.as_bytes());
    let hash: String = digest
        .as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("/assets/authd-{hash}.css")
});

/// The path that pages link to, `/assets/authd-<hash>.css`.
pub fn stylesheet_path() -> &'static str {
    &PATH
}

/// Answers a request for a path under `/assets/`: ours for a year, the sheet of another release uncached, all else 404.
///
/// While replicas are being replaced, a page of one release may ask a replica of another for its sheet, and nearly right
/// looks better than none; only the exact name may be kept by a cache.
pub fn stylesheet(path: &str) -> Response {
    let lifetime = if path == stylesheet_path() {
        "public, max-age=31536000, immutable"
    } else if path.starts_with("/assets/authd-") && path.ends_with(".css") {
        "no-store"
    } else {
        let mut missing = Response::new(Body::empty());
        *missing.status_mut() = StatusCode::NOT_FOUND;
        return missing;
    };
    let mut response = Response::new(Body::from(CSS));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/css; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
