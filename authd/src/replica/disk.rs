//! Which Snapshot was put to use last? It is kept beside the database, so that a restart with an older mount does not go back.
//!
//! `snapshot/index` names the shards, which lie beside it under their digits. Files are replaced whole, the index after its
//! shards, so that a crash leaves the Snapshot before or this one.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crds::published::{INDEX_ENTRY, shard_entry};
use policy::snapshot::shard::Index;

use super::mount;
use crate::load::shards::Found;
use crate::whole_file;

/// The folder of the last good Snapshot.
#[derive(Clone, Debug)]
pub(super) struct Disk(PathBuf);

impl Disk {
    /// The one below the data folder.
    pub(super) fn below(data: &Path) -> Self {
        Self(data.join("snapshot"))
    }

    /// The index, if there is one, or what is wrong with it.
    pub(super) fn index(&self) -> Option<Result<Index, String>> {
        mount::index(&self.0.join(INDEX_ENTRY))
    }

    /// The bytes of a shard, if they are there.
    pub(super) fn shard(&self, digest: &str) -> Result<Option<Vec<u8>>, String> {
        mount::read(&self.0.join(shard_entry(digest)))
    }

    /// The shards of an index, by number and digest, that are not there.
    pub(super) fn missing<'a>(&'a self, index: &'a Index) -> impl Iterator<Item = (usize, &'a str)> {
        let numbered = index.shards.iter().map(String::as_str).enumerate();
        numbered.filter(|(_, digest)| !self.0.join(shard_entry(digest)).exists())
    }

    /// Keeps a Snapshot in place of the one before; `found` has every shard that is missing.
    pub(super) fn keep(&self, index: &Index, found: &Found) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        for (_, digest) in self.missing(index) {
            let bytes = found
                .get(digest)
                .ok_or_else(|| io::Error::other(format!("shard {digest} is gone already")))?;
            whole_file::replace(&self.0.join(shard_entry(digest)), bytes)?;
        }
        whole_file::replace(&self.0.join(INDEX_ENTRY), &serde_json::to_vec(index)?)?;
        self.sweep(index)
    }

    /// Forgets a Snapshot that cannot be used.
    pub(super) fn clear(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.0)
    }

    fn sweep(&self, index: &Index) -> io::Result<()> {
        let mut named: BTreeSet<&str> = index.shards.iter().map(|digest| shard_entry(digest)).collect();
        named.insert(INDEX_ENTRY);
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn index(sequence: u64, shards: &[&str]) -> (Index, Found) {
        let digest = |content: &&str| policy::snapshot::digest(content.as_bytes());
        let digests: Vec<String> = shards.iter().map(digest).collect();
        let index = Index {
            format: policy::snapshot::FORMAT,
            sequence,
            digest: policy::snapshot::digest(digests.concat().as_bytes()),
            shards: digests.clone(),
        };
        let contents = shards.iter().map(|content| content.as_bytes().to_vec());
        (index, digests.into_iter().zip(contents).collect())
    }

    #[test]
    fn the_last_snapshot_is_kept_and_only_what_changed_is_written() {
        let data = tempfile::tempdir().unwrap();
        let disk = Disk::below(data.path());
        assert!(disk.index().is_none());
        let (first, found) = index(1, &["head", "one", "two"]);
        disk.keep(&first, &found).unwrap();
        assert_eq!(disk.index().unwrap().unwrap(), first);
        let file = |digest: &str| data.path().join("snapshot").join(shard_entry(digest));
        let written = |digest: &str| fs::metadata(file(digest)).unwrap().ino();
        let before = written(&first.shards[1]);

        let (second, mut found) = index(2, &["head", "one", "three"]);
        found.retain(|digest, _| *digest == second.shards[2]);
        assert_eq!(disk.missing(&second).collect::<Vec<_>>(), [(2, &*second.shards[2])]);
        disk.keep(&second, &found).unwrap();
        assert_eq!(disk.index().unwrap().unwrap(), second);
        assert_eq!(
            written(&second.shards[1]),
            before,
            "what did not change was not written"
        );
        assert_eq!(disk.shard(&second.shards[2]).unwrap().unwrap(), b"three");
        assert!(!file(&first.shards[2]).exists(), "what nobody names is gone");
        for entry in fs::read_dir(data.path().join("snapshot")).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "it holds secrets: {mode:o}");
        }
    }

    #[test]
    fn an_index_without_its_shards_is_not_kept() {
        let data = tempfile::tempdir().unwrap();
        let disk = Disk::below(data.path());
        let (first, found) = index(1, &["head", "one"]);
        disk.keep(&first, &found).unwrap();
        let (second, _) = index(2, &["head", "two"]);
        assert!(disk.keep(&second, &Found::new()).is_err());
        assert_eq!(disk.index().unwrap().unwrap(), first);
    }
}
