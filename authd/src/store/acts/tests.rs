use super::*;
use crate::store::tests::{at, fixture};

fn act(id: Uuid, minute: i64) -> Act {
    Act {
        id,
        at: at(minute),
        what: What::SessionsEnded,
        actor: "root@machine".to_owned(),
        subject: "everybody".to_owned(),
    }
}

#[tokio::test]
async fn what_was_done_is_told_until_it_was() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let before = store.position().await.unwrap();
    let (first, second) = (act(fixture.id(), 1), act(fixture.id(), 2));
    store.note_act(&second).await.unwrap();
    store.note_act(&first).await.unwrap();
    assert!(store.position().await.unwrap() > before, "servers look");
    assert_eq!(store.tell_acts(|_| false).await.unwrap(), 0, "nobody could be told");
    let mut told = Vec::new();
    let tell = |acts: &[Act]| {
        told.extend_from_slice(acts);
        true
    };
    assert_eq!(store.tell_acts(tell).await.unwrap(), 2);
    assert_eq!(told, [first, second], "the oldest first");
    let again = store.tell_acts(|acts| panic!("{acts:?} is told again")).await;
    assert_eq!(again.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_replicas_one_tells() {
    let fixture = fixture().await;
    for _ in 0..20 {
        fixture.store.note_act(&act(fixture.id(), 1)).await.unwrap();
    }
    let mut replicas = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = fixture.store.clone();
        replicas.spawn(async move { store.tell_acts(|_| true).await.unwrap() });
    }
    assert_eq!(replicas.join_all().await.into_iter().sum::<usize>(), 20);
}
