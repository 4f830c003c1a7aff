//! Redis is away, slow, silent, full, emptied, or says nonsense; or other things stand under our names. Nobody is let in for it, and
//! nobody waits for it.

use tests::http::post;
use tests::postgres::Postgres;
use tests::redis::Redis;
use tests::relay::{Passage, Relay};
use tests::resources::ADMIN_PASSWORD;
use tests::wait;
use tests::world::{PASSWORD, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{
    answers, guess, guesses_until_limited, looked_at_together, metric, refused, replica, said, said_once, two,
    undisturbed,
};

/// Signing in and out work, what is ended is refused by the other, and each replica limits guesses by itself.
async fn goes_on(one: &World, other: &World, when: &str) {
    let admin = one.try_password("admin@example.com", ADMIN_PASSWORD).await;
    assert_eq!(admin.status, 200, "{when}: {}", admin.body);
    let token = admin.text("token");
    assert_eq!(other.me(&token).await, 200, "{when}: control");
    let ended = post(one.auths("signout")).bearer(&token).send().await;
    assert_eq!(ended.status, 200, "{when}: {}", ended.body);
    assert_eq!(one.me(&token).await, 401, "{when}: at once where it ended");
    wait::within(
        std::time::Duration::from_secs(5),
        "the other refuses what was ended",
        || async {
            match other.me(&token).await {
                401 => Ok(()),
                status => Err(format!("{when}: {status}")),
            }
        },
    )
    .await;
    // Guesses at an account of nobody, of which there is one for each time.
    let email = format!("{}@example.com", when.replace(' ', "-"));
    assert_eq!(guesses_until_limited(&[one], &email).await, 5, "{when}: limits hold");
}

/// The Redis is used again, and what it counts holds.
async fn is_used_again(one: &World, other: &World, when: &str) {
    answers(one, true).await;
    answers(other, true).await;
    let name = format!("{when} again");
    assert_eq!(
        looked_at_together(&[one, other], &name).await,
        5,
        "{when}: counted together"
    );
}

#[tokio::test]
async fn while_redis_is_down_each_replica_counts_by_itself_and_revocations_hold() {
    let mut redis = Redis::start().await;
    let (database, [one, other]) = two(&redis.url()).await;
    redis.kill();
    answers(&one, false).await;
    answers(&other, false).await;
    goes_on(&one, &other, "down").await;
    let ready = tests::http::get(format!("{}/readyz", one.authd.admin)).send().await;
    assert_eq!(
        ready.status, 200,
        "a Redis that is down takes no replica away: {}",
        ready.body
    );
    assert_eq!(
        said(&one, "Redis does not answer"),
        1,
        "said once: {:?}",
        one.authd.log()
    );

    // A replica that starts meanwhile is as good.
    let third = replica(&database.url, &redis.url()).await;
    goes_on(&third, &one, "down and started").await;

    redis.start_again().await;
    is_used_again(&one, &other, "down").await;
    assert_eq!(said(&one, "Redis answers"), 2, "said once for each time");
}

#[tokio::test]
async fn a_redis_that_is_silent_or_slow_holds_nobody_up() {
    let redis = Redis::start().await;
    let relay = Relay::to(redis.port).await;
    let relayed = redis
        .url()
        .replace(&redis.port.to_string(), &relay.address.port().to_string());
    let (_database, [one, other]) = two(&relayed).await;

    // Connections stay open, and nothing passes.
    relay.set(Passage::Stalled);
    answers(&one, false).await;
    answers(&other, false).await;
    goes_on(&one, &other, "silent").await;
    assert!(
        metric(&one, "authd_redis_calls_total{outcome=\"late\"}").await >= 5.0,
        "five that were late end it"
    );
    relay.set(Passage::Open);
    is_used_again(&one, &other, "silent").await;

    // It answers, but after the time that anybody has.
    relay.set(Passage::Slow);
    answers(&one, false).await;
    answers(&other, false).await;
    goes_on(&one, &other, "slow").await;
    relay.set(Passage::Open);
    is_used_again(&one, &other, "slow").await;
}

#[tokio::test]
async fn a_redis_that_was_emptied_forgets_no_revocation_and_no_replica_its_limits() {
    let redis = Redis::start().await;
    let (_database, [one, other]) = two(&redis.url()).await;
    let (ended, kept) = (one.admin().await, one.admin().await);
    assert_eq!(guesses_until_limited(&[&one], "ann@example.com").await, 5);
    assert_eq!(post(one.auths("signout")).bearer(&ended.token).send().await.status, 200);
    assert_eq!(redis.says(&["FLUSHALL"]), "OK");
    for world in [&one, &other] {
        wait::until("what was ended is refused", || async {
            match world.me(&ended.token).await {
                401 => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
        assert_eq!(world.me(&kept.token).await, 200, "control");
    }
    assert_eq!(
        guess(&one, "ann@example.com").await.status,
        429,
        "who counted it goes on to"
    );
    goes_on(&one, &other, "emptied").await;
    is_used_again(&one, &other, "emptied").await;
    assert_eq!(said(&one, "Redis does not answer"), 0, "nothing is wrong with it");
}

#[tokio::test]
async fn other_things_under_our_names_and_beside_them_are_left_alone() {
    let redis = Redis::start().await;
    let (_database, [one, other]) = two(&redis.url()).await;
    assert_eq!(redis.says(&["SET", "somebody:else", "theirs"]), "OK");
    assert_eq!(redis.says(&["SET", "authd:limits", "theirs"]), "OK");
    undisturbed(&[&one], async |_| guess(&one, "ann@example.com").await).await;
    let keys = redis.says(&["KEYS", "authd:{limits}:account/*:failed"]);
    let failed = keys.lines().next().expect("an account is counted").to_owned();
    assert_eq!(redis.says(&["DEL", &failed]), "1");
    assert_eq!(redis.says(&["SET", &failed, "of another type"]), "OK");
    assert!(
        guesses_until_limited(&[&one], "ann@example.com").await < 5,
        "some failed before"
    );
    said_once(&one, "WRONGTYPE", async |_| {
        guess(&one, "ann@example.com").await;
    })
    .await;
    assert!(
        metric(&one, "authd_redis_calls_total{outcome=\"refused\"}").await > 0.0,
        "control"
    );
    assert_eq!(
        looked_at_together(&[&one, &other], "bob").await,
        5,
        "others are counted"
    );
    assert_eq!(redis.says(&["GET", &failed]), "of another type");
    assert_eq!(redis.says(&["GET", "somebody:else"]), "theirs");
    assert_eq!(redis.says(&["GET", "authd:limits"]), "theirs");

    // Of the right type, with a value that is none of ours.
    let block = failed.replace(":failed", ":block");
    assert_eq!(redis.says(&["DEL", &failed]), "1");
    assert_eq!(redis.says(&["HSET", &block, "until", "tomorrow"]), "1");
    assert_eq!(guess(&one, "ann@example.com").await.status, 429, "this replica knows");
    // Hints of anybody are looks at the database, and no more.
    for text in ["", "9223372036854775807", "{\"revoked\": true}"] {
        assert_eq!(
            redis.says(&["PUBLISH", "authd:changes", text]),
            "2",
            "both replicas hear it"
        );
    }
    goes_on(&one, &other, "meddled with").await;
}

#[tokio::test]
async fn a_redis_that_takes_nothing_is_one_that_is_away() {
    let redis = Redis::start().await;
    let (_database, [one, other]) = two(&redis.url()).await;
    for (when, name, wrong, right) in [
        ("full", "maxmemory", "1", "0"),
        ("without replicas", "min-replicas-to-write", "1", "0"),
    ] {
        redis.set(name, wrong);
        goes_on(&one, &other, when).await;
        answers(&one, false).await;
        redis.set(name, right);
        is_used_again(&one, &other, when).await;
    }
    assert_eq!(redis.says(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    goes_on(&one, &other, "a replica of another").await;
    answers(&one, false).await;
    assert_eq!(redis.says(&["REPLICAOF", "NO", "ONE"]), "OK");
    is_used_again(&one, &other, "a replica of another").await;
    assert!(
        said(&one, "OOM") == 1 && said(&one, "READONLY") == 1,
        "{:?}",
        one.authd.log()
    );
}

/// Answers whatever it is asked with these bytes, for as long as somebody listens.
async fn liar(bytes: &'static [u8]) -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            open.spawn(async move {
                // More than anything that is asked, as each answer is to a whole question.
                let mut asked = vec![0; 1 << 16];
                while let Ok(1..) = stream.read(&mut asked).await {
                    if stream.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, tasks)
}

#[tokio::test]
async fn a_server_that_lies_is_not_used_and_lets_nobody_in() {
    let postgres = Postgres::start().await;
    let database = postgres.database();
    for (when, bytes, expected) in [
        (
            "http",
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".as_slice(),
            "no answer of a Redis server",
        ),
        ("endless", &[b'+'; 1 << 17], "no answer of a Redis server"),
        ("huge", b"$536870912\r\n", "no answer of a Redis server"),
        ("many", b"*1000000000\r\n", "no answer of a Redis server"),
        ("refusing", b"-ERR go away\r\n", "go away"),
        (
            "loading",
            b"-LOADING Redis is loading the dataset in memory\r\n",
            "LOADING",
        ),
    ] {
        let (port, _serving) = liar(bytes).await;
        let world = replica(&database, &format!("redis://authd:{PASSWORD}@127.0.0.1:{port}")).await;
        refused(&world, expected).await;
        assert_eq!(
            guesses_until_limited(&[&world], &format!("{when}@example.com")).await,
            5,
            "{when}"
        );
        let admin = world
            .try_password_from("203.0.113.1", "admin@example.com", ADMIN_PASSWORD)
            .await;
        assert_eq!(admin.status, 200, "{when}: {}", admin.body);
    }
    // It says yes to everything: which is none of the answers that are expected, and this replica's limits hold.
    let (port, _serving) = liar(b"+OK\r\n").await;
    let world = replica(&database, &format!("redis://127.0.0.1:{port}")).await;
    answers(&world, true).await;
    said_once(&world, "Redis does not count", async |number| {
        let email = format!("yes-{number}@example.com");
        assert_eq!(guesses_until_limited(&[&world], &email).await, 5);
    })
    .await;
}
