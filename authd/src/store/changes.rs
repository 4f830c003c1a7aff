//! What did other replicas write that this one keeps in memory?
//!
//! Every revocation and every change of an account takes a position. A replica asks again and again for what came after the last
//! position that it knows; a change is with every replica soon after it is committed, and a check of a request asks nothing. Changes
//! are not kept for ever: whoever was away for too many of them reads everything again.

use uuid::Uuid;

use super::purge::purge;
use super::revocations::Revocation;
use super::sql::{FromRow, Row, sql};
use super::transaction::Transaction;
use super::{ActiveKey, Error, Store, keys};

#[cfg(test)]
mod tests;

/// How many positions changes are kept for.
const KEPT: i64 = 100_000;

/// About how many revocations are read together; the rest is read next.
const REVOCATIONS: i64 = 10_000;
/// How many accounts are looked at one by one; where more changed, everything is read again.
const ACCOUNTS: i64 = 1_000;

/// What was written after a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The position up to which this is everything; more may follow.
    pub position: i64,
    /// What was revoked.
    pub revocations: Vec<Revocation>,
    /// Accounts of which rights, name, groups or keys changed.
    pub accounts: Vec<Uuid>,
}

impl Store {
    /// The position of the last change.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn position(&self) -> Result<i64, Error> {
        let query = sql("SELECT last FROM positions WHERE name = 'changes'");
        Ok(query.fetch_one(&self.readers).await?)
    }

    /// What was written next after the position; `None` where more was than is kept, or the database is an older one: then everything
    /// is to be read again.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn changes_since(&self, position: i64) -> Result<Option<Changes>, Error> {
        let is_kept = |last: i64| (0..=KEPT).contains(&last.saturating_sub(position));
        // Asked first: what has a position up to this one is committed, and found by what is asked next.
        let last = self.position().await?;
        if last == position {
            return Ok(Some(Changes {
                position,
                ..Changes::default()
            }));
        }
        if !is_kept(last) {
            return Ok(None);
        }
        let upto = self.some_since(position).await?.unwrap_or(last);
        let revocations =
            sql("SELECT kind, id, expires_at FROM revocations WHERE position > $1 AND position <= $2").bind(position);
        let accounts = sql(
            "SELECT user_id FROM changed_accounts WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
        );
        let accounts = accounts.bind(position).bind(upto).bind(ACCOUNTS + 1);
        let accounts: Vec<Account> = accounts.fetch_all(&self.readers).await?;
        let changes = Changes {
            position: upto,
            revocations: revocations.bind(upto).fetch_all(&self.readers).await?,
            accounts: accounts.into_iter().map(|Account(id)| id).collect(),
        };
        let are_few = i64::try_from(changes.accounts.len()).is_ok_and(|count| count <= ACCOUNTS);
        // Some may have gone while they were read.
        Ok((are_few && is_kept(self.position().await?)).then_some(changes))
    }

    /// The position up to which there are some revocations after this one; `None` where there are no more than some.
    async fn some_since(&self, position: i64) -> Result<Option<i64>, Error> {
        let next = sql("SELECT position FROM revocations WHERE position > $1 ORDER BY position LIMIT 1 OFFSET $2");
        let next: Option<i64> = next
            .bind(position)
            .bind(REVOCATIONS)
            .fetch_optional(&self.readers)
            .await?;
        // All of one position are read together.
        Ok(next.map(|next| next.saturating_sub(1).max(position.saturating_add(1))))
    }

    /// Forgets the changes of accounts that are not kept any more, and returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_changes(&self) -> Result<u64, Error> {
        let before = self.position().await?.saturating_sub(KEPT);
        purge(&self.writer, "changed_accounts", "position <= $1", before).await
    }

    /// The keys of the account that open something now.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn active_keys_of(&self, user: Uuid, now: jiff::Timestamp) -> Result<Vec<ActiveKey>, Error> {
        keys::active_of(&self.readers, user, now).await
    }
}

/// Takes the next position. Nothing else is waited for after that: see [`super::transaction`].
pub(super) async fn next(transaction: &mut Transaction) -> Result<i64, Error> {
    let query = sql("UPDATE positions SET last = last + 1 WHERE name = 'changes' RETURNING last");
    Ok(query.fetch_one(transaction).await?)
}

/// Notes that something of the account changed that replicas keep in memory.
pub(super) async fn account(transaction: &mut Transaction, user: Uuid) -> Result<(), Error> {
    let position = next(transaction).await?;
    sql("INSERT INTO changed_accounts (user_id, position) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET position = excluded.position")
    .bind(user)
    .bind(position)
    .execute(transaction)
    .await?;
    Ok(())
}

struct Account(Uuid);

impl FromRow for Account {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        row.id("user_id").map(Self)
    }
}
