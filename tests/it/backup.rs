//! A data folder is backed up while it is used, restored where nothing is, and moved to a PostgreSQL database.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tests::authd::{Authd, run};
use tests::postgres::Postgres;
use tests::resources::{Folder, ROOMY};
use tests::world::{PASSWORD, World};

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

async fn check(world: &World, token: &str) -> u16 {
    world.forward("GET", "/").bearer(token).send().await.status
}

#[tokio::test]
async fn a_backup_of_a_folder_in_use_has_all_that_was_acknowledged_and_overwrites_nothing() {
    let world = World::usual().await;
    let ann = world.person("ann", "user").await;
    let key = world.key_of(&ann).await;
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    let (backup, data) = (place.path().join("backup"), place.path().join("data"));
    let back_up = [
        "backup",
        "--data",
        text(world.data()),
        "--output",
        "json",
        text(&backup),
    ];
    answer(&run(&back_up));
    let later = world.sign_in(&ann.email, PASSWORD).await;

    let again = run(&back_up);
    assert!(
        !again.status.success() && said(&again).contains("is there already"),
        "{}",
        said(&again)
    );
    let nothing = run(&["backup", "--data", text(&data), text(&place.path().join("other"))]);
    assert!(
        !nothing.status.success()
            && said(&nothing).contains("there is no database")
            && said(&nothing).contains("pg_dump"),
        "{}",
        said(&nothing)
    );
    let in_use = run(&["restore", "--data", text(world.data()), text(&backup)]);
    assert!(
        !in_use.status.success() && said(&in_use).contains("already"),
        "{}",
        said(&in_use)
    );

    let restored = answer(&run(&[
        "restore",
        "--data",
        text(&data),
        "--output",
        "json",
        text(&backup),
    ]));
    assert!(
        restored["sessionsEnded"].as_u64().unwrap_or_default() >= 1,
        "{restored}"
    );
    for file in std::fs::read_dir(&data)
        .expect("the folder can be read")
        .filter_map(Result::ok)
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is closed to others: {mode:o}", file.path());
    }
    let folder = Folder::usual(ROOMY);
    let authd = Authd::start(folder.path(), &data, &[]).await;
    let other = World {
        authd,
        folder,
        data: place,
    };
    assert_eq!(check(&other, &key).await, 200, "a key from before the backup opens");
    assert_eq!(check(&other, &ann.token).await, 401, "people sign in again");
    assert_eq!(check(&other, &later.token).await, 401, "what came later is not in it");
    other.sign_in(&ann.email, PASSWORD).await;

    let kept = other.data.path().join("kept");
    answer(&run(&[
        "restore",
        "--data",
        text(&kept),
        "--keep-sessions",
        "--output",
        "json",
        text(&backup),
    ]));
    let folder = Folder::usual(ROOMY);
    let authd = Authd::start(folder.path(), &kept, &[]).await;
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let third = World { authd, folder, data };
    assert_eq!(check(&third, &ann.token).await, 200, "unless they are to stay");
}

#[tokio::test]
async fn moving_to_postgresql_loses_no_session_no_key_and_no_password() {
    let mut world = World::of(super::postgres::file_folder()).await;
    let ann = world.person("ann", "user").await;
    let key = world.key_of(&ann).await;
    let gone = world.person("gone", "user").await;
    assert_eq!(super::postgres::sign_out(&world, &gone).await, 200);
    let server = Postgres::start().await;
    let url = server.database();
    let data = text(world.data()).to_owned();
    let migrate = ["migrate", "--data", &data, "--to", &url, "--output", "json"];
    let runs = run(&migrate);
    assert!(
        !runs.status.success() && said(&runs).contains("a server runs on"),
        "{}",
        said(&runs)
    );
    world.authd.stop().await;

    let copied = answer(&run(&migrate));
    assert_eq!(copied["copied"]["users"], 3, "{copied}");
    let again = run(&migrate);
    assert!(
        !again.status.success() && said(&again).contains("already"),
        "{}",
        said(&again)
    );

    let (one, other) = (
        super::postgres::replica(&url).await,
        super::postgres::replica(&url).await,
    );
    for world in [&one, &other] {
        assert_eq!(check(world, &ann.token).await, 200, "a session goes on");
        assert_eq!(check(world, &key).await, 200, "a key opens");
        assert_eq!(check(world, &gone.token).await, 401, "what was ended stays ended");
        world.sign_in(&ann.email, PASSWORD).await;
    }
}
