//! May whoever signed in through a provider outside still be here? Asked again in the background.
//!
//! What the provider says now replaces what it said before, so that roles and groups follow it. A provider that does not answer ends
//! nothing, and is asked again soon. The database lets one replica at a time ask about somebody.
//!
//! Directories are asked about people, as authd can look them up: whoever is gone or kept out loses the sessions that began there, and
//! API keys that act through the directory open nothing until it has them again. The others are asked about sessions, with the tokens
//! that they gave for each ([`super::oidc::refresh`]): a token that counts no more says nothing of a key.

use jiff::{SignedDuration, Timestamp};
use policy::snapshot::keys::ActsFor;
use policy::snapshot::{Method, Provider};
use serde_json::json;

use super::arrival;
use super::directory::Directory;
use super::oidc::refresh;
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::health;
use crate::serving::Serving;
use crate::store::{self, Identity, Revocation};
use crate::telemetry::with_causes;

/// The most people who are asked about in one round.
const MOST: u32 = 256;
/// How long whoever asks has a person for itself: longer than any directory may take.
const LEASE: SignedDuration = SignedDuration::from_secs(90);

/// What was heard of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// They are there.
    There,
    /// They may not be here any more.
    Gone,
    /// Nothing.
    Nothing,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everybody who was due was asked about.
    Done,
    /// It was given up.
    GivenUp,
}

/// Whether a provider can be asked without the person.
#[must_use]
pub fn can_be_asked(serving: &Serving, provider: &Provider) -> bool {
    match &provider.method {
        Method::Ldap(_) => serving
            .directories
            .get(&provider.name)
            .is_some_and(|directory| directory.looks_up()),
        Method::Oidc(_) | Method::GitHub(_) => true,
        Method::Password | Method::Jwt(_) => false,
    }
}

/// Asks about everybody of whom the provider was last heard longer ago than `every`.
pub async fn round(app: &App, serving: &Serving, provider: &Provider, every: SignedDuration) -> Ended {
    let asked = match serving.directories.get(&provider.name) {
        Some(directory) => {
            let round = Round {
                app,
                serving,
                provider,
                directory,
            };
            round.ask(every).await
        }
        None => refresh::round(app, serving, &provider.name).await.map(|_| Ended::Done),
    };
    asked.unwrap_or_else(|error| {
        tracing::warn!(
            provider = provider.name,
            error = with_causes(&error),
            "whoever is signed in was not asked about again"
        );
        Ended::GivenUp
    })
}

/// Counts what was heard.
pub fn count(provider: &str, heard: Heard) {
    let label = match heard {
        Heard::There => "there",
        Heard::Gone => "gone",
        Heard::Nothing => "nothing",
    };
    metrics::counter!("authd_revalidations_total", "provider" => provider.to_owned(), "outcome" => label).increment(1);
}

/// A round of a directory.
#[derive(Clone, Copy)]
struct Round<'a> {
    app: &'a App,
    serving: &'a Serving,
    provider: &'a Provider,
    directory: &'a Directory,
}

impl Round<'_> {
    async fn ask(self, every: SignedDuration) -> Result<Ended, store::Error> {
        let (store, now) = (&self.app.store, self.app.now_of_all().await?);
        let before = now.checked_sub(every).unwrap_or(Timestamp::MIN);
        let mut due = store.identities_due(&self.provider.name, before, now, MOST).await?;
        due.extend(self.owners(before).await?);
        for identity in due {
            let now = self.app.now_of_all().await?;
            let until = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
            if store.take_identity(&identity, now, until).await? && self.ask_about(identity).await? == Ended::GivenUp {
                return Ok(Ended::GivenUp);
            }
        }
        Ok(Ended::Done)
    }

    /// Those in whose name keys of ApiKey resources act.
    async fn owners(self, before: Timestamp) -> Result<Vec<Identity>, store::Error> {
        let mut due = Vec::new();
        for key in self.serving.engine.keys() {
            let ActsFor::User(email) = key.acts_for() else { continue };
            let Some(user) = self.app.store.user_by_email(email).await? else {
                continue;
            };
            let identity = self.app.store.identity_of(user.id, &self.provider.name).await?;
            due.extend(identity.filter(|identity| identity.updated_at <= before));
        }
        Ok(due)
    }

    async fn ask_about(self, identity: Identity) -> Result<Ended, store::Error> {
        let answer = self.directory.look_up(&identity.subject, self.app.now()).await;
        let (heard, ended) = match answer {
            Ok(person) => {
                self.app.health.heard(&self.provider.name, health::Heard::Works);
                self.stay(&identity, json!(person.claims)).await?;
                (Heard::There, Ended::Done)
            }
            Err(failure) if failure.is_of_the_person() => {
                self.refuse(&identity, failure.reason()).await?;
                (Heard::Gone, Ended::Done)
            }
            Err(failure) => {
                super::ldap::complain(&self.provider.name, &failure);
                if failure.is_of_the_directory() {
                    self.app.health.heard(&self.provider.name, health::Heard::Fails);
                    self.app.store.give_back_identity(&identity).await?;
                    (Heard::Nothing, Ended::GivenUp)
                } else {
                    (Heard::Nothing, Ended::Done)
                }
            }
        };
        count(&self.provider.name, heard);
        Ok(ended)
    }

    /// Takes over what the directory says now, and ends the sessions of somebody whom that does not admit.
    async fn stay(self, identity: &Identity, claims: serde_json::Value) -> Result<(), store::Error> {
        match arrival::again(self.app, self.serving, self.provider, identity, claims).await {
            Ok(()) => Ok(()),
            Err(arrival::Error::Unavailable(error)) => Err(error),
            Err(error) => {
                let ended = self.app.store.revoke_sessions_through(identity, self.app.now()).await?;
                if !ended.is_empty() {
                    self.record(identity, &ended, error.reason());
                }
                Ok(())
            }
        }
    }

    /// Lets somebody do nothing through the directory any more.
    async fn refuse(self, identity: &Identity, reason: &'static str) -> Result<(), store::Error> {
        let ended = self.app.store.refuse_identity(identity, self.app.now()).await?;
        self.app.accounts_changed();
        if identity.refused_at.is_none() || !ended.is_empty() {
            self.record(identity, &ended, reason);
        }
        Ok(())
    }

    fn record(self, identity: &Identity, ended: &[Revocation], reason: &'static str) {
        self.app.revoke(ended);
        self.app.audit.record(Event {
            reason: Some(reason),
            subject_id: Some(identity.user_id.to_string()),
            method: Some(identity.provider.clone()),
            ..Event::new(self.app.now(), Kind::Revoked, Outcome::Success)
        });
    }
}
