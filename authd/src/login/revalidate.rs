//! May whoever signed in through a provider outside still be here? Asked again in the background, one person after the other.
//!
//! What the provider says now replaces what it said before, so that roles and groups follow it. Whoever is gone, kept out or no longer
//! admitted loses the sessions that began there. A provider that does not answer ends nothing, and is asked again soon.
//!
//! Each kind of provider answers in its own way, by `ask`; when it is asked, and what follows, is the same for all.

use jiff::SignedDuration;
use policy::snapshot::{Method, Provider};
use serde_json::{Value, json};

use super::arrival;
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::serving::Serving;
use crate::store::{self, Identity, Reason};

/// The most people who are asked about in one round.
const MOST: u32 = 256;

/// What a provider says of somebody who is signed in.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// They are there; these are their claims.
    There(Value),
    /// They may not be here any more, and why, as audit lines name it.
    Gone(&'static str),
    /// Nothing that helps: of them, but perhaps of others.
    Unknown,
    /// Nothing: asking about others is of no use now.
    Away,
}

/// Whether a provider can be asked without the person.
#[must_use]
pub fn can_be_asked(serving: &Serving, provider: &Provider) -> bool {
    match &provider.method {
        Method::Ldap(_) => serving
            .directories
            .get(&provider.name)
            .is_some_and(|directory| directory.looks_up()),
        Method::Password | Method::Oidc(_) | Method::GitHub(_) | Method::Jwt(_) => false,
    }
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everybody who was due was asked about.
    Done,
    /// It was given up.
    GivenUp,
}

/// Asks about everybody of whom the provider was last heard longer ago than `every`.
pub async fn round(app: &App, serving: &Serving, provider: &Provider, every: SignedDuration) -> Ended {
    let now = app.now();
    let before = now.checked_sub(every).unwrap_or(now);
    let due = match app.store.identities_due(&provider.name, before, now, MOST).await {
        Ok(due) => due,
        Err(error) => return broken(&provider.name, &error),
    };
    for identity in due {
        let answer = ask(app, serving, provider, &identity).await;
        let label = match &answer {
            Answer::There(_) => "there",
            Answer::Gone(_) => "gone",
            Answer::Unknown | Answer::Away => "unknown",
        };
        metrics::counter!("authd_revalidations_total", "provider" => provider.name.clone(), "outcome" => label)
            .increment(1);
        let followed = match answer {
            Answer::There(claims) => stay(app, serving, provider, identity, claims).await,
            Answer::Gone(reason) => end(app, &identity, reason).await,
            Answer::Unknown => Ok(()),
            Answer::Away => return Ended::GivenUp,
        };
        if let Err(error) = followed {
            return broken(&provider.name, &error);
        }
    }
    Ended::Done
}

/// Asks about one person, in the way of the provider's kind.
async fn ask(app: &App, serving: &Serving, provider: &Provider, identity: &Identity) -> Answer {
    match &provider.method {
        Method::Ldap(_) => {
            let Some(directory) = serving.directories.get(&provider.name) else {
                return Answer::Away;
            };
            match directory.look_up(&identity.subject, app.now()).await {
                Ok(person) => Answer::There(json!(person.claims)),
                Err(failure) if failure.is_of_the_person() => Answer::Gone(failure.reason()),
                Err(failure) => {
                    super::ldap::complain(&provider.name, &failure);
                    if failure.is_of_the_directory() {
                        Answer::Away
                    } else {
                        Answer::Unknown
                    }
                }
            }
        }
        Method::Password | Method::Oidc(_) | Method::GitHub(_) | Method::Jwt(_) => Answer::Away,
    }
}

/// Takes over what the provider says now, and ends the sessions of somebody whom that does not admit.
async fn stay(
    app: &App,
    serving: &Serving,
    provider: &Provider,
    identity: Identity,
    claims: Value,
) -> Result<(), store::Error> {
    match arrival::again(app, serving, provider, &identity, claims).await {
        Ok(()) => Ok(()),
        Err(arrival::Error::Unavailable(error)) => Err(error),
        Err(error) => end(app, &identity, error.reason()).await,
    }
}

async fn end(app: &App, identity: &Identity, reason: &'static str) -> Result<(), store::Error> {
    let (provider, user) = (&identity.provider, identity.user_id);
    let ended = app
        .store
        .revoke_sessions_through(provider, user, Reason::ProviderRefused, app.now())
        .await?;
    app.revoke(&ended);
    app.audit.record(Event {
        reason: Some(reason),
        subject_id: Some(user.to_string()),
        method: Some(provider.clone()),
        ..Event::new(app.now(), Kind::Revoked, Outcome::Success)
    });
    Ok(())
}

fn broken(provider: &str, error: &store::Error) -> Ended {
    tracing::warn!(provider, error = %error, "whoever is signed in was not asked about again");
    Ended::GivenUp
}
