use super::*;
use crate::store::tests::{at, fixture};
use crate::store::{NewSession, sessions};

#[tokio::test]
async fn sessions_of_everybody_come_with_their_owners_the_one_used_last_first() {
    let fixture = fixture().await;
    let (alice, bob) = (
        fixture.user("alice@example.com").await,
        fixture.user("bob@example.com").await,
    );
    let first = fixture.session(alice.id).await;
    let second = fixture.session(bob.id).await;
    let over = NewSession {
        expires_at: Some(at(1)),
        ..fixture.new_session(bob.id)
    };
    fixture.store.create_session(&over).await.unwrap();
    fixture
        .store
        .touch_sessions(&[(first.id, at(3)), (second.id, at(4))])
        .await
        .unwrap();
    let (sessions, total) = fixture.store.sessions_of_everybody(10, at(5)).await.unwrap();
    let listed: Vec<_> = sessions
        .iter()
        .map(|owned| (owned.session.id, owned.email.as_str()))
        .collect();
    assert_eq!(
        listed,
        [(second.id, "bob@example.com"), (first.id, "alice@example.com")]
    );
    assert_eq!(total, 2);
    let (some, total) = fixture.store.sessions_of_everybody(1, at(5)).await.unwrap();
    assert_eq!((some.len(), total), (1, 2));
}

#[tokio::test]
async fn every_session_ends_at_once_and_is_revoked() {
    let fixture = fixture().await;
    let alice = fixture.user("alice@example.com").await;
    let ids = [fixture.session(alice.id).await.id, fixture.session(alice.id).await.id];
    let store = &fixture.store;
    let end = || store.revoke_every_session(Whose::Everybody, Reason::EndedByAdmin, at(5));
    assert_eq!(end().await.unwrap(), 2);
    assert!(store.sessions_of(alice.id, at(5)).await.unwrap().is_empty());
    let revoked = store.load_active_revocations(at(5)).await.unwrap();
    assert!(
        ids.iter()
            .all(|id| revoked.iter().any(|revocation| revocation.id == *id)),
        "{revoked:?}"
    );
    assert_eq!(end().await.unwrap(), 0);
}

#[tokio::test]
async fn sessions_that_began_through_a_provider_end_and_others_go_on() {
    let fixture = fixture().await;
    let alice = fixture.user("alice@example.com").await;
    let other = fixture.session(alice.id).await;
    let mut through = Vec::new();
    // More than end in one transaction.
    for _ in 0..=AT_ONCE {
        through.push(NewSession {
            provider: "corporate".to_owned(),
            ..fixture.new_session(alice.id)
        });
    }
    let mut transaction = fixture.store.begin(&[]).await.unwrap();
    for session in &through {
        sessions::insert(&mut transaction, session).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let store = &fixture.store;
    let before = store.position().await.unwrap();
    let whose = Whose::Provider("corporate");
    let ended = store.revoke_every_session(whose, Reason::EndedByAdmin, at(5)).await;
    assert_eq!(ended.unwrap(), u64::try_from(through.len()).unwrap());
    assert_eq!(store.sessions_of(alice.id, at(5)).await.unwrap(), [other]);
    let told = store.changes_since(before).await.unwrap().unwrap();
    assert_eq!(told.revocations.len(), through.len(), "replicas are told of each");
}
