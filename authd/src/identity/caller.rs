//! Somebody who was identified: the principal, what it rests on, and the identity headers, ready to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::HeaderMap;
use policy::Principal;
use policy::engine::SignIn;
use policy::principal::Identity;
use uuid::Uuid;

use super::{Credential, Error};
use crate::app::App;
use crate::token::{Claims, SKEW_SECONDS};

/// How often the last use of a session or key is written down, in seconds.
const SEEN_EVERY: i64 = 30;

/// Somebody who was identified.
#[derive(Debug)]
pub struct Caller {
    /// Who it is, for policies.
    pub principal: Arc<Principal>,
    /// What the identification rests on.
    pub means: Means,
    /// What an answer that lets them pass has: every identity header, and that it may not be stored.
    pub headers: HeaderMap,
    /// How many bytes an assertion may have beside these.
    pub room: usize,
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
        /// When somebody proved who they are, in epoch milliseconds.
        signed_in_at: i64,
        /// In which class their provider put that, where it said so.
        acr: Option<String>,
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
    /// A token of an issuer outside.
    Issued {
        /// Refused from then on and some skew, in epoch seconds.
        expires_at: i64,
    },
    /// A key of an ApiKey resource, by its digest.
    DeclaredKey {
        /// SHA-256 of the key.
        digest: [u8; 32],
        /// Refused from then on, in epoch seconds.
        expires_at: Option<i64>,
    },
}

impl Caller {
    /// Somebody, as of a generation of the Snapshot and an epoch of the accounts, last seen at that second.
    #[must_use]
    pub fn new(
        principal: Principal,
        means: Means,
        (headers, room): (HeaderMap, usize),
        (generation, epoch): (u64, u64),
        seen: i64,
    ) -> Self {
        Self {
            principal: Arc::new(principal),
            means,
            headers,
            room,
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

    /// Whether such a credential can be theirs: what programs show comes in a header alone, never in a cookie, which browsers send by
    /// themselves.
    #[must_use]
    pub fn may_come_in(&self, credential: Credential<'_>) -> bool {
        !matches!((&self.means, credential), (Means::Issued { .. }, Credential::Cookie(_)))
    }

    /// Whether it can be revoked at any moment by what is written into the database.
    #[must_use]
    pub fn is_revocable(&self) -> bool {
        matches!(self.means, Means::Session { .. } | Means::PersonalKey { .. })
    }

    /// The session's token, where there is a session.
    #[must_use]
    pub fn session(&self) -> Option<&Claims> {
        match &self.means {
            Means::Session { claims, .. } => Some(claims),
            _ => None,
        }
    }

    /// How they signed in, where there is a session.
    #[must_use]
    pub fn signed_in(&self) -> Option<SignIn<'_>> {
        match &self.means {
            Means::Session { signed_in_at, acr, .. } => Some(SignIn {
                at: *signed_in_at,
                acr: acr.as_deref(),
            }),
            _ => None,
        }
    }

    /// Until when what they showed is good at most, in epoch seconds. A browser gets fresh tokens for as long as its session lasts,
    /// whoever has one in a header does not.
    #[must_use]
    pub fn good_until(&self, credential: Credential<'_>) -> Option<i64> {
        match &self.means {
            Means::Nothing => None,
            Means::Session { ends_at, .. } if credential.is_cookie() => *ends_at,
            Means::Session { claims, ends_at, .. } => [claims.expires_at, *ends_at].into_iter().flatten().min(),
            Means::Issued { expires_at } => Some(*expires_at),
            Means::PersonalKey { expires_at, .. } | Means::DeclaredKey { expires_at, .. } => *expires_at,
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
            Means::Session {
                claims, ends_at, idle, ..
            } => {
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
            Means::Issued { expires_at } => {
                if now >= expires_at.saturating_add(SKEW_SECONDS) {
                    return Err(Error::Token(crate::token::Error::Expired));
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
            Means::Issued { .. } | Means::DeclaredKey { .. } | Means::Nothing => {}
        }
    }
}
