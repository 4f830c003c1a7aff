//! The database of a server, for commands that work on it whether the server runs or not.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use secrecy::SecretString;

use crate::config::Stored;
use crate::store::{Server, Store};

/// The name of the database.
pub const DATABASE: &str = "authd.db";
/// The name of the file that a server holds while it runs.
const LOCK: &str = "serve.lock";

/// The database of a server. It must be there: a folder or a database that was mistyped is not filled.
///
/// # Errors
/// There is none, it belongs to another user, or it cannot be opened.
pub async fn store(stored: &Stored) -> anyhow::Result<Store> {
    if let Some(server) = stored.server()? {
        ensure!(
            Store::is_made(&server).await?,
            "the PostgreSQL database has no tables of authd: name the one of the server"
        );
        return Ok(Store::connect(&server).await?);
    }
    let file = stored.data.join(DATABASE);
    ensure!(
        file.exists(),
        "`{}` is not there: name the `--data` of the server, or its PostgreSQL database with `--postgres`",
        file.display()
    );
    ours(&file)?;
    Ok(Store::open(&stored.data).await?)
}

impl Stored {
    /// The PostgreSQL server, where one is named.
    ///
    /// # Errors
    /// The file of certificates cannot be read.
    pub fn server(&self) -> anyhow::Result<Option<Server>> {
        let url = self.postgres.as_ref();
        url.map(|url| server(url, self.postgres_ca.as_deref())).transpose()
    }
}

/// A PostgreSQL server, with the authorities to believe, where a file names some.
///
/// # Errors
/// The file cannot be read.
pub fn server(url: &SecretString, ca: Option<&Path>) -> anyhow::Result<Server> {
    Ok(Server {
        url: url.clone(),
        ca: ca.map(read).transpose()?,
    })
}

/// What is in a file that the command line names.
///
/// # Errors
/// It cannot be read; the error names it.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("`{}`", path.display()))
}

/// Whether what this command writes can be read by the server.
///
/// # Errors
/// It belongs to another user.
pub fn ours(path: &Path) -> anyhow::Result<()> {
    let owner = std::fs::metadata(path)
        .with_context(|| format!("`{}`", path.display()))?
        .uid();
    ensure!(
        owner == rustix::process::geteuid().as_raw(),
        "`{}` belongs to user {owner}: run this as that user, or the server cannot read what it writes",
        path.display()
    );
    Ok(())
}

/// A folder that somebody works on, for as long as it lives or the process does.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

/// Holds the folder of a server while it runs, making it where it is missing.
///
/// # Errors
/// A command has it for itself, or it cannot be made.
pub fn serve(data: &Path) -> anyhow::Result<Held> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.with_context(|| format!("`{}`", data.display()))?;
    let file = lock_file(data)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(Held { _file: file }),
        Err(TryLockError::WouldBlock) => bail!(
            "`{}` is being moved to a PostgreSQL database: start authd when `authd migrate` has ended, with that database",
            data.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("`{}`", data.display())),
    }
}

/// Has the folder of a server for itself: none runs, and none starts.
///
/// # Errors
/// A server runs.
pub fn alone(data: &Path) -> anyhow::Result<Held> {
    let file = lock_file(data)?;
    match file.try_lock() {
        Ok(()) => Ok(Held { _file: file }),
        Err(TryLockError::WouldBlock) => bail!(
            "a server runs on `{}`: stop it first, or what it writes from now on would be lost",
            data.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("`{}`", data.display())),
    }
}

fn lock_file(data: &Path) -> anyhow::Result<File> {
    let path = data.join(LOCK);
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    opened.with_context(|| format!("`{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_servers_or_a_commands() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let running = serve(&data).unwrap();
        let refusal = alone(&data).unwrap_err().to_string();
        assert!(
            refusal.contains("a server runs on") && refusal.contains("stop it first"),
            "{refusal}"
        );
        drop(running);
        let moving = alone(&data).unwrap();
        let refusal = serve(&data).unwrap_err().to_string();
        assert!(refusal.contains("is being moved to a PostgreSQL database"), "{refusal}");
        drop(moving);
        serve(&data).unwrap();
    }
}
