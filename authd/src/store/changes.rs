//! What did other replicas write that this one keeps in memory?
//!
//! Every revocation and every change of an account takes a position. A replica asks again and again for what came after the last
//! position that it knows; a change is with every replica soon after it is committed, and a check of a request asks nothing.

use uuid::Uuid;

use super::revocations::Revocation;
use super::sql::{FromRow, Row, sql};
use super::transaction::Transaction;
use super::{ActiveKey, Error, Store, keys};

#[cfg(test)]
mod tests;

/// What was written after a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The position up to which this is everything.
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

    /// Everything that was written after the position.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn changes_since(&self, position: i64) -> Result<Changes, Error> {
        // Asked first: what has a position up to this one is committed, and found by what is asked next.
        let last = self.position().await?;
        if last == position {
            return Ok(Changes {
                position,
                ..Changes::default()
            });
        }
        let revocations = sql("SELECT kind, id, expires_at FROM revocations WHERE position > $1").bind(position);
        let accounts = sql("SELECT user_id FROM changed_accounts WHERE position > $1").bind(position);
        let accounts: Vec<Account> = accounts.fetch_all(&self.readers).await?;
        Ok(Changes {
            position: last,
            revocations: revocations.fetch_all(&self.readers).await?,
            accounts: accounts.into_iter().map(|Account(id)| id).collect(),
        })
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
