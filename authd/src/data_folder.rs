//! The folder of a server, for commands that work on it whether the server runs or not.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::store::Store;

/// The name of the database.
pub const DATABASE: &str = "authd.db";

/// The database of a server. It must be there: a folder that was mistyped is not filled.
///
/// # Errors
/// There is none, it belongs to another user, or it cannot be opened.
pub async fn store(data: &Path) -> anyhow::Result<Store> {
    let file = data.join(DATABASE);
    ensure!(
        file.exists(),
        "`{}` is not there: name the `--data` of the server",
        file.display()
    );
    ours(&file)?;
    Ok(Store::open(data).await?)
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
