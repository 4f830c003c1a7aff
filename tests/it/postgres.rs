//! Accounts and sessions in a PostgreSQL database that replicas share, and what still works while it is away.

mod commands;
mod crashes;
mod faults;
mod revocations;
mod rows;
mod start;

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tests::http::{get, post};
use tests::postgres::Postgres;
use tests::resources::Folder;
use tests::world::{PASSWORD, Person, World};
use tests::{repository, wait};

/// What replicas must have in common to be one instance.
pub(crate) const TOGETHER: &str = "  rateLimits: {signIn: {limit: 10000, window: 3m}}
  signup: {enabled: true, defaultRole: user}
  sessions: {maxPerUser: 1000}
  apiKeys: {maxPerUser: 1000}
  tokens: {algorithm: HS256, secretRef: {name: shared, key: tokens}}
  encryptionKeys: [{name: shared, key: encryption}]
";

/// The resources of replicas that have the database at this URL.
pub(crate) fn folder(url: &str) -> Folder {
    let database = "  database: {postgresSecretRef: {name: shared, key: url}}\n";
    Folder::shared(&format!("{TOGETHER}{database}"), &[("url", url)])
}

/// The same, of an instance that asks providers again every second.
pub fn folder_that_asks_again(url: &str) -> Folder {
    let database = "  database: {postgresSecretRef: {name: shared, key: url}}\n";
    let instance = format!("{TOGETHER}{database}").replace("sessions: {", "sessions: {revalidate: 1s, ");
    Folder::shared(&instance, &[("url", url)])
}

/// The same instance with a file of its own.
pub fn file_folder() -> Folder {
    Folder::shared(TOGETHER, &[])
}

pub async fn replica(url: &str) -> World {
    World::of(folder(url)).await
}

/// What a check of a request by this token is answered with.
pub(crate) async fn check(world: &World, token: &str) -> u16 {
    world.forward("GET", "/").bearer(token).send().await.status
}

/// Waits until signing in is answered so.
pub(crate) async fn sign_in_is_answered(world: &World, status: u16) {
    wait::until(&format!("signing in is answered {status}"), || async {
        let answer = world
            .try_password("admin@example.com", tests::resources::ADMIN_PASSWORD)
            .await;
        if answer.status == status {
            Ok(())
        } else {
            Err(format!("{} {}", answer.status, answer.body))
        }
    })
    .await;
}

pub async fn sign_out(world: &World, person: &Person) -> u16 {
    post(world.auths("signout")).bearer(&person.token).send().await.status
}

/// Waits until a check is answered so, for as long as replicas may take to hear of each other's changes.
pub(crate) async fn heard(what: &str, world: &World, token: &str, expected: u16) {
    wait::within(Duration::from_secs(5), what, || async {
        let answered = check(world, token).await;
        if answered == expected {
            Ok(())
        } else {
            Err(answered.to_string())
        }
    })
    .await;
}

#[tokio::test]
async fn what_holds_of_the_store_in_a_file_holds_on_postgresql() {
    let server = Postgres::with(&["max_connections=500"]).await;
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(repository())
        .args([
            "test",
            "--workspace",
            "--lib",
            "--locked",
            "--quiet",
            "--",
            "store::",
            "--test-threads=4",
        ])
        .env("AUTHD_STORE_TESTS", server.server());
    let told = tokio::task::spawn_blocking(move || cargo.output())
        .await
        .expect("no panic")
        .expect("cargo can be started");
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(
        told.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let databases = server.sql(
        "postgres",
        "SELECT COUNT(*) FROM pg_database WHERE datname LIKE 'test_%'",
    );
    let databases: u32 = databases.parse().expect("a number");
    assert!(databases > 60, "control: {databases} tests were on it");
}

#[tokio::test]
async fn what_one_replica_does_the_others_know() {
    let server = Postgres::start().await;
    let url = server.database();
    let (one, other) = (replica(&url).await, replica(&url).await);
    let admin = one.admin().await;
    assert_eq!(
        check(&other, &admin.token).await,
        200,
        "who signed in at one is let in by the other"
    );

    // A form that one showed is taken by the other.
    let page = get(one.public("/login")).send().await.expect("the sign-in page", 200);
    let (visit, csrf) = (
        page.set_cookie("authd_csrf").unwrap_or_default(),
        page.field("csrf").unwrap_or_default(),
    );
    post(other.public("/login"))
        .header("cookie", format!("authd_csrf={visit}"))
        .header("origin", "http://auth.test.localhost:8000")
        .form(&[
            ("csrf", &csrf),
            ("email", "admin@example.com"),
            ("password", tests::resources::ADMIN_PASSWORD),
        ])
        .send()
        .await
        .expect("the form", 303);

    let ann = one.person("ann", "user").await;
    let key = one.key_of(&ann).await;
    heard("a key that one made opens at the other", &other, &key, 200).await;
    assert_eq!(check(&other, &ann.token).await, 200, "control");
    let kept = other.sign_in(&ann.email, PASSWORD).await;
    assert_eq!(sign_out(&one, &ann).await, 200);
    heard(
        "a session that one ended is refused by the other",
        &other,
        &ann.token,
        401,
    )
    .await;
    assert_eq!(check(&other, &kept.token).await, 200, "the other session goes on");

    let disable = |world: &World, disabled: bool| {
        post(world.public(&format!("/api/v1/users/{}/update", ann.id)))
            .bearer(&admin.token)
            .json(&json!({"disabled": disabled}))
    };
    disable(&one, true).send().await.expect("disabled", 200);
    heard(
        "the key of somebody who was disabled opens nothing at the other",
        &other,
        &key,
        401,
    )
    .await;
    heard("nor does a session", &other, &kept.token, 401).await;
    disable(&other, false).send().await.expect("enabled", 200);
    heard("and the key opens again", &one, &key, 200).await;

    let mut again = other;
    again.authd.kill();
    again.start_again().await;
    assert_eq!(
        check(&again, &ann.token).await,
        401,
        "what was ended stays ended over a restart"
    );
    assert_eq!(check(&again, &key).await, 200, "and what was not goes on");
}
