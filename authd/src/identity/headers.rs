//! What an application is told of a caller, header by header.
//!
//! Always every header of the instance: an empty one keeps a client's own copy away from the application. The whole answer stays
//! below what proxies buffer, so that long lists are cut, the groups first.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use policy::Principal;
use policy::identity_headers::{ASSERTION, IdentityHeaders, MAX_AGE, Part};
use policy::principal::Identity;
use policy::snapshot::Settings;

/// The longest answer that proxies take as they come: ingress-nginx buffers one page of 4096 bytes.
const MAX_ANSWER: usize = 4000;
/// What an answer has besides: its status line, `Date`, `Cache-Control` and `Content-Length`.
const REST: usize = 200;
/// The longest list of roles or groups, in bytes.
const MAX_LIST: usize = 1200;
/// The same beside an assertion, which has them once more.
const MAX_LIST_BESIDE_ASSERTION: usize = 400;
/// The longest single value, in bytes.
const MAX_VALUE: usize = 300;

/// The digits of the greatest age of a connection, in seconds.
const AGE_DIGITS: usize = 10;

/// What is not sent as it is: what is not visible ASCII, and what separates or escapes.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b',').add(b'"');

/// Names that are not header names; a Snapshot that was compiled holds none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a header")]
pub struct NotAName(String);

/// The headers of one instance.
#[derive(Clone, Debug)]
pub struct Headers {
    names: Vec<(Part, HeaderName)>,
    /// Bytes that values may have together.
    room: usize,
    /// Bytes that a list may have.
    list: usize,
}

impl Headers {
    /// The headers of an instance, in answers that may carry a cookie of so many bytes.
    ///
    /// # Errors
    /// A name is none.
    pub fn new(settings: &Settings, cookie: usize) -> Result<Self, NotAName> {
        let list = match settings.assertion_lifetime {
            Some(_) => MAX_LIST_BESIDE_ASSERTION,
            None => MAX_LIST,
        };
        Self::with(&settings.identity_headers, cookie, list)
    }

    fn with(names: &IdentityHeaders, cookie: usize, list: usize) -> Result<Self, NotAName> {
        let read = |(part, name): (Part, &str)| {
            let name = HeaderName::try_from(name).map_err(|_| NotAName(name.to_owned()))?;
            Ok((part, name))
        };
        let names: Vec<_> = names.names().map(read).collect::<Result<_, _>>()?;
        // `: ` and the end of the line.
        let line = |name: &str| name.len() + 4;
        let taken: usize = names.iter().map(|(_, name)| line(name.as_str())).sum();
        let fixed = line(ASSERTION) + line(MAX_AGE) + AGE_DIGITS + line(header::SET_COOKIE.as_str());
        let taken = taken + fixed + cookie + REST;
        Ok(Self {
            names,
            room: MAX_ANSWER.saturating_sub(taken),
            list,
        })
    }

    /// What an answer that lets this principal pass has: every header, and that it may not be stored; and how many bytes are left for
    /// an assertion.
    #[must_use]
    pub fn of(&self, principal: &Principal) -> (HeaderMap, usize) {
        let mut headers = HeaderMap::with_capacity(self.names.len() + 4);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(HeaderName::from_static(ASSERTION), HeaderValue::from_static(""));
        headers.insert(HeaderName::from_static(MAX_AGE), HeaderValue::from_static(""));
        let mut room = self.room;
        // Lists come last, the groups after the roles: what comes last is cut first.
        let is_list = |part: Part| matches!(part, Part::Roles | Part::Groups);
        let (lists, single): (Vec<_>, Vec<_>) = self.names.iter().partition(|(part, _)| is_list(*part));
        for (part, name) in single.into_iter().chain(lists) {
            let value = match part {
                Part::Roles => list(principal.roles(), room.min(self.list)),
                Part::Groups => list(principal.groups(), room.min(self.list)),
                single => escaped(text(principal, *single), room.min(MAX_VALUE)),
            };
            room = room.saturating_sub(value.len());
            let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""));
            headers.insert(name, value);
        }
        (headers, room)
    }
}

