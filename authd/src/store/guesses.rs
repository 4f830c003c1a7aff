//! Which guesses at passwords failed?
//!
//! Rows are written for failures alone, and read back whole when the program starts; whether somebody may guess is asked in
//! memory, in [`crate::shared`], where a subject is made and what it stands for is known.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;

use super::purge::purge;
use super::sql::{FromRow, Row, sql, undecodable};
use super::transaction::{Lock, Transaction};
use super::{Error, Store};

#[cfg(test)]
mod tests;

/// How many rows of a kind are read back: as many as memory has room for.
const MOST: i64 = 100_000;

/// What happened to a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuessChange {
    /// A guess failed.
    Failed {
        /// Whose.
        subject: String,
        /// When.
        at: Timestamp,
        /// From when on it counts no more.
        expires_at: Timestamp,
    },
    /// The limit was reached; the failures that led to it are done with.
    Blocked {
        /// Who waits.
        subject: String,
        /// Until when.
        until: Timestamp,
        /// How often, since the last success.
        blocks: u32,
        /// From when on it is forgotten.
        expires_at: Timestamp,
    },
    /// A guess was right: nothing is held against the subject.
    Forgiven {
        /// Whose.
        subject: String,
    },
}

/// What is held against a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptGuesses {
    /// When guesses failed, the oldest first.
    pub failures: Vec<Timestamp>,
    /// Until when it waits or waited, and how often the limit was reached.
    pub block: Option<(Timestamp, u32)>,
}

impl Store {
    /// Writes down what happened, in this order, all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn write_guesses(&self, changes: &[GuessChange]) -> Result<(), Error> {
        let mut transaction = self.begin(&[Lock::Guesses]).await?;
        for change in changes {
            write(&mut transaction, change).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// What is held against whom, by subject.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn kept_guesses(&self, now: Timestamp) -> Result<BTreeMap<String, KeptGuesses>, Error> {
        let mut kept: BTreeMap<String, KeptGuesses> = BTreeMap::new();
        let failed = "SELECT subject, at FROM failed_guesses WHERE expires_at > $1 ORDER BY at DESC LIMIT $2";
        let blocked = "SELECT subject, blocked_until, blocks FROM blocked_subjects WHERE expires_at > $1
                       ORDER BY blocked_until DESC LIMIT $2";
        let failed: Vec<Failure> = sql(failed).bind(now).bind(MOST).fetch_all(&self.readers).await?;
        for Failure { subject, at } in failed.into_iter().rev() {
            kept.entry(subject).or_default().failures.push(at);
        }
        let blocked: Vec<Block> = sql(blocked).bind(now).bind(MOST).fetch_all(&self.readers).await?;
        for Block { subject, until, blocks } in blocked {
            kept.entry(subject).or_default().block = Some((until, blocks));
        }
        Ok(kept)
    }

    /// Deletes what counts no more, and returns how many rows that were.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_expired_guesses(&self, now: Timestamp) -> Result<u64, Error> {
        let mut gone = 0;
        for table in ["failed_guesses", "blocked_subjects"] {
            gone += purge(&self.writer, table, "expires_at <= $1", now.as_millisecond()).await?;
        }
        Ok(gone)
    }

    /// The e-mail address of each account that is signed in, and from where, the one used last first; of very many sessions the
    /// newest.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn addresses_in_use(&self, now: Timestamp) -> Result<Vec<(String, IpAddr)>, Error> {
        let query = sql("SELECT users.email, newest.client_address FROM (
                 SELECT user_id, client_address, last_seen_at FROM sessions WHERE expires_at IS NULL OR expires_at > $1
                 ORDER BY id DESC LIMIT $2) AS newest
             JOIN users ON users.id = newest.user_id
             GROUP BY users.email, newest.client_address ORDER BY MAX(newest.last_seen_at) DESC");
        let rows: Vec<Use> = query.bind(now).bind(MOST).fetch_all(&self.readers).await?;
        Ok(rows
            .into_iter()
            .filter_map(|Use { email, address }| Some((email, address.parse().ok()?)))
            .collect())
    }
}

struct Failure {
    subject: String,
    at: Timestamp,
}

impl FromRow for Failure {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            subject: row.read("subject")?,
            at: row.time("at")?,
        })
    }
}

struct Block {
    subject: String,
    until: Timestamp,
    blocks: u32,
}

impl FromRow for Block {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let blocks: i64 = row.read("blocks")?;
        Ok(Self {
            subject: row.read("subject")?,
            until: row.time("blocked_until")?,
            blocks: u32::try_from(blocks).map_err(|cause| undecodable("blocks", cause))?,
        })
    }
}

struct Use {
    email: String,
    address: String,
}

impl FromRow for Use {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            email: row.read("email")?,
            address: row.read("client_address")?,
        })
    }
}

async fn write(transaction: &mut Transaction, change: &GuessChange) -> Result<(), Error> {
    match change {
        GuessChange::Failed {
            subject,
            at,
            expires_at,
        } => {
            sql("INSERT INTO failed_guesses (subject, at, expires_at) VALUES ($1, $2, $3)")
                .bind(subject)
                .bind(*at)
                .bind(*expires_at)
                .execute(transaction)
                .await?;
        }
        GuessChange::Blocked {
            subject,
            until,
            blocks,
            expires_at,
        } => {
            forget(transaction, "DELETE FROM failed_guesses WHERE subject = $1", subject).await?;
            sql(
                "INSERT INTO blocked_subjects (subject, blocked_until, blocks, expires_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (subject) DO UPDATE SET blocked_until = excluded.blocked_until, blocks = excluded.blocks,
                     expires_at = excluded.expires_at",
            )
            .bind(subject)
            .bind(*until)
            .bind(i64::from(*blocks))
            .bind(*expires_at)
            .execute(transaction)
            .await?;
        }
        GuessChange::Forgiven { subject } => {
            forget(transaction, "DELETE FROM failed_guesses WHERE subject = $1", subject).await?;
            forget(transaction, "DELETE FROM blocked_subjects WHERE subject = $1", subject).await?;
        }
    }
    Ok(())
}

async fn forget(transaction: &mut Transaction, delete: &'static str, subject: &str) -> Result<(), Error> {
    sql(delete).bind(subject).execute(transaction).await?;
    Ok(())
}
