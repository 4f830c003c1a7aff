//! Which sessions and tokens were ended before their time?
//!
//! A revocation is written in the transaction that ends the access, and read back whole when the program starts; asking
//! whether something is revoked is done in memory, in [`crate::shared`].

use jiff::Timestamp;
use uuid::Uuid;

use super::sql::{FromRow, Row, sql, undecodable};
use super::transaction::Transaction;
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// How long a revocation outlives what it revokes, so that clocks that differ and leeways never let that back in.
const KEPT_AFTER_EXPIRY_MS: i64 = 60 * 60 * 1000;

/// What kind of thing was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationKind {
    /// A session, by its `sid`: all its tokens are refused.
    Session,
    /// One token, by its `jti`.
    Token,
}

/// Why access was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The person signed out.
    SignedOut,
    /// The owner ended one of their other sessions.
    EndedByOwner,
    /// An admin ended it.
    EndedByAdmin,
    /// The password was changed.
    PasswordChanged,
    /// The role was changed.
    RoleChanged,
    /// The account was disabled.
    AccountDisabled,
    /// The account was deleted.
    AccountDeleted,
    /// The person had more sessions than are allowed.
    TooManySessions,
    /// The provider says that the person may no longer be here.
    ProviderRefused,
}

/// A session or token that must be refused from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What `id` is the id of.
    pub kind: RevocationKind,
    /// The `sid` or `jti`.
    pub id: Uuid,
    /// When what is revoked ends anyway; `None` is never.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// Revokes a session or token; one that is revoked already stays so for the longer of both times.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn add_revocation(&self, revocation: Revocation, reason: Reason, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin(&[]).await?;
        let position = changes::next(&mut transaction).await?;
        insert(&mut transaction, &revocation, (reason, now), position).await?;
        Ok(transaction.commit().await?)
    }

    /// Every revocation that still matters: until an hour after what it revokes would have ended.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn load_active_revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, Error> {
        let rows = sql("SELECT kind, id, expires_at FROM revocations WHERE expires_at IS NULL OR expires_at > $1")
            .bind(still_kept(now))
            .fetch_all(&self.readers)
            .await?;
        Ok(rows)
    }

    /// Forgets the revocations that no longer matter, and returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_expired_revocations(&self, now: Timestamp) -> Result<u64, Error> {
        let done = sql("DELETE FROM revocations WHERE expires_at <= $1")
            .bind(still_kept(now))
            .execute(&self.writer)
            .await?;
        Ok(done)
    }
}

/// Writes one revocation, within the caller's transaction or on its own.
async fn insert(
    transaction: &mut Transaction,
    revocation: &Revocation,
    (reason, now): (Reason, Timestamp),
    position: i64,
) -> Result<(), Error> {
    sql(
        "INSERT INTO revocations (kind, id, expires_at, reason, created_at, position) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (kind, id) DO UPDATE SET expires_at = CASE
             WHEN revocations.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
             WHEN excluded.expires_at > revocations.expires_at THEN excluded.expires_at
             ELSE revocations.expires_at END, position = excluded.position",
    )
    .bind(revocation.kind.as_str())
    .bind(revocation.id)
    .bind(revocation.expires_at)
    .bind(reason.as_str())
    .bind(now)
    .bind(position)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Ends the sessions that the revocations name: their rows go, and the revocations stay.
pub(super) async fn end_sessions(
    transaction: &mut Transaction,
    sessions: &[Revocation],
    reason: Reason,
    now: Timestamp,
) -> Result<(), Error> {
    for session in sessions {
        sql("DELETE FROM sessions WHERE id = $1")
            .bind(session.id)
            .execute(&mut *transaction)
            .await?;
    }
    if sessions.is_empty() {
        return Ok(());
    }
    let position = changes::next(transaction).await?;
    for session in sessions {
        insert(transaction, session, (reason, now), position).await?;
    }
    Ok(())
}

fn still_kept(now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(KEPT_AFTER_EXPIRY_MS)
}

impl RevocationKind {
    /// The word for it in rows and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
        }
    }
}

impl Reason {
    /// The word for it in rows and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::EndedByOwner => "ended-by-owner",
            Self::EndedByAdmin => "ended-by-admin",
            Self::PasswordChanged => "password-changed",
            Self::RoleChanged => "role-changed",
            Self::AccountDisabled => "account-disabled",
            Self::AccountDeleted => "account-deleted",
            Self::TooManySessions => "too-many-sessions",
            Self::ProviderRefused => "provider-refused",
        }
    }
}

impl FromRow for Revocation {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let kind: String = row.read("kind")?;
        let kind = match kind.as_str() {
            "session" => RevocationKind::Session,
            "token" => RevocationKind::Token,
            other => {
                return Err(undecodable("kind", format!("`{other}` is no kind of revocation")));
            }
        };
        Ok(Self {
            kind,
            id: row.id("id")?,
            expires_at: row.optional_time("expires_at")?,
        })
    }
}
