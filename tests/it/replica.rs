//! Replicas serve what an operator publishes: from mounted Secrets, from their own disks, and never what was before.

mod cluster;
mod published;

use std::time::Duration;

use policy::Snapshot;
use policy::snapshot::SigningKey;
use serde_json::json;
use tempfile::TempDir;
use tests::authd::Authd;
use tests::http::{Request, get, post};
use tests::resources::{ADMIN_PASSWORD, CI_KEY, HOST, POLICIES};
use tests::wait;

use published::{Mount, opened, snapshot};

/// A replica with what it reads and where it writes.
struct Replica {
    authd: Authd,
    mount: Mount,
    data: TempDir,
}

impl Replica {
    async fn start(sequence: u64, snapshot: &Snapshot) -> Self {
        let (mount, data) = (Mount::empty(), tempfile::tempdir().unwrap());
        mount.publish(sequence, snapshot);
        let authd = Authd::replica(mount.path(), data.path(), &[]).await;
        Self { authd, mount, data }
    }

    /// Another process, with the disk and the mount as they are.
    async fn start_again(&mut self) {
        self.authd.kill();
        self.authd = Authd::replica(self.mount.path(), self.data.path(), &[]).await;
    }

    fn ask(&self, path: &str) -> Request {
        ask(&self.authd, path)
    }

    async fn opens(&self, path: &str) -> Result<(), String> {
        let answer = self.ask(path).attempt().await?;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(format!("{answer:?} {:#?}", self.authd.log()))
        }
    }

    async fn says(&self, expected: &str) {
        wait::until(expected, || async {
            let log = self.authd.log().join("\n");
            if log.contains(expected) { Ok(()) } else { Err(log) }
        })
        .await;
    }
}

fn ask(authd: &Authd, path: &str) -> Request {
    get(format!("{}/verify/forward", authd.verify))
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-host", HOST)
        .header("x-forwarded-uri", path)
}

async fn ready(authd: &Authd) -> u16 {
    let answer = get(format!("{}/readyz", authd.admin)).attempt().await;
    answer.map_or(0, |answer| answer.status)
}

#[tokio::test]
async fn a_replica_starts_from_its_mount_and_serves_what_is_published_next() {
    let replica = Replica::start(1, &snapshot(POLICIES)).await;
    assert_eq!(replica.ask("/public").send().await.status, 200);
    assert_eq!(replica.ask("/").bearer(CI_KEY).send().await.status, 200);
    assert_eq!(replica.ask("/opened").send().await.status, 401, "control");
    replica.mount.publish(2, &opened("/opened"));
    wait::until("it is open", || replica.opens("/opened")).await;
    let metrics = get(format!("{}/metrics", replica.authd.admin)).send().await.body;
    assert!(metrics.contains("authd_snapshot_sequence 2"), "{metrics}");
}

#[tokio::test]
async fn an_index_ahead_of_its_shards_changes_nothing_until_they_are_there() {
    let replica = Replica::start(1, &snapshot(POLICIES)).await;
    let next = opened("/opened");
    replica.mount.publish_index(2, &next);
    replica.says("is not there yet").await;
    assert_eq!(replica.ask("/public").send().await.status, 200);
    assert_eq!(replica.ask("/opened").send().await.status, 401);
    assert_eq!(ready(&replica.authd).await, 200);
    replica.mount.publish(2, &next);
    wait::until("it is open", || replica.opens("/opened")).await;
}

#[tokio::test]
async fn a_replica_never_goes_back_to_an_older_index_also_over_a_restart() {
    let mut replica = Replica::start(5, &snapshot(POLICIES)).await;
    replica.mount.publish(4, &opened("/opened"));
    replica.says("mount: index 4 is older than 5, which serves").await;
    replica.start_again().await;
    replica.says("mount: index 4 is older than 5, which serves").await;
    assert_eq!(replica.ask("/opened").send().await.status, 401);
    replica.mount.publish(5, &opened("/opened"));
    replica
        .says("mount: index 5 is another than the one of that number")
        .await;
    assert_eq!(replica.ask("/opened").send().await.status, 401);
    replica.mount.publish(6, &opened("/opened"));
    wait::until("it goes on", || replica.opens("/opened")).await;
}

#[tokio::test]
async fn a_damaged_shard_changes_nothing() {
    let replica = Replica::start(1, &snapshot(POLICIES)).await;
    let next = opened("/opened");
    replica.mount.publish_damaged(2, &next);
    replica.says("is damaged").await;
    assert_eq!(replica.ask("/opened").send().await.status, 401);
    assert_eq!(replica.ask("/public").send().await.status, 200);
    replica.mount.publish(2, &next);
    wait::until("it heals", || replica.opens("/opened")).await;
}

