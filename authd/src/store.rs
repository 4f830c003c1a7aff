//! What is durable, and how is it kept?
//!
//! One SQLite file. A method that returns `Ok` has written to the disk: what was acknowledged survives a crash. Who may
//! call what, hashing and what is kept in memory are not here; neither are rate limits, which are asked in [`crate::shared`].

use std::path::{Path, PathBuf};

use sql::{Transaction, sql};
use sqlx::SqlitePool;

pub use access::Ended;
pub use arrivals::{Account, Arrival, Arrived, FromProvider};
pub use grants::{Grant, Named, Renewal};
pub use guesses::{GuessChange, KeptGuesses};
pub use identities::{ClaimsChange, Identity, Membership};
pub use keys::{ActiveKey, Key, KeyHash, NewKey};
pub use revocations::{Reason, Revocation, RevocationKind};
pub use sessions::{NewSession, Session};
pub use users::{Direction, NewUser, Order, Profile, Role, UnknownRole, User, UserPage, UserQuery};

mod access;
mod again;
mod arrivals;
mod file;
mod grants;
mod guesses;
mod identities;
mod keys;
mod registrations;
mod revocations;
mod sessions;
mod spent;
mod sql;
mod users;

#[cfg(test)]
mod tests;

/// The durable rows; clones share the same connections.
#[derive(Clone, Debug)]
pub struct Store {
    /// One connection: SQLite has one writer, and waiting here is fair and has a time limit.
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Why an operation on the store was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer; the cause is for the log, never for callers.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// Something with the same unique value exists, such as another account with the e-mail address.
    #[error("already taken")]
    Conflict,
    /// There is no such row, or its user does not exist or is disabled.
    #[error("not found")]
    NotFound,
    /// The change would leave no enabled admin.
    #[error("the last enabled admin must stay one")]
    LastAdmin,
    /// The file was written by a newer version of the program.
    #[error("`{}` has schema {found}, and this program knows only {known}: run the newer program, or restore a backup", path.display())]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// The newest migration that was applied to it.
        found: i64,
        /// The newest migration that this program has.
        known: i64,
    },
    /// The schema of the file is not the one that this program's migrations make.
    #[error("`{}` cannot be brought to this program's schema: restore a backup, or name a data directory of authd's own", path.display())]
    Schema {
        /// The database file.
        path: PathBuf,
        /// The migration that does not fit.
        source: sqlx::migrate::MigrateError,
    },
    /// The file exists and is not an SQLite database.
    #[error("`{}` is not an SQLite database: move it away, and a new one is made", path.display())]
    NotDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The data directory or the file in it cannot be used.
    #[error("`{}` cannot be used: {wanted}", path.display())]
    Path {
        /// The directory or file.
        path: PathBuf,
        /// What would be right.
        wanted: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Database(cause) if cause.is_unique_violation() => Self::Conflict,
            // The only thing that rows refer to is their user.
            sqlx::Error::Database(cause) if cause.is_foreign_key_violation() => Self::NotFound,
            _ => Self::Unavailable(error),
        }
    }
}

impl Store {
    /// Opens `authd.db` in the directory, making both where they are missing, and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::NotDatabase`], [`Error::TooNew`], [`Error::Schema`] or [`Error::Unavailable`], each
    /// naming the file.
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        file::open(dir).await
    }

    /// Asks the database file for a row, to know that it can be read.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        let _: i64 = sql("SELECT version FROM _sqlx_migrations LIMIT 1")
            .fetch_one(&self.readers)
            .await?;
        Ok(())
    }

    /// Waits for what is under way, folds the log into the file and closes it; every later call is refused.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write; it is undone when it is dropped before `commit`.
    ///
    /// Whatever returns rows needs one: SQLite hands out the rows of `RETURNING` before it writes them down, and a full disk
    /// is only said by what follows them.
    async fn begin(&self) -> Result<Transaction, Error> {
        let statement = "BEGIN IMMEDIATE";
        let begun = match self.writer.begin_with(statement).await {
            // SQLite undoes a transaction by itself when the disk is full, and sqlx goes on counting it as open: only another
            // connection helps.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                self.writer.begin_with(statement).await?
            }
            begun => begun?,
        };
        Ok(Transaction(begun))
    }
}
