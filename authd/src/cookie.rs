//! The session cookie on its way to a browser.

use crds::SameSite;
use http::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use policy::snapshot::Settings;

/// The cookie that carries a session's token, until it expires; without a time it lasts as long as the browser does.
#[must_use]
pub fn set(settings: &Settings, token: &str, expires_at: Option<i64>) -> Option<HeaderValue> {
    let expires = expires_at
        .and_then(|at| Timestamp::from_second(at).ok())
        .and_then(|at| DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok());
    let expires = expires.map_or(String::new(), |at| format!("; Expires={at}"));
    let value = format!("{}={token}{expires}{}", settings.cookie.name, attributes(settings));
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    // Browsers drop what is longer, and with it the sign-in.
    (value.len() <= 4096).then_some(value)
}

/// How long the value of `Set-Cookie` is at most, in bytes, for tokens of so many bytes.
#[must_use]
pub fn longest(settings: &Settings, token: usize) -> usize {
    let expires = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT".len();
    settings.cookie.name.len() + "=".len() + token + expires + attributes(settings).len()
}

/// Takes the cookie away.
#[must_use]
pub fn clear(settings: &Settings) -> HeaderValue {
    let value = format!("{}=; Max-Age=0{}", settings.cookie.name, attributes(settings));
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

fn attributes(settings: &Settings) -> String {
    let domain = settings
        .cookie
        .domain
        .as_ref()
        .map_or(String::new(), |domain| format!("; Domain={domain}"));
    let same_site = match settings.cookie.same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
    };
    let secure = if settings.is_secure() { "; Secure" } else { "" };
    format!("; Path=/{domain}; HttpOnly; SameSite={same_site}{secure}")
}
