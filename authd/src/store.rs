//! What is durable, and how is it kept?
//!
//! In one SQLite file, or in a PostgreSQL database that replicas share. A method that returns `Ok` has written to the disk: what was
//! acknowledged survives a crash. Who may call what, hashing and what is kept in memory are not here; neither are rate limits, which
//! are asked in [`crate::shared`].

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sql::{FromRow, Pool, Row, sql};

pub use access::Ended;
pub use acts::{Act, What};
pub use arrivals::{Account, Arrival, Arrived, FromProvider};
pub use changes::Changes;
pub use everybody::{Owned, Whose};
pub use grants::{Grant, Named, Renewal};
pub use guesses::{GuessChange, KeptGuesses};
pub use identities::{ClaimsChange, Identity, Membership};
pub use import::{Conflict, Foreign, Outcome, Taken, Writing};
pub use keys::{ActiveKey, Key, KeyHash, NewKey};
pub use postgres::{NotAServer, Server};
pub use revocations::{Reason, Revocation, RevocationKind};
pub use sessions::{NewSession, Session};
pub use signing_keys::PublicHalf;
pub use users::{Direction, NewUser, Order, Profile, Role, UnknownRole, User, UserPage, UserQuery};

mod access;
mod acts;
mod again;
mod arrivals;
mod breaker;
mod changes;
mod copy;
mod everybody;
mod file;
mod grants;
mod guesses;
mod identities;
mod import;
mod keys;
mod migrations;
mod own_secrets;
mod postgres;
mod purge;
mod registrations;
mod revocations;
mod sessions;
mod signing_keys;
mod spent;
mod sql;
mod transaction;
mod users;

#[cfg(test)]
mod tests;

/// The durable rows; clones share the same connections.
#[derive(Clone, Debug)]
pub struct Store {
    /// One connection to SQLite: it has one writer, and waiting here is fair and has a time limit.
    writer: Pool,
    /// The same connections as the writer's to PostgreSQL.
    readers: Pool,
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
    /// The database was written by a newer version of the program.
    #[error(
        "`{database}` has schema {found}, and this program knows only {known}: run the newer program, or restore a backup"
    )]
    TooNew {
        /// The database file, or the server and the database's name there.
        database: String,
        /// The newest migration that was applied to it.
        found: i64,
        /// The newest migration that this program has.
        known: i64,
    },
    /// The schema of the database is not the one that this program's migrations make.
    #[error(
        "`{database}` cannot be brought to this program's schema: restore a backup, or name a database of authd's own"
    )]
    Schema {
        /// The database file, or the server and the database's name there.
        database: String,
        /// The migration that does not fit.
        source: sqlx::migrate::MigrateError,
    },
    /// The PostgreSQL server cannot be reached, or does not let authd use the database.
    #[error("the PostgreSQL database `{database}` cannot be used")]
    Unusable {
        /// The server and the database's name there.
        database: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The URL of the PostgreSQL database is none.
    #[error(transparent)]
    Server(#[from] NotAServer),
    /// The file exists and is not an SQLite database.
    #[error("`{}` is not an SQLite database: move it away, and a new one is made", path.display())]
    NotDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is an SQLite database with something wrong in it.
    #[error("`{}` is damaged: {said}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said of it.
        said: String,
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

    /// Opens the database on a PostgreSQL server, and brings its schema up to date; of several replicas that do so, one does.
    ///
    /// # Errors
    /// [`Error::Server`], [`Error::Unusable`], [`Error::TooNew`] or [`Error::Schema`], which name the server and no password.
    pub async fn connect(server: &Server) -> Result<Self, Error> {
        postgres::open(server).await
    }

    /// Whether the database on a PostgreSQL server has tables of this program's, of whatever version.
    ///
    /// # Errors
    /// [`Error::Server`] or [`Error::Unusable`], which name the server and no password.
    pub async fn is_made(server: &Server) -> Result<bool, Error> {
        postgres::is_made(server).await
    }

    /// What the database file is called in a data folder.
    pub const FILE: &'static str = file::FILE;

    /// Copies the database file of a folder into another folder, as it is at one moment, whoever writes to it meanwhile.
    ///
    /// # Errors
    /// [`Error::NotDatabase`], [`Error::Path`] or [`Error::Unavailable`].
    pub async fn copy_file(from: &Path, to: &Path) -> Result<(), Error> {
        file::copy(from, to).await
    }

    /// Whether other replicas write to it too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.writer, Pool::Postgres(_))
    }

    /// Asks the database for a row, to know that it can be read.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        let _: i64 = sql("SELECT version FROM _sqlx_migrations LIMIT 1")
            .fetch_one(&self.readers)
            .await?;
        Ok(())
    }

    /// Now, by the one clock of all who write to the database: the server's, or `own` where there is no server. What one replica takes
    /// for a while is not taken by another whose clock is ahead, nor is anything forgotten by it too soon.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn time(&self, own: Timestamp) -> Result<Timestamp, Error> {
        if !self.is_shared() {
            return Ok(own);
        }
        let query = sql("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now");
        let Moment(now) = query.fetch_one(&self.readers).await?;
        Ok(now)
    }

    /// Waits for what is under way, folds SQLite's log into its file and closes it; every later call is refused.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

struct Moment(Timestamp);

impl FromRow for Moment {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        row.time("now").map(Self)
    }
}
