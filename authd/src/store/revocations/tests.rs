use super::*;
use crate::store::tests::{at, fixture};

fn token(id: Uuid, expires_at: Option<Timestamp>) -> Revocation {
    Revocation {
        kind: RevocationKind::Token,
        id,
        expires_at,
    }
}

#[tokio::test]
async fn a_revocation_holds_until_an_hour_after_the_token_ends() {
    let fixture = fixture().await;
    let revocation = token(fixture.random.token_id(), Some(at(60)));
    fixture
        .store
        .add_revocation(revocation, Reason::SignedOut, at(0))
        .await
        .unwrap();
    for (minutes, holds) in [(0, true), (60, true), (119, true), (120, false)] {
        let active = fixture.store.load_active_revocations(at(minutes)).await.unwrap();
        assert_eq!(active == vec![revocation], holds, "minute {minutes}");
    }
    assert_eq!(fixture.store.purge_expired_revocations(at(119)).await.unwrap(), 0);
    assert_eq!(fixture.store.purge_expired_revocations(at(120)).await.unwrap(), 1);
    assert_eq!(fixture.store.purge_expired_revocations(at(120)).await.unwrap(), 0);
}

#[tokio::test]
async fn what_never_expires_is_never_forgotten() {
    let fixture = fixture().await;
    let revocation = token(fixture.random.token_id(), None);
    fixture
        .store
        .add_revocation(revocation, Reason::EndedByAdmin, at(0))
        .await
        .unwrap();
    assert_eq!(
        fixture.store.purge_expired_revocations(at(900_000_000)).await.unwrap(),
        0
    );
    assert_eq!(
        fixture.store.load_active_revocations(at(900_000_000)).await.unwrap(),
        vec![revocation]
    );
}

#[tokio::test]
async fn revoking_again_never_shortens() {
    let (short, long) = (Some(at(10)), Some(at(20)));
    for (first, second, expected) in [
        (short, long, long),
        (long, short, long),
        (short, short, short),
        (None, long, None),
        (long, None, None),
        (None, None, None),
    ] {
        let fixture = fixture().await;
        let id = fixture.random.token_id();
        for expires_at in [first, second] {
            fixture
                .store
                .add_revocation(token(id, expires_at), Reason::SignedOut, at(0))
                .await
                .unwrap();
        }
        let active = fixture.store.load_active_revocations(at(0)).await.unwrap();
        assert_eq!(active, vec![token(id, expected)], "{first:?} then {second:?}");
    }
}

#[tokio::test]
async fn a_session_and_a_token_with_one_id_are_two_things() {
    let fixture = fixture().await;
    let of_token = token(fixture.id(), None);
    let of_session = Revocation {
        kind: RevocationKind::Session,
        ..of_token
    };
    for revocation in [of_token, of_session] {
        fixture
            .store
            .add_revocation(revocation, Reason::SignedOut, at(0))
            .await
            .unwrap();
    }
    let active = fixture.store.load_active_revocations(at(0)).await.unwrap();
    assert!(active.contains(&of_token) && active.contains(&of_session), "{active:?}");
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_an_error_and_not_passed_over() {
    let fixture = fixture().await;
    sql("INSERT INTO revocations (kind, id, expires_at, reason, created_at)
             VALUES ('token', 'no-uuid', NULL, 'signed-out', 1)")
    .execute(&fixture.store.writer)
    .await
    .unwrap();
    assert!(matches!(
        fixture.store.load_active_revocations(at(0)).await,
        Err(Error::Unavailable(_))
    ));
}

#[tokio::test]
async fn more_revocations_than_are_read_or_written_at_once_are_each_shown_once() {
    let fixture = fixture().await;
    let count = usize::try_from(AT_ONCE).unwrap() * 2 + 1;
    let revocations: Vec<_> = (0..count)
        .map(|_| token(fixture.random.token_id(), Some(at(9))))
        .collect();
    let mut transaction = fixture.store.begin(&[]).await.unwrap();
    let position = changes::next(&mut transaction).await.unwrap();
    insert(&mut transaction, &revocations, (Reason::SignedOut, at(0)), position)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let mut shown = std::collections::HashSet::new();
    let show = |revocation: Revocation| assert!(shown.insert(revocation.id), "{revocation:?} twice");
    fixture.store.each_active_revocation(at(0), show).await.unwrap();
    assert_eq!(shown.len(), count);
}
