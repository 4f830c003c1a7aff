//! `authd backup` and `authd restore`: a data folder as it was at one moment, whole, and back.
//!
//! A copy is made beside its place and moved there when it is complete: what has the name of a backup is one. A database on a
//! PostgreSQL server is backed up with its own tools.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use crate::config::{Backup, Output, Restore};
use crate::print;
use crate::store::Store;

/// What a data folder has beside the database: secrets of authd's own.
const SECRETS: [&str; 4] = ["api-keys.secret", "forms.secret", "sealing.secret", "guesses.secret"];
/// The folder of signing keys, and the file in it that whoever changes something there holds.
const SIGNING_KEYS: &str = "signing-keys";
const LOCK: &str = "lock";

/// Makes a backup.
///
/// # Errors
/// There is no database, something is in the place of the backup, or it cannot be written.
pub fn run(backup: &Backup) -> anyhow::Result<ExitCode> {
    let Backup { data, output, backup } = backup;
    ensure!(
        data.join(Store::FILE).exists(),
        "there is no database in `{}`: name the data folder of `authd serve`. A PostgreSQL database is backed up with `pg_dump`",
        data.display()
    );
    ensure!(
        !backup.exists(),
        "`{}` is there already: name a folder that is not, as nothing is overwritten",
        backup.display()
    );
    let beside = Beside::make(backup)?;
    copy_keys(data, &beside.partial)?;
    wait(Store::copy_file(data, &beside.partial))??;
    beside.finish()?;
    match output {
        Output::Json => print::line(json!({"backup": backup})),
        Output::Text => print::line(format_args!(
            "{} is a backup of {}: it contains secrets",
            backup.display(),
            data.display()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a data folder of a backup.
///
/// # Errors
/// It is no backup, something is in the place of the data folder, or it cannot be written.
pub fn restore(restore: &Restore) -> anyhow::Result<ExitCode> {
    let Restore { data, backup, .. } = restore;
    ensure!(
        backup.join(Store::FILE).exists(),
        "there is no database in `{}`: name a folder that `authd backup` made",
        backup.display()
    );
    ensure!(
        is_free(data)?,
        "there is something in `{}` already: move it away, as nothing is overwritten",
        data.display()
    );
    let beside = Beside::make(data)?;
    copy_keys(backup, &beside.partial)?;
    let ended = wait(async {
        Store::copy_file(backup, &beside.partial).await?;
        let store = Store::open(&beside.partial).await?;
        // Who signed out since then would be signed in again.
        let ended = match restore.keep_sessions {
            true => 0,
            false => store.forget_sessions().await?,
        };
        store.close().await;
        anyhow::Ok(ended)
    })??;
    beside.finish()?;
    match restore.output {
        Output::Json => print::line(json!({"data": data, "sessionsEnded": ended})),
        Output::Text => print::line(format_args!(
            "{} is what {} was a backup of; {ended} sessions ended",
            data.display(),
            backup.display()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

fn wait<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

/// Whether there is nothing, or an empty folder.
fn is_free(folder: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("`{}`", folder.display())),
    }
}

/// A folder that is being filled beside the place where it is to be.
struct Beside<'a> {
    partial: PathBuf,
    place: &'a Path,
}

impl<'a> Beside<'a> {
    fn make(place: &'a Path) -> anyhow::Result<Self> {
        let Some(name) = place.file_name() else {
            bail!("`{}` is no name of a folder", place.display());
        };
        let partial = place.with_file_name(format!("{}.partial", name.to_string_lossy()));
        let made = DirBuilder::new().mode(0o700).create(&partial);
        made.with_context(|| {
            format!(
                "`{}`, in which what is not complete is kept, cannot be made: remove it where an earlier attempt left it",
                partial.display()
            )
        })?;
        Ok(Self { partial, place })
    }

    /// Moves what is complete, and on the disk, to its place.
    fn finish(&self) -> anyhow::Result<()> {
        let named = || format!("`{}`", self.place.display());
        sync_all(&self.partial).with_context(named)?;
        fs::rename(&self.partial, self.place).with_context(named)?;
        let parent = self.place.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|parent| parent.sync_all())
            .with_context(named)
    }
}

fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_all(&entry.path())?,
            false => File::open(entry.path())?.sync_all()?,
        }
    }
    File::open(folder)?.sync_all()
}

/// Copies secrets and signing keys. A server that is about to change the keys waits.
fn copy_keys(from: &Path, to: &Path) -> anyhow::Result<()> {
    for secret in SECRETS {
        let path = from.join(secret);
        if path.exists() {
            copy(&path, &to.join(secret))?;
        }
    }
    let (from, to) = (from.join(SIGNING_KEYS), to.join(SIGNING_KEYS));
    if !from.exists() {
        return Ok(());
    }
    let lock = from.join(LOCK);
    let held = match File::open(&lock) {
        Ok(file) => {
            file.lock().with_context(|| format!("`{}`", lock.display()))?;
            Some(file)
        }
        Err(_) => None,
    };
    let made = DirBuilder::new().mode(0o700).create(&to);
    made.with_context(|| format!("`{}`", to.display()))?;
    let entries = fs::read_dir(&from).with_context(|| format!("`{}`", from.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_name() != LOCK {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    drop(held);
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = File::open(from).and_then(|mut from| {
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        io::copy(&mut from, &mut to)
    });
    copied.with_context(|| format!("`{}`", from.display()))?;
    Ok(())
}
