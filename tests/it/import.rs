//! People of Open WebUI, taken over: they sign in with the password and call with the key that they had, under the id that they had.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tests::authd::{self, run};
use tests::http::get;
use tests::repository;
use tests::resources::{Folder, ROOMY};
use tests::wait;
use tests::world::World;

/// The key that Ann has in the fixture, her id, and everybody's password.
const KEY: &str = "sk-aa00000000000000000000000000aaaa";
const ANN: &str = "0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a02";
const PASSWORD: &str = "correct horse battery";

/// A database with the schema of Open WebUI and some people.
fn database(folder: &Path) -> String {
    let path = folder.join("webui.db").display().to_string();
    let statements = repository().join("authd/src/import/open_webui/since_0_6_41.sql");
    let program = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())";
    let made = Command::new("python3")
        .args(["-c", program, &path])
        .arg(statements)
        .stdin(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "the database was not made");
    path
}

fn import(database: &str, data: &Path, more: &[&str]) -> Output {
    let data = data.display().to_string();
    run(&[&["import", "open-webui", "--database", database, "--data", &data], more].concat())
}

/// What it prints as JSON, which holds no secret.
#[track_caller]
fn printed(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    for secret in [KEY, "$2b$10$", PASSWORD] {
        assert!(!text.contains(secret) && !errors.contains(secret), "{text}{errors}");
    }
    authd::printed(output)
}

#[tokio::test]
async fn people_of_open_webui_go_on_with_their_passwords_keys_and_ids() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let before = std::fs::read(&database).unwrap();
    let resources = Folder::usual(ROOMY);
    let data = tempfile::tempdir().unwrap();
    let wanted = ["--provider", "oidc=corporate", "--output", "json"];
    let tried = printed(&import(&database, data.path(), &wanted));
    assert_eq!(
        (&tried["applied"], &tried["takenOver"]["accounts"]),
        (&Value::Bool(false), &Value::from(4)),
        "{tried}"
    );
    assert_eq!(
        std::fs::read_dir(data.path()).unwrap().count(),
        0,
        "what is only tried leaves nothing"
    );

    let done = printed(&import(&database, data.path(), &[&wanted[..], &["--apply"]].concat()));
    assert_eq!(done["takenOver"], tried["takenOver"]);
    assert_eq!(
        (&done["takenOver"]["admins"], &done["takenOver"]["apiKeys"]),
        (&Value::from(1), &Value::from(1)),
        "{done}"
    );
    assert_eq!(
        (&done["remarks"], &done["withoutCounterpart"]),
        (&tried["remarks"], &tried["withoutCounterpart"])
    );
    let world = World::of_data(resources, data).await;
    let ann = world.sign_in("ann@example.com", PASSWORD).await;
    assert_eq!(ann.id, ANN);
    let through = world
        .forward("GET", "/")
        .bearer(KEY)
        .send()
        .await
        .expect("her key", 200);
    assert_eq!(
        (through.header("x-auth-user"), through.header("x-auth-groups")),
        (ANN, "ops,staff")
    );
    world
        .forward("GET", "/")
        .bearer("sk-aa00000000000000000000000000aaab")
        .send()
        .await
        .expect("control", 401);
    // Their administrator is the administrator here too, so that none is made.
    let root = world.sign_in("root@example.com", PASSWORD).await;
    get(world.public("/api/v1/users/"))
        .bearer(&root.token)
        .send()
        .await
        .expect("admin", 200);
    assert_eq!(
        world
            .try_password("admin@example.com", tests::resources::ADMIN_PASSWORD)
            .await
            .status,
        400
    );
    // Kept out there, kept out here; and what is no hash opens nothing.
    for email in ["gone@example.com", "bob@example.com"] {
        world.try_password(email, PASSWORD).await.expect(email, 400);
    }

    let again = printed(&import(&database, world.data(), &[&wanted[..], &["--apply"]].concat()));
    assert_eq!(
        (&again["takenOver"]["accounts"], &again["hereAlready"]),
        (&Value::from(0), &Value::from(4)),
        "{again}"
    );
    assert_eq!(world.me(&ann.token).await, 200);
    assert_eq!(std::fs::read(&database).unwrap(), before, "it is only read");
}

#[tokio::test]
async fn a_server_that_runs_knows_them_too() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let world = World::usual().await;
    let ask = async || world.forward("GET", "/").bearer(KEY).send().await.status;
    assert_eq!(ask().await, 401, "control");
    printed(&import(&database, world.data(), &["--apply", "--output", "json"]));
    wait::until("the key is known", || async {
        let status = ask().await;
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    world.sign_in("ann@example.com", PASSWORD).await;
}

#[tokio::test]
async fn what_is_in_the_way_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let world = World::usual().await;
    world.person("ann", "user").await;
    let output = import(&database, world.data(), &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    for line in [
        "3 accounts would be taken over, 1 of them administrators",
        "ann@example.com: left out: another account here has the address",
        "odd@example.com: left out: its id `not-a-uuid` is no UUID",
        "1 groups with permissions: what a group may do is said in AccessPolicies",
        "nothing was written: add `--apply`",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for (database, more, expected) in [
        (
            "/nowhere/webui.db",
            &[][..],
            "is no file: name the database of Open WebUI",
        ),
        (&database, &["--provider", "oidc"], "expected a name there and one here"),
    ] {
        let output = import(database, world.data(), more);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(expected), "{errors}");
    }
}
