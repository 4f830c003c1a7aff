//! The database is away, takes no writes, has no connections left, or says nothing: who is known is let in, and nobody is told of a
//! success that there was not. It is used again as soon as it answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tests::http::post;
use tests::postgres::Postgres;
use tests::relay::{Passage, Relay};
use tests::resources::ADMIN_PASSWORD;
use tests::wait;
use tests::world::{Person, World};

use super::{check, heard, replica, sign_out};

/// Somebody who is known to the replica by session and by key.
struct Known {
    person: Person,
    key: String,
}

impl Known {
    async fn to(world: &World, server: &Postgres, url: &str) -> Self {
        let marked = world.person("marked", "user").await;
        let mark = world.key_of(&marked).await;
        assert_eq!(check(world, &mark).await, 200, "control");
        let person = world.person("known", "user").await;
        let key = world.key_of(&person).await;
        // As another replica would: once this is known, so is all that was written before it, and nothing is left to hear of.
        let taken = format!(
            "BEGIN; DELETE FROM api_keys WHERE user_id = '{0}'; UPDATE positions SET last = last + 1;
             UPDATE changed_accounts SET position = (SELECT last FROM positions) WHERE user_id = '{0}'; COMMIT",
            marked.id
        );
        server.sql(name_of(url), &taken);
        heard("a key that another replica took away", world, &mark, 401).await;
        let known = Self { person, key };
        known.is_let_in(world, "control").await;
        known
    }

    async fn is_let_in(&self, world: &World, when: &str) {
        assert_eq!(
            check(world, &self.person.token).await,
            200,
            "{when}: a session that is known"
        );
        assert_eq!(check(world, &self.key).await, 200, "{when}: a key that is known");
        assert_eq!(world.forward("GET", "/").send().await.status, 401, "{when}: nobody");
        assert_eq!(
            check(world, "sk-00000000000000000000000000000000").await,
            401,
            "{when}: a wrong key"
        );
    }
}

/// Nothing that has to be written is said to have been.
async fn nothing_is_written(world: &World, known: &Known, when: &str) {
    let admin = world.try_password("admin@example.com", ADMIN_PASSWORD).await;
    assert_eq!(admin.status, 503, "{when}: signing in: {}", admin.body);
    assert_eq!(sign_out(world, &known.person).await, 503, "{when}: signing out");
    let key = post(world.auths("api_key")).bearer(&known.person.token).send().await;
    assert_eq!(key.status, 503, "{when}: making a key: {}", key.body);
    known.is_let_in(world, when).await;
}

