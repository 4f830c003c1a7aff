//! What somebody wants to reach, in the one form that policies see. What could be read in two ways is refused here.
//!
//! Host, path and method are validated first and split afterwards; nothing is joined and parsed again. The query takes no part
//! in any decision.

use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// What somebody wants to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The method, case-sensitive (RFC 9110 section 9.1).
    pub method: Cow<'a, str>,
    /// The scheme as the proxy saw it.
    pub scheme: Scheme,
    /// The host in lower case, without port and without a trailing dot.
    pub host: Cow<'a, str>,
    /// The port, where one was given.
    pub port: Option<u16>,
    /// The path, decoded once: printable characters stand for themselves, the rest is `%XX` in capitals.
    pub path: Cow<'a, str>,
    /// Path and query as they were sent, for a return address. Never an input of a decision.
    pub uri: Cow<'a, str>,
}

/// How the target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Reads `http`, `https`, and what proxies say of a WebSocket: `ws`, `wss`.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        match text {
            b"http" | b"ws" => Some(Self::Http),
            b"https" | b"wss" => Some(Self::Https),
            _ => None,
        }
    }
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguous {
    /// The method is not a token of capitals.
    #[error("the method is not a token")]
    Method,
    /// The host is empty or has characters that no host name has.
    #[error("the host is not a host name")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// The path does not begin with one slash.
    #[error("the path does not begin with `/`")]
    NotAPath,
    /// The path has a control character, a space, a backslash, a fragment or bytes that are not ASCII.
    #[error("the path has a character that must be encoded")]
    PathCharacter,
    /// The path has an encoded slash, backslash, dot, semicolon, control character or a double encoding.
    #[error("the path has an encoding that can be read in two ways")]
    PathEncoding,
    /// The path has an empty segment, `.`, `..` or a `;` parameter.
    #[error("the path has a segment that can be read in two ways")]
    PathSegment,
}

impl<'a> Target<'a> {
    /// Reads a target from its four facts. `uri` is the path with an optional query, as sent.
    ///
    /// # Errors
    /// A fact is malformed or can be read in two ways.
    pub fn read(method: &'a [u8], scheme: Scheme, host: &'a [u8], uri: &'a [u8]) -> Result<Self, Ambiguous> {
        let method = read_method(method)?;
        let (host, port) = read_host(host)?;
        let (path, uri) = read_uri(uri)?;
        Ok(Self {
            method: Cow::Borrowed(method),
            scheme,
            host,
            port,
            path,
            uri: Cow::Borrowed(uri),
        })
    }

    /// The same target, owning its text.
    #[must_use]
    pub fn into_owned(self) -> Target<'static> {
        Target {
            method: Cow::Owned(self.method.into_owned()),
            scheme: self.scheme,
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
            path: Cow::Owned(self.path.into_owned()),
            uri: Cow::Owned(self.uri.into_owned()),
        }
    }
}

/// Whether `path` is `prefix` or lies below it, by whole segments. `/` covers everything.
#[must_use]
pub fn covers(prefix: &str, path: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `host` is `pattern`, or is one label below a pattern that begins with `*.`.
#[must_use]
pub fn host_matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => parent(host) == Some(domain),
        None => pattern == host,
    }
}

/// The host without its first label.
#[must_use]
pub fn parent(host: &str) -> Option<&str> {
    host.split_once('.')
        .filter(|(label, _)| !label.is_empty())
        .map(|(_, parent)| parent)
}

/// A path prefix of a rule in the form in which paths are compared.
///
/// # Errors
/// It is not a path, or could never be matched because such requests are refused.
pub fn prefix(path: &str) -> Result<String, Ambiguous> {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'%' | b'?' => return Err(Ambiguous::PathEncoding),
            0x80.. => push_encoded(&mut encoded, byte),
            _ => encoded.push(char::from(byte)),
        }
    }
    let path = canonical(
        encoded
            .strip_suffix('/')
            .filter(|rest| !rest.is_empty())
            .unwrap_or(&encoded),
    )?;
    Ok(path.into_owned())
}

