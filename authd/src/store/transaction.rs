//! What is written together, and what nobody else may change meanwhile?
//!
//! SQLite has one writer at a time, so that a transaction there has everything for itself. On PostgreSQL several replicas write at
//! once; a transaction that decides by what it reads names what that is, and whoever else names it waits. Whoever names nothing
//! decides by single statements, which the database makes one by one.
//!
//! No two transactions wait for each other: what is named is taken in the order of [`Lock`], then rows, and the position of
//! [`super::changes`] last.

use sqlx::{Postgres, Sqlite};
use uuid::Uuid;

use super::postgres::within;
use super::sql::{Pool, sql};
use super::{Error, Store};

#[cfg(test)]
mod tests;

/// A transaction that may write; it is undone when it is dropped before `commit`.
#[derive(Debug)]
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What a transaction has for itself until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lock {
    /// Who is an administrator.
    Admins,
    /// What is held against whom.
    Guesses,
    /// Which grants are taken to be renewed.
    Leases,
    /// What was done with commands and is not told yet.
    Acts,
    /// When things were last used. Whoever else needs one of the rows goes first: this is the least that anybody waits for.
    Uses,
    /// All sessions: none begins, ends or is written to meanwhile.
    Sessions,
    /// An account, with its sessions, keys, identities and groups: rows that refer to it cannot come either.
    Account(Uuid),
}

impl Store {
    /// Begins a transaction that has these for itself, in their order.
    ///
    /// Whatever returns rows needs one: SQLite hands out the rows of `RETURNING` before it writes them down, and a full disk
    /// is only said by what follows them.
    pub(super) async fn begin(&self, locks: &[Lock]) -> Result<Transaction, Error> {
        match &self.writer {
            Pool::Sqlite(pool) => {
                let statement = "BEGIN IMMEDIATE";
                let begun = match pool.begin_with(statement).await {
                    // SQLite undoes a transaction by itself when the disk is full, and sqlx goes on counting it as open: only
                    // another connection helps.
                    Err(sqlx::Error::InvalidSavePointStatement) => {
                        pool.acquire().await?.close().await?;
                        pool.begin_with(statement).await?
                    }
                    begun => begun?,
                };
                Ok(Transaction::Sqlite(begun))
            }
            Pool::Postgres(on) => {
                let begun = on.breaker.ask(within(on.pool.begin())).await?;
                let mut transaction = Transaction::Postgres(begun);
                for lock in locks {
                    lock.take(&mut transaction).await?;
                }
                Ok(transaction)
            }
        }
    }
}

impl Lock {
    async fn take(self, transaction: &mut Transaction) -> Result<(), sqlx::Error> {
        // The first number stands for authd, beside whatever else uses locks of the database.
        let statement = match self {
            Self::Admins => sql("SELECT pg_advisory_xact_lock(1635085416, 1)"),
            Self::Guesses => sql("SELECT pg_advisory_xact_lock(1635085416, 2)"),
            Self::Leases => sql("SELECT pg_advisory_xact_lock(1635085416, 3)"),
            Self::Uses => sql("SELECT pg_advisory_xact_lock(1635085416, 4), set_config('lock_timeout', '200ms', TRUE)"),
            Self::Acts => sql("SELECT pg_advisory_xact_lock(1635085416, 5)"),
            Self::Sessions => sql("LOCK TABLE sessions IN SHARE ROW EXCLUSIVE MODE"),
            Self::Account(user) => sql("SELECT 1 FROM users WHERE id = $1 FOR UPDATE").bind(user),
        };
        statement.execute(transaction).await.map(|_| ())
    }
}

impl Transaction {
    /// Writes down all that was done in it.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => within(transaction.commit()).await,
        }
    }
}
