use policy::Snapshot;
use policy::snapshot::SigningKey;
use policy::snapshot::shard;

use super::*;
use crate::source;
use crate::stand::{RESOURCES, Stand};

/// An operator's Secrets, as kubelet mounts them, and a replica that has begun nothing.
struct Case {
    stand: Stand,
    mount: tempfile::TempDir,
}

fn snapshot(name: &str) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let text = RESOURCES.replace(
        "publicUrl: https://auth.example.com",
        &format!("publicUrl: https://auth.example.com\n  displayName: {name}"),
    );
    std::fs::write(folder.path().join("all.yaml"), text).unwrap();
    source::folder(folder.path(), None).unwrap().ready.unwrap().snapshot
}

/// What is in the Secrets of an index.
struct Published {
    index: Index,
    shards: shard::Shards,
}

fn publish(sequence: u64, name: &str) -> Published {
    let shards = shard::Shards::cut(&snapshot(name), &shard::Shards::default()).unwrap();
    Published {
        index: shards.index(sequence),
        shards,
    }
}

impl Case {
    async fn new() -> Self {
        Self {
            stand: Stand::empty().await,
            mount: tempfile::tempdir().unwrap(),
        }
    }

    fn mount(&self, published: &Published) {
        self.mount_shards(published);
        self.mount_index(published);
    }

    fn mount_shards(&self, published: &Published) {
        for (number, shard) in published.shards.shards.iter().enumerate() {
            let folder = self.mount.path().join(number.to_string());
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            let entry = crds::published::shard_entry(&shard.digest);
            std::fs::write(folder.join(entry), &shard.bytes).unwrap();
        }
    }

    fn mount_index(&self, published: &Published) {
        let folder = self.mount.path().join("index");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("index"), serde_json::to_vec(&published.index).unwrap()).unwrap();
    }

    /// The process starts, again perhaps.
    async fn start(&self) -> Replica {
        let app = Arc::clone(&self.stand.app);
        let mut replica = Replica::new(app, self.mount.path().to_owned(), Some("default/main".to_owned()), None);
        replica.begin().await;
        replica
    }

    async fn offer(&self, replica: &mut Replica) -> Result<(), String> {
        let mount = Place::Mount(Mount(self.mount.path().to_owned()));
        let index = replica.mount.index().unwrap()?;
        let taken = replica.take(index, &mount).await;
        taken.map_err(|refused| {
            replica.refuse(&mount, &refused);
            refused.to_string()
        })
    }
}

fn serves(replica: &Replica) -> Option<u64> {
    let told = replica.told.borrow();
    told.serving.as_ref().map(|(sequence, _)| *sequence)
}

fn refused(replica: &Replica) -> String {
    replica.told.borrow().refused.clone().unwrap_or_default()
}

#[tokio::test]
async fn a_replica_starts_from_its_mount_and_then_from_its_disk() {
    let case = Case::new().await;
    assert_eq!(serves(&case.start().await), None, "nothing was published");
    case.mount(&publish(7, "first"));
    let replica = case.start().await;
    assert_eq!(serves(&replica), Some(7));
    let served = case.stand.app.serving().unwrap();
    assert_eq!(served.settings().display_name, "first");
    std::fs::remove_dir_all(case.mount.path().join("index")).unwrap();
    assert_eq!(serves(&case.start().await), Some(7), "of its disk alone");
}

#[tokio::test]
async fn nothing_goes_back_to_an_older_index_also_after_a_restart() {
    let case = Case::new().await;
    case.mount(&publish(7, "seventh"));
    let mut replica = case.start().await;
    for (published, expected) in [
        (publish(6, "sixth"), "index 6 is older than 7, which serves"),
        (
            publish(7, "other"),
            "index 7 is another than the one of that number that serves",
        ),
    ] {
        case.mount(&published);
        assert_eq!(case.offer(&mut replica).await, Err(expected.to_owned()));
        assert_eq!(refused(&replica), format!("mount: {expected}"));
        assert_eq!(serves(&replica), Some(7));
    }
    case.mount(&publish(6, "sixth"));
    let mut replica = case.start().await;
    assert_eq!(serves(&replica), Some(7), "the disk knows better");
    assert!(case.offer(&mut replica).await.is_err());
    case.mount(&publish(8, "eighth"));
    assert_eq!(case.offer(&mut replica).await, Ok(()), "and it goes on");
    assert_eq!((serves(&replica), refused(&replica)), (Some(8), String::new()));
}