#[tokio::test]
async fn the_disk_alone_is_enough_and_holds_what_was_served_last() {
    let mut replica = Replica::start(1, &snapshot(POLICIES)).await;
    replica.mount.publish(2, &opened("/opened"));
    wait::until("it is open", || replica.opens("/opened")).await;
    wait::until("it is on disk", || async {
        let index = std::fs::read_to_string(replica.data.path().join("snapshot/index")).unwrap_or_default();
        if index.contains("\"sequence\":2") {
            Ok(())
        } else {
            Err(index)
        }
    })
    .await;
    replica.mount.empty_out();
    replica.start_again().await;
    assert_eq!(replica.ask("/opened").send().await.status, 200);
    assert_eq!(ready(&replica.authd).await, 200);
}

#[tokio::test]
async fn without_a_snapshot_it_waits_and_is_not_ready() {
    let (mount, data) = (Mount::empty(), tempfile::tempdir().unwrap());
    let admin = published::free_address();
    let arguments = ["--admin", admin.as_str()];
    let starting = Authd::replica(mount.path(), data.path(), &arguments);
    let meanwhile = async {
        wait::until("it lives", || async {
            let lives = get(format!("http://{admin}/livez")).attempt().await;
            lives.map(|answer| answer.expect("lives", 200))
        })
        .await;
        assert_eq!(get(format!("http://{admin}/readyz")).send().await.status, 503);
        mount.publish(1, &snapshot(POLICIES));
    };
    let (authd, ()) = tokio::join!(starting, meanwhile);
    assert_eq!(ready(&authd).await, 200);
    assert_eq!(ask(&authd, "/public").send().await.status, 200);
}

#[tokio::test]
async fn a_token_of_one_replica_is_good_for_the_others_until_its_key_is_taken_away() {
    let with = |keys: &[&SigningKey]| {
        let mut snapshot = snapshot(POLICIES);
        snapshot.settings.tokens.signing_keys = keys.iter().map(|&key| key.clone()).collect();
        snapshot
    };
    let (first, second) = (published::signing_key(-3600), published::signing_key(-60));
    let mut one = Replica::start(1, &with(&[&first])).await;
    let old = sign_in(&one).await;
    assert!(
        !one.data.path().join("signing-keys").exists(),
        "it makes no keys of its own"
    );
    assert!(one.authd.stop().await.success());
    let other = published::copy(one.data.path());
    one.start_again().await;
    let other = Replica {
        authd: Authd::replica(one.mount.path(), other.path(), &[]).await,
        mount: Mount::empty(),
        data: other,
    };
    let kids = async |replica: &Replica| {
        let keys = get(format!("{}/.well-known/jwks.json", replica.authd.public));
        let keys = keys.send().await.json()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].to_string()).collect::<Vec<_>>()
    };
    let opens = async |replica: &Replica, token: &str| replica.ask("/admin").bearer(token).send().await.status;
    assert_eq!(kids(&one).await, kids(&other).await);
    assert_eq!(opens(&other, &old).await, 200);

    one.mount.publish(2, &with(&[&first, &second]));
    for replica in [&one, &other] {
        wait::until("both are published", || async {
            let kids = kids(replica).await;
            if kids.len() == 2 {
                Ok(())
            } else {
                Err(format!("{kids:?}"))
            }
        })
        .await;
    }
    let new = sign_in(&one).await;
    assert_ne!(old.split('.').next(), new.split('.').next(), "another key signs");
    assert_eq!(opens(&other, &old).await, 200, "the first still verifies");

    one.mount.publish(3, &with(&[&second]));
    for replica in [&one, &other] {
        wait::until("the first is gone", || async {
            let status = opens(replica, &old).await;
            if status == 401 { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    }
    assert_eq!(opens(&one, &new).await, 200);
}

async fn sign_in(replica: &Replica) -> String {
    let body = json!({"email": "admin@example.com", "password": ADMIN_PASSWORD});
    let signing_in = post(format!("{}/api/v1/auths/signin", replica.authd.public)).json(&body);
    signing_in.send().await.expect("sign in", 200).text("token")
}

/// What both listeners answer, and whether that is the last on the connection.
async fn said_of_connections(authd: &Authd) -> [(u16, String); 2] {
    let check = ask(authd, "/public").send().await;
    let page = get(format!("{}/login", authd.public)).send().await;
    [check, page].map(|answer| (answer.status, answer.header("connection").to_owned()))
}

#[tokio::test]
async fn a_stop_is_announced_before_anybody_is_turned_away() {
    let (mount, data) = (Mount::empty(), tempfile::tempdir().unwrap());
    mount.publish(1, &snapshot(POLICIES));
    let mut authd = Authd::replica(mount.path(), data.path(), &["--drain", "3"]).await;
    assert_eq!(ready(&authd).await, 200);
    assert_eq!(
        said_of_connections(&authd).await,
        [(200, String::new()), (200, String::new())]
    );
    authd.terminate();
    wait::within(Duration::from_secs(2), "it says so", || async {
        match ready(&authd).await {
            503 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    let last = (200, "close".to_owned());
    assert_eq!(
        said_of_connections(&authd).await,
        [last.clone(), last],
        "it still answers, once on each connection"
    );
    assert!(authd.stop().await.success());
    let drained = authd.log().iter().any(|line| line.contains("requests are still taken"));
    assert!(drained, "{:#?}", authd.log());
}
