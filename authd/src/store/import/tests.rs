use serde_json::json;

use super::*;
use crate::store::tests::{Fixture, at, fixture};
use crate::store::{Role, User};

fn foreign(fixture: &Fixture, email: &str) -> Foreign {
    let user = fixture.new_user(email, Role::User);
    let identity = Identity {
        provider: "google".to_owned(),
        subject: format!("subject of {email}"),
        user_id: user.id,
        claims: json!({}),
        updated_at: at(0),
        refused_at: None,
    };
    Foreign {
        bio: Some("hello".to_owned()),
        gender: None,
        date_of_birth: Some("2000-01-31".parse().unwrap()),
        disabled: false,
        identities: vec![identity],
        keys: vec![fixture.new_key(user.id)],
        groups: vec!["staff".to_owned()],
        user,
    }
}

async fn found(fixture: &Fixture, account: &Foreign) -> Option<User> {
    fixture.store.user_by_id(account.user.id).await.unwrap()
}

#[tokio::test]
async fn an_account_comes_with_all_that_belongs_to_it() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let (ann, kept_out) = (
        foreign(&fixture, "Ann@example.com"),
        foreign(&fixture, "out@example.com"),
    );
    let kept_out = Foreign {
        disabled: true,
        ..kept_out
    };
    let outcomes = store
        .import(&[ann.clone(), kept_out.clone()], Writing::Done, at(1))
        .await
        .unwrap();
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.taken == Taken::Over && outcome.conflicts.is_empty()),
        "{outcomes:?}"
    );
    let user = found(&fixture, &ann).await.unwrap();
    assert_eq!(
        (user.email.as_str(), user.bio.as_deref(), user.disabled),
        ("ann@example.com", Some("hello"), false)
    );
    assert_eq!(user.created_at, ann.user.created_at);
    assert_eq!(
        store
            .find_identity("google", "subject of Ann@example.com")
            .await
            .unwrap()
            .unwrap()
            .user_id,
        user.id
    );
    assert_eq!(store.keys_of(user.id).await.unwrap().len(), 1);
    assert_eq!(store.groups_of(user.id, "google").await.unwrap(), ["staff"]);
    assert!(found(&fixture, &kept_out).await.unwrap().disabled);
    assert_eq!(
        store.all_active_keys(at(2)).await.unwrap().len(),
        1,
        "the key of who is kept out opens nothing"
    );
}

#[tokio::test]
async fn what_is_only_tried_leaves_nothing_and_says_the_same() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let accounts = [
        foreign(&fixture, "ann@example.com"),
        foreign(&fixture, "ann@example.com"),
    ];
    let tried = store.import(&accounts, Writing::Tried, at(1)).await.unwrap();
    assert!(found(&fixture, &accounts[0]).await.is_none());
    let done = store.import(&accounts, Writing::Done, at(1)).await.unwrap();
    assert_eq!(tried, done);
    assert_eq!(
        done.iter().map(|outcome| outcome.taken).collect::<Vec<_>>(),
        [Taken::Over, Taken::AddressTaken]
    );
}

#[tokio::test]
async fn who_is_here_stays_as_they_are() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let ann = foreign(&fixture, "ann@example.com");
    store
        .import(std::slice::from_ref(&ann), Writing::Done, at(1))
        .await
        .unwrap();
    store.delete_key(ann.user.id, ann.keys[0].id).await.unwrap();
    store.change_role(ann.user.id, Role::Pending, at(2)).await.unwrap();
    let again = store
        .import(std::slice::from_ref(&ann), Writing::Done, at(3))
        .await
        .unwrap();
    assert_eq!(again[0].taken, Taken::HereAlready);
    assert_eq!(found(&fixture, &ann).await.unwrap().role, Role::Pending);
    assert!(
        store.keys_of(ann.user.id).await.unwrap().is_empty(),
        "a key that was deleted does not come back"
    );
}

#[tokio::test]
async fn what_belongs_to_somebody_else_here_stays_theirs() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let ann = foreign(&fixture, "ann@example.com");
    let mut bob = foreign(&fixture, "bob@example.com");
    bob.identities[0].subject.clone_from(&ann.identities[0].subject);
    bob.keys[0].hash = ann.keys[0].hash;
    let outcomes = store
        .import(&[ann.clone(), bob.clone()], Writing::Done, at(1))
        .await
        .unwrap();
    let expected = [
        Conflict::Identity("google".to_owned()),
        Conflict::Key("sk-1a2b".to_owned()),
    ];
    assert_eq!(outcomes[1].conflicts, expected);
    assert_eq!(
        store
            .find_identity("google", &ann.identities[0].subject)
            .await
            .unwrap()
            .unwrap()
            .user_id,
        ann.user.id
    );
    assert!(store.keys_of(bob.user.id).await.unwrap().is_empty());
}
