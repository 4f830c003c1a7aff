//! How is the database file made, guarded and opened?
//!
//! Only its owner may read it: the file is 0600 (SQLite gives `-wal` and `-shm` the same mode) and a directory that is
//! made here is 0700. The tables are in `migrations/`.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::sql::Pool;
use super::{Error, Store, migrations};

#[cfg(test)]
mod tests;

pub(super) const FILE: &str = "authd.db";
const READERS: u32 = 4;
const WAIT: Duration = Duration::from_secs(5);

/// Opens the file in the directory, making both where they are missing.
pub(super) async fn open(dir: &Path) -> Result<Store, Error> {
    let path = prepare(dir)?;
    // Never closed while idle: SQLite folds its log in when the last connection goes.
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(WAIT);

    let writing = options.clone().journal_mode(SqliteJournalMode::Wal);
    let writer = pool()
        .max_connections(1)
        .connect_with(writing)
        .await
        .map_err(|error| opening(&path, error))?;
    if let Err(error) = migrations::all().run(&writer).await {
        writer.close().await;
        return Err(migrating(&path, error));
    }

    let reading = options.pragma("query_only", "ON");
    let readers = pool()
        .max_connections(READERS)
        .connect_with(reading)
        .await
        .map_err(|error| opening(&path, error))?;
    Ok(Store {
        writer: Pool::Sqlite(writer),
        readers: Pool::Sqlite(readers),
    })
}

/// Copies the file of a directory into another directory that is there, and finds it sound.
pub(super) async fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let path = from.join(FILE);
    let copy = prepare(to)?;
    let options = SqliteConnectOptions::new().busy_timeout(WAIT);
    let unreadable = |error| opening(&path, error);
    let mut source = options.clone().filename(&path).connect().await.map_err(unreadable)?;
    // One statement, so that it sees one moment; whoever writes meanwhile is not held up. The file that is there is empty.
    sqlx::query("VACUUM INTO $1")
        .bind(copy.display().to_string())
        .execute(&mut source)
        .await
        .map_err(unreadable)?;
    source.close().await?;
    let mut copied = options.filename(&copy).connect().await?;
    let said: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut copied)
        .await?;
    copied.close().await?;
    if said == "ok" {
        Ok(())
    } else {
        Err(Error::Damaged { path, said })
    }
}

/// Makes the directory and the file, with nobody else's rights on them, before SQLite would with the process's umask.
fn prepare(dir: &Path) -> Result<PathBuf, Error> {
    let refusal = |path: &Path, wanted: &'static str| {
        let path = path.to_owned();
        move |source: io::Error| Error::Path { path, wanted, source }
    };
    let wanted = "the data directory must be one that this user may make or write to";
    let dir = std::path::absolute(dir).map_err(refusal(dir, wanted))?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(refusal(&dir, wanted))?;

    let path = dir.join(FILE);
    let wanted = "it must be a file that this user owns, in a directory that this user may write to";
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(refusal(&path, wanted))?;
    close_to_others(&file).map_err(refusal(&path, wanted))?;
    // The name of the file must be as durable as what will be in it.
    File::open(&dir)
        .and_then(|dir| dir.sync_all())
        .map_err(refusal(&dir, "its changes must reach the disk"))?;
    Ok(path)
}

fn close_to_others(file: &File) -> io::Result<()> {
    if file.metadata()?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(0o600))
}

fn opening(path: &Path, error: sqlx::Error) -> Error {
    const NOT_A_DATABASE: &str = "26";
    match &error {
        sqlx::Error::Database(cause) if cause.code().as_deref() == Some(NOT_A_DATABASE) => {
            Error::NotDatabase { path: path.to_owned() }
        }
        _ => Error::Unavailable(error),
    }
}

fn migrating(path: &Path, error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => opening(path, error),
        error => migrations::refused(&path.display().to_string(), error),
    }
}
