//! What an account's fields may hold.

use super::Answer;
use crate::error::ApiError;

#[cfg(test)]
mod tests;

/// The largest picture inside a URL, in bytes.
const MAX_IMAGE: usize = 64 * 1024;

/// An e-mail address in lower case: one `@`, a plain local part, and a host name with a dot (or `localhost`).
///
/// # Errors
/// It is not one.
pub fn email(text: &str) -> Answer<String> {
    policy::email::address(text).ok_or_else(|| {
        ApiError::bad_request(
            "invalid_email",
            "the e-mail address is not in the form name@example.com",
        )
    })
}

/// A name for people: 1 to 128 characters, none of them a control character.
///
/// # Errors
/// It is not one.
pub fn name(text: &str) -> Answer<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= 128 && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid(
            "the name must have 1 to 128 characters and none that is invisible",
        ))
    }
}

/// A short text that a person says of themselves.
///
/// # Errors
/// It is longer than the given number of characters, or has control characters other than line ends.
pub fn words(text: Option<String>, most: usize) -> Answer<Option<String>> {
    let fits = |text: &String| text.chars().count() <= most && !text.chars().any(|c| c.is_control() && c != '\n');
    match text {
        Some(text) if !fits(&text) => Err(ApiError::invalid(format!(
            "a text is longer than {most} characters or has invisible ones"
        ))),
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// A picture: a path on this host, an https address, or a small PNG, JPEG, GIF or WebP inside a `data:` URL.
///
/// # Errors
/// It is none of these, or too large.
pub fn image(url: &str) -> Answer<String> {
    if url.len() > MAX_IMAGE {
        return Err(ApiError::invalid("the picture is larger than 64 KiB"));
    }
    let plain = !url
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '\\' | '"' | '<' | '>'));
    let own = url.starts_with('/') && !url.starts_with("//");
    let remote = url.len() <= 2048
        && url::Url::parse(url).is_ok_and(|url| {
            url.scheme() == "https" && url.host_str().is_some() && url.username().is_empty() && url.password().is_none()
        });
    let inside = ["png", "jpeg", "gif", "webp"]
        .iter()
        .any(|kind| url.starts_with(&format!("data:image/{kind};base64,")));
    if plain && (own || remote || inside) {
        Ok(url.to_owned())
    } else {
        Err(ApiError::invalid(
            "the picture must be a path, an https address, or a PNG, JPEG, GIF or WebP inside a data: URL",
        ))
    }
}
