use super::*;
use crate::store::tests::{at, fixture};

fn failed(subject: &str, minute: i64) -> GuessChange {
    GuessChange::Failed {
        subject: subject.to_owned(),
        at: at(minute),
        expires_at: at(minute + 3),
    }
}

fn blocked(subject: &str, minute: i64, blocks: u32) -> GuessChange {
    GuessChange::Blocked {
        subject: subject.to_owned(),
        until: at(minute + 3),
        blocks,
        expires_at: at(minute + 60),
    }
}

fn kept(failures: &[i64], block: Option<(i64, u32)>) -> KeptGuesses {
    KeptGuesses {
        failures: failures.iter().copied().map(at).collect(),
        block: block.map(|(minute, blocks)| (at(minute), blocks)),
    }
}

#[tokio::test]
async fn what_is_held_against_a_subject_is_read_back() {
    let fixture = fixture().await;
    let forgiven = GuessChange::Forgiven {
        subject: "c".to_owned(),
    };
    let changes = [
        failed("a", 1),
        failed("a", 2),
        failed("a", 2),
        failed("b", 1),
        blocked("b", 1, 1),
        failed("b", 2),
        failed("c", 2),
        blocked("c", 2, 4),
        forgiven,
        failed("c", 2),
    ];
    fixture.store.write_guesses(&changes).await.unwrap();
    fixture
        .store
        .write_guesses(&[blocked("d", 1, 1), blocked("d", 2, 2)])
        .await
        .unwrap();
    let (_files, store) = fixture.after_a_kill().await;
    let expected = [
        ("a", kept(&[1, 2, 2], None)),
        ("b", kept(&[2], Some((4, 1)))),
        ("c", kept(&[2], None)),
        ("d", kept(&[], Some((5, 2)))),
    ];
    let read = store.kept_guesses(at(2)).await.unwrap();
    assert_eq!(read, expected.map(|(subject, kept)| (subject.to_owned(), kept)).into());

    assert_eq!(
        store.kept_guesses(at(4)).await.unwrap()["a"],
        kept(&[2, 2], None),
        "what counts no more is not read"
    );
    assert_eq!(store.purge_expired_guesses(at(4)).await.unwrap(), 1);
    assert_eq!(store.purge_expired_guesses(at(100)).await.unwrap(), 6);
    assert!(store.kept_guesses(at(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_people_are_signed_in_is_read_once_each() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    for _ in 0..3 {
        fixture.session(user.id).await;
    }
    let used = fixture.store.addresses_in_use(at(1)).await.unwrap();
    assert_eq!(
        used,
        vec![("alice@example.com".to_owned(), "192.0.2.7".parse().unwrap())]
    );
    let ended = fixture.store.addresses_in_use(at(60)).await.unwrap();
    assert!(ended.is_empty(), "sessions that ended: {ended:?}");
}