fn read_method(method: &[u8]) -> Result<&str, Ambiguous> {
    let token = !method.is_empty()
        && method.len() <= 32
        && method
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_'));
    std::str::from_utf8(method)
        .ok()
        .filter(|_| token)
        .ok_or(Ambiguous::Method)
}

fn read_host(text: &[u8]) -> Result<(Cow<'_, str>, Option<u16>), Ambiguous> {
    let text = std::str::from_utf8(text).map_err(|_| Ambiguous::Host)?;
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or(Ambiguous::Host)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| Ambiguous::Host)?;
            (text.get(..address.len() + 2).ok_or(Ambiguous::Host)?, rest)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = read_port(port)?;
    let host = host.strip_suffix('.').unwrap_or(host);
    if !host.starts_with('[') && !is_host_name(host) {
        return Err(Ambiguous::Host);
    }
    let upper = host.bytes().any(|byte| byte.is_ascii_uppercase());
    Ok((
        if upper {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        },
        port,
    ))
}

fn read_port(text: &str) -> Result<Option<u16>, Ambiguous> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() {
            Ok(None)
        } else {
            Err(Ambiguous::Host)
        };
    };
    let port = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse::<u16>().ok())
        .flatten();
    port.filter(|port| *port > 0).map(Some).ok_or(Ambiguous::Port)
}

fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    !host.is_empty() && host.len() <= 253 && host.split('.').all(label)
}

fn read_uri(uri: &[u8]) -> Result<(Cow<'_, str>, &str), Ambiguous> {
    let plain = |byte: &u8| (0x21..0x7f).contains(byte) && *byte != b'\\' && *byte != b'#';
    if !uri.iter().all(plain) {
        return Err(Ambiguous::PathCharacter);
    }
    let uri = std::str::from_utf8(uri).map_err(|_| Ambiguous::PathCharacter)?;
    let path = uri.split('?').next().unwrap_or(uri);
    Ok((canonical(path)?, uri))
}

/// Decodes once and refuses what can be read in two ways.
fn canonical(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    let segments = path.strip_prefix('/').ok_or(Ambiguous::NotAPath)?;
    let path = if path.contains('%') {
        Cow::Owned(decode(path)?)
    } else {
        Cow::Borrowed(path)
    };
    if path
        .bytes()
        .any(|byte| matches!(byte, b'\\' | b'#' | 0..=0x20 | 0x7f..))
    {
        return Err(Ambiguous::PathCharacter);
    }
    let unclear = |segment: &str| matches!(segment, "" | "." | "..");
    let mut parts = segments.split('/').peekable();
    while let Some(segment) = parts.next() {
        let last = parts.peek().is_none();
        if unclear(segment) && !(last && segment.is_empty()) {
            return Err(Ambiguous::PathSegment);
        }
    }
    if path.contains(';') {
        Err(Ambiguous::PathSegment)
    } else {
        Ok(path)
    }
}

fn decode(path: &str) -> Result<String, Ambiguous> {
    let mut decoded = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(char::from(byte));
            continue;
        }
        let value = hex(bytes.next())
            .zip(hex(bytes.next()))
            .map(|(high, low)| high * 16 + low);
        match value.ok_or(Ambiguous::PathEncoding)? {
            b'/' | b'\\' | b'.' | b';' | 0..0x20 | 0x7f => return Err(Ambiguous::PathEncoding),
            value @ (b'%' | b'?' | b'#' | b' ' | 0x80..) => push_encoded(&mut decoded, value),
            value => decoded.push(char::from(value)),
        }
    }
    let encoded_twice = decoded.split("%25").skip(1).any(|rest| {
        let mut digits = rest.bytes();
        hex(digits.next()).is_some() && hex(digits.next()).is_some()
    });
    if encoded_twice {
        Err(Ambiguous::PathEncoding)
    } else {
        Ok(decoded)
    }
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn push_encoded(text: &mut String, byte: u8) {
    let digit = |value: u8| {
        char::from_digit(u32::from(value), 16)
            .unwrap_or('0')
            .to_ascii_uppercase()
    };
    text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}
