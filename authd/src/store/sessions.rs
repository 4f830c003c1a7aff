//! Where is each person signed in?
//!
//! A session that is ended becomes a revocation and its row goes; whether a session is revoked is asked in memory. Tokens
//! are not here: they are signed, and nothing of them is kept.

use jiff::Timestamp;
use uuid::Uuid;

use super::purge::purge;
use super::revocations::{Reason, Revocation, RevocationKind, end_sessions};
use super::sql::{FromRow, Row, sql};
use super::transaction::{Lock, Transaction};
use super::{Error, Store};

#[cfg(test)]
mod tests;

/// A person signed in on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The name of the provider through which the person signed in.
    pub provider: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When the person proved who they are; `None`: nobody can tell.
    pub signed_in_at: Option<Timestamp>,
    /// In which class the provider put that (`acr`), where it said.
    pub acr: Option<String>,
    /// When it was last used, as far as [`Store::touch_sessions`] was told.
    pub last_seen_at: Timestamp,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The address that the person signed in from.
    pub client_address: String,
    /// The browser, as it calls itself.
    pub user_agent: String,
}

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// A new id, from [`crate::random::Random::id`].
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The name of the provider through which the person signed in.
    pub provider: String,
    /// When it begins.
    pub created_at: Timestamp,
    /// When the person proved who they are; `None`: nobody can tell.
    pub signed_in_at: Option<Timestamp>,
    /// In which class the provider put that (`acr`), where it said.
    pub acr: Option<String>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The address that the person signed in from.
    pub client_address: String,
    /// The browser, as it calls itself.
    pub user_agent: String,
}

impl Store {
    /// Begins a session, and ends those of the user beyond `most`, in one transaction: nobody ever has more.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user does not exist or is disabled; [`Error::Conflict`] when the id is taken;
    /// [`Error::Unavailable`].
    pub async fn begin_session(&self, session: &NewSession, most: u32) -> Result<(Session, Vec<Revocation>), Error> {
        let mut transaction = self.begin(&[Lock::Account(session.user_id)]).await?;
        let begun = insert(&mut transaction, session).await?;
        let ended = evict_oldest(&mut transaction, &begun, most, session.created_at).await?;
        transaction.commit().await?;
        Ok((begun, ended))
    }

    /// The session with the id, expired or not; `None` once it is ended.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn session_by_id(&self, id: Uuid) -> Result<Option<Session>, Error> {
        let query = sql("SELECT * FROM sessions WHERE id = $1").bind(id);
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// The user's sessions that have not ended, the one used last first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn sessions_of(&self, user: Uuid, now: Timestamp) -> Result<Vec<Session>, Error> {
        let query = sql(
            "SELECT * FROM sessions WHERE user_id = $1 AND (expires_at IS NULL OR expires_at > $2)
             ORDER BY last_seen_at DESC, created_at DESC, id DESC",
        );
        Ok(query.bind(user).bind(now).fetch_all(&self.readers).await?)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such session or it was ended before; [`Error::Unavailable`].
    pub async fn revoke_session(&self, id: Uuid, reason: Reason, now: Timestamp) -> Result<Revocation, Error> {
        let mut transaction = self.begin(&[]).await?;
        let ended: Ending = sql("SELECT id, expires_at FROM sessions WHERE id = $1")
            .bind(id)
            .fetch_one(&mut transaction)
            .await?;
        end_sessions(&mut transaction, &[ended.0], reason, now).await?;
        transaction.commit().await?;
        Ok(ended.0)
    }

