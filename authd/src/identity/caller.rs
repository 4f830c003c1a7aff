//! Somebody who was identified: the principal, what it rests on, and the identity headers, ready to be sent.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use policy::Principal;
use policy::principal::Identity;
use uuid::Uuid;

use super::Error;
use crate::app::App;
use crate::token::{Claims, SKEW_SECONDS};

/// Every identity header, always all of them: an empty one keeps a client's own copy away from the application.
pub const IDENTITY_HEADERS: [HeaderName; 6] = [
    HeaderName::from_static("x-auth-user"),
    HeaderName::from_static("x-auth-email"),
    HeaderName::from_static("x-auth-name"),
    HeaderName::from_static("x-auth-roles"),
    HeaderName::from_static("x-auth-groups"),
    HeaderName::from_static("x-auth-provider"),
];

/// What is not sent as it is: what is not visible ASCII, and what separates or escapes.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b',').add(b'"');

/// The longest list of roles or groups, in bytes: the whole block must stay below what proxies buffer.
const MAX_LIST: usize = 1200;
/// The longest single value, in bytes.
const MAX_VALUE: usize = 300;

/// How often the last use of a session or key is written down, in seconds.
const SEEN_EVERY: i64 = 30;

/// Somebody who was identified.
#[derive(Debug)]
pub struct Caller {
    /// Who it is, for policies.
    pub principal: Arc<Principal>,
    /// What the identification rests on.
    pub means: Means,
    /// What an answer that lets them pass has: every one of [`IDENTITY_HEADERS`], and that it may not be stored.
    pub headers: HeaderMap,
    generation: u64,
    epoch: u64,
    seen: AtomicI64,
}

/// What an identification rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// Nothing was shown.
    Nothing,
    /// A session.
    Session {
        /// What the token says.
        claims: Claims,
        /// When the session ends, in epoch seconds.
        ends_at: Option<i64>,
        /// After how many idle seconds it ends.
        idle: Option<i64>,
    },
    /// A key that a person made.
    PersonalKey {
        /// The key's row.
        id: Uuid,
        /// Whose it is.
        owner: Uuid,
        /// Refused from then on, in epoch seconds.
        expires_at: Option<i64>,
    },
    /// A key of an ApiKey resource, by its digest.
    DeclaredKey {
        /// SHA-256 of the key.
        digest: [u8; 32],
        /// Refused from then on, in epoch seconds.
        expires_at: Option<i64>,
    },
}

static ANONYMOUS: LazyLock<Arc<Caller>> =
    LazyLock::new(|| Arc::new(Caller::new(Principal::anonymous(), Means::Nothing, (0, 0), 0)));

impl Caller {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Arc<Self> {
        Arc::clone(&ANONYMOUS)
    }

    /// Somebody, as of a generation of the Snapshot and an epoch of the accounts, last seen at that second.
    #[must_use]
    pub fn new(principal: Principal, means: Means, (generation, epoch): (u64, u64), seen: i64) -> Self {
        let headers = headers(&principal);
        Self {
            principal: Arc::new(principal),
            means,
            headers,
            generation,
            epoch,
            seen: AtomicI64::new(seen),
        }
    }

    /// Whether nothing that it rests on changed.
    #[must_use]
    pub fn is_current(&self, generation: u64, epoch: u64) -> bool {
        self.generation == generation && self.epoch == epoch
    }

    /// The session's token, where there is a session.
    #[must_use]
    pub fn session(&self) -> Option<&Claims> {
        match &self.means {
            Means::Session { claims, .. } => Some(claims),
            _ => None,
        }
    }

    /// The account, where a person stands behind it.
    #[must_use]
    pub fn account(&self) -> Option<Uuid> {
        match self.principal.identity() {
            Identity::User(user) => user.id.parse().ok(),
            Identity::Anonymous | Identity::Service(_) => None,
        }
    }

    /// What changes from one use to the next: time and revocation.
    pub(super) fn confirm(&self, app: &App) -> Result<(), Error> {
        let now = app.now().as_second();
        match &self.means {
            Means::Nothing => return Ok(()),
            Means::Session { claims, ends_at, idle } => {
                if app.revocations.is_revoked(claims.session, claims.token) {
                    return Err(Error::Revoked);
                }
                if claims
                    .expires_at
                    .is_some_and(|at| now >= at.saturating_add(SKEW_SECONDS))
                {
                    return Err(Error::Token(crate::token::Error::Expired));
                }
                let seen = self.seen.load(Ordering::Relaxed);
                if ends_at.is_some_and(|at| now >= at) || idle.is_some_and(|idle| now - seen >= idle) {
                    return Err(Error::SessionExpired);
                }
            }
            Means::PersonalKey { expires_at, .. } | Means::DeclaredKey { expires_at, .. } => {
                if expires_at.is_some_and(|at| now >= at) {
                    return Err(Error::KeyExpired);
                }
            }
        }
        self.note_use(app, now);
        Ok(())
    }

    fn note_use(&self, app: &App, now: i64) {
        let seen = self.seen.load(Ordering::Relaxed);
        if now - seen < SEEN_EVERY || self.seen.swap(now, Ordering::Relaxed) == now {
            return;
        }
        match &self.means {
            Means::Session { claims, .. } => app.uses.session(claims.session, now),
            Means::PersonalKey { id, .. } => app.uses.key(*id, now),
            Means::DeclaredKey { .. } | Means::Nothing => {}
        }
    }
}

fn headers(principal: &Principal) -> HeaderMap {
    let list = |names: &std::collections::BTreeSet<String>| {
        let mut joined = String::new();
        for name in names {
            let name = escaped(name);
            if joined.len() + name.len() < MAX_LIST {
                joined.extend((!joined.is_empty()).then_some(","));
                joined.push_str(&name);
            }
        }
        joined
    };
    let (user, email, name, provider) = match principal.identity() {
        Identity::Anonymous => Default::default(),
        Identity::Service(service) => (service.clone(), String::new(), service.clone(), String::new()),
        Identity::User(user) => (
            user.id.clone(),
            // An application would take an address that nobody proved for a fact.
            if user.email_verified {
                user.email.clone()
            } else {
                String::new()
            },
            user.name.clone(),
            user.provider.clone(),
        ),
    };
    let values = [
        escaped(&user),
        escaped(&email),
        escaped(&name),
        list(principal.roles()),
        list(principal.groups()),
        escaped(&provider),
    ];
    let mut headers = HeaderMap::with_capacity(IDENTITY_HEADERS.len() + 2);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in IDENTITY_HEADERS.iter().zip(values) {
        headers.insert(
            name,
            HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("")),
        );
    }
    headers
}

/// Visible ASCII as it is, the rest as `%XX`; cut before it is too long, never inside an escape.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for part in utf8_percent_encode(value, ESCAPED) {
        if text.len() + part.len() > MAX_VALUE {
            break;
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_value_never_splits() {
        for (row, value, expected) in [
            ("D25 control", "Alice", "Alice"),
            ("D25", "a\r\nX-Admin: 1", "a%0D%0AX-Admin:%201"),
            ("D25", "Zoë 🙂", "Zo%C3%AB%20%F0%9F%99%82"),
            ("D25", "a,b", "a%2Cb"),
            ("H12", "100%", "100%25"),
        ] {
            assert_eq!(escaped(value), expected, "{row}");
        }
        assert!(escaped(&"x".repeat(9000)).len() <= MAX_VALUE, "D25");
    }
}
