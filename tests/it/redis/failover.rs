//! The server that has the keys is killed while people sign in and out: every answer stays right, and its successor is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tests::http::post;
use tests::ldap::Authority;
use tests::redis::{Cluster, Sentinels, Speaks};
use tests::resources::ADMIN_PASSWORD;
use tests::wait;
use tests::world::World;

use super::{answers, looked_at_together, two_of};

/// Signs in at one replica, is let in by the other, and signs out there, until it is enough.
async fn come_and_go(one: &World, other: &World, rounds: &AtomicUsize, enough: &AtomicBool) {
    while !enough.load(Ordering::Relaxed) {
        let admin = one
            .try_password_from("203.0.113.1", "admin@example.com", ADMIN_PASSWORD)
            .await;
        assert_eq!(admin.status, 200, "{}", admin.body);
        let token = admin.text("token");
        assert_eq!(other.me(&token).await, 200);
        let ended = post(other.auths("signout")).bearer(&token).send().await;
        assert_eq!(ended.status, 200, "{}", ended.body);
        wait::within(std::time::Duration::from_secs(5), "it is refused", || async {
            match one.me(&token).await {
                401 => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until people came and went so many times more.
async fn more(rounds: &AtomicUsize, count: usize) {
    let target = rounds.load(Ordering::Relaxed) + count;
    wait::until("people come and go", || async {
        let seen = rounds.load(Ordering::Relaxed);
        if seen >= target { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
}

/// What is asked of replicas while the server that has the keys is killed.
async fn survive(one: &World, other: &World, killed: impl Future<Output = ()>) {
    assert_eq!(looked_at_together(&[one, other], "before").await, 5, "control");
    let (rounds, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let kill = async {
        more(&rounds, 3).await;
        killed.await;
        more(&rounds, 3).await;
        answers(one, true).await;
        answers(other, true).await;
        more(&rounds, 3).await;
        enough.store(true, Ordering::Relaxed);
    };
    tokio::join!(
        kill,
        come_and_go(one, other, &rounds, &enough),
        come_and_go(other, one, &rounds, &enough)
    );
    assert_eq!(
        looked_at_together(&[one, other], "after").await,
        5,
        "counted together again"
    );
}

/// Sentinels make the replica the master while authd uses it.
async fn sentinels_make_another(speaks: Speaks) {
    let mut redis = Sentinels::start(speaks.clone()).await;
    let (_database, [one, other]) = two_of(&speaks, &redis.url()).await;
    survive(&one, &other, async {
        let port = redis.master().port;
        redis.kill_master();
        redis.another_than(port).await;
    })
    .await;
    let keys = redis.master().says(&["KEYS", "authd:*"]);
    assert!(keys.contains("account/"), "the new master has the counts: {keys}");
}

/// The same in a Cluster.
async fn a_cluster_makes_another(speaks: Speaks) {
    let mut redis = Cluster::start(speaks.clone()).await;
    let (_database, [one, other]) = two_of(&speaks, &redis.url()).await;
    survive(&one, &other, async {
        redis.kill_owner();
        redis.owned().await;
    })
    .await;
    let keys = redis.owner().expect("the cluster is whole").says(&["KEYS", "authd:*"]);
    assert!(keys.contains("account/"), "the new master has the counts: {keys}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_is_used_once_sentinels_have_made_one() {
    sentinels_make_another(Speaks::Plainly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_is_used_over_tls() {
    sentinels_make_another(Speaks::Tls(Arc::new(Authority::new()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_is_used_once_the_cluster_has_made_it_a_master() {
    a_cluster_makes_another(Speaks::Plainly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_is_used_over_tls() {
    a_cluster_makes_another(Speaks::Tls(Arc::new(Authority::new()))).await;
}
