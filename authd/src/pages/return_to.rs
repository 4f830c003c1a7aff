//! May a browser be sent to this address after a sign-in? Checked on the URL as a browser parses it, and answered in that form.
//!
//! The raw text is what is left after the query or form was decoded, once. Nothing here decodes it again, so an address that
//! only becomes dangerous through another round of decoding stays what it is: a harmless path, or refused.

#[cfg(test)]
mod tests;

use percent_encoding::percent_decode_str;
use url::Url;

/// Longer addresses, in bytes, are refused.
const MAX_LENGTH: usize = 2048;

/// Our own first path segments that a sign-in must not return to, since they would end or repeat it.
const LOOPS: [&str; 3] = ["login", "logout", "oauth"];

/// The address to redirect to, absolute and serialised, or `None` where the start page is to be shown instead.
///
/// `raw` is an absolute path on `public_url`, or an absolute URL whose host `allowed` knows (lower-case, no port, IPv6 in
/// brackets); `http` only where `public_url` itself is `http`. The port is free.
pub fn accept(raw: &str, allowed: &dyn Fn(&str) -> bool, public_url: &Url) -> Option<String> {
    if raw.len() > MAX_LENGTH || !raw.bytes().all(is_plain) {
        return None;
    }
    let url = if raw.starts_with('/') {
        own_path(raw, public_url)?
    } else {
        absolute(raw)?
    };
    let is_own = url.origin() == public_url.origin();
    let host = url.host_str()?;
    let scheme_fits = url.scheme() == "https" || (url.scheme() == "http" && public_url.scheme() == "http");
    let host_fits = is_own || (!host.ends_with('.') && allowed(host));
    let path_fits = !url.path().starts_with("//") && !has_encoded_control(url.path());
    let loops = url.host() == public_url.host() && repeats_sign_in(url.path());
    (scheme_fits && host_fits && path_fits && !loops).then(|| url.into())
}

/// Visible ASCII without the backslash: all that a serialised URL holds. Browsers drop tabs and line ends, take `\` for `/`,
/// and map other alphabets' letters, slashes and dots to ASCII, so none of these gets as far as the parser.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\'
}

fn own_path(raw: &str, public_url: &Url) -> Option<Url> {
    if raw.starts_with("//") {
        return None;
    }
    let url = public_url.join(raw).ok()?;
    // Our own paths have no use for these, and whoever decodes a second time would see `//` or `/\` in them.
    let lower = url.path().to_ascii_lowercase();
    (url.origin() == public_url.origin() && !lower.contains("%2f") && !lower.contains("%5c")).then_some(url)
}

/// Only the spelling `http(s)://host[:port]`, although parsers also take `https:host`, `https:////host`, user names, encoded
/// letters, and characters such as `;` that no host name has.
fn absolute(raw: &str) -> Option<Url> {
    let (scheme, rest) = raw.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let authority = rest.split(['/', '?', '#']).next()?;
    let is_host = !authority.is_empty() && authority.bytes().all(is_host_byte);
    if is_web && is_host { Url::parse(raw).ok() } else { None }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
}

fn has_encoded_control(path: &str) -> bool {
    percent_decode_str(path).any(|byte| byte.is_ascii_control())
}

fn repeats_sign_in(path: &str) -> bool {
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let first = decoded
        .trim_start_matches('/')
        .split(['/', ';'])
        .next()
        .unwrap_or_default();
    LOOPS.contains(&first)
}
