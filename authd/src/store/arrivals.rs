//! Somebody arrives from a provider outside: the account, what the provider says of it, its groups and its session are written in
//! one transaction, or nothing is.

use jiff::Timestamp;
use uuid::Uuid;

use super::grants::{self, Grant};
use super::identities::{self, ClaimsChange, Identity};
use super::revocations::Revocation;
use super::sessions::{self, NewSession, Session};
use super::sql::sql;
use super::transaction::{Lock, Transaction};
use super::users::{self, NewUser, User};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// Somebody who arrives.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Whose account it is.
    pub account: Account,
    /// What the provider says; its `user_id` is that of the account.
    pub identity: Identity,
    /// The groups that the provider puts them into; `None`: those stay what they were.
    pub groups: Option<Vec<String>>,
    /// What the account takes over from the provider.
    pub profile: FromProvider,
    /// The session that begins.
    pub session: NewSession,
    /// What the provider gave for it.
    pub grant: Option<Grant>,
    /// How many sessions they may have.
    pub most_sessions: u32,
    /// Now.
    pub now: Timestamp,
}

/// Whose account it is.
#[derive(Clone, Debug)]
pub enum Account {
    /// One that is there.
    Known(Uuid),
    /// One that is made now.
    New(NewUser),
}

impl Account {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::Known(id) => *id,
            Self::New(user) => user.id,
        }
    }
}

/// What an account without a password of its own takes over from its provider.
#[derive(Clone, Debug, Default)]
pub struct FromProvider {
    /// A verified address, in lower case.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// The URL of a picture.
    pub picture: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The account.
    pub user: User,
    /// The session.
    pub session: Session,
    /// The sessions that ended, as there were too many.
    pub ended: Vec<Revocation>,
    /// Whether the provider says something else than before.
    pub change: ClaimsChange,
}

impl Store {
    /// Writes all of an arrival, or nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the address or the identity is another account's by now, or the account is somebody else at the
    /// provider; [`Error::NotFound`] when the account is gone or disabled; [`Error::Unavailable`].
    pub async fn arrive(&self, arrival: &Arrival) -> Result<Arrived, Error> {
        let mut transaction = self.begin(&[Lock::Account(arrival.account.id())]).await?;
        let user = match &arrival.account {
            Account::Known(id) => *id,
            Account::New(user) => users::insert(&mut transaction, user).await?.id,
        };
        let change = identities::write(&mut transaction, &arrival.identity).await?;
        if let Some(groups) = &arrival.groups {
            identities::replace_membership(&mut transaction, user, &arrival.identity.provider, groups).await?;
        }
        let session = sessions::insert(&mut transaction, &arrival.session).await?;
        if let Some(grant) = &arrival.grant {
            grants::insert(&mut transaction, grant, arrival.now).await?;
        }
        let account = take_over(&mut transaction, user, arrival).await?;
        let ended = sessions::evict_oldest(&mut transaction, &session, arrival.most_sessions, arrival.now).await?;
        if change == ClaimsChange::Changed {
            changes::account(&mut transaction, user).await?;
        }
        transaction.commit().await?;
        Ok(Arrived {
            user: account,
            session,
            ended,
            change,
        })
    }
}

/// Brings the account up to what the provider says, and notes that they signed in. An address that another account has stays with
/// that one.
async fn take_over(transaction: &mut Transaction, user: Uuid, arrival: &Arrival) -> Result<User, Error> {
    let query = sql("UPDATE users SET
             email = CASE WHEN password_hash IS NULL AND $2 IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM users AS other WHERE other.email = $2 AND other.id <> $1)
                 THEN $2 ELSE email END,
             email_verified = CASE WHEN $2 IS NOT NULL AND (email = $2 OR password_hash IS NULL
                 AND NOT EXISTS (SELECT 1 FROM users AS other WHERE other.email = $2 AND other.id <> $1))
                 THEN TRUE ELSE email_verified END,
             name = CASE WHEN password_hash IS NULL THEN COALESCE($3, name) ELSE name END,
             profile_image_url = CASE WHEN password_hash IS NULL THEN COALESCE($4, profile_image_url)
                 ELSE profile_image_url END,
             last_sign_in_at = $5
         WHERE id = $1 RETURNING *");
    let FromProvider { email, name, picture } = &arrival.profile;
    Ok(query
        .bind(user)
        .bind(email)
        .bind(name)
        .bind(picture)
        .bind(arrival.now)
        .fetch_one(transaction)
        .await?)
}
