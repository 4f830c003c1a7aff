//! Which files of a folder hold resources, and what is in them?
//!
//! Folders are read as Kubernetes mounts them: names that begin with a dot are not shown, links are followed, and where there is a
//! `..data` link (a mounted ConfigMap or Secret) the folder that it names is read, so that all files are of one version. Text
//! only; what it says is [`super::yaml`]'s matter.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};

use super::yaml::{Fault, Position};

/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// How many bytes of files are read in all.
pub const MAX_TOTAL: u64 = 64 << 20;
/// How deep sub-folders are read.
const MAX_FOLDERS: usize = 16;
/// How often reading starts again because a file vanished meanwhile: a mounted folder is being replaced.
const ATTEMPTS: usize = 3;

/// One file: its text, or why it could not be read.
#[derive(Debug)]
pub struct Source {
    /// As a person would write it: below the folder that was asked for.
    pub path: PathBuf,
    /// What is in it.
    pub text: Result<String, Fault>,
}

/// All files of a folder at one moment, ordered by path.
#[derive(Debug, Default)]
pub struct Sources {
    /// The files.
    pub files: Vec<Source>,
    /// SHA-256 of all paths and contents: the same for the same input.
    pub digest: [u8; 32],
}

/// Reads the files of a folder.
///
/// # Errors
///
/// Where the folder itself cannot be read. A file that cannot be read is a [`Source`] that says so.
pub fn read(dir: &Path) -> io::Result<Sources> {
    let mut walk = Walk::default();
    for _ in 0..ATTEMPTS {
        walk = Walk::default();
        walk.folder(dir, dir, 0)?;
        if !walk.vanished {
            break;
        }
    }
    let mut context = Context::new(&SHA256);
    for file in &walk.files {
        let (mark, content) = match &file.text {
            Ok(text) => (0_u8, text.as_str()),
            Err(fault) => (1, fault.message.as_str()),
        };
        let path = file.path.as_os_str().as_encoded_bytes();
        for part in [path, &[mark], content.as_bytes()] {
            context.update(&part.len().to_le_bytes());
            context.update(part);
        }
    }
    let digest = context.finish().as_ref().try_into().unwrap_or_default();
    Ok(Sources {
        files: walk.files,
        digest,
    })
}

#[derive(Default)]
struct Walk {
    files: Vec<Source>,
    folders: BTreeSet<PathBuf>,
    total: u64,
    vanished: bool,
}

impl Walk {
    fn folder(&mut self, real: &Path, shown: &Path, depth: usize) -> io::Result<()> {
        let mounted = fs::canonicalize(real.join("..data"));
        let real = mounted.or_else(|_| fs::canonicalize(real))?;
        let mut names = fs::read_dir(&real)?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        if !self.folders.insert(real.clone()) {
            return Ok(());
        }
        for name in names.iter().filter(|name| !name.as_encoded_bytes().starts_with(b".")) {
            self.entry(&real.join(name), &shown.join(name), depth);
        }
        Ok(())
    }

    fn entry(&mut self, real: &Path, shown: &Path, depth: usize) {
        let read = match fs::metadata(real) {
            Ok(metadata) if metadata.is_dir() && depth >= MAX_FOLDERS => Err(refused(format!(
                "folders are read {MAX_FOLDERS} deep, and this one is deeper"
            ))),
            Ok(metadata) if metadata.is_dir() => match self.folder(real, shown, depth + 1) {
                Ok(()) => return,
                Err(error) => Err(self.failed(&error)),
            },
            _ if !holds_resources(shown) => return,
            Ok(metadata) if !metadata.is_file() => Err(refused("not a file".to_owned())),
            Ok(_) => self.file(real),
            Err(error) => Err(self.failed(&error)),
        };
        self.files.push(Source {
            path: shown.to_owned(),
            text: read,
        });
    }

    fn file(&mut self, real: &Path) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        let read = File::open(real).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
        let size = read.map_err(|error| self.failed(&error))?;
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        if size > MAX_FILE {
            return Err(refused("the file is larger than 1 MiB: split it".to_owned()));
        }
        self.total = self.total.saturating_add(size);
        if self.total > MAX_TOTAL {
            return Err(refused(
                "the folder holds more than 64 MiB of resources: this file was not read".to_owned(),
            ));
        }
        String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
            Fault {
                position: end_of(&before),
                message: "not a text in UTF-8".to_owned(),
            }
        })
    }

    fn failed(&mut self, error: &io::Error) -> Fault {
        self.vanished |= error.kind() == io::ErrorKind::NotFound;
        refused(format!("cannot be read: {error}"))
    }
}

fn refused(message: String) -> Fault {
    Fault {
        position: Position::START,
        message,
    }
}

fn end_of(text: &str) -> Position {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let last = text.rsplit('\n').next().unwrap_or_default();
    Position {
        line: number(text.matches('\n').count() + 1),
        column: number(last.chars().count() + 1),
    }
}

/// Whether a file of this name is read; `kustomization.yaml` is a build's, not a cluster's.
fn holds_resources(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let stem = path.file_stem().and_then(|s| s.to_str());
    matches!(extension.as_deref(), Some("yaml" | "yml" | "json")) && stem != Some("kustomization")
}
