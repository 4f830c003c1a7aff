use super::*;
use crate::store::tests::{AWKWARD, at, fixture};

#[tokio::test]
async fn a_session_is_found_by_its_id_until_it_is_ended() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let session = fixture.session(user.id).await;
    assert_eq!((session.last_seen_at, session.expires_at), (at(0), Some(at(60))));
    assert_eq!(
        fixture.store.session_by_id(session.id).await.unwrap(),
        Some(session.clone())
    );

    let revocation = fixture
        .store
        .revoke_session(session.id, Reason::SignedOut, at(1))
        .await
        .unwrap();
    let expected = Revocation {
        kind: RevocationKind::Session,
        id: session.id,
        expires_at: Some(at(60)),
    };
    assert_eq!(revocation, expected);
    assert_eq!(fixture.store.session_by_id(session.id).await.unwrap(), None);
    assert_eq!(
        fixture.store.load_active_revocations(at(1)).await.unwrap(),
        vec![expected]
    );

    let again = fixture.store.revoke_session(session.id, Reason::SignedOut, at(2)).await;
    assert!(matches!(again, Err(Error::NotFound)));
    assert_eq!(fixture.store.load_active_revocations(at(2)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_needs_a_user_and_an_id_of_its_own() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let refused = fixture.store.create_session(&fixture.new_session(fixture.id())).await;
    assert!(matches!(refused, Err(Error::NotFound)));
    let session = fixture.new_session(user.id);
    fixture.store.create_session(&session).await.unwrap();
    assert!(matches!(
        fixture.store.create_session(&session).await,
        Err(Error::Conflict)
    ));
}

#[tokio::test]
async fn only_live_sessions_are_listed_the_latest_first() {
    let fixture = fixture().await;
    let (user, other) = (
        fixture.user("alice@example.com").await,
        fixture.user("bob@example.com").await,
    );
    let endless = NewSession {
        expires_at: None,
        ..fixture.new_session(user.id)
    };
    let (first, endless) = (
        fixture.session(user.id).await,
        fixture.store.create_session(&endless).await.unwrap(),
    );
    fixture.session(other.id).await;
    fixture.store.touch_sessions(&[(first.id, at(5))]).await.unwrap();
    for (minutes, expected) in [
        (59, vec![first.id, endless.id]),
        (60, vec![endless.id]),
        (9_000_000, vec![endless.id]),
    ] {
        let live = fixture.store.sessions_of(user.id, at(minutes)).await.unwrap();
        assert_eq!(
            live.iter().map(|session| session.id).collect::<Vec<_>>(),
            expected,
            "minute {minutes}"
        );
    }
}

#[tokio::test]
async fn all_sessions_of_one_user_are_ended_but_the_one_kept() {
    let fixture = fixture().await;
    let (user, other) = (
        fixture.user("alice@example.com").await,
        fixture.user("bob@example.com").await,
    );
    let (kept, ended) = (fixture.session(user.id).await, fixture.session(user.id).await);
    fixture.session(other.id).await;
    let revoke = |keep, minutes| {
        fixture
            .store
            .revoke_sessions_of(user.id, keep, Reason::EndedByOwner, at(minutes))
    };
    let ids = |revocations: Vec<Revocation>| revocations.iter().map(|revocation| revocation.id).collect::<Vec<_>>();
    assert_eq!(ids(revoke(Some(kept.id), 1).await.unwrap()), vec![ended.id]);
    assert_eq!(ids(revoke(None, 2).await.unwrap()), vec![kept.id]);
    assert!(ids(revoke(None, 3).await.unwrap()).is_empty());
    assert_eq!(fixture.store.sessions_of(other.id, at(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_sessions_used_longest_ago_end_when_another_begins() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let mut sessions = Vec::new();
    for minutes in 0..5 {
        let session = NewSession {
            created_at: at(minutes),
            ..fixture.new_session(user.id)
        };
        sessions.push(fixture.store.create_session(&session).await.unwrap().id);
    }
    fixture.store.touch_sessions(&[(sessions[0], at(30))]).await.unwrap();
    let begin = |most| {
        let session = NewSession {
            created_at: at(31),
            ..fixture.new_session(user.id)
        };
        let store = fixture.store.clone();
        async move { store.begin_session(&session, most).await.unwrap() }
    };
    let (sixth, ended) = begin(6).await;
    assert!(ended.is_empty(), "{ended:?}");
    let (seventh, ended) = begin(4).await;
    assert_eq!(
        ended.iter().map(|revocation| revocation.id).collect::<Vec<_>>(),
        vec![sessions[3], sessions[2], sessions[1]]
    );
    let live = fixture.store.sessions_of(user.id, at(31)).await.unwrap();
    assert_eq!(
        live.iter().map(|session| session.id).collect::<Vec<_>>(),
        vec![seventh.id, sixth.id, sessions[0], sessions[4]]
    );
}

#[tokio::test]
async fn a_session_that_begins_stays_also_where_others_were_used_later_by_another_clock() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let ahead = fixture.session(user.id).await;
    fixture.store.touch_sessions(&[(ahead.id, at(59))]).await.unwrap();
    let (begun, ended) = fixture
        .store
        .begin_session(&fixture.new_session(user.id), 1)
        .await
        .unwrap();
    assert_eq!(
        ended.iter().map(|revocation| revocation.id).collect::<Vec<_>>(),
        vec![ahead.id]
    );
    let live = fixture.store.sessions_of(user.id, at(1)).await.unwrap();
    assert_eq!(live, [begun]);
}

#[tokio::test]
async fn a_session_that_has_expired_never_crowds_out_a_live_one() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let expired = NewSession {
        created_at: at(9),
        expires_at: Some(at(10)),
        ..fixture.new_session(user.id)
    };
    fixture.store.create_session(&expired).await.unwrap();
    let live = fixture.session(user.id).await;
    let another = NewSession {
        created_at: at(20),
        ..fixture.new_session(user.id)
    };
    let (another, ended) = fixture.store.begin_session(&another, 2).await.unwrap();
    assert_eq!(
        ended.iter().map(|revocation| revocation.id).collect::<Vec<_>>(),
        vec![expired.id]
    );
    assert_eq!(
        fixture.store.sessions_of(user.id, at(20)).await.unwrap(),
        [another, live]
    );
}

#[tokio::test]
async fn last_seen_never_moves_back_and_unknown_sessions_are_passed_over() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let (one, two) = (fixture.session(user.id).await.id, fixture.session(user.id).await.id);
    fixture.store.touch_sessions(&[]).await.unwrap();
    fixture
        .store
        .touch_sessions(&[(one, at(5)), (fixture.id(), at(6)), (two, at(7)), (one, at(3))])
        .await
        .unwrap();
    for (id, minutes) in [(one, 5), (two, 7)] {
        assert_eq!(
            fixture.store.session_by_id(id).await.unwrap().unwrap().last_seen_at,
            at(minutes)
        );
    }
}

#[tokio::test]
async fn expired_sessions_are_forgotten_and_endless_ones_are_not() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    fixture.session(user.id).await;
    let endless = NewSession {
        expires_at: None,
        ..fixture.new_session(user.id)
    };
    fixture.store.create_session(&endless).await.unwrap();
    assert_eq!(fixture.store.purge_expired_sessions(at(59)).await.unwrap(), 0);
    assert_eq!(fixture.store.purge_expired_sessions(at(60)).await.unwrap(), 1);
    assert!(fixture.store.session_by_id(endless.id).await.unwrap().is_some());
}

#[tokio::test]
async fn every_text_survives_as_it_was_given() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    for text in AWKWARD {
        let session = NewSession {
            provider: (*text).to_owned(),
            client_address: (*text).to_owned(),
            user_agent: (*text).to_owned(),
            ..fixture.new_session(user.id)
        };
        fixture.store.create_session(&session).await.unwrap();
        let found = fixture.store.session_by_id(session.id).await.unwrap().unwrap();
        assert_eq!([found.provider, found.client_address, found.user_agent], [*text; 3]);
    }
}
