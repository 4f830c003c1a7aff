//! What an operator publishes, written as kubelet mounts it.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use crds::published::{INDEX_ENTRY, shard_entry};
use policy::Snapshot;
use policy::snapshot::SigningKey;
use policy::snapshot::shard::Shards;
use tempfile::TempDir;
use tests::resources::{Folder, POLICIES, ROOMY};

/// The Snapshot of the usual resources with these policies.
pub(super) fn snapshot(policies: &str) -> Snapshot {
    let folder = Folder::usual(ROOMY);
    folder.write("policies.yaml", policies);
    let outcome = authd::source::folder(folder.path(), None).unwrap();
    outcome
        .ready
        .unwrap_or_else(|| panic!("{:#?}", outcome.problems))
        .snapshot
}

/// The same, with another path open to everybody.
pub(super) fn opened(path: &str) -> Snapshot {
    snapshot(&POLICIES.replace("paths: [/public]", &format!("paths: [/public, {path}]")))
}

/// The pieces of a Snapshot.
pub(super) fn cut(snapshot: &Snapshot) -> Shards {
    Shards::cut(snapshot, &Shards::default()).unwrap()
}

/// A key that signs from so many seconds after now.
pub(super) fn signing_key(after: i64) -> SigningKey {
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "the key is for a program that has the real time"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let signs_from = i64::try_from(now).unwrap() + after;
    SigningKey {
        pair: policy::secret::secret(pair.as_ref()),
        made_at: signs_from - 3600,
        signs_from,
    }
}

/// A copy of a data folder whose owner has stopped, without the Snapshot.
pub(super) fn copy(data: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(data).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// An address on loopback that nobody listens on.
pub(super) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A folder of mounted Secrets.
pub(super) struct Mount(TempDir);

impl Mount {
    pub(super) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Everything, in the order of an operator.
    pub(super) fn publish(&self, sequence: u64, snapshot: &Snapshot) {
        self.write_shards(&cut(snapshot));
        self.publish_index(sequence, snapshot);
    }

    /// The index without its shards.
    pub(super) fn publish_index(&self, sequence: u64, snapshot: &Snapshot) {
        let index = serde_json::to_vec(&cut(snapshot).index(sequence)).unwrap();
        self.write("index", &[(INDEX_ENTRY, &index)]);
    }

    /// The index with shards that are not what it names.
    pub(super) fn publish_damaged(&self, sequence: u64, snapshot: &Snapshot) {
        let mut shards = cut(snapshot);
        for shard in &mut shards.shards {
            shard.bytes = Arc::from(shard.bytes.iter().rev().copied().collect::<Vec<_>>());
        }
        self.write_shards(&shards);
        self.publish_index(sequence, snapshot);
    }

    /// All Secrets are gone.
    pub(super) fn empty_out(&self) {
        for folder in std::fs::read_dir(self.path()).unwrap() {
            std::fs::remove_dir_all(folder.unwrap().path()).unwrap();
        }
    }

    fn write_shards(&self, shards: &Shards) {
        for (number, shard) in shards.shards.iter().enumerate() {
            let entry = (shard_entry(&shard.digest), &*shard.bytes);
            self.write(&number.to_string(), &[entry]);
        }
    }

    /// Replaces the volume of one Secret, each file whole.
    fn write(&self, volume: &str, entries: &[(&str, &[u8])]) {
        let folder = self.path().join(volume);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in entries {
            let draft = folder.join(format!(".{name}"));
            std::fs::write(&draft, bytes).unwrap();
            std::fs::rename(draft, folder.join(name)).unwrap();
        }
    }
}
