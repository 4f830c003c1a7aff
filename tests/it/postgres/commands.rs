//! Commands on a database that replicas share: what they change every replica knows, and one of them tells in its audit lines who did it.

use std::process::Output;

use serde_json::Value;
use tests::authd::{printed, run};
use tests::postgres::Postgres;
use tests::repository;
use tests::wait;
use tests::world::{PASSWORD, World};

use super::{check, heard, replica};

/// The key that Ann has in the database of Open WebUI, and her id there.
const KEY: &str = "sk-aa00000000000000000000000000aaaa";
const ANN: &str = "0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02";

/// Runs a command on the database at this URL.
fn on(url: &str, arguments: &[&str]) -> Output {
    run(&[arguments, &["--postgres", url, "--output", "json"]].concat())
}

/// The audit lines of a replica that tell of a command.
fn told(world: &World) -> Vec<Value> {
    let lines = world.authd.log().into_iter();
    lines
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .filter(|line| line["reason"] == "CommandLine")
        .collect()
}

/// Waits until so many audit lines tell of commands, and returns them: each is in those of one replica.
async fn all_told(worlds: [&World; 2], count: usize) -> Vec<Value> {
    wait::until("what commands did is told", || async {
        let told: Vec<Value> = worlds.iter().flat_map(|world| told(world)).collect();
        if told.len() >= count {
            Ok(told)
        } else {
            Err(format!("{told:?}"))
        }
    })
    .await
}

#[tokio::test]
async fn sessions_are_listed_and_ended_on_the_database_and_one_replica_tells_who_did_it() {
    let server = Postgres::start().await;
    let url = server.database();
    let (one, other) = (replica(&url).await, replica(&url).await);
    let (ann, bob) = (one.person("ann", "user").await, one.person("bob", "user").await);
    for token in [&ann.token, &bob.token] {
        assert_eq!([check(&one, token).await, check(&other, token).await], [200, 200]);
    }
    let listed = printed(&on(&url, &["sessions", "list", "--user", &ann.email]));
    assert_eq!(listed["total"], 1, "{listed}");
    let session = listed["sessions"][0]["id"].as_str().unwrap_or_default();
    assert_eq!(
        printed(&on(&url, &["sessions", "end", "--session", session]))["ended"],
        1
    );
    for world in [&one, &other] {
        heard("the session is over", world, &ann.token, 401).await;
        assert_eq!(check(world, &bob.token).await, 200, "others go on");
    }
    // Everybody signed in through the provider of passwords.
    let none = printed(&on(&url, &["sessions", "end", "--provider", "corporate"]));
    assert_eq!(none["ended"], 0, "control");
    let ended = printed(&on(&url, &["sessions", "end", "--provider", "accounts"]));
    assert!(ended["ended"].as_u64() >= Some(2), "{ended}");
    for world in [&one, &other] {
        heard("the provider's sessions are over", world, &bob.token, 401).await;
    }

    let lines = all_told([&one, &other], 4).await;
    let expected = [
        ("SessionsListed", ann.email.as_str()),
        ("Revoked", session),
        ("Revoked", "provider/corporate"),
        ("Revoked", "provider/accounts"),
    ];
    assert_eq!(lines.len(), expected.len(), "each once: {lines:?}");
    for (event, subject) in expected {
        let is_it = |line: &&Value| line["event"] == event && line["subject.id"] == subject;
        let line = lines.iter().find(is_it);
        let actor = line.map(|line| line["actor.name"].as_str().unwrap_or_default());
        assert!(
            actor.is_some_and(|actor| actor.contains('@')),
            "{event} {subject}: {lines:?}"
        );
    }
}

#[tokio::test]
async fn a_database_without_tables_of_authd_is_not_filled() {
    let server = Postgres::start().await;
    let url = server.database();
    let refused = on(&url, &["sessions", "list"]);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && errors.contains("has no tables of authd: name the one of the server"),
        "{errors}"
    );
    let tried = on(&url, &["import", "open-webui", "--database", &open_webui(&server)]);
    assert_eq!(printed(&tried)["applied"], false);
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(server.sql(name_of(&url), tables), "0");
}

fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// A database with the schema of Open WebUI and some people.
fn open_webui(server: &Postgres) -> String {
    let url = server.database();
    let path = repository().join("authd/src/import/open_webui/since_0_6_41.sql");
    let statements = std::fs::read_to_string(path).expect("it is in the checkout");
    let owned = format!("SET ROLE {}; {statements}", name_of(&url));
    server.sql(name_of(&url), &owned);
    url
}

#[tokio::test]
async fn people_of_an_open_webui_on_postgresql_come_to_replicas_that_run() {
    let server = Postgres::start().await;
    let (url, from) = (server.database(), open_webui(&server));
    let (one, other) = (replica(&url).await, replica(&url).await);
    let import = |more: &[&str]| {
        let wanted = [
            "import",
            "open-webui",
            "--database",
            &from,
            "--provider",
            "oidc=corporate",
        ];
        let output = on(&url, &[&wanted[..], more].concat());
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("$2b$10$") && !said.contains(KEY), "{said}");
        printed(&output)
    };
    let tried = import(&[]);
    assert_eq!(
        (&tried["applied"], &tried["takenOver"]["accounts"]),
        (&false.into(), &4.into()),
        "{tried}"
    );
    assert_eq!(
        one.try_password("ann@example.com", PASSWORD).await.status,
        400,
        "control"
    );
    let done = import(&["--apply"]);
    assert_eq!(done["takenOver"], tried["takenOver"]);
    assert_eq!(done["withoutCounterpart"], tried["withoutCounterpart"]);
    assert_eq!(done["withoutCounterpart"].as_array().map(Vec::len), Some(4), "{done}");
    for world in [&one, &other] {
        heard("her key opens", world, KEY, 200).await;
        assert_eq!(world.sign_in("ann@example.com", PASSWORD).await.id, ANN);
        // Kept out there, kept out here.
        assert_eq!(world.try_password("gone@example.com", PASSWORD).await.status, 400);
    }
    assert_eq!(import(&["--apply"])["hereAlready"], 4, "again");
    let lines = all_told([&one, &other], 2).await;
    assert!(
        lines
            .iter()
            .any(|line| line["event"] == "AccountsImported" && line["subject.id"] == "4 accounts of Open WebUI"),
        "{lines:?}"
    );
    let nowhere = from.replace("story_", "nowhere_");
    let refused = on(&url, &["import", "open-webui", "--database", &nowhere]);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && errors.contains("cannot be read") && !errors.contains("sample"),
        "{errors}"
    );
}
