use serde_json::json;

use super::*;
use crate::store::tests::{AWKWARD, at, fixture};

fn identity(user: Uuid, claims: Value) -> Identity {
    Identity {
        provider: "corporate".to_owned(),
        subject: "s-1".to_owned(),
        user_id: user,
        claims,
        updated_at: at(0),
        refused_at: None,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn claims_that_say_the_same_are_no_change() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    for (claims, expected) in [
        (json!({"groups": ["a", "b"], "name": "Alice"}), ClaimsChange::Changed),
        (
            serde_json::from_str(r#"{"name":"Alice","groups":["a","b"]}"#).unwrap(),
            ClaimsChange::Same,
        ),
        (json!({"groups": ["a"], "name": "Alice"}), ClaimsChange::Changed),
        (json!({}), ClaimsChange::Changed),
        (json!({}), ClaimsChange::Same),
    ] {
        let identity = identity(user.id, claims);
        assert_eq!(
            fixture.store.upsert_identity(&identity).await.unwrap(),
            expected,
            "{}",
            identity.claims
        );
        assert_eq!(
            fixture.store.find_identity("corporate", "s-1").await.unwrap(),
            Some(identity)
        );
    }
    assert_eq!(fixture.store.identities_of(user.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_identity_never_moves_to_another_account() {
    let fixture = fixture().await;
    let (alice, mallory) = (
        fixture.user("alice@example.com").await,
        fixture.user("mallory@example.com").await,
    );
    fixture
        .store
        .upsert_identity(&identity(alice.id, json!({})))
        .await
        .unwrap();
    let refused = fixture
        .store
        .upsert_identity(&identity(mallory.id, json!({"x": 1})))
        .await;
    assert!(matches!(refused, Err(Error::Conflict)));
    let found = fixture.store.find_identity("corporate", "s-1").await.unwrap();
    assert_eq!(found, Some(identity(alice.id, json!({}))));
    let orphan = Identity {
        subject: "s-2".to_owned(),
        ..identity(fixture.id(), json!({}))
    };
    assert!(matches!(
        fixture.store.upsert_identity(&orphan).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn provider_and_subject_are_exact() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    fixture
        .store
        .upsert_identity(&identity(user.id, json!({})))
        .await
        .unwrap();
    assert!(fixture.store.find_identity("corporate", "s-1").await.unwrap().is_some());
    for (provider, subject) in [
        ("corporate", "S-1"),
        ("Corporate", "s-1"),
        ("corporate", "s-1\0"),
        ("other", "s-1"),
    ] {
        assert!(
            fixture.store.find_identity(provider, subject).await.unwrap().is_none(),
            "{provider} {subject:?}"
        );
    }
}

#[tokio::test]
async fn a_source_replaces_only_its_own_groups() {
    let fixture = fixture().await;
    let (user, other) = (
        fixture.user("alice@example.com").await,
        fixture.user("bob@example.com").await,
    );
    fixture
        .store
        .set_membership(user.id, "manual", &names(&["ops", "staff"]))
        .await
        .unwrap();
    fixture
        .store
        .set_membership(user.id, "corporate", &names(&["staff", "dev", "dev"]))
        .await
        .unwrap();
    fixture
        .store
        .set_membership(other.id, "corporate", &names(&["dev"]))
        .await
        .unwrap();
    assert_eq!(
        fixture.store.groups_of(user.id, "corporate").await.unwrap(),
        names(&["dev", "ops", "staff"])
    );

    fixture
        .store
        .set_membership(user.id, "corporate", &names(&["sales"]))
        .await
        .unwrap();
    assert_eq!(
        fixture.store.groups_of(user.id, "corporate").await.unwrap(),
        names(&["ops", "sales", "staff"])
    );
    fixture.store.set_membership(user.id, "corporate", &[]).await.unwrap();
    let rows = fixture.store.memberships_of(user.id).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(),
        vec!["manual"; 2]
    );
    assert_eq!(
        fixture.store.groups_of(other.id, "corporate").await.unwrap(),
        names(&["dev"])
    );

    let refused = fixture
        .store
        .set_membership(fixture.id(), "manual", &names(&["ops"]))
        .await;
    assert!(matches!(refused, Err(Error::NotFound)));
}

#[tokio::test]
async fn every_text_survives_as_it_was_given() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    for text in AWKWARD {
        let identity = Identity {
            provider: (*text).to_owned(),
            subject: (*text).to_owned(),
            ..identity(user.id, json!({ *text: [text] }))
        };
        fixture.store.upsert_identity(&identity).await.unwrap();
        assert_eq!(fixture.store.find_identity(text, text).await.unwrap(), Some(identity));
        fixture
            .store
            .set_membership(user.id, text, &names(&[text]))
            .await
            .unwrap();
        let membership = Membership {
            group: (*text).to_owned(),
            source: (*text).to_owned(),
        };
        assert!(
            fixture
                .store
                .memberships_of(user.id)
                .await
                .unwrap()
                .contains(&membership),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn of_groups_that_are_named_those_with_members_are_known() {
    let fixture = fixture().await;
    let user = fixture.user("ann@example.com").await.id;
    let awkward: Vec<String> = AWKWARD.iter().map(|text| (*text).to_owned()).collect();
    let store = &fixture.store;
    store.set_membership(user, "manual", &awkward).await.unwrap();
    let mut named: Vec<String> = (0..NAMED_AT_ONCE).map(|number| format!("group {number}")).collect();
    named.extend(awkward.clone());
    let (mut known, mut expected) = (store.known_groups(&named).await.unwrap(), awkward);
    known.sort();
    expected.sort();
    assert_eq!(known, expected);
    assert_eq!(store.known_groups(&[]).await.unwrap(), [""; 0]);
}
