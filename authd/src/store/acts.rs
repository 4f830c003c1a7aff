//! What did somebody do with a command that no audit line tells of yet?
//!
//! A command has no audit lines of its own: what it did is noted beside the rows that it changed, and a server that runs, or the next
//! that starts, tells of it. It goes once it is told: of several replicas one tells, and one that dies meanwhile leaves it to another.

use jiff::Timestamp;
use uuid::Uuid;

use super::sql::{FromRow, Row, sql, undecodable};
use super::transaction::Lock;
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// How many are told at once.
const AT_ONCE: i64 = 100;

/// Something that was done with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// A new id, from [`crate::random::Random::id`].
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// Who did it: their name in the operating system, and the machine.
    pub actor: String,
    /// To whom or what.
    pub subject: String,
}

/// What was done with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Sessions were listed.
    SessionsListed,
    /// Sessions were ended.
    SessionsEnded,
    /// Accounts were taken over from another program.
    AccountsImported,
    /// A key that signs session tokens was taken away.
    SigningKeyRevoked,
}

impl Store {
    /// Notes something that was done.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn note_act(&self, act: &Act) -> Result<(), Error> {
        let mut transaction = self.begin(&[]).await?;
        sql("INSERT INTO acts (id, at, what, actor, subject) VALUES ($1, $2, $3, $4, $5)")
            .bind(act.id)
            .bind(act.at)
            .bind(act.what.as_str())
            .bind(&act.actor)
            .bind(&act.subject)
            .execute(&mut transaction)
            .await?;
        // So that servers look.
        changes::next(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Has the next acts told, the oldest first, and forgets them if they were; returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: they may be told again.
    pub async fn tell_acts(&self, tell: impl FnOnce(&[Act]) -> bool) -> Result<usize, Error> {
        let waiting: Option<i64> = sql("SELECT at FROM acts LIMIT 1").fetch_optional(&self.readers).await?;
        if waiting.is_none() {
            return Ok(0);
        }
        let mut transaction = self.begin(&[Lock::Acts]).await?;
        let acts: Vec<Act> = sql("SELECT * FROM acts ORDER BY at, id LIMIT $1")
            .bind(AT_ONCE)
            .fetch_all(&mut transaction)
            .await?;
        if !tell(&acts) {
            return Ok(0);
        }
        for act in &acts {
            sql("DELETE FROM acts WHERE id = $1")
                .bind(act.id)
                .execute(&mut transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(acts.len())
    }
}

impl What {
    /// The word for it in rows.
    fn as_str(self) -> &'static str {
        match self {
            Self::SessionsListed => "sessions-listed",
            Self::SessionsEnded => "sessions-ended",
            Self::AccountsImported => "accounts-imported",
            Self::SigningKeyRevoked => "signing-key-revoked",
        }
    }
}

impl FromRow for Act {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let what: String = row.read("what")?;
        let all = [
            What::SessionsListed,
            What::SessionsEnded,
            What::AccountsImported,
            What::SigningKeyRevoked,
        ];
        let known = all.into_iter().find(|known| known.as_str() == what);
        Ok(Self {
            id: row.id("id")?,
            at: row.time("at")?,
            what: known.ok_or_else(|| undecodable("what", format!("`{what}` is no kind of act")))?,
            actor: row.read("actor")?,
            subject: row.read("subject")?,
        })
    }
}
