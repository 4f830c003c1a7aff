//! How do signing keys lie on disk?
//!
//! `index.json` says which keys there are and where each stands; `<kid>.pem` holds one private key (PKCS#8), readable by
//! the owner alone. A key is on disk before the index names it, and the index is replaced whole, so a crash at any moment
//! leaves the old keys or the new ones; files that the index does not name are removed. Whoever changes something holds a lock on
//! `lock`, as a server and `authd signing-keys` may both be at it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Error, Key, Ring, State};
use crate::whole_file;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The folder of signing keys.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// While it lives, no other process changes the folder.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Which file an index is: it is replaced whole, so another index is another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    modified: (i64, i64),
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    keys: Vec<Entry>,
    /// The ids of keys that were revoked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoked: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    kid: String,
    state: Stage,
    /// Epoch milliseconds: published at, signing since, or retiring at.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
enum Stage {
    Next,
    Current,
    Previous,
}

impl Folder {
    /// The folder, made with access for the owner alone if it does not exist.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(at(path))?;
        Ok(Self {
            path: path.to_path_buf(),
        })
    }

    /// Waits until no other process has the lock, and takes it. It goes when it is dropped, or with the process.
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let path = self.path.join("lock");
        let take = || {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            file.lock()?;
            Ok(Lock { _file: file })
        };
        take().map_err(at(&path))
    }

    /// Which file the index is; `None` where there is none that could be looked at.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let index = fs::metadata(self.index()).ok()?;
        Some(Stamp {
            inode: index.ino(),
            modified: (index.mtime(), index.mtime_nsec()),
            bytes: index.len(),
        })
    }

    /// The keys that the index names, and the ids of those that were revoked; none where there is no index.
    pub(super) fn read(&self) -> Result<(Vec<Arc<Key>>, Vec<String>), Error> {
        let path = self.index();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            read => read.map_err(at(&path))?,
        };
        let wrong = |detail: String| Error::Index {
            path: path.clone(),
            detail,
        };
        let index: Index = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let signing = index.keys.iter().filter(|key| matches!(key.state, Stage::Current));
        if signing.count() > 1 {
            return Err(wrong("two keys are current".to_owned()));
        }
        let read = |entry: &Entry| {
            let plain = !entry.kid.is_empty() && entry.kid.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !plain {
                return Err(wrong("a `kid` is not hexadecimal".to_owned()));
            }
            let state = entry.state().ok_or_else(|| wrong("a time is missing".to_owned()))?;
            self.key(&entry.kid, state).map(Arc::new)
        };
        let keys = index.keys.iter().map(read).collect::<Result<_, _>>()?;
        Ok((keys, index.revoked))
    }

    /// Writes one new private key.
    pub(super) fn keep(&self, key: &Key) -> Result<(), Error> {
        let Some(der) = key.private_bytes()? else {
            return Ok(());
        };
        let body = Zeroizing::new(STANDARD.encode(&*der));
        let text = Zeroizing::new(format!("{BEGIN}\n{}\n{END}\n", &*body));
        let path = self.pem(&key.kid);
        whole_file::replace(&path, text.as_bytes()).map_err(at(&path))
    }

    /// Replaces the index.
    pub(super) fn write(&self, ring: &Ring) -> Result<(), Error> {
        let index = Index {
            keys: ring.keys.iter().map(|key| Entry::of(key)).collect(),
            revoked: ring.revoked.clone(),
        };
        let path = self.index();
        let text = serde_json::to_vec_pretty(&index).map_err(|error| Error::Index {
            path: path.clone(),
            detail: error.to_string(),
        })?;
        whole_file::replace(&path, &text).map_err(at(&path))
    }

    /// Removes the key files that the ring does not hold, and what a crash left of any.
    pub(super) fn sweep(&self, ring: &Ring) -> Result<(), Error> {
        for entry in fs::read_dir(&self.path).map_err(at(&self.path))? {
            let path = entry.map_err(at(&self.path))?.path();
            let is_key = path
                .extension()
                .is_some_and(|extension| extension == "pem" || extension == whole_file::PARTIAL);
            let is_held = ring.keys.iter().any(|key| self.pem(&key.kid) == path);
            if is_key && !is_held {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok(())
    }

    fn key(&self, kid: &str, state: State) -> Result<Key, Error> {
        let path = self.pem(kid);
        let mode = fs::metadata(&path).map_err(at(&path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::ReadableByOthers { path });
        }
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(at(&path))?);
        parse(&text, state)
            .filter(|key| key.kid == kid)
            .ok_or(Error::Key { path })
    }

    pub(super) fn index(&self) -> PathBuf {
        self.path.join("index.json")
    }

    fn pem(&self, kid: &str) -> PathBuf {
        self.path.join(format!("{kid}.pem"))
    }
}

impl Entry {
    fn of(key: &Key) -> Self {
        let (state, at) = match key.state {
            State::Next { published_at } => (Stage::Next, Some(published_at)),
            State::Current { since } => (Stage::Current, Some(since)),
            State::Previous { retire_at } => (Stage::Previous, retire_at),
        };
        Self {
            kid: key.kid.clone(),
            state,
            at: at.map(Timestamp::as_millisecond),
        }
    }

    fn state(&self) -> Option<State> {
        let at = match self.at {
            Some(at) => Some(Timestamp::from_millisecond(at).ok()?),
            None => None,
        };
        Some(match self.state {
            Stage::Next => State::Next { published_at: at? },
            Stage::Current => State::Current { since: at? },
            Stage::Previous => State::Previous { retire_at: at },
        })
    }
}

fn parse(pem: &str, state: State) -> Option<Key> {
    let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?.trim();
    let der = Zeroizing::new(STANDARD.decode(body).ok()?);
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok()?;
    Key::ed25519(pair, state).ok()
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    |source| Error::File {
        path: path.to_path_buf(),
        source,
    }
}
