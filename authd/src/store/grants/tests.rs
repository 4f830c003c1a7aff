use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::store::tests::{Fixture, at, fixture};
use crate::store::{NewSession, Reason};

/// A session of somebody new, with a grant that is due at that minute.
async fn granted(fixture: &Fixture, name: &str, due: i64) -> Grant {
    let user = fixture.user(&format!("{name}@example.com")).await;
    let session = NewSession {
        id: fixture.id(),
        user_id: user.id,
        provider: "corporate".to_owned(),
        created_at: at(0),
        signed_in_at: Some(at(0)),
        acr: None,
        expires_at: None,
        client_address: String::new(),
        user_agent: String::new(),
    };
    fixture.store.create_session(&session).await.unwrap();
    let grant = Grant {
        session: session.id,
        provider: "corporate".to_owned(),
        subject: format!("s-{name}"),
        sid: Some(format!("sid-{name}")),
        sealed: vec![0, 1, 255],
        due_at: Some(at(due)),
    };
    let mut transaction = fixture.store.begin(&[]).await.unwrap();
    insert(&mut transaction, &grant, at(0)).await.unwrap();
    transaction.commit().await.unwrap();
    grant
}

#[tokio::test]
async fn a_grant_that_is_due_is_taken_by_one() {
    let fixture = fixture().await;
    let (first, second) = (granted(&fixture, "a", 10).await, granted(&fixture, "b", 20).await);
    assert_eq!(
        fixture.store.grant_of(first.session).await.unwrap(),
        Some(first.clone())
    );
    let lease = |now: i64| fixture.store.lease_due_grants("corporate", 5, at(now), at(now + 2));
    let elsewhere = fixture.store.lease_due_grants("elsewhere", 5, at(10), at(12));
    assert!(elsewhere.await.unwrap().is_empty(), "another provider's");
    assert!(lease(9).await.unwrap().is_empty(), "not due");
    assert_eq!(lease(10).await.unwrap(), std::slice::from_ref(&first));
    assert!(lease(11).await.unwrap().is_empty(), "somebody has it");
    assert_eq!(
        lease(12).await.unwrap(),
        std::slice::from_ref(&first),
        "whoever had it did not come back"
    );
    fixture.store.postpone_grant(first.session, at(30)).await.unwrap();
    assert_eq!(lease(20).await.unwrap(), [second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_twenty_want_at_once_is_taken_by_one() {
    let fixture = fixture().await;
    for number in 0..5 {
        let grant = granted(&fixture, &format!("a{number}"), number).await;
        let wanted = (0..20).map(|_| {
            let store = fixture.store.clone();
            async move { store.lease_due_grants("corporate", 5, at(number), at(100)).await }
        });
        let taken = wanted.collect::<JoinSet<_>>().join_all().await.into_iter();
        assert_eq!(taken.flat_map(Result::unwrap).collect::<Vec<_>>(), [grant]);
    }
}

#[tokio::test]
async fn c11_a_session_that_ended_while_its_grant_was_renewed_stays_ended() {
    let fixture = fixture().await;
    let grant = granted(&fixture, "a", 10).await;
    let user = fixture
        .store
        .session_by_id(grant.session)
        .await
        .unwrap()
        .unwrap()
        .user_id;
    let renewal = Renewal {
        session: grant.session,
        sealed: vec![7],
        due_at: Some(at(20)),
        identity: Some(Identity {
            provider: "corporate".to_owned(),
            subject: "s-a".to_owned(),
            user_id: user,
            claims: json!({"groups": ["x"]}),
            updated_at: at(10),
            refused_at: None,
        }),
        groups: Some(vec!["x".to_owned()]),
    };
    fixture.store.renew_grant(&renewal, at(10)).await.unwrap();
    assert_eq!(
        fixture.store.grant_of(grant.session).await.unwrap().unwrap().sealed,
        [7],
        "positive control"
    );
    assert_eq!(fixture.store.groups_of(user, "corporate").await.unwrap(), ["x"]);
    fixture
        .store
        .revoke_session(grant.session, Reason::ProviderRefused, at(11))
        .await
        .unwrap();
    let late = Renewal {
        groups: Some(vec!["y".to_owned()]),
        ..renewal
    };
    assert!(
        matches!(fixture.store.renew_grant(&late, at(12)).await, Err(Error::NotFound)),
        "C11"
    );
    assert_eq!(fixture.store.groups_of(user, "corporate").await.unwrap(), ["x"], "C11");
    assert_eq!(
        fixture.store.grant_of(grant.session).await.unwrap(),
        None,
        "the grant went with its session"
    );
}

#[tokio::test]
async fn c10_sessions_are_found_by_what_their_own_provider_calls_them() {
    let fixture = fixture().await;
    let grant = granted(&fixture, "a", 10).await;
    let found = |provider: &'static str, named: Named<'static>| fixture.store.sessions_at(provider, named);
    assert_eq!(found("corporate", Named::Sid("sid-a")).await.unwrap(), [grant.session]);
    assert_eq!(
        found("corporate", Named::Subject("s-a")).await.unwrap(),
        [grant.session]
    );
    assert!(found("other", Named::Sid("sid-a")).await.unwrap().is_empty(), "C10");
    assert!(found("corporate", Named::Sid("s-a")).await.unwrap().is_empty());
}
