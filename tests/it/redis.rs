//! Replicas of one database that hear of each other by Redis and count failed guesses together; and what holds when it is away,
//! empty, slow, full of other things, or lies.

mod agreement;
mod failover;
mod faults;
mod start;

use std::sync::atomic::{AtomicU32, Ordering};

use tests::http::{Answer, get, post};
use tests::postgres::Postgres;
use tests::redis::{Redis, Speaks};
use tests::resources::Folder;
use tests::wait;
use tests::world::{PASSWORD, World};

/// What replicas must have in common to be one instance, with limits that a test runs into.
const TOGETHER: &str = "  rateLimits: {signIn: {limit: 5, window: 10m}}
  tokens: {algorithm: HS256, secretRef: {name: shared, key: tokens}}
  encryptionKeys: [{name: shared, key: encryption}]
  database: {postgresSecretRef: {name: shared, key: url}}
";

/// The resources of replicas of the database that hear of each other by this Redis.
fn folder(database: &str, redis: &str) -> Folder {
    let named = "  redis: {secretRef: {name: shared, key: redis}}\n";
    Folder::shared(&format!("{TOGETHER}{named}"), &[("url", database), ("redis", redis)])
}

/// The same of one that speaks this, and is believed by its authority.
fn folder_of(speaks: &Speaks, database: &str, redis: &str) -> Folder {
    let Speaks::Tls(authority) = speaks else {
        return folder(database, redis);
    };
    let named = "  redis: {secretRef: {name: shared, key: redis}, caSecretRef: {name: shared, key: ca}}\n";
    let ca = authority.pem();
    let shared = [("url", database), ("redis", redis), ("ca", &ca)];
    Folder::shared(&format!("{TOGETHER}{named}"), &shared)
}

async fn replica(database: &str, redis: &str) -> World {
    World::of(folder(database, redis)).await
}

/// A replica that uses the Redis.
async fn connected(database: &str, redis: &str) -> World {
    let world = replica(database, redis).await;
    answers(&world, true).await;
    world
}

/// A database, with its server.
struct Database {
    url: String,
    _server: Postgres,
}

/// Two replicas of a database of their own that use the Redis.
async fn two(redis: &str) -> (Database, [World; 2]) {
    two_of(&Speaks::Plainly, redis).await
}

/// The same where it speaks this.
async fn two_of(speaks: &Speaks, redis: &str) -> (Database, [World; 2]) {
    let server = Postgres::start().await;
    let url = server.database();
    let start = async || World::of(folder_of(speaks, &url, redis)).await;
    let replicas = [start().await, start().await];
    for replica in &replicas {
        answers(replica, true).await;
    }
    (Database { url, _server: server }, replicas)
}

/// A line of the metrics; 0 where it is not there yet.
async fn metric(world: &World, name: &str) -> f64 {
    let text = get(format!("{}/metrics", world.authd.admin)).send().await.body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Waits until the replica knows whether Redis answers.
async fn answers(world: &World, expected: bool) {
    let expected = if expected { 1.0 } else { 0.0 };
    wait::until("the replica knows whether Redis answers", || async {
        let seen = metric(world, "authd_redis_answers").await;
        if (seen - expected).abs() < 0.5 {
            Ok(())
        } else {
            Err(format!("{seen}: {:?}", world.authd.log()))
        }
    })
    .await;
}

/// How often the log says this.
fn said(world: &World, text: &str) -> usize {
    world.authd.log().iter().filter(|line| line.contains(text)).count()
}

/// Does this until the log says so, as Redis may be late on a machine that is busy, and once more: it is said once.
async fn said_once(world: &World, text: &str, act: impl AsyncFn(usize)) {
    for number in 0..20 {
        let before = said(world, text);
        act(number).await;
        if before > 0 {
            assert_eq!(said(world, text), 1, "said once: {:?}", world.authd.log());
            return;
        }
    }
    panic!("`{text}` is not said: {:?}", world.authd.log());
}

/// Waits until the log says that Redis is not used, and why.
async fn refused(world: &World, why: &str) {
    wait::until("it is said why Redis is not used", || {
        let lines = world.authd.log();
        let is_told = |line: &String| line.contains("Redis does not answer") && line.contains(why);
        async move {
            if lines.iter().any(is_told) {
                Ok(())
            } else {
                Err(format!("{why}: {lines:?}"))
            }
        }
    })
    .await;
}

/// An address in a network that nobody else comes from.
fn elsewhere() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff)
}

/// A wrong guess from somewhere else, and what it is answered with.
async fn guess(world: &World, email: &str) -> Answer {
    world.try_password_from(&elsewhere(), email, "not the right one").await
}

/// Guesses at an account at these replicas in turn: how many are looked at before they are too many.
async fn guesses_until_limited(worlds: &[&World], email: &str) -> usize {
    for (number, world) in worlds.iter().cycle().take(40).enumerate() {
        let answer = guess(world, email).await;
        match answer.status {
            400 => {}
            429 => return number,
            _ => panic!("{}", answer.body),
        }
    }
    40
}

