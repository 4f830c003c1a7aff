//! Changing one's password: the current one proves who asks, the new one is judged, and every other session ends.

use std::net::{IpAddr, Ipv4Addr};

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::hashing;
use super::policy::Refusal;
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::serving::Serving;
use crate::shared::{Attempt, Limited, Purpose};
use crate::store::{self, User};

/// A change of password.
#[derive(Debug)]
pub struct Change<'a> {
    /// Whose.
    pub user: &'a User,
    /// The session that asks, which goes on.
    pub session: Uuid,
    /// The current password.
    pub current: SecretString,
    /// The new password.
    pub new: SecretString,
    /// From where it is asked.
    pub address: Option<IpAddr>,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account has none.
    #[error("the account has no password")]
    NoPassword,
    /// Passwords are switched off.
    #[error("signing in with a password is switched off")]
    Disabled,
    /// The current password is wrong.
    #[error("the current password is not right")]
    Wrong,
    /// Too many wrong ones.
    #[error("too many attempts")]
    Limited(Limited),
    /// The new one cannot be accepted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The pool is busy, or the password cannot be hashed.
    #[error(transparent)]
    Hashing(#[from] hashing::Error),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Changes a password.
///
/// # Errors
/// It stays as it is.
pub async fn change(app: &App, serving: &Serving, change: Change<'_>) -> Result<(), Error> {
    let Change {
        user,
        session,
        current,
        new,
        address,
    } = change;
    if serving.password_provider().is_none() {
        return Err(Error::Disabled);
    }
    let stored = user
        .password_hash
        .as_ref()
        .ok_or(Error::NoPassword)?
        .expose_secret()
        .to_owned();
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let attempt = Attempt {
        purpose: Purpose::PasswordChange,
        account: Some(&user.email),
        address,
    };
    let reservation = serving.limits.reserve(attempt, app.now()).await;
    let reservation = reservation.map_err(Error::Limited)?;
    match serving.hashing.verify(current, Some(stored)).await {
        Ok(verified) if verified.matches => reservation.succeeded(),
        Ok(_) | Err(hashing::Error::TooLong | hashing::Error::Nul | hashing::Error::StoredHash) => {
            app.failed(reservation).await;
            return Err(Error::Wrong);
        }
        Err(error) => {
            reservation.withdrawn();
            return Err(error.into());
        }
    }
    serving.passwords.check(new.expose_secret(), &user.email)?;
    let hash = serving.hashing.hash(new).await?;
    let ended = app
        .store
        .change_password_hash(user.id, &hash.into(), Some(session), app.now())
        .await?;
    app.end(user.id, &ended);
    app.audit.record(Event {
        actor_id: Some(user.id),
        client_address: Some(address),
        ..Event::new(app.now(), Kind::PasswordChanged, Outcome::Success)
    });
    Ok(())
}
