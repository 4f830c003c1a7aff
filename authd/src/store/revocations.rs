//! Which sessions and tokens were ended before their time?
//!
//! A revocation is written in the transaction that ends the access, and read back whole when the program starts; asking
//! whether something is revoked is done in memory, in [`crate::shared`].

use jiff::Timestamp;
use uuid::Uuid;

use super::purge::purge;
use super::sql::{FromRow, Row, generated, sql, undecodable};
use super::transaction::Transaction;
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// How long a revocation outlives what it revokes, so that clocks that differ and leeways never let that back in.
const KEPT_AFTER_EXPIRY_MS: i64 = 60 * 60 * 1000;

/// How many are read by one statement.
const AT_ONCE: i64 = 10_000;
/// How many are written by one statement. PostgreSQL takes 65,535 parameters, SQLite half of that.
const WRITTEN_AT_ONCE: usize = 1_000;

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
        insert(&mut transaction, &[revocation], (reason, now), position).await?;
        Ok(transaction.commit().await?)
    }

    /// Shows every revocation that still matters: until an hour after what it revokes would have ended. There may be a million, of
    /// which some are read at a time.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn each_active_revocation(&self, now: Timestamp, mut show: impl FnMut(Revocation)) -> Result<(), Error> {
        let mut after = (String::new(), String::new());
        loop {
            let some: Vec<Revocation> = sql("SELECT kind, id, expires_at FROM revocations
                 WHERE (kind, id) > ($1, $2) AND (expires_at IS NULL OR expires_at > $3) ORDER BY kind, id LIMIT $4")
            .bind(&after.0)
            .bind(&after.1)
            .bind(still_kept(now))
            .bind(AT_ONCE)
            .fetch_all(&self.readers)
            .await?;
            let Some(last) = some.last() else {
                return Ok(());
            };
            after = (last.kind.as_str().to_owned(), last.id.to_string());
            some.into_iter().for_each(&mut show);
        }
    }

    /// Forgets the revocations that no longer matter, and returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_expired_revocations(&self, now: Timestamp) -> Result<u64, Error> {
        purge(&self.writer, "revocations", "expires_at <= $1", still_kept(now)).await
    }
}

/// Writes revocations, within the caller's transaction.
pub(super) async fn insert(
    transaction: &mut Transaction,
    revocations: &[Revocation],
    (reason, now): (Reason, Timestamp),
    position: i64,
) -> Result<(), Error> {
    for some in revocations.chunks(WRITTEN_AT_ONCE) {
        let places = (0..some.len()).map(|row| row * 3 + 4);
        let places = places.map(|first| format!("(${first}, ${}, ${}, $1, $2, $3)", first + 1, first + 2));
        let mut statement = generated(format!(
            "INSERT INTO revocations (kind, id, expires_at, reason, created_at, position) VALUES {}
             ON CONFLICT (kind, id) DO UPDATE SET expires_at = CASE
                 WHEN revocations.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                 WHEN excluded.expires_at > revocations.expires_at THEN excluded.expires_at
                 ELSE revocations.expires_at END, position = excluded.position",
            places.collect::<Vec<_>>().join(", ")
        ))
        .bind(reason.as_str())
        .bind(now)
        .bind(position);
        for revocation in some {
            statement = statement
                .bind(revocation.kind.as_str())
                .bind(revocation.id)
                .bind(revocation.expires_at);
        }
        statement.execute(&mut *transaction).await?;
    }
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
    insert(transaction, sessions, (reason, now), position).await
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