/// Everything works again, without anybody having started authd again.
async fn everything_works(world: &World, known: &Known, when: &str) {
    wait::until("signing in works again", || async {
        let answer = world.try_password("admin@example.com", ADMIN_PASSWORD).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    assert_eq!(
        check(world, &known.person.token).await,
        200,
        "{when}: nobody lost a session"
    );
    assert_eq!(sign_out(world, &known.person).await, 200, "{when}");
    assert_eq!(
        check(world, &known.person.token).await,
        401,
        "{when}: who signs out is out"
    );
}

fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

#[tokio::test]
async fn while_the_database_is_down_who_is_known_is_let_in_and_nobody_signs_in_or_out() {
    let mut server = Postgres::start().await;
    let url = server.database();
    let world = replica(&url).await;
    let known = Known::to(&world, &server, &url).await;
    server.stop().await;
    nothing_is_written(&world, &known, "down").await;
    let ready = tests::http::get(format!("{}/readyz", world.authd.admin)).send().await;
    assert_eq!(
        ready.status, 200,
        "a database that is down takes no replica away: {}",
        ready.body
    );
    server.start_again().await;
    everything_works(&world, &known, "up again").await;
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_told_from_one_that_does() {
    let server = Postgres::start().await;
    let url = server.database();
    let world = replica(&url).await;
    let known = Known::to(&world, &server, &url).await;
    let database = name_of(&url);
    server.sql(
        "postgres",
        &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"),
    );
    server.break_off(database);
    nothing_is_written(&world, &known, "read-only").await;
    server.sql(
        "postgres",
        &format!("ALTER DATABASE {database} RESET default_transaction_read_only"),
    );
    everything_works(&world, &known, "writable again").await;
}

#[tokio::test]
async fn a_database_without_a_connection_left_is_one_that_is_away() {
    let server = Postgres::start().await;
    let url = server.database();
    let world = replica(&url).await;
    let known = Known::to(&world, &server, &url).await;
    let database = name_of(&url);
    server.sql("postgres", &format!("ALTER DATABASE {database} CONNECTION LIMIT 0"));
    server.break_off(database);
    nothing_is_written(&world, &known, "no connections").await;
    server.sql("postgres", &format!("ALTER DATABASE {database} CONNECTION LIMIT -1"));
    everything_works(&world, &known, "connections again").await;
}

#[tokio::test]
async fn a_database_that_says_nothing_holds_nobody_up_for_long() {
    let server = Postgres::start().await;
    let relay = Relay::to(server.port).await;
    let url = server
        .database()
        .replace(&server.port.to_string(), &relay.address.port().to_string());
    let world = replica(&url).await;
    let known = Known::to(&world, &server, &url).await;
    relay.set(Passage::Stalled);
    nothing_is_written(&world, &known, "stalled").await;
    relay.set(Passage::Open);
    everything_works(&world, &known, "open again").await;
}

/// What was answered with success, by whatever was running.
#[derive(Default)]
struct Acknowledged {
    live: Vec<String>,
    ended: Vec<String>,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.live.len() + self.ended.len()
    }
}

/// Signs in and out until it is enough.
async fn write(world: &World, acknowledged: &Mutex<Acknowledged>, enough: &AtomicBool) {
    let sign_in = json!({"email": "admin@example.com", "password": ADMIN_PASSWORD});
    let mut number = 0_u32;
    while !enough.load(Ordering::Relaxed) {
        let Ok(session) = post(world.auths("signin")).json(&sign_in).attempt().await else {
            tokio::task::yield_now().await;
            continue;
        };
        if session.status != 200 {
            assert_eq!(session.status, 503, "{}", session.body);
            continue;
        }
        number += 1;
        let token = session.text("token");
        if number.is_multiple_of(2) {
            acknowledged.lock().expect("no panic").live.push(token);
        } else if let Ok(answer) = post(world.auths("signout")).bearer(&token).attempt().await
            && answer.status == 200
        {
            acknowledged.lock().expect("no panic").ended.push(token);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_of_database_or_replica_loses_what_was_acknowledged() {
    let mut server = Postgres::start().await;
    let url = server.database();
    let (one, mut other) = (replica(&url).await, replica(&url).await);
    let acknowledged = Mutex::new(Acknowledged::default());
    for round in 0..6 {
        let enough = AtomicBool::new(false);
        let written = acknowledged.lock().expect("no panic").count() + 6;
        let crash = async {
            wait::until("enough is written", || async {
                let count = acknowledged.lock().expect("no panic").count();
                if count >= written {
                    Ok(())
                } else {
                    Err(count.to_string())
                }
            })
            .await;
            if round % 2 == 0 {
                server.kill();
                server.start_again().await;
            } else {
                let id = i32::try_from(other.authd.id())
                    .ok()
                    .and_then(rustix::process::Pid::from_raw);
                rustix::process::kill_process(id.expect("it runs"), rustix::process::Signal::KILL).expect("it runs");
            }
            enough.store(true, Ordering::Relaxed);
        };
        tokio::join!(
            crash,
            write(&one, &acknowledged, &enough),
            write(&other, &acknowledged, &enough)
        );
        if round % 2 == 1 {
            other.authd.kill();
            other.start_again().await;
        }
    }
    let Acknowledged { live, ended } = acknowledged.into_inner().expect("no panic");
    assert!(
        live.len() > 5 && ended.len() > 5,
        "control: {} {}",
        live.len(),
        ended.len()
    );
    for world in [&one, &other] {
        for token in &live {
            assert_eq!(world.me(token).await, 200, "a session is lost");
        }
        for token in &ended {
            assert_eq!(world.me(token).await, 401, "a session that was ended is back");
        }
    }
}
