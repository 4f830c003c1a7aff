use serde_json::json;

use super::*;
use crate::store::tests::{Fixture, at, fixture};
use crate::store::{NewSession, User};

fn identity(user: &User, minutes: i64) -> Identity {
    Identity {
        provider: "corporate".to_owned(),
        subject: format!("id of {}", user.email),
        user_id: user.id,
        claims: json!({"groups": ["staff"]}),
        updated_at: at(minutes),
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
async fn whoever_is_gone_loses_the_sessions_that_began_there_and_no_others() {
    let fixture = fixture().await;
    let alice = somebody(&fixture, "alice@example.com", 1).await;
    let other = fixture.session(alice.id).await;
    let bob = somebody(&fixture, "bob@example.com", 1).await;
    let ended = fixture
        .store
        .revoke_sessions_through("corporate", alice.id, Reason::ProviderRefused, at(2))
        .await
        .unwrap();
    assert_eq!(ended.len(), 1);
    let left: Vec<_> = fixture.store.sessions_of(alice.id, at(2)).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [other.id]);
    assert_eq!(fixture.store.sessions_of(bob.id, at(2)).await.unwrap().len(), 1);
    assert_eq!(fixture.store.load_active_revocations(at(2)).await.unwrap(), ended);
}
