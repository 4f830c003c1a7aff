//! Of whom is a provider to be asked again, and what follows from what it says?
//!
//! An identity is due when a session that began with it goes on, and its provider was last heard of it too long ago. Every answer is
//! written in one transaction.

use jiff::Timestamp;
use uuid::Uuid;

use super::identities::{self, ClaimsChange, Identity};
use super::revocations::{Reason, Revocation, end_sessions};
use super::sql::sql;
use super::transaction::Lock;
use super::{Error, Store, changes, sessions};

#[cfg(test)]
mod tests;

impl Store {
    /// The identities at a provider that were last heard of before `before` and have a session that goes on, the longest ago first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn identities_due(
        &self,
        provider: &str,
        before: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<Identity>, Error> {
        let query = sql(
            "SELECT * FROM identities WHERE provider = $1 AND updated_at <= $2 AND EXISTS (
                 SELECT 1 FROM sessions WHERE sessions.user_id = identities.user_id
                     AND sessions.provider = identities.provider
                     AND (sessions.expires_at IS NULL OR sessions.expires_at > $3))
             ORDER BY updated_at, subject LIMIT $4",
        );
        Ok(query
            .bind(provider)
            .bind(before)
            .bind(now)
            .bind(i64::from(most))
            .fetch_all(&self.readers)
            .await?)
    }

    /// Notes what a provider says now of somebody who is signed in; `None` for groups leaves those that it put them into.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the identity is another account's; [`Error::NotFound`] when there is no such user;
    /// [`Error::Unavailable`].
    pub async fn note_again(&self, identity: &Identity, groups: Option<&[String]>) -> Result<ClaimsChange, Error> {
        let mut transaction = self.begin(&[Lock::Account(identity.user_id)]).await?;
        let change = identities::write(&mut transaction, identity).await?;
        if let Some(groups) = groups {
            identities::replace_membership(&mut transaction, identity.user_id, &identity.provider, groups).await?;
        }
        if change == ClaimsChange::Changed {
            changes::account(&mut transaction, identity.user_id).await?;
        }
        transaction.commit().await?;
        Ok(change)
    }

    /// Ends every session of the user that began through a provider.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn revoke_sessions_through(
        &self,
        provider: &str,
        user: Uuid,
        reason: Reason,
        now: Timestamp,
    ) -> Result<Vec<Revocation>, Error> {
        let mut transaction = self.begin(&[Lock::Account(user)]).await?;
        let ended = sessions::revocable_at(&mut transaction, user, provider).await?;
        end_sessions(&mut transaction, &ended, reason, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }
}
