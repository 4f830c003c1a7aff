//! A file that is replaced whole: after a crash it is the one before or this one. Its owner alone may read it.

use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{ErrorKind, Result, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The extension of what is being written.
pub(crate) const PARTIAL: &str = "partial";

/// Writes `bytes` beside a file and puts them in its place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_added_extension(PARTIAL);
    // One that a crash left may be open to others, or lead elsewhere.
    match remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    rename(&partial, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        fs::write(folder.path().join("kept.json.partial"), "left by a crash, and longer").unwrap();
        for bytes in ["before", "now"] {
            replace(&path, bytes.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let taken = folder.path().join("folder");
        fs::create_dir_all(taken.join("in it")).unwrap();
        assert!(replace(&taken, b"now").is_err());
        assert!(taken.join("in it").exists());
    }
}
