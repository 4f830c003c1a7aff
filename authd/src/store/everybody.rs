//! Sessions of everybody, for whoever runs the instance.

use jiff::Timestamp;

use super::revocations::{self, Reason, Revocation};
use super::sessions::{Ending, Session};
use super::sql::{FromRow, Row, sql};
use super::transaction::Lock;
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// How many sessions end in one transaction: others wait for no more than that.
const AT_ONCE: i64 = 1_000;

/// A session, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The session.
    pub session: Session,
    /// The address of its account.
    pub email: String,
}

/// Whose sessions are to end.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Everybody's.
    Everybody,
    /// Of everybody who signed in through this provider.
    Provider(&'a str),
}

impl Store {
    /// At most so many sessions that have not expired, the one used last first, and how many there are.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn sessions_of_everybody(&self, most: u32, now: Timestamp) -> Result<(Vec<Owned>, u64), Error> {
        let total: i64 = sql("SELECT COUNT(*) FROM sessions WHERE expires_at IS NULL OR expires_at > $1")
            .bind(now)
            .fetch_one(&self.readers)
            .await?;
        let sessions = sql(
            "SELECT sessions.*, users.email FROM sessions JOIN users ON users.id = sessions.user_id
             WHERE sessions.expires_at IS NULL OR sessions.expires_at > $1
             ORDER BY sessions.last_seen_at DESC, sessions.id DESC LIMIT $2",
        )
        .bind(now)
        .bind(i64::from(most))
        .fetch_all(&self.readers)
        .await?;
        Ok((sessions, total.unsigned_abs()))
    }

    /// Ends every session of these people that there is, some at a time, and returns how many. One that begins meanwhile may go on;
    /// what was ended before an error stays so.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn revoke_every_session(&self, whose: Whose<'_>, reason: Reason, now: Timestamp) -> Result<u64, Error> {
        let (mut after, mut ended) = (String::new(), 0);
        loop {
            let some = self.revoke_some(whose, &after, (reason, now)).await?;
            let Some(last) = some.iter().map(|revocation| revocation.id).max() else {
                return Ok(ended);
            };
            after = last.to_string();
            ended += u64::try_from(some.len()).unwrap_or(u64::MAX);
        }
    }

    /// Ends the next sessions by their ids.
    async fn revoke_some(
        &self,
        whose: Whose<'_>,
        after: &str,
        (reason, now): (Reason, Timestamp),
    ) -> Result<Vec<Revocation>, Error> {
        // What is deleted is what is revoked: a session that begins at the same time waits, and is among the next.
        let mut transaction = self.begin(&[Lock::Sessions]).await?;
        let delete = match whose {
            Whose::Everybody => sql("DELETE FROM sessions WHERE id IN (
                     SELECT id FROM sessions WHERE id > $1 ORDER BY id LIMIT $2) RETURNING id, expires_at")
            .bind(after)
            .bind(AT_ONCE),
            Whose::Provider(name) => sql("DELETE FROM sessions WHERE id IN (
                     SELECT id FROM sessions WHERE provider = $3 AND id > $1 ORDER BY id LIMIT $2) RETURNING id, expires_at")
            .bind(after)
            .bind(AT_ONCE)
            .bind(name),
        };
        let ended: Vec<Ending> = delete.fetch_all(&mut transaction).await?;
        let ended: Vec<_> = ended.into_iter().map(|Ending(revocation)| revocation).collect();
        if !ended.is_empty() {
            let position = changes::next(&mut transaction).await?;
            revocations::insert(&mut transaction, &ended, (reason, now), position).await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }
}

impl FromRow for Owned {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            session: Session::from_row(row)?,
            email: row.read("email")?,
        })
    }
}