    /// Ends every session of the user, but the one to keep.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn revoke_sessions_of(
        &self,
        user: Uuid,
        keep: Option<Uuid>,
        reason: Reason,
        now: Timestamp,
    ) -> Result<Vec<Revocation>, Error> {
        let mut transaction = self.begin(&[Lock::Account(user)]).await?;
        let ended = revocable(&mut transaction, user, keep).await?;
        end_sessions(&mut transaction, &ended, reason, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Notes when sessions were last used, in one transaction; a time before the one noted changes nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn touch_sessions(&self, seen: &[(Uuid, Timestamp)]) -> Result<(), Error> {
        let mut transaction = self.begin(&[Lock::Uses]).await?;
        for (id, at) in seen {
            sql("UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2")
                .bind(*id)
                .bind(*at)
                .execute(&mut transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Forgets every session, and returns how many: whoever was signed in is not any more.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_sessions(&self) -> Result<u64, Error> {
        Ok(sql("DELETE FROM sessions").execute(&self.writer).await?)
    }

    /// Forgets the sessions that have expired, and returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_expired_sessions(&self, now: Timestamp) -> Result<u64, Error> {
        purge(&self.writer, "sessions", "expires_at <= $1", now.as_millisecond()).await
    }
}

/// Makes a session, within the caller's transaction.
pub(super) async fn insert(transaction: &mut Transaction, session: &NewSession) -> Result<Session, Error> {
    // Asked here, so that a sign-in that began before an account was disabled does not outlive that.
    let query = sql(
        "INSERT INTO sessions (id, user_id, provider, created_at, last_seen_at, expires_at, client_address,
             user_agent, signed_in_at, acr)
         SELECT $1, id, $3, $4, $4, $5, $6, $7, $8, $9 FROM users WHERE id = $2 AND disabled = FALSE RETURNING *",
    );
    Ok(query
        .bind(session.id)
        .bind(session.user_id)
        .bind(&session.provider)
        .bind(session.created_at)
        .bind(session.expires_at)
        .bind(&session.client_address)
        .bind(&session.user_agent)
        .bind(session.signed_in_at)
        .bind(session.acr.as_deref())
        .fetch_one(transaction)
        .await?)
}

/// Ends the user's sessions but the one that begins and those used last, `most` in all, within the caller's transaction.
pub(super) async fn evict_oldest(
    transaction: &mut Transaction,
    begun: &Session,
    most: u32,
    now: Timestamp,
) -> Result<Vec<Revocation>, Error> {
    // Others may have been used later than now: by the clock of another replica.
    let ended: Vec<Ending> = sql("SELECT id, expires_at FROM sessions WHERE user_id = $1 AND id <> $2
         ORDER BY CASE WHEN expires_at <= $3 THEN 1 ELSE 0 END, last_seen_at DESC, created_at DESC, id DESC
         LIMIT $4 OFFSET $5")
    .bind(begun.user_id)
    .bind(begun.id)
    .bind(now)
    .bind(i64::MAX)
    .bind(i64::from(most).saturating_sub(1))
    .fetch_all(&mut *transaction)
    .await?;
    let ended: Vec<_> = ended.into_iter().map(|Ending(revocation)| revocation).collect();
    end_sessions(transaction, &ended, Reason::TooManySessions, now).await?;
    Ok(ended)
}

/// What must be revoked to end the user's sessions, but the one to keep.
pub(super) async fn revocable(
    transaction: &mut Transaction,
    user: Uuid,
    keep: Option<Uuid>,
) -> Result<Vec<Revocation>, Error> {
    let endings: Vec<Ending> = sql("SELECT id, expires_at FROM sessions WHERE user_id = $1 AND id <> $2")
        .bind(user)
        // No session has an empty id.
        .bind(keep.map(|id| id.to_string()).unwrap_or_default())
        .fetch_all(transaction)
        .await?;
    Ok(endings.into_iter().map(|Ending(revocation)| revocation).collect())
}

/// What must be revoked to end the user's sessions that began at a provider.
pub(super) async fn revocable_at(
    transaction: &mut Transaction,
    user: Uuid,
    provider: &str,
) -> Result<Vec<Revocation>, Error> {
    let endings: Vec<Ending> = sql("SELECT id, expires_at FROM sessions WHERE user_id = $1 AND provider = $2")
        .bind(user)
        .bind(provider)
        .fetch_all(transaction)
        .await?;
    Ok(endings.into_iter().map(|Ending(revocation)| revocation).collect())
}

/// A session's row, read as that which ends it.
pub(super) struct Ending(pub(super) Revocation);

impl FromRow for Ending {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self(Revocation {
            kind: RevocationKind::Session,
            id: row.id("id")?,
            expires_at: row.optional_time("expires_at")?,
        }))
    }
}

impl FromRow for Session {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.id("id")?,
            user_id: row.id("user_id")?,
            provider: row.read("provider")?,
            created_at: row.time("created_at")?,
            signed_in_at: row.optional_time("signed_in_at")?,
            acr: row.read("acr")?,
            last_seen_at: row.time("last_seen_at")?,
            expires_at: row.optional_time("expires_at")?,
            client_address: row.read("client_address")?,
            user_agent: row.read("user_agent")?,
        })
    }
}
