//! Which headers tell an application who is calling? The one list of names that authd sends, and of those that it never will.
//!
//! A name that a proxy or HTTP gives a meaning could change what is asked for after it was decided (`:path`, `host`,
//! `x-forwarded-uri`), and one with `_` or `.` has several spellings. Not here: what the headers say of somebody.

use crds::{HeaderNames, HeaderPreset};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// A part of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The account's id, or the name of the service.
    User,
    /// The e-mail address, where it is verified.
    Email,
    /// The name that is shown.
    Name,
    /// The roles.
    Roles,
    /// The groups.
    Groups,
    /// The AuthProvider that the person signed in with.
    Provider,
}

impl Part {
    /// The name in `spec.identityHeaders.names`.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Email => "email",
            Self::Name => "name",
            Self::Roles => "roles",
            Self::Groups => "groups",
            Self::Provider => "provider",
        }
    }
}

/// The header that carries a signed assertion.
pub const ASSERTION: &str = "x-auth-assertion";
/// The header that says for how many seconds a connection that is let open may stay open.
pub const MAX_AGE: &str = "x-auth-max-age";

const X_AUTH: [(Part, &str); 6] = [
    (Part::User, "x-auth-user"),
    (Part::Email, "x-auth-email"),
    (Part::Name, "x-auth-name"),
    (Part::Roles, "x-auth-roles"),
    (Part::Groups, "x-auth-groups"),
    (Part::Provider, "x-auth-provider"),
];

const REMOTE: [(Part, &str); 4] = [
    (Part::User, "remote-user"),
    (Part::Email, "remote-email"),
    (Part::Name, "remote-name"),
    (Part::Groups, "remote-groups"),
];

const X_FORWARDED: [(Part, &str); 4] = [
    (Part::User, "x-forwarded-user"),
    (Part::Email, "x-forwarded-email"),
    (Part::Name, "x-forwarded-preferred-username"),
    (Part::Groups, "x-forwarded-groups"),
];

fn names_of(preset: HeaderPreset) -> &'static [(Part, &'static str)] {
    match preset {
        HeaderPreset::XAuth => &X_AUTH,
        HeaderPreset::Remote => &REMOTE,
        HeaderPreset::XForwarded => &X_FORWARDED,
    }
}

/// Every name that an instance sends unless it was given names of its own. What a client says under any of them must not reach an
/// application, whichever preset is in use.
pub fn known() -> impl Iterator<Item = &'static str> {
    let presets = [&X_AUTH[..], &REMOTE, &X_FORWARDED].into_iter().flatten();
    presets.map(|(_, name)| *name).chain([ASSERTION, MAX_AGE])
}

/// The names of one instance, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityHeaders(Vec<(Part, String)>);

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self::new(HeaderPreset::default(), &HeaderNames::default())
    }
}

impl IdentityHeaders {
    /// The names of the preset, with some replaced and others added.
    #[must_use]
    pub fn new(preset: HeaderPreset, names: &HeaderNames) -> Self {
        let known = names_of(preset).iter();
        let mut all: Vec<(Part, String)> = known.map(|(part, name)| (*part, (*name).to_owned())).collect();
        for (part, name) in given(names) {
            all.retain(|(known, _)| *known != part);
            all.push((part, name.to_ascii_lowercase()));
        }
        all.sort();
        Self(all)
    }

    /// Whether nothing was chosen.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Every part that is sent, with the name of its header.
    pub fn names(&self) -> impl Iterator<Item = (Part, &str)> {
        self.0.iter().map(|(part, name)| (*part, name.as_str()))
    }
}

/// The names that are given in place of a preset's.
pub(crate) fn given(names: &HeaderNames) -> impl Iterator<Item = (Part, &str)> {
    let HeaderNames {
        user,
        email,
        name,
        roles,
        groups,
        provider,
    } = names;
    [
        (Part::User, user),
        (Part::Email, email),
        (Part::Name, name),
        (Part::Roles, roles),
        (Part::Groups, groups),
        (Part::Provider, provider),
    ]
    .into_iter()
    .filter_map(|(part, name)| Some((part, name.as_ref()?.0.as_str())))
}

/// Names that have a meaning of their own, in lower case.
const MEANINGS: [&str; 53] = [
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "clear-site-data",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "early-data",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "prefer",
    "priority",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "set-cookie2",
    "status",
    "strict-transport-security",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-rewrite-url",
    "x-request-id",
    ASSERTION,
    MAX_AGE,
];

/// What such names begin with, in lower case.
const FAMILIES: [&str; 17] = [
    "accept",
    "access-control-",
    "cf-connecting-",
    "content-",
    "cross-origin-",
    "grpc-",
    "if-",
    "proxy-",
    "sec-",
    "x-accel-",
    "x-client-",
    "x-envoy-",
    "x-forwarded-",
    "x-http-method",
    "x-method-",
    "x-original-",
    "x-real-",
];

/// The identities of the family of `x-forwarded-`, which say nothing of the way to the application.
const IDENTITIES: [&str; 6] = [
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-name",
    "x-forwarded-preferred-username",
    "x-forwarded-roles",
    "x-forwarded-groups",
];

/// Why an identity must not be sent under this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not made of letters, digits and hyphens alone.
    #[error(
        "a name is made of letters, digits and hyphens: servers read `_` and `.` as `-`, so that a client could send another spelling"
    )]
    Spelling,
    /// It has a meaning of its own.
    #[error("proxies or HTTP itself give this name a meaning: choose one such as `X-Auth-User`")]
    Meaning,
}

/// Checks the name of a header that is to carry a part of an identity.
///
/// # Errors
/// It has several spellings or a meaning of its own.
pub(crate) fn fit(name: &str) -> Result<(), Unfit> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !name.bytes().all(plain) || !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(Unfit::Spelling);
    }
    let name = name.to_ascii_lowercase();
    let taken = MEANINGS.contains(&&*name) || FAMILIES.iter().any(|family| name.starts_with(family));
    if taken && !IDENTITIES.contains(&&*name) {
        Err(Unfit::Meaning)
    } else {
        Ok(())
    }
}
