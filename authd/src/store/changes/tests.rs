use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::store::tests::{Fixture, at, fixture};
use crate::store::{Identity, Profile, Reason, RevocationKind, Role, revocations};

/// What is new since the last time, which is forgotten.
async fn news(fixture: &Fixture, position: &mut i64) -> (usize, Vec<Uuid>) {
    let changes = fixture.store.changes_since(*position).await.unwrap().unwrap();
    *position = changes.position;
    (changes.revocations.len(), changes.accounts)
}

#[tokio::test]
async fn whatever_replicas_keep_in_memory_is_said_when_it_changes() {
    let fixture = fixture().await;
    let store = &fixture.store;
    fixture.admin("first@example.com").await;
    let user = fixture.user("ann@example.com").await.id;
    let position = &mut store.position().await.unwrap();
    assert_eq!(
        news(&fixture, position).await,
        (0, vec![]),
        "an account that nobody knows yet is no news"
    );

    let session = fixture.session(user).await;
    assert_eq!(news(&fixture, position).await, (0, vec![]), "neither is a session");
    let revocation = store
        .revoke_session(session.id, Reason::SignedOut, at(1))
        .await
        .unwrap();
    let changes = store.changes_since(*position).await.unwrap().unwrap();
    assert_eq!(changes.revocations, [revocation]);
    assert_eq!(news(&fixture, position).await, (1, vec![]));
    assert_eq!(news(&fixture, position).await, (0, vec![]), "once");

    let key = store.create_key(&fixture.new_key(user)).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "a key");
    store.delete_key(user, key.id).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "a key that is gone");
    let profile = Profile {
        name: "Ann".to_owned(),
        profile_image_url: String::new(),
        bio: None,
        gender: None,
        date_of_birth: None,
    };
    store.update_profile(user, &profile, at(2)).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "a name");
    fixture.session(user).await;
    store.change_role(user, Role::Admin, at(3)).await.unwrap();
    assert_eq!(news(&fixture, position).await, (1, vec![user]), "a role");
    store.disable_user(user, at(4)).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "disabled");
    store.enable_user(user, at(5)).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "enabled");
    fixture.session(user).await;
    store.delete_user(user, at(7)).await.unwrap();
    assert_eq!(
        news(&fixture, position).await,
        (1, vec![user]),
        "an account that is gone"
    );
}

#[tokio::test]
async fn what_providers_say_is_said_when_it_changes() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let user = fixture.user("ann@example.com").await.id;
    let position = &mut store.position().await.unwrap();
    let mut identity = Identity {
        provider: "corporate".to_owned(),
        subject: "1".to_owned(),
        user_id: user,
        claims: json!({"groups": ["a"]}),
        updated_at: at(5),
        refused_at: None,
    };
    store.link_identity(&identity, None).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "an identity");
    store.note_again(&identity, None).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![]), "the same again");
    identity.claims = json!({"groups": ["b"]});
    store.note_again(&identity, None).await.unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "other claims");
    store
        .set_membership(user, "manual", &["team".to_owned()])
        .await
        .unwrap();
    assert_eq!(news(&fixture, position).await, (0, vec![user]), "groups");
    store.unlink_identity(user, "corporate", at(6)).await.unwrap();
    assert_eq!(
        news(&fixture, position).await,
        (0, vec![user]),
        "an identity that is gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_reads_while_others_write_misses_nothing() {
    let fixture = fixture().await;
    let user = fixture.user("ann@example.com").await.id;
    let mut sessions = Vec::new();
    for _ in 0..60 {
        sessions.push(fixture.session(user).await.id);
    }
    let mut ended = JoinSet::new();
    for id in &sessions {
        let (store, id) = (fixture.store.clone(), *id);
        ended.spawn(async move { store.revoke_session(id, Reason::SignedOut, at(1)).await.unwrap() });
    }
    let (mut position, mut seen) = (0, std::collections::BTreeSet::new());
    while seen.len() < sessions.len() {
        while ended.try_join_next().is_some() {}
        let all_are_in = ended.is_empty();
        let changes = fixture.store.changes_since(position).await.unwrap().unwrap();
        position = changes.position;
        seen.extend(changes.revocations.iter().map(|revocation| revocation.id));
        assert!(
            seen.len() == sessions.len() || !all_are_in,
            "{} were missed",
            sessions.len() - seen.len()
        );
    }
}

#[tokio::test]
async fn changes_go_once_they_are_many_and_whoever_missed_some_reads_everything() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let (old, new) = (
        fixture.user("old@example.com").await.id,
        fixture.user("new@example.com").await.id,
    );
    store.set_membership(old, "manual", &[]).await.unwrap();
    let before = store.position().await.unwrap();
    // As if many others had come since.
    store.skip_positions(KEPT - 1).await;
    store.set_membership(new, "manual", &[]).await.unwrap();
    assert_eq!(store.position().await.unwrap(), before + KEPT, "control");
    assert_eq!(store.purge_changes().await.unwrap(), 1, "one is old enough");
    let changes = store.changes_since(before).await.unwrap().unwrap();
    assert_eq!(changes.accounts, [new], "nothing that is missing was new");
    assert_eq!(
        store.changes_since(before - 1).await.unwrap(),
        None,
        "whoever has not seen what went is told"
    );
    assert_eq!(
        store.changes_since(before + KEPT + 1).await.unwrap(),
        None,
        "so is whoever has seen more than there is: an older database took the place of the one before"
    );
}

#[tokio::test]
async fn very_many_changes_are_read_some_at_a_time_or_all_anew() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let before = store.position().await.unwrap();
    let many = 3 * REVOCATIONS / 1_000;
    for _ in 0..many {
        let ended: Vec<_> = (0..1_000)
            .map(|_| Revocation {
                kind: RevocationKind::Token,
                id: fixture.random.token_id(),
                expires_at: None,
            })
            .collect();
        let mut transaction = store.begin(&[]).await.unwrap();
        let position = next(&mut transaction).await.unwrap();
        revocations::insert(&mut transaction, &ended, (Reason::SignedOut, at(0)), position)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }
    let (mut position, mut seen, mut rounds) = (before, std::collections::HashSet::new(), 0);
    while position < store.position().await.unwrap() {
        let changes = store.changes_since(position).await.unwrap().unwrap();
        assert!(
            changes.position > position && changes.revocations.len() <= 10_000,
            "{rounds}"
        );
        seen.extend(changes.revocations.iter().map(|revocation| revocation.id));
        (position, rounds) = (changes.position, rounds + 1);
    }
    assert_eq!((seen.len(), rounds), (30_000, 3));

    let mut transaction = store.begin(&[]).await.unwrap();
    for _ in 0..=ACCOUNTS {
        account(&mut transaction, fixture.id()).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(store.changes_since(position).await.unwrap(), None);
    let but_one = store.changes_since(position + 1).await.unwrap().unwrap();
    assert_eq!(but_one.accounts.len(), 1_000);
}
