//! Sessions of everybody, for whoever runs the instance.

use jiff::Timestamp;

use super::revocations::Reason;
use super::sessions::Session;
use super::sql::{FromRow, Row, sql};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// A session, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The session.
    pub session: Session,
    /// The address of its account.
    pub email: String,
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

    /// Ends every session of everybody, and returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn revoke_every_session(&self, reason: Reason, now: Timestamp) -> Result<u64, Error> {
        let mut transaction = self.begin(&[]).await?;
        let position = changes::next(&mut transaction).await?;
        sql(
            "INSERT INTO revocations (kind, id, expires_at, reason, created_at, position)
             SELECT 'session', id, expires_at, $1, $2, $3 FROM sessions WHERE TRUE ON CONFLICT (kind, id) DO NOTHING",
        )
        .bind(reason.as_str())
        .bind(now)
        .bind(position)
        .execute(&mut transaction)
        .await?;
        let ended = sql("DELETE FROM sessions").execute(&mut transaction).await?;
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
