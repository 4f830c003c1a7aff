use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::engine::ReadyPiece;
use crate::snapshot::KeyOwner;
use crate::story::{INSTANCE, resources};
use crate::{Engine, compile};

/// An instance with so many keys and policies.
fn snapshot(keys: u32, policies: u32) -> Snapshot {
    let mut text = INSTANCE.to_owned();
    for number in 0..policies {
        text.push_str(&format!(
            "\n---\nkind: AccessPolicy\nmetadata: {{name: app-{number}}}\nspec:\n  hosts: [app-{number}.example.com]\n  rules: \
             [{{paths: [/a], allow: {{roles: [user]}}}}]\n"
        ));
    }
    let mut snapshot = compile(&resources(&text), None).snapshot.unwrap();
    snapshot.keys = (0..keys).map(key).collect();
    snapshot
}

fn key(number: u32) -> Key {
    Key {
        digest: Sha256::digest(number.to_be_bytes()).into(),
        name: format!("payments/key-{number}"),
        owner: KeyOwner::Service(format!("payments/program-{number}")),
        roles: vec!["program".to_owned()],
        restrictions: Vec::new(),
        not_before: None,
        expires_at: None,
        suspended: false,
    }
}

fn cut(snapshot: &Snapshot) -> Shards {
    Shards::cut(snapshot, &Shards::default()).unwrap()
}

fn engine(shards: &Shards) -> Engine {
    let mut read = shards.shards.iter();
    let head = read.next().unwrap();
    let head = Head::read(&head.bytes, &head.digest).unwrap();
    let pieces = read
        .map(|shard| Piece::read(&shard.bytes, &shard.digest).unwrap())
        .map(|piece| Arc::new(ReadyPiece::new(piece).unwrap()))
        .collect();
    Engine::assemble(head, pieces, shards.digest.clone()).unwrap()
}

fn changed(before: &Shards, after: &Shards) -> usize {
    let before: BTreeSet<&String> = before.shards.iter().map(|shard| &shard.digest).collect();
    after
        .shards
        .iter()
        .filter(|shard| !before.contains(&shard.digest))
        .count()
}

#[test]
fn shards_join_to_the_whole() {
    for (keys, policies) in [(0, 0), (1, 1), (9_000, 40)] {
        let whole = snapshot(keys, policies);
        let engine = engine(&cut(&whole));
        for number in 0..keys {
            let key = key(number);
            assert_eq!(engine.key(&key.digest).map(|found| found.name()), Some(&*key.name));
        }
        assert_eq!(engine.keys().count(), whole.keys.len());
        let hosts: BTreeSet<&str> = engine.hosts().collect();
        assert_eq!(
            hosts,
            whole
                .access
                .iter()
                .flat_map(|one| &one.hosts)
                .map(String::as_str)
                .collect()
        );
    }
}

#[test]
fn every_shard_fits_into_half_a_secret() {
    let shards = cut(&snapshot(20_000, 40));
    assert!(shards.shards.len() > 8, "{} shards", shards.shards.len());
    assert!(shards.shards.iter().all(|shard| shard.bytes.len() <= LARGEST));
}

#[test]
fn one_changed_resource_changes_one_shard() {
    let mut whole = snapshot(9_000, 40);
    let before = cut(&whole);
    assert_eq!(
        changed(&before, &Shards::cut(&whole, &before).unwrap()),
        0,
        "equal Snapshots have equal shards"
    );
    let mut keys: Vec<Key> = whole.keys.written().collect();
    keys[4_711].suspended = true;
    whole.keys = keys.into_iter().collect();
    let suspended = Shards::cut(&whole, &before).unwrap();
    assert_eq!(changed(&before, &suspended), 1);
    assert_eq!(suspended.digest, cut(&whole).digest, "what was before leaves no trace");
    whole.access[7].rules[0].methods = vec!["GET".to_owned()];
    assert_eq!(changed(&suspended, &cut(&whole)), 1);
    whole.settings.display_name = "another".to_owned();
    assert_eq!(changed(&suspended, &cut(&whole)), 2);
}

#[test]
fn what_cannot_fit_is_refused_with_its_size() {
    let mut whole = snapshot(0, 1);
    whole.settings.display_name = (0..100_000u32)
        .map(|number| crate::snapshot::hexadecimal(&Sha256::digest(number.to_be_bytes())))
        .collect();
    let error = Shards::cut(&whole, &Shards::default()).unwrap_err().to_string();
    assert!(error.starts_with("the instance with its providers takes 3"), "{error}");
}

#[test]
fn an_index_survives_writing_and_reading() {
    let index = cut(&snapshot(3, 3)).index(7);
    let text = serde_json::to_string(&index).unwrap();
    assert_eq!(Index::read(text.as_bytes()).unwrap(), index);
    let another = cut(&snapshot(4, 3)).index(7);
    for (case, wrong, expected) in [
        ("cut off", text[..40].to_owned(), "the index is damaged"),
        (
            "another's digest",
            text.replace(&index.digest, &another.digest),
            "the index is damaged",
        ),
        (
            "another's shard",
            text.replace(&index.shards[1], &another.shards[1]),
            "the index is damaged",
        ),
        (
            "no digest",
            text.replace(&index.shards[1], "../../key"),
            "the index is damaged",
        ),
        (
            "a later format",
            text.replace("\"format\":1", "\"format\":2"),
            "snapshot format 2 cannot be read",
        ),
    ] {
        let error = Index::read(wrong.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{case}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_damaged_shard_is_read(at in any::<prop::sample::Index>(), bit in 0..8_u8, keep in any::<prop::sample::Index>()) {
        let shards = cut(&snapshot(20, 3));
        for shard in &shards.shards {
            let mut bytes = shard.bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            // A flipped bit may leave the content as it was, never make another of it.
            if let Ok(content) = content(&bytes, &shard.digest) {
                prop_assert_eq!(digest(&content), shard.digest.clone());
            }
            prop_assert!(content(&shard.bytes[..keep.index(shard.bytes.len())], &shard.digest).is_err());
        }
    }
}
