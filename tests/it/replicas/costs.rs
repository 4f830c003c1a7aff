//! A check asks nobody: neither the database nor Redis nor another replica. So replicas share nothing, and each more is as much more.

use std::collections::BTreeMap;
use std::time::Instant;

use tests::postgres::Postgres;
use tests::redis::Redis;
use tests::resources::CI_KEY;
use tests::world::World;

use super::fleet::{folder, name_of};

/// How many checks each replica answers.
const CHECKS: usize = 2000;

/// How many of them are under way at a time.
const AT_ONCE: usize = 8;

/// How often the database ran each statement of its own.
fn statements(postgres: &Postgres, database: &str) -> BTreeMap<String, u64> {
    let counted = format!(
        "SELECT calls || ' ' || regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements
         JOIN pg_database ON pg_database.oid = dbid WHERE datname = '{database}'"
    );
    let told = postgres.sql("postgres", &counted);
    let pairs = told.lines().filter_map(|line| line.split_once(' '));
    pairs
        .filter_map(|(calls, query)| Some((query.to_owned(), calls.parse().ok()?)))
        .collect()
}

/// How much more of what was run since.
fn since(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = after.iter().map(|(query, calls)| {
        let known = before.get(query).copied().unwrap_or_default();
        (query.clone(), calls.saturating_sub(known))
    });
    grown.filter(|(_, calls)| *calls > 0).collect()
}

/// How many commands Redis has run.
fn commands(redis: &Redis) -> u64 {
    let told = redis.says(&["INFO", "stats"]);
    let count = told
        .lines()
        .find_map(|line| line.strip_prefix("total_commands_processed:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .expect("it counts them")
}

async fn checks(world: &World, credentials: &[&str; 3]) {
    let share = CHECKS / AT_ONCE;
    let some = (0..AT_ONCE).map(async |first| {
        for number in 0..share {
            let credential = credentials[(first + number) % credentials.len()];
            let answer = world.forward("GET", "/").bearer(credential).send().await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    });
    futures::future::join_all(some).await;
}

/// How long the program worked, in ticks of the kernel.
fn work(world: &World) -> u64 {
    let told = std::fs::read_to_string(format!("/proc/{}/stat", world.authd.id())).unwrap_or_default();
    let fields: Vec<&str> = told.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| {
        fields
            .get(field)
            .and_then(|ticks| ticks.parse::<u64>().ok())
            .unwrap_or_default()
    };
    ticks(11) + ticks(12)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_asks_neither_database_nor_redis_however_many_replicas_there_are() {
    let postgres = Postgres::with(&["shared_preload_libraries=pg_stat_statements"]).await;
    postgres.sql("postgres", "CREATE EXTENSION pg_stat_statements");
    let url = postgres.database();
    let redis = Redis::start().await;
    let urls = [url.clone(), redis.url()];
    let first = World::of(folder(&urls)).await;
    let ann = first.person("ann", "user").await;
    let key = first.key_of(&ann).await;
    let credentials = [ann.token.as_str(), key.as_str(), CI_KEY];
    let mut replicas = vec![first];
    for count in [1, 3] {
        while replicas.len() < count {
            replicas.push(World::of(folder(&urls)).await);
        }
        let before = statements(&postgres, name_of(&url));
        for world in &replicas {
            for credential in credentials {
                let answer = world.forward("GET", "/").bearer(credential).send().await;
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
        }
        let seen_first = since(&before, &statements(&postgres, name_of(&url)));
        let of_accounts = seen_first.keys().any(|query| query.contains("FROM users"));
        assert!(
            of_accounts,
            "control: whoever is not known yet is looked up: {seen_first:#?}"
        );

        let (before, begun) = (statements(&postgres, name_of(&url)), Instant::now());
        let ran = commands(&redis);
        let worked: Vec<u64> = replicas.iter().map(work).collect();
        for world in &replicas {
            checks(world, &credentials).await;
        }
        let (took, ran) = (begun.elapsed(), commands(&redis) - ran);
        let asked = since(&before, &statements(&postgres, name_of(&url)));
        let worked: Vec<u64> = replicas
            .iter()
            .zip(worked)
            .map(|(world, before)| work(world) - before)
            .collect();
        println!(
            "{count} replicas, {CHECKS} checks of each in {took:?}: ticks of work {worked:?}, {ran} commands to Redis, statements {asked:#?}"
        );
        // What goes on beside, by the clock alone: what others wrote, when somebody was last seen.
        let total = asked.values().sum::<u64>() + ran;
        let checks = u64::try_from(CHECKS * count).unwrap_or(u64::MAX);
        assert!(
            total * 10 < checks,
            "{total} statements and commands for {checks} checks: {asked:#?}"
        );
    }
}
