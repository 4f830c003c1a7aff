//! How do the files of a volume change all at once? As a kubelet does it: they lie in a folder of their own behind the link
//! `..data`, and the link is replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

/// The files of a volume by their path in it.
pub(super) type Files = BTreeMap<String, File>;

/// One file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct File {
    bytes: Vec<u8>,
    mode: Option<u32>,
}

impl File {
    pub(super) fn new(bytes: Vec<u8>, mode: Option<i32>) -> Self {
        let mode = mode.and_then(|mode| u32::try_from(mode).ok());
        Self { bytes, mode }
    }

    /// With this mode unless it has one.
    pub(super) fn or_mode(self, mode: Option<i32>) -> Self {
        let other = mode.and_then(|mode| u32::try_from(mode).ok());
        Self {
            mode: self.mode.or(other),
            ..self
        }
    }
}

/// A volume's folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    generation: u64,
    published: Option<Files>,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            generation: 0,
            published: None,
        }
    }

    /// Shows these files instead of those before, unless they are the same.
    ///
    /// # Errors
    /// The disk does not take them.
    pub(super) fn publish(&mut self, files: Files) -> Result<()> {
        if self.published.as_ref() == Some(&files) {
            return Ok(());
        }
        self.generation += 1;
        let generation = format!("..generation_{}", self.generation);
        let fresh = self.path.join(&generation);
        fs::create_dir_all(&fresh)?;
        for (path, file) in &files {
            let path = fresh.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, &file.bytes)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode.unwrap_or(0o644)))?;
        }
        let link = self.path.join("..data_tmp");
        symlink(&generation, &link)?;
        fs::rename(&link, self.path.join("..data"))?;
        self.show(&files, &generation)?;
        self.published = Some(files);
        Ok(())
    }

    /// Links every name to what is behind `..data`, and removes what is there no more.
    fn show(&self, files: &Files, generation: &str) -> Result<()> {
        let names: BTreeSet<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
        for name in &names {
            match symlink(format!("..data/{name}"), self.path.join(name)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("..generation_") && name != generation {
                fs::remove_dir_all(entry.path())?;
            } else if !name.starts_with("..") && !names.contains(&*name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(folder: &Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<(String, String)> = entries
            .filter(|path| path.is_file())
            .map(|path| {
                (
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    fs::read_to_string(&path).unwrap(),
                )
            })
            .collect();
        files.sort();
        files
    }

    fn files(all: &[(&str, &str)]) -> Files {
        let file = |text: &str| File::new(text.as_bytes().to_vec(), None);
        all.iter()
            .map(|(path, text)| ((*path).to_owned(), file(text)))
            .collect()
    }

    #[test]
    fn files_come_change_and_go() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(temporary.path().join("volume"));
        for (published, expected) in [
            (&[("a", "1"), ("b/c", "2")][..], &[("a", "1")][..]),
            (&[("a", "1"), ("b/c", "2")], &[("a", "1")]),
            (&[("a", "3"), ("d", "4")], &[("a", "3"), ("d", "4")]),
            (&[], &[]),
        ] {
            folder.publish(files(published)).unwrap();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect();
            assert_eq!(read(&folder.path), expected, "{published:?}");
            for (path, text) in published {
                assert_eq!(fs::read_to_string(folder.path.join(path)).unwrap(), *text, "{path}");
            }
        }
    }
}
