//! Which headers does every page carry, and why each.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers whose value never changes.
const FIXED: [(HeaderName, &str); 9] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: under it a browser posts our own forms with `Origin: null`, and `csrf::same_origin` refuses that.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::VARY, "Cookie"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// The headers of a page whose forms may end at `form_origins` besides our own origin.
///
/// Chromium holds the redirects after a form's POST to `form-action` too, so an application that a sign-in returns to has to
/// be named. An opaque origin is left out, and so is an IPv6 literal, for which the policy has no syntax.
pub fn headers(form_origins: &[url::Origin]) -> HeaderMap {
    let mut headers: HeaderMap = FIXED
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect();
    headers.insert(header::CONTENT_SECURITY_POLICY, content_security_policy(form_origins));
    headers
}

fn content_security_policy(form_origins: &[url::Origin]) -> HeaderValue {
    let mut policy = String::from(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'self'",
    );
    for origin in form_origins.iter().filter(|origin| has_source_syntax(origin)) {
        policy.push(' ');
        policy.push_str(&origin.ascii_serialization());
    }
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Whether the origin can be written in a policy without meaning anything else: `;` and `,` may stand in a URL's host.
fn has_source_syntax(origin: &url::Origin) -> bool {
    let url::Origin::Tuple(scheme, url::Host::Domain(host), _) = origin else {
        return matches!(origin, url::Origin::Tuple(scheme, url::Host::Ipv4(_), _) if is_web(scheme));
    };
    is_web(scheme)
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}
