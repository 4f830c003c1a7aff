use policy::Snapshot;
use policy::snapshot::keys::Keys;
use policy::snapshot::{Key, KeyOwner};

use super::*;
use crate::source;
use crate::stand::RESOURCES;

/// The usual resources with so many keys more, of which one is suspended.
fn snapshot(keys: u32, suspended: u32) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.yaml"), RESOURCES).unwrap();
    let mut snapshot = source::folder(folder.path(), None).unwrap().ready.unwrap().snapshot;
    snapshot.keys = (0..keys)
        .map(|number| Key {
            digest: digest(number),
            name: format!("demo/key-{number}"),
            owner: KeyOwner::Service("demo/ci".to_owned()),
            roles: Vec::new(),
            restrictions: Vec::new(),
            not_before: None,
            expires_at: None,
            suspended: number == suspended,
        })
        .collect::<Keys>();
    snapshot
}

fn digest(number: u32) -> [u8; 32] {
    let hexadecimal = policy::snapshot::digest(&number.to_be_bytes());
    policy::snapshot::read_digest(&hexadecimal["sha256:".len()..]).unwrap()
}

fn found(shards: &shard::Shards) -> Found {
    let entries = shards.shards.iter();
    entries.map(|one| (one.digest.clone(), one.bytes.to_vec())).collect()
}

fn cut(snapshot: &Snapshot, sequence: u64) -> (Index, Found) {
    let shards = shard::Shards::cut(snapshot, &shard::Shards::default()).unwrap();
    (shards.index(sequence), found(&shards))
}

#[test]
fn a_change_of_one_of_ten_thousand_costs_one_shard() {
    let (index, all) = cut(&snapshot(10_000, 1), 1);
    let none = Shards::default();
    assert_eq!(none.missing(&index).count(), index.shards.len());
    let (_, shards) = none.engine(&index, &all).unwrap();
    let (next, mut changed) = cut(&snapshot(10_000, 2), 2);
    let missing: Vec<String> = shards.missing(&next).map(|(_, digest)| digest.to_owned()).collect();
    assert!((1..=2).contains(&missing.len()), "{missing:?}");
    changed.retain(|digest, _| missing.contains(digest));
    let (engine, after) = shards.engine(&next, &changed).unwrap();
    assert_eq!(engine.digest(), next.digest);
    assert!(engine.key(&digest(2)).unwrap().usable(0).is_err() && engine.key(&digest(1)).unwrap().usable(0).is_ok());
    for (digest, piece) in &after.pieces {
        let known = shards.pieces.get(digest).is_some_and(|known| Arc::ptr_eq(known, piece));
        assert_eq!(known, !missing.contains(digest), "{digest}");
    }
    assert_eq!(after.missing(&next).count(), 0);
}

#[test]
fn nothing_is_made_of_shards_that_are_missing_or_damaged() {
    let (index, all) = cut(&snapshot(10, 1), 1);
    for (number, digest) in index.shards.iter().enumerate() {
        let mut torn = all.clone();
        torn.remove(digest);
        let error = Shards::default().engine(&index, &torn).unwrap_err();
        assert!(
            matches!(error, Error::Missing { number: found, .. } if found == number),
            "{error}"
        );
        let mut damaged = all.clone();
        damaged.get_mut(digest).unwrap().truncate(20);
        let error = Shards::default().engine(&index, &damaged).unwrap_err().to_string();
        assert_eq!(error, format!("shard {number}: shard {digest} is damaged"));
    }
    assert!(Shards::default().engine(&index, &all).is_ok(), "control");
}
