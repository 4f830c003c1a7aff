use super::*;
use crate::store::tests::{AWKWARD, at, fixture};

#[tokio::test]
async fn a_key_is_found_by_its_hash_and_listed_without_it() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let new = fixture.new_key(user.id);
    let key = fixture.store.create_key(&new).await.unwrap();
    assert_eq!(
        (key.name.as_str(), key.prefix.as_str(), key.last_used_at),
        ("ci", "sk-1a2b", None)
    );
    assert_eq!(fixture.store.keys_of(user.id).await.unwrap(), vec![key]);
    let active = ActiveKey {
        id: new.id,
        user_id: user.id,
        hash: new.hash,
        expires_at: None,
        endpoints: Some(r#"["/api/v1"]"#.into()),
    };
    assert_eq!(
        fixture.store.key_by_hash(&new.hash, at(0)).await.unwrap(),
        Some(active.clone())
    );
    assert_eq!(fixture.store.all_active_keys(at(0)).await.unwrap(), vec![active]);
    assert_eq!(fixture.store.key_by_hash(&[0; 32], at(0)).await.unwrap(), None);
}

#[tokio::test]
async fn a_user_may_have_many_keys_and_a_hash_is_of_one() {
    let fixture = fixture().await;
    let (alice, bob) = (
        fixture.user("alice@example.com").await,
        fixture.user("bob@example.com").await,
    );
    let first = fixture.new_key(alice.id);
    fixture.store.create_key(&first).await.unwrap();
    fixture.store.create_key(&fixture.new_key(alice.id)).await.unwrap();
    assert_eq!(fixture.store.keys_of(alice.id).await.unwrap().len(), 2);
    let copy = NewKey {
        hash: first.hash,
        ..fixture.new_key(bob.id)
    };
    assert!(matches!(fixture.store.create_key(&copy).await, Err(Error::Conflict)));
    let orphan = fixture.new_key(fixture.id());
    assert!(matches!(fixture.store.create_key(&orphan).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_key_opens_nothing_from_the_moment_it_expires() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let key = NewKey {
        expires_at: Some(at(10)),
        ..fixture.new_key(user.id)
    };
    fixture.store.create_key(&key).await.unwrap();
    for (minutes, opens) in [(9, true), (10, false), (11, false)] {
        assert_eq!(
            fixture
                .store
                .key_by_hash(&key.hash, at(minutes))
                .await
                .unwrap()
                .is_some(),
            opens,
            "{minutes}"
        );
        assert_eq!(
            fixture.store.all_active_keys(at(minutes)).await.unwrap().len(),
            usize::from(opens),
            "{minutes}"
        );
    }
    assert_eq!(fixture.store.keys_of(user.id).await.unwrap().len(), 1);
    assert_eq!(fixture.store.purge_expired_keys(at(9)).await.unwrap(), 0);
    assert_eq!(fixture.store.purge_expired_keys(at(10)).await.unwrap(), 1);
    assert!(fixture.store.keys_of(user.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_the_owner_deletes_a_key() {
    let fixture = fixture().await;
    let (alice, bob) = (
        fixture.user("alice@example.com").await,
        fixture.user("bob@example.com").await,
    );
    let key = fixture.new_key(alice.id);
    fixture.store.create_key(&key).await.unwrap();
    assert!(matches!(
        fixture.store.delete_key(bob.id, key.id).await,
        Err(Error::NotFound)
    ));
    assert!(fixture.store.key_by_hash(&key.hash, at(0)).await.unwrap().is_some());
    assert_eq!(fixture.store.delete_key(alice.id, key.id).await.unwrap(), key.hash);
    assert!(fixture.store.key_by_hash(&key.hash, at(0)).await.unwrap().is_none());
    assert!(matches!(
        fixture.store.delete_key(alice.id, key.id).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn last_used_never_moves_back() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let key = fixture.new_key(user.id);
    fixture.store.create_key(&key).await.unwrap();
    fixture
        .store
        .touch_keys(&[(key.id, at(5)), (fixture.id(), at(6)), (key.id, at(3))])
        .await
        .unwrap();
    assert_eq!(
        fixture.store.keys_of(user.id).await.unwrap()[0].last_used_at,
        Some(at(5))
    );
}

#[tokio::test]
async fn every_text_and_hash_survives_as_it_was_given() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    for (number, text) in (0u8..).zip(AWKWARD) {
        let key = NewKey {
            name: (*text).to_owned(),
            prefix: (*text).to_owned(),
            endpoints: Some((*text).to_owned()),
            // All zeros for the first: a hash is bytes and never text.
            hash: [number; 32],
            ..fixture.new_key(user.id)
        };
        let made = fixture.store.create_key(&key).await.unwrap();
        assert_eq!(
            [made.name.as_str(), &made.prefix, made.endpoints.as_deref().unwrap()],
            [*text; 3]
        );
        assert_eq!(
            fixture.store.key_by_hash(&key.hash, at(0)).await.unwrap().unwrap().id,
            key.id
        );
    }
}
