//! Of whom is a provider to be asked again, and what follows from what it says?
//!
//! An identity is due when a session that began with it goes on, or its account has a key, and its provider was last heard of it too
//! long ago. Whoever asks takes it for a while, so that of many replicas one does. Every answer is written in one transaction.

use jiff::Timestamp;

use super::identities::{self, ClaimsChange, Identity};
use super::revocations::{Reason, Revocation, end_sessions};
use super::sql::sql;
use super::transaction::{Lock, Transaction};
use super::{Error, Store, changes, sessions};

#[cfg(test)]
mod tests;

impl Store {
    /// The identities at a provider that are due, as it was last heard of them before `before`, the longest ago first.
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
            "SELECT * FROM identities WHERE provider = $1 AND updated_at <= $2 AND leased_until <= $3 AND (
                 EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = identities.user_id
                     AND sessions.provider = identities.provider
                     AND (sessions.expires_at IS NULL OR sessions.expires_at > $3))
                 OR EXISTS (SELECT 1 FROM api_keys WHERE api_keys.user_id = identities.user_id
                     AND (api_keys.expires_at IS NULL OR api_keys.expires_at > $3)))
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

    /// Takes an identity until `until`, and returns whether nobody else has it or has asked meanwhile.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn take_identity(&self, identity: &Identity, now: Timestamp, until: Timestamp) -> Result<bool, Error> {
        let done = sql("UPDATE identities SET leased_until = $5
             WHERE provider = $1 AND subject = $2 AND updated_at = $3 AND leased_until <= $4")
        .bind(&identity.provider)
        .bind(&identity.subject)
        .bind(identity.updated_at)
        .bind(now)
        .bind(until)
        .execute(&self.writer)
        .await?;
        Ok(done == 1)
    }

    /// Gives back an identity of which nothing was heard.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn give_back_identity(&self, identity: &Identity) -> Result<(), Error> {
        sql("UPDATE identities SET leased_until = 0 WHERE provider = $1 AND subject = $2")
            .bind(&identity.provider)
            .bind(&identity.subject)
            .execute(&self.writer)
            .await?;
        Ok(())
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

    /// Notes that a provider no longer lets the person in, and ends every session that began through it. Keys open nothing through it
    /// until it lets them in again.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn refuse_identity(&self, identity: &Identity, now: Timestamp) -> Result<Vec<Revocation>, Error> {
        let mut transaction = self.begin(&[Lock::Account(identity.user_id)]).await?;
        let refused = Identity {
            updated_at: now,
            refused_at: identity.refused_at.or(Some(now)),
            ..identity.clone()
        };
        identities::write(&mut transaction, &refused).await?;
        changes::account(&mut transaction, identity.user_id).await?;
        let ended = end_through(&mut transaction, identity, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Ends every session of a person that began through a provider.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn revoke_sessions_through(&self, identity: &Identity, now: Timestamp) -> Result<Vec<Revocation>, Error> {
        let mut transaction = self.begin(&[Lock::Account(identity.user_id)]).await?;
        let ended = end_through(&mut transaction, identity, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }
}

async fn end_through(
    transaction: &mut Transaction,
    identity: &Identity,
    now: Timestamp,
) -> Result<Vec<Revocation>, Error> {
    let ended = sessions::revocable_at(transaction, identity.user_id, &identity.provider).await?;
    end_sessions(transaction, &ended, Reason::ProviderRefused, now).await?;
    Ok(ended)
}