#[tokio::test]
async fn a_torn_mount_changes_nothing_until_it_is_whole() {
    let case = Case::new().await;
    case.mount(&publish(1, "first"));
    let mut replica = case.start().await;
    let second = publish(2, "second");
    case.mount_index(&second);
    let error = case.offer(&mut replica).await.unwrap_err();
    assert!(
        error.starts_with("index 2: shard 0 (sha256:") && error.ends_with(") is not there yet"),
        "{error}"
    );
    assert_eq!(serves(&replica), Some(1));
    assert_eq!(serves(&case.start().await), Some(1), "of its disk, after a restart");
    case.mount_shards(&second);
    assert_eq!(case.offer(&mut replica).await, Ok(()));
    assert_eq!(serves(&replica), Some(2));
}

#[tokio::test]
async fn what_is_damaged_is_refused_and_a_damaged_disk_is_forgotten() {
    let case = Case::new().await;
    case.mount(&publish(1, "first"));
    let mut replica = case.start().await;
    let mut second = publish(2, "second");
    second.shards.shards[0].bytes = Arc::from(&b"damaged"[..]);
    case.mount(&second);
    let error = case.offer(&mut replica).await.unwrap_err();
    assert!(
        error.starts_with("index 2: shard 0: shard sha256:") && error.ends_with("is damaged"),
        "{error}"
    );
    std::fs::write(case.mount.path().join("index/index"), "{}").unwrap();
    let error = case.offer(&mut replica).await.unwrap_err();
    assert!(error.ends_with("index/index`: the index is damaged"), "{error}");
    assert_eq!(serves(&replica), Some(1));

    let on_disk = case.stand.app.data().join("snapshot");
    for entry in std::fs::read_dir(&on_disk).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("index") {
            std::fs::write(path, "damaged").unwrap();
        }
    }
    assert_eq!(serves(&case.start().await), None);
    assert!(!on_disk.exists());
    case.mount(&publish(3, "third"));
    assert_eq!(serves(&case.start().await), Some(3));
}

#[tokio::test]
async fn a_snapshot_of_another_instance_is_refused() {
    let case = Case::new().await;
    case.mount(&publish(1, "first"));
    let app = Arc::clone(&case.stand.app);
    let mount = case.mount.path().to_owned();
    let mut replica = Replica::new(app, mount, Some("payments/main".to_owned()), None);
    replica.begin().await;
    assert_eq!(serves(&replica), None);
    assert_eq!(
        refused(&replica),
        "mount: it is of Authd `default/main`, this is a replica of `payments/main`"
    );
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_whole() {
    let case = Case::new().await;
    case.mount(&publish(1, "first"));
    let mut replica = case.start().await;
    let mut broken = snapshot("second");
    broken.settings.tokens.signing_keys = vec![SigningKey {
        pair: policy::secret::secret(b"no key"),
        made_at: 0,
        signs_from: 0,
    }];
    let shards = shard::Shards::cut(&broken, &shard::Shards::default()).unwrap();
    case.mount(&Published {
        index: shards.index(2),
        shards,
    });
    let error = case.offer(&mut replica).await.unwrap_err();
    assert!(
        error.starts_with("index 2: signing keys: key 1 of those that were given"),
        "{error}"
    );
    assert_eq!(serves(&replica), Some(1));
    assert_eq!(case.stand.app.serving().unwrap().settings().display_name, "first");
}
