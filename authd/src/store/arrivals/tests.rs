use serde_json::json;

use super::*;
use crate::store::Role;
use crate::store::tests::{Fixture, at, fixture};

fn arrival(fixture: &Fixture, user: Uuid, account: Account) -> Arrival {
    Arrival {
        account,
        identity: Identity {
            provider: "corporate".to_owned(),
            subject: "s-1".to_owned(),
            user_id: user,
            claims: json!({}),
            updated_at: at(1),
            refused_at: None,
        },
        groups: Some(vec!["staff".to_owned()]),
        profile: FromProvider::default(),
        session: NewSession {
            id: fixture.id(),
            user_id: user,
            provider: "corporate".to_owned(),
            created_at: at(1),
            signed_in_at: Some(at(1)),
            acr: Some("gold".to_owned()),
            expires_at: None,
            client_address: String::new(),
            user_agent: String::new(),
        },
        grant: None,
        most_sessions: 10,
        now: at(1),
    }
}

#[tokio::test]
async fn b40_what_cannot_be_written_whole_is_not_written_at_all() {
    let fixture = fixture().await;
    let alice = fixture.user("alice@example.com").await;
    fixture
        .store
        .arrive(&arrival(&fixture, alice.id, Account::Known(alice.id)))
        .await
        .unwrap();
    // A new account whose identity is Alice's already.
    let new = fixture.new_user("bob@example.com", Role::Pending);
    let taken = fixture
        .store
        .arrive(&arrival(&fixture, new.id, Account::New(new.clone())))
        .await;
    assert!(matches!(taken, Err(Error::Conflict)), "{taken:?}");
    assert!(fixture.store.user_by_email("bob@example.com").await.unwrap().is_none());
    // Alice's account as somebody else at the same provider.
    let mut second = arrival(&fixture, alice.id, Account::Known(alice.id));
    second.identity.subject = "s-2".to_owned();
    assert!(matches!(fixture.store.arrive(&second).await, Err(Error::Conflict)));
    assert_eq!(fixture.store.sessions_of(alice.id, at(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_without_a_password_follows_its_provider() {
    let fixture = fixture().await;
    fixture.user("taken@example.com").await;
    let mut new = fixture.new_user("old@example.com", Role::Pending);
    new.password_hash = None;
    new.email_verified = false;
    fixture
        .store
        .arrive(&arrival(&fixture, new.id, Account::New(new.clone())))
        .await
        .unwrap();
    for (email, expected, verified) in [
        (None, "old@example.com", false),
        (Some("taken@example.com"), "old@example.com", false),
        (Some("new@example.com"), "new@example.com", true),
    ] {
        let mut again = arrival(&fixture, new.id, Account::Known(new.id));
        again.session.id = fixture.id();
        again.profile.email = email.map(str::to_owned);
        again.profile.name = Some("New".to_owned());
        let user = fixture.store.arrive(&again).await.unwrap().user;
        assert_eq!(
            (user.email.as_str(), user.email_verified),
            (expected, verified),
            "{email:?}"
        );
        assert_eq!(user.name, "New");
    }
}

#[tokio::test]
async fn an_account_with_a_password_keeps_what_its_owner_wrote() {
    let fixture = fixture().await;
    let alice = fixture.user("alice@example.com").await;
    let mut arrival = arrival(&fixture, alice.id, Account::Known(alice.id));
    arrival.profile = FromProvider {
        email: Some("other@example.com".to_owned()),
        name: Some("Other".to_owned()),
        picture: Some("https://example.com/a.png".to_owned()),
    };
    let user = fixture.store.arrive(&arrival).await.unwrap().user;
    assert_eq!((user.email, user.name), (alice.email, alice.name));
    assert_eq!(user.profile_image_url, alice.profile_image_url);
}
