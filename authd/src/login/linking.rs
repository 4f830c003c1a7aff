//! Linking and unlinking ways to sign in, by whoever is signed in.

use policy::Said;
use policy::snapshot::Provider;
use serde_json::Value;
use uuid::Uuid;

use super::arrival;
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::store::{self, Identity, User};

/// Why a way to sign in was not linked or unlinked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The person at the provider has another account, or the account is another person there.
    #[error("that sign-in belongs to another account, or another one of that provider is linked already")]
    Taken,
    /// What the provider says cannot be used.
    #[error(transparent)]
    Arrival(#[from] arrival::Error),
    /// The account would be left without any way to sign in.
    #[error("it is the only way to sign in to this account")]
    LastWay,
    /// The database does not answer.
    #[error("the database does not answer")]
    Store(#[source] store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict => Self::Taken,
            error => Self::Store(error),
        }
    }
}

/// Links a person at a provider to an account. A link that is there is never replaced, and never moves.
///
/// # Errors
/// Nothing was linked.
pub async fn link(app: &App, provider: &Provider, user: Uuid, (subject, claims): (&str, Value)) -> Result<(), Error> {
    let said = Said::read(provider, &claims);
    if !provider.accounts.allows(said.email.as_deref()) {
        return Err(arrival::Error::Domain.into());
    }
    let groups = arrival::groups(app, provider, &said, user).await?;
    let identity = Identity {
        provider: provider.name.clone(),
        subject: subject.to_owned(),
        user_id: user,
        claims,
        updated_at: app.now(),
        refused_at: None,
    };
    app.store.link_identity(&identity, groups.as_deref()).await?;
    record(app, Kind::IdentityLinked, user, &provider.name);
    Ok(())
}

/// Takes a provider from an account, and ends the sessions that began there.
///
/// # Errors
/// It stays linked.
pub async fn unlink(app: &App, user: &User, provider: &str) -> Result<(), Error> {
    let identities = app.store.identities_of(user.id).await?;
    let others = identities
        .iter()
        .filter(|identity| identity.provider != provider)
        .count();
    if user.password_hash.is_none() && others == 0 {
        return Err(Error::LastWay);
    }
    let ended = app.store.unlink_identity(user.id, provider, app.now()).await?;
    app.end(user.id, &ended);
    record(app, Kind::IdentityUnlinked, user.id, provider);
    Ok(())
}

fn record(app: &App, kind: Kind, user: Uuid, provider: &str) {
    app.account_changed(user);
    app.audit.record(Event {
        actor_id: Some(user),
        method: Some(provider.to_owned()),
        ..Event::new(app.now(), kind, Outcome::Success)
    });
}