/// How many questions to Redis were not answered.
async fn missed(worlds: &[&World]) -> f64 {
    let mut missed = 0.0;
    for world in worlds {
        for outcome in ["late", "lost", "away"] {
            missed += metric(world, &format!("authd_redis_calls_total{{outcome=\"{outcome}\"}}")).await;
        }
    }
    missed
}

/// What is seen while Redis answers everything: where it was late, as it may be on a machine that is busy, it is looked at again.
async fn undisturbed<T>(worlds: &[&World], look: impl AsyncFn(usize) -> T) -> T {
    for number in 0..20 {
        let before = missed(worlds).await;
        let seen = look(number).await;
        if (missed(worlds).await - before).abs() < 0.5 {
            return seen;
        }
    }
    panic!("Redis is always late");
}

/// How many guesses at an account of nobody all replicas together look at.
async fn looked_at_together(worlds: &[&World], name: &str) -> usize {
    let name = name.replace(' ', "-");
    undisturbed(worlds, async |number| {
        guesses_until_limited(worlds, &format!("{name}-{number}@example.com")).await
    })
    .await
}

#[tokio::test]
async fn failed_guesses_are_counted_by_all_replicas_together() {
    let redis = Redis::start().await;
    let (database, [one, other]) = two(&redis.url()).await;
    let third = connected(&database.url, &redis.url()).await;
    let worlds = [&one, &other, &third];
    assert_eq!(looked_at_together(&worlds, "nobody").await, 5, "an account");

    // One address, and one network, at many accounts.
    let alike = async |addresses: &[String], number: usize| {
        let mut tried = 0;
        for (turn, world) in worlds.iter().cycle().take(12).enumerate() {
            let email = format!("somebody-{number}-{turn}@example.com");
            let address = &addresses[turn % addresses.len()];
            tried += usize::from(world.try_password_from(address, &email, "wrong password").await.status == 400);
        }
        tried
    };
    let tried = undisturbed(&worlds, async |number| {
        alike(&[format!("203.0.113.{number}")], number).await
    })
    .await;
    assert_eq!(tried, 5, "an address");
    let network = async |number: usize| {
        let neighbours = ["1", "2", "ffff:3"].map(|host| format!("2001:db8:ffff:{number}::{host}"));
        alike(&neighbours, 100 + number).await
    };
    assert_eq!(undisturbed(&worlds, network).await, 5, "a network");

    // Somebody is known where they signed in at another replica, and held back elsewhere.
    let ann = one.person("ann", "user").await;
    guesses_until_limited(&worlds, &ann.email).await;
    let waits = undisturbed(&worlds, async |_| {
        let mut waits = Vec::new();
        for world in worlds {
            let answer = guess(world, &ann.email).await;
            waits.push((
                answer.status,
                answer.header("retry-after").parse::<u64>().unwrap_or_default(),
            ));
        }
        waits
    });
    for (status, seconds) in waits.await {
        assert!(status == 429 && (1..=600).contains(&seconds), "{status} {seconds}");
    }
    let here = third.try_password_from("127.0.0.1", &ann.email, PASSWORD).await;
    assert_eq!(here.status, 200, "{}", here.body);

    let keys = redis.says(&["KEYS", "*"]);
    assert!(
        !keys.contains("ann") && !keys.contains("203.0.113"),
        "names are in no key: {keys}"
    );
    for key in keys.lines() {
        assert!(key.starts_with("authd:{limits}:"), "{key}");
        let left: i64 = redis.says(&["PTTL", key]).parse().expect("a number");
        assert!(left > 0 || left == -2, "{key} ends by itself: {left}");
    }
}

#[tokio::test]
async fn who_signs_in_at_one_replica_is_forgiven_by_all() {
    let redis = Redis::start().await;
    let (_database, [one, other]) = two(&redis.url()).await;
    let worlds = [&one, &other];
    let looked_at = undisturbed(&worlds, async |number| {
        let ann = one.person(&format!("ann-{number}"), "user").await;
        for _ in 0..4 {
            assert_eq!(guess(&one, &ann.email).await.status, 400);
        }
        let signed_in = one.try_password_from(&elsewhere(), &ann.email, PASSWORD).await;
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        guesses_until_limited(&[&other], &ann.email).await
    });
    assert_eq!(looked_at.await, 5);
}

#[tokio::test]
async fn what_one_replica_ends_the_other_hears_at_once() {
    let redis = Redis::start().await;
    let (_database, [one, other]) = two(&redis.url()).await;
    // The rounds of every half second find some of it first; none of what hints are there for.
    wait::until("the other replica hears by a hint", || async {
        let person = one.admin().await;
        assert_eq!(other.me(&person.token).await, 200, "control");
        let ended = post(one.auths("signout")).bearer(&person.token).send().await;
        assert_eq!(ended.status, 200, "{}", ended.body);
        wait::until("the other refuses it", || async {
            match other.me(&person.token).await {
                401 => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
        let heard = metric(&other, "authd_changes_heard_total{told_by=\"hint\"}").await;
        if heard > 0.0 {
            Ok(())
        } else {
            Err("by a round".to_owned())
        }
    })
    .await;
}
