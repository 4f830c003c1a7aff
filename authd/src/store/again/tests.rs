use serde_json::json;

use super::*;
use crate::store::tests::{Fixture, at, fixture};
use crate::store::{NewKey, NewSession, User};

fn identity(user: &User, minutes: i64) -> Identity {
    Identity {
        provider: "corporate".to_owned(),
        subject: format!("id of {}", user.email),
        user_id: user.id,
        claims: json!({"groups": ["staff"]}),
        updated_at: at(minutes),
        refused_at: None,
    }
}

/// Somebody of whom the provider was heard at this minute, with a session through it.
async fn somebody(fixture: &Fixture, email: &str, minutes: i64) -> User {
    let user = fixture.user(email).await;
    fixture.store.upsert_identity(&identity(&user, minutes)).await.unwrap();
    let session = NewSession {
        provider: "corporate".to_owned(),
        ..fixture.new_session(user.id)
    };
    fixture.store.create_session(&session).await.unwrap();
    user
}

async fn due(fixture: &Fixture, before: i64, now: i64) -> Vec<String> {
    let due = fixture
        .store
        .identities_due("corporate", at(before), at(now), 2)
        .await
        .unwrap();
    due.into_iter().map(|identity| identity.subject).collect()
}

#[tokio::test]
async fn who_is_due_was_not_heard_of_for_long_and_has_a_session_there() {
    let fixture = fixture().await;
    somebody(&fixture, "alice@example.com", 3).await;
    somebody(&fixture, "bob@example.com", 1).await;
    somebody(&fixture, "carol@example.com", 2).await;
    // Signed in elsewhere, though known to the provider.
    let dave = fixture.user("dave@example.com").await;
    fixture.store.upsert_identity(&identity(&dave, 0)).await.unwrap();
    fixture.session(dave.id).await;
    assert_eq!(due(&fixture, 0, 5).await, Vec::<String>::new());
    assert_eq!(
        due(&fixture, 2, 5).await,
        ["id of bob@example.com", "id of carol@example.com"]
    );
    // Two at a time; sessions end after an hour.
    assert_eq!(due(&fixture, 4, 5).await.len(), 2);
    assert_eq!(due(&fixture, 4, 61).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_said_again_is_noted_whole_and_makes_nobody_due() {
    let fixture = fixture().await;
    let alice = somebody(&fixture, "alice@example.com", 1).await;
    let store = &fixture.store;
    let again = identity(&alice, 2);
    assert_eq!(
        store.note_again(&again, Some(&["staff".to_owned()])).await.unwrap(),
        ClaimsChange::Same
    );
    assert_eq!(due(&fixture, 1, 5).await, Vec::<String>::new());
    let other = Identity {
        claims: json!({"groups": []}),
        ..identity(&alice, 3)
    };
    // No groups given: those that there are stay.
    assert_eq!(store.note_again(&other, None).await.unwrap(), ClaimsChange::Changed);
    assert_eq!(store.groups_of(alice.id, "corporate").await.unwrap(), ["staff"]);
    store.note_again(&other, Some(&[])).await.unwrap();
    assert!(store.groups_of(alice.id, "corporate").await.unwrap().is_empty());
}

#[tokio::test]
async fn who_has_a_key_is_due_without_a_session_and_until_it_expires() {
    let fixture = fixture().await;
    let alice = fixture.user("alice@example.com").await;
    fixture.store.upsert_identity(&identity(&alice, 1)).await.unwrap();
    assert_eq!(due(&fixture, 2, 5).await, Vec::<String>::new(), "control");
    let key = NewKey {
        expires_at: Some(at(30)),
        ..fixture.new_key(alice.id)
    };
    fixture.store.create_key(&key).await.unwrap();
    assert_eq!(due(&fixture, 2, 5).await, ["id of alice@example.com"]);
    assert_eq!(due(&fixture, 2, 30).await, Vec::<String>::new());
}

#[tokio::test]
async fn of_many_who_ask_about_somebody_one_does() {
    let fixture = fixture().await;
    let alice = somebody(&fixture, "alice@example.com", 1).await;
    let (store, alice) = (&fixture.store, identity(&alice, 1));
    assert!(store.take_identity(&alice, at(5), at(7)).await.unwrap());
    assert!(!store.take_identity(&alice, at(6), at(8)).await.unwrap());
    assert_eq!(due(&fixture, 2, 6).await, Vec::<String>::new());
    assert!(
        store.take_identity(&alice, at(7), at(9)).await.unwrap(),
        "it never came back"
    );
    store.give_back_identity(&alice).await.unwrap();
    assert_eq!(due(&fixture, 2, 7).await, ["id of alice@example.com"]);
    // What is heard gives it back, too.
    assert!(store.take_identity(&alice, at(7), at(90)).await.unwrap());
    let again = Identity {
        updated_at: at(8),
        ..alice.clone()
    };
    store.note_again(&again, None).await.unwrap();
    assert_eq!(due(&fixture, 8, 9).await, ["id of alice@example.com"]);
    // Another has asked since this one read who is due.
    assert!(!store.take_identity(&alice, at(8), at(9)).await.unwrap());
}

#[tokio::test]
async fn whoever_is_gone_loses_the_sessions_that_began_there_and_no_others() {
    let fixture = fixture().await;
    let alice = somebody(&fixture, "alice@example.com", 1).await;
    let other = fixture.session(alice.id).await;
    let bob = somebody(&fixture, "bob@example.com", 1).await;
    let store = &fixture.store;
    let ended = store
        .revoke_sessions_through(&identity(&alice, 1), at(2))
        .await
        .unwrap();
    assert_eq!(ended.len(), 1);
    let left: Vec<_> = store.sessions_of(alice.id, at(2)).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [other.id]);
    assert_eq!(store.sessions_of(bob.id, at(2)).await.unwrap().len(), 1);
    assert_eq!(store.load_active_revocations(at(2)).await.unwrap(), ended);
    assert_eq!(
        store
            .identity_of(alice.id, "corporate")
            .await
            .unwrap()
            .unwrap()
            .refused_at,
        None
    );
}

#[tokio::test]
async fn who_is_refused_stays_so_until_the_provider_has_them_again() {
    let fixture = fixture().await;
    let alice = somebody(&fixture, "alice@example.com", 1).await;
    let store = &fixture.store;
    let known = async || store.identity_of(alice.id, "corporate").await.unwrap().unwrap();
    assert_eq!(store.refuse_identity(&known().await, at(2)).await.unwrap().len(), 1);
    assert_eq!(
        (known().await.refused_at, known().await.updated_at),
        (Some(at(2)), at(2))
    );
    // Asked again, it says the same: since when does not change.
    assert_eq!(store.refuse_identity(&known().await, at(3)).await.unwrap().len(), 0);
    assert_eq!(
        (known().await.refused_at, known().await.updated_at),
        (Some(at(2)), at(3))
    );
    let change = store.note_again(&identity(&alice, 4), None).await.unwrap();
    assert_eq!((known().await.refused_at, change), (None, ClaimsChange::Changed));
}
