//! What did providers give the sessions that began there, and which of them are to be asked again?
//!
//! A grant belongs to a session and goes with it. Whoever asks a provider about one takes it for a while, so that of many replicas
//! one asks, and a refresh token that counts once is used once. What is inside is sealed; see [`crate::seal`].

use jiff::Timestamp;
use uuid::Uuid;

use super::identities::{self, ClaimsChange, Identity};
use super::sql::{FromRow, Row, sql};
use super::transaction::{Lock, Transaction};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// What a provider gave a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The session.
    pub session: Uuid,
    /// The provider's name.
    pub provider: String,
    /// The provider's id of the person.
    pub subject: String,
    /// The provider's own name of the session, where it has one.
    pub sid: Option<String>,
    /// Tokens, sealed.
    pub sealed: Vec<u8>,
    /// When the provider is asked again; `None`: it cannot be.
    pub due_at: Option<Timestamp>,
}

/// What a provider said when it was asked again.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The session that it was asked about.
    pub session: Uuid,
    /// New tokens, sealed.
    pub sealed: Vec<u8>,
    /// When to ask again.
    pub due_at: Option<Timestamp>,
    /// What it says of the person now; `None`: nothing new.
    pub identity: Option<Identity>,
    /// The groups that it puts them into; `None`: those stay what they were.
    pub groups: Option<Vec<String>>,
}

/// By what a provider names sessions that are to end.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// The provider's own name of one session.
    Sid(&'a str),
    /// All of a person.
    Subject(&'a str),
}

impl Store {
    /// What a provider gave the session.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn grant_of(&self, session: Uuid) -> Result<Option<Grant>, Error> {
        let query = sql("SELECT * FROM grants WHERE session_id = $1").bind(session);
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// Takes at most so many of a provider's grants that are due, until `until`: nobody else gets them before.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn lease_due_grants(
        &self,
        provider: &str,
        most: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Grant>, Error> {
        let mut transaction = self.begin(&[Lock::Leases]).await?;
        let leased = sql("UPDATE grants SET leased_until = $2 WHERE session_id IN (
                 SELECT session_id FROM grants WHERE provider = $4 AND due_at <= $1 AND leased_until <= $1
                 ORDER BY due_at LIMIT $3)
             RETURNING *")
        .bind(now)
        .bind(until)
        .bind(i64::from(most))
        .bind(provider)
        .fetch_all(&mut transaction)
        .await?;
        transaction.commit().await?;
        Ok(leased)
    }

    /// Gives a grant back that could not be renewed now.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn postpone_grant(&self, session: Uuid, due_at: Timestamp) -> Result<(), Error> {
        sql("UPDATE grants SET due_at = $2, leased_until = 0 WHERE session_id = $1")
            .bind(session)
            .bind(due_at)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Writes what the provider said, all of it or nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the session has ended meanwhile: it stays so; [`Error::Unavailable`].
    pub async fn renew_grant(&self, renewal: &Renewal, now: Timestamp) -> Result<(), Error> {
        let account = renewal
            .identity
            .as_ref()
            .map(|identity| Lock::Account(identity.user_id));
        let mut transaction = self.begin(account.as_slice()).await?;
        let done =
            sql("UPDATE grants SET sealed = $2, due_at = $3, leased_until = 0, updated_at = $4 WHERE session_id = $1")
                .bind(renewal.session)
                .bind(renewal.sealed.as_slice())
                .bind(renewal.due_at)
                .bind(now)
                .execute(&mut transaction)
                .await?;
        if done == 0 {
            return Err(Error::NotFound);
        }
        if let Some(identity) = &renewal.identity {
            let change = identities::write(&mut transaction, identity).await?;
            if let Some(groups) = &renewal.groups {
                let (user, source) = (identity.user_id, &identity.provider);
                identities::replace_membership(&mut transaction, user, source, groups).await?;
            }
            if change == ClaimsChange::Changed {
                changes::account(&mut transaction, identity.user_id).await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// The sessions that began at the provider and that it names so, with their accounts.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn sessions_at(&self, provider: &str, named: Named<'_>) -> Result<Vec<Uuid>, Error> {
        let (query, name) = match named {
            Named::Sid(sid) => ("SELECT session_id FROM grants WHERE provider = $1 AND sid = $2", sid),
            Named::Subject(subject) => (
                "SELECT session_id FROM grants WHERE provider = $1 AND subject = $2",
                subject,
            ),
        };
        let rows: Vec<SessionId> = sql(query).bind(provider).bind(name).fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(|SessionId(id)| id).collect())
    }
}

/// Writes a grant, within the caller's transaction.
pub(super) async fn insert(transaction: &mut Transaction, grant: &Grant, now: Timestamp) -> Result<(), Error> {
    sql(
        "INSERT INTO grants (session_id, provider, subject, sid, sealed, due_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(grant.session)
    .bind(&grant.provider)
    .bind(&grant.subject)
    .bind(&grant.sid)
    .bind(grant.sealed.as_slice())
    .bind(grant.due_at)
    .bind(now)
    .execute(transaction)
    .await?;
    Ok(())
}

struct SessionId(Uuid);

impl FromRow for SessionId {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        row.id("session_id").map(Self)
    }
}

impl FromRow for Grant {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            session: row.id("session_id")?,
            provider: row.read("provider")?,
            subject: row.read("subject")?,
            sid: row.read("sid")?,
            sealed: row.read("sealed")?,
            due_at: row.optional_time("due_at")?,
        })
    }
}
