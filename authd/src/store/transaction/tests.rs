//! What holds when many do the same at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use tokio::task::JoinSet;

use crate::store::tests::{Fixture, at, fixture};
use uuid::Uuid;

use crate::store::{Error, Grant, Identity, Reason, Renewal, Store, Whose};

/// How many at once.
const MANY: usize = 16;

/// What each of many comes to, on threads of their own.
async fn at_once<T, F>(fixture: &Fixture, mut each: impl FnMut(Store, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut all = JoinSet::new();
    for number in 0..MANY {
        all.spawn(each(fixture.store.clone(), number));
    }
    all.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_counts_once_is_spent_by_one() {
    let fixture = fixture().await;
    let ends = at(10).as_second();
    let spent = at_once(&fixture, |store, _| async move {
        store.spend("attempt", "a", ends, at(0)).await.unwrap()
    })
    .await;
    assert_eq!(spent.iter().filter(|first| **first).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_grant_is_leased_by_one() {
    let fixture = fixture().await;
    let user = fixture.user("ann@example.com").await.id;
    let sessions = join_all((0..10).map(|_| fixture.session(user))).await;
    for session in &sessions {
        keep_grant(&fixture, session.id).await;
    }
    let leased = at_once(&fixture, |store, _| async move {
        store.lease_due_grants("corporate", 3, at(2), at(5)).await.unwrap()
    })
    .await;
    let leased: Vec<_> = leased.into_iter().flatten().map(|grant| grant.session).collect();
    assert_eq!(leased.iter().collect::<BTreeSet<_>>().len(), leased.len(), "none twice");
    assert_eq!(leased.len(), sessions.len(), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_identity_becomes_one_accounts() {
    let fixture = fixture().await;
    let mut users = Vec::new();
    for number in 0..MANY {
        users.push(fixture.user(&format!("{number}@example.com")).await.id);
    }
    let linked = at_once(&fixture, |store, number| {
        let identity = identity(users[number], "1");
        async move { store.link_identity(&identity, None).await.map(|()| identity.user_id) }
    })
    .await;
    let owner = fixture
        .store
        .find_identity("corporate", "1")
        .await
        .unwrap()
        .unwrap()
        .user_id;
    let linked: Vec<_> = linked.into_iter().filter_map(Result::ok).collect();
    assert_eq!(linked, [owner], "whoever was told of success has it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_signs_in_to_an_account_that_is_disabled_at_the_same_time() {
    let fixture = fixture().await;
    fixture.admin("first@example.com").await;
    let user = fixture.user("ann@example.com").await.id;
    let sessions: Vec<_> = (0..MANY).map(|_| fixture.new_session(user)).collect();
    let _ = at_once(&fixture, |store, number| {
        let session = sessions[number].clone();
        async move {
            if number == MANY / 2 {
                store.disable_user(user, at(1)).await.map(drop)
            } else {
                store.create_session(&session).await.map(drop)
            }
        }
    })
    .await;
    assert!(
        fixture.store.sessions_of(user, at(1)).await.unwrap().is_empty(),
        "no session is left"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_has_more_sessions_than_are_allowed_and_last_uses_get_in_nobodys_way() {
    let fixture = fixture().await;
    let user = fixture.user("ann@example.com").await.id;
    let mut sessions = Vec::new();
    for _ in 0..40 {
        sessions.push(fixture.session(user).await.id);
    }
    let another: Vec<_> = (0..MANY).map(|_| fixture.new_session(user)).collect();
    let done = at_once(&fixture, |store, number| {
        let session = another[number].clone();
        let mut used: Vec<_> = sessions.iter().map(|id| (*id, at(1))).collect();
        if number % 4 == 1 {
            used.reverse();
        }
        async move {
            if number % 2 == 1 {
                // Whoever ends sessions goes first, and what was noted is lost: see `Uses`.
                let _ = store.touch_sessions(&used).await;
                Ok(Vec::new())
            } else {
                store.begin_session(&session, 3).await.map(|(_, ended)| ended)
            }
        }
    })
    .await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(fixture.store.sessions_of(user, at(2)).await.unwrap().len(), 3);
    let ended = fixture.store.load_active_revocations(at(2)).await.unwrap().len();
    assert_eq!(ended, 40 + MANY / 2 - 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_session_ends_while_others_begin_renew_and_end_theirs() {
    let fixture = fixture().await;
    let mut people = Vec::new();
    for number in 0..MANY {
        let user = fixture.user(&format!("{number}@example.com")).await.id;
        let session = fixture.session(user).await;
        let identity = identity(user, &number.to_string());
        fixture.store.link_identity(&identity, None).await.unwrap();
        keep_grant(&fixture, session.id).await;
        people.push((session.id, identity, fixture.new_session(user)));
    }
    let done = at_once(&fixture, |store, number| {
        let (session, identity, another) = people[number].clone();
        async move {
            match number % 4 {
                0 => store
                    .revoke_every_session(Whose::Everybody, Reason::EndedByAdmin, at(1))
                    .await
                    .map(drop),
                1 => store.begin_session(&another, 10).await.map(drop),
                2 => renewed(&store, session, identity).await,
                _ => store
                    .revoke_sessions_of(another.user_id, None, Reason::SignedOut, at(1))
                    .await
                    .map(drop),
            }
        }
    })
    .await;
    assert!(done.iter().all(Result::is_ok), "nobody waits for good: {done:?}");
    // Whatever there was is there, or is revoked.
    let revoked = fixture.store.load_active_revocations(at(1)).await.unwrap();
    for (session, _, another) in &people {
        for id in [session, &another.id] {
            let is_there = fixture.store.session_by_id(*id).await.unwrap().is_some();
            let is_revoked = revoked.iter().any(|revocation| revocation.id == *id);
            let never_was = id == &another.id && !is_there && !is_revoked;
            assert!(is_there != is_revoked || never_was, "{id}: {is_there} {is_revoked}");
        }
        assert!(fixture.store.session_by_id(*session).await.unwrap().is_none());
    }
}

/// A provider is heard of a session's owner, unless the session has ended.
async fn renewed(store: &Store, session: Uuid, identity: Identity) -> Result<(), Error> {
    let renewal = Renewal {
        session,
        sealed: vec![2],
        due_at: None,
        identity: Some(Identity {
            claims: json!({"name": "another"}),
            ..identity
        }),
        groups: None,
    };
    match store.renew_grant(&renewal, at(1)).await {
        Err(Error::NotFound) => Ok(()),
        other => other,
    }
}

fn identity(user: Uuid, subject: &str) -> Identity {
    Identity {
        provider: "corporate".to_owned(),
        subject: subject.to_owned(),
        user_id: user,
        claims: json!({}),
        updated_at: at(0),
        refused_at: None,
    }
}

async fn keep_grant(fixture: &Fixture, session: Uuid) {
    let grant = Grant {
        session,
        provider: "corporate".to_owned(),
        subject: "1".to_owned(),
        sid: None,
        sealed: vec![1],
        due_at: Some(at(1)),
    };
    let mut transaction = fixture.store.begin(&[]).await.unwrap();
    crate::store::grants::insert(&mut transaction, &grant, at(0))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}