/// A part of an identity that is a single text; empty where there is nothing to say.
#[must_use]
pub fn text(principal: &Principal, part: Part) -> &str {
    match (principal.identity(), part) {
        (Identity::Service(service), Part::User | Part::Name) => service,
        (Identity::User(user), Part::User) => &user.id,
        (Identity::User(user), Part::Name) => &user.name,
        (Identity::User(user), Part::Provider) => &user.provider,
        // An application would take an address that nobody proved for a fact.
        (Identity::User(user), Part::Email) if user.email_verified => &user.email,
        _ => "",
    }
}

/// The names with commas between them, as many as fit.
fn list(names: &BTreeSet<String>, room: usize) -> String {
    let mut joined = String::new();
    for name in names {
        let name = escaped(name, MAX_VALUE);
        if joined.len() + name.len() < room {
            joined.extend((!joined.is_empty()).then_some(","));
            joined.push_str(&name);
        }
    }
    joined
}

/// Visible ASCII as it is, the rest as `%XX`; cut before it is too long, never inside an escape.
fn escaped(value: &str, room: usize) -> String {
    let mut text = String::new();
    for part in utf8_percent_encode(value, ESCAPED) {
        if text.len() + part.len() > room {
            break;
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::{HeaderNames, HeaderPreset};
    use policy::principal::User;

    fn headers(preset: HeaderPreset) -> Headers {
        Headers::with(&IdentityHeaders::new(preset, &HeaderNames::default()), 1000, MAX_LIST).unwrap()
    }

    fn person(name: &str, many: usize) -> Principal {
        let user = User {
            id: "id".to_owned(),
            name: name.to_owned(),
            email: "zoe@example.com".to_owned(),
            email_verified: true,
            provider: "accounts".to_owned(),
            pending: false,
        };
        let names = |start: &str| (0..many).map(|i| format!("{start} {i}")).collect();
        Principal::user(user, names("role"), names("a long name of a group"), None)
    }

    #[test]
    fn a_header_value_never_splits() {
        for (row, value, expected) in [
            ("D25 control", "Alice", "Alice"),
            ("D25", "a\r\nX-Admin: 1", "a%0D%0AX-Admin:%201"),
            ("D25", "Zoë 🙂", "Zo%C3%AB%20%F0%9F%99%82"),
            ("D25", "a,b", "a%2Cb"),
            ("H12", "100%", "100%25"),
        ] {
            assert_eq!(escaped(value, MAX_VALUE), expected, "{row}");
        }
        assert!(escaped(&"x".repeat(9000), MAX_VALUE).len() <= MAX_VALUE, "D25");
    }

    #[test]
    fn every_header_is_there_for_everybody() {
        for preset in [HeaderPreset::XAuth, HeaderPreset::Remote, HeaderPreset::XForwarded] {
            let ready = headers(preset);
            let names = IdentityHeaders::new(preset, &HeaderNames::default());
            for (case, principal) in [("nobody", Principal::anonymous()), ("Zoë", person("Zoë", 2))] {
                let (sent, _) = ready.of(&principal);
                for name in names.names().map(|(_, name)| name).chain([ASSERTION, MAX_AGE]) {
                    assert_eq!(sent.get_all(name).iter().count(), 1, "D01: {case}: {name}");
                }
            }
            let (nobody, _) = ready.of(&Principal::anonymous());
            let said = nobody.iter().filter(|(_, value)| !value.is_empty()).count();
            assert_eq!(said, 1, "D01: of nobody only `no-store` is said");
        }
    }

    #[test]
    fn an_answer_fits_into_what_proxies_buffer_and_groups_are_cut_first() {
        for preset in [HeaderPreset::XAuth, HeaderPreset::Remote, HeaderPreset::XForwarded] {
            for many in [0, 30, 3000] {
                let (sent, _) = headers(preset).of(&person(&"ü".repeat(3000), many));
                let size: usize = sent
                    .iter()
                    .map(|(name, value)| name.as_str().len() + 4 + value.len())
                    .sum();
                assert!(
                    size + 1000 + 14 + AGE_DIGITS + REST - 25 <= MAX_ANSWER,
                    "D25: {preset:?} {many}: {size}"
                );
            }
        }
        let (sent, _) = headers(HeaderPreset::XAuth).of(&person("Zoë", 100));
        let count = |name: &str| sent[name].to_str().unwrap().split(',').count();
        assert_eq!(count("x-auth-roles"), 100, "D25");
        assert!(
            (5..50).contains(&count("x-auth-groups")),
            "D25: {}",
            count("x-auth-groups")
        );
    }
}
