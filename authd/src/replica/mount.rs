//! What do the mounted Secrets hold?
//!
//! `index/index` is the index, and `<number>/<digits>` a shard of it: each folder is one Secret's volume. kubelet updates each
//! volume whole, and each when it likes, so that an index may be there before its shards.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crds::published::{INDEX_ENTRY, shard_entry};
use policy::snapshot::shard::Index;

/// More than any Secret holds, in bytes.
const LARGEST: u64 = 2 * 1024 * 1024;

/// A folder of mounted Secrets.
#[derive(Clone, Debug)]
pub(super) struct Mount(pub(super) PathBuf);

impl Mount {
    /// The index, if there is one, or what is wrong with it.
    pub(super) fn index(&self) -> Option<Result<Index, String>> {
        index(&self.0.join("index").join(INDEX_ENTRY))
    }

    /// The bytes of a shard, if they are there.
    pub(super) fn shard(&self, number: usize, digest: &str) -> Result<Option<Vec<u8>>, String> {
        read(&self.0.join(number.to_string()).join(shard_entry(digest)))
    }
}

/// Reads an index, if there is one.
pub(super) fn index(path: &Path) -> Option<Result<Index, String>> {
    let bytes = read(path).transpose()?;
    Some(bytes.and_then(|bytes| Index::read(&bytes).map_err(|error| format!("`{}`: {error}", path.display()))))
}

/// Reads a file, if it is there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let whole = |file: std::fs::File| -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match std::fs::File::open(path).and_then(whole) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(format!("`{}`: {error}", path.display())),
    }
}
