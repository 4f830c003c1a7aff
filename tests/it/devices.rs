//! Where somebody is signed in, seen and ended by themselves, by an administrator and on the command line.

use std::process::Output;

use serde_json::Value;
use tests::authd::{printed, run};
use tests::http::{Answer, delete, get};
use tests::wait;
use tests::world::{PASSWORD, Person, World};

/// Runs `authd sessions` on the data of a world.
fn sessions(world: &World, arguments: &[&str]) -> Output {
    let data = world.data().display().to_string();
    run(&[&["sessions"], arguments, &["--data", &data, "--output", "json"]].concat())
}

/// The ids of sessions in an answer or in what was printed.
fn ids(list: &Value) -> Vec<String> {
    let sessions = list["sessions"].as_array().into_iter().flatten();
    sessions
        .map(|session| session["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn devices(world: &World, person: &Person) -> Answer {
    get(world.auths("sessions"))
        .bearer(&person.token)
        .send()
        .await
        .expect("list", 200)
}

/// Waits until the gate refuses a token that it knew.
async fn refused(world: &World, token: &str) {
    wait::until("the gate refuses the token", || async {
        match world.forward("GET", "/").bearer(token).send().await.status {
            401 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn one_sees_where_one_is_signed_in_and_signs_out_there_elsewhere_or_everywhere() {
    let world = World::usual().await;
    let ann = world.person("ann", "user").await;
    let (phone, laptop) = (
        world.sign_in(&ann.email, PASSWORD).await,
        world.sign_in(&ann.email, PASSWORD).await,
    );
    let bob = world.person("bob", "user").await;
    let list = devices(&world, &laptop).await.json();
    assert_eq!(ids(&list).len(), 3, "{list}");
    let here = &list["sessions"][0];
    assert_eq!(
        (&here["current"], &here["client_address"]),
        (&Value::Bool(true), &Value::from("127.0.0.1"))
    );
    for member in ["created_at", "last_seen_at", "expires_at"] {
        assert!(
            here[member].as_i64().is_some_and(|at| at > 1_700_000_000),
            "{member}: {here}"
        );
    }
    // Nobody sees or ends another's.
    let theirs = ids(&devices(&world, &bob).await.json());
    let one = delete(world.auths(&format!("sessions/{}", theirs[0])));
    one.bearer(&ann.token).send().await.expect("another's", 404);
    assert_eq!(world.me(&bob.token).await, 200);
    delete(world.auths("sessions"))
        .bearer(&laptop.token)
        .send()
        .await
        .expect("others", 200);
    let seen = [
        world.me(&ann.token).await,
        world.me(&phone.token).await,
        world.me(&laptop.token).await,
    ];
    assert_eq!(seen, [401, 401, 200]);
    let tablet = world.sign_in(&ann.email, PASSWORD).await;
    delete(world.auths("sessions?here=sometimes"))
        .bearer(&laptop.token)
        .send()
        .await
        .expect("no such word", 400);
    let all = delete(world.auths("sessions?here=ends"))
        .bearer(&laptop.token)
        .send()
        .await
        .expect("all", 200);
    assert_eq!(all.json()["ended"], 2, "{}", all.body);
    assert!(all.header("set-cookie").contains("Max-Age=0"), "{:?}", all.headers);
    assert_eq!(
        [
            world.me(&laptop.token).await,
            world.me(&tablet.token).await,
            world.me(&bob.token).await
        ],
        [401, 401, 200]
    );
}

#[tokio::test]
async fn an_administrator_sees_and_ends_sessions_of_others_and_nobody_else_does() {
    let world = World::usual().await;
    let (admin, ann, bob) = (
        world.admin().await,
        world.person("ann", "user").await,
        world.person("bob", "user").await,
    );
    let phone = world.sign_in(&ann.email, PASSWORD).await;
    let path = |rest: &str| world.public(&format!("/api/v1/users/{}/sessions{rest}", ann.id));
    for (what, request) in [("list", get(path(""))), ("end", delete(path("")))] {
        request.bearer(&bob.token).send().await.expect(what, 403);
    }
    let list = get(path(""))
        .bearer(&admin.token)
        .send()
        .await
        .expect("list", 200)
        .json();
    let theirs = ids(&list);
    assert_eq!(theirs.len(), 2, "{list}");
    let bobs = ids(&devices(&world, &bob).await.json());
    delete(path(&format!("/{}", bobs[0])))
        .bearer(&admin.token)
        .send()
        .await
        .expect("another's session", 404);
    // The one used last comes first.
    delete(path(&format!("/{}", theirs[0])))
        .bearer(&admin.token)
        .send()
        .await
        .expect("one", 200);
    assert_eq!([world.me(&ann.token).await, world.me(&phone.token).await], [200, 401]);
    delete(path("")).bearer(&admin.token).send().await.expect("all", 200);
    assert_eq!([world.me(&ann.token).await, world.me(&bob.token).await], [401, 200]);
    // The primary administrator's account is left to themselves.
    let second = world.person("second", "admin").await;
    let primary = world.public(&format!("/api/v1/users/{}/sessions", admin.id));
    delete(&primary)
        .bearer(&second.token)
        .send()
        .await
        .expect("primary", 403);
    delete(&primary)
        .bearer(&admin.token)
        .send()
        .await
        .expect("their own", 200);
    assert_eq!(world.me(&admin.token).await, 401);
    let nobody = world.public("/api/v1/users/00000000-0000-7000-8000-000000000000/sessions");
    get(nobody).bearer(&second.token).send().await.expect("nobody", 404);
}

#[tokio::test]
async fn the_command_line_ends_sessions_of_a_server_that_runs() {
    let mut world = World::usual().await;
    let (ann, bob) = (world.person("ann", "user").await, world.person("bob", "user").await);
    let phone = world.sign_in(&ann.email, PASSWORD).await;
    for token in [&ann.token, &phone.token, &bob.token] {
        world
            .forward("GET", "/")
            .bearer(token)
            .send()
            .await
            .expect("control", 200);
    }
    let everybody = printed(&sessions(&world, &["list"]));
    assert!(
        everybody["total"].as_u64().is_some_and(|total| total >= 4),
        "{everybody}"
    );
    let anns = printed(&sessions(&world, &["list", "--user", "Ann@example.com"]));
    assert_eq!(ids(&anns).len(), 2, "{anns}");
    assert_eq!(anns["sessions"][0]["address"], "127.0.0.1");
    assert_eq!(
        printed(&sessions(&world, &["end", "--session", &ids(&anns)[0]]))["ended"],
        1
    );
    refused(&world, &phone.token).await;
    assert_eq!(world.me(&ann.token).await, 200);
    assert_eq!(
        printed(&sessions(&world, &["end", "--user", "ann@example.com"]))["ended"],
        1
    );
    wait::until("the audit line says who did it", || async {
        let lines = world.authd.log();
        let said = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut said = said.filter(|line| line["event"] == "Revoked" && line["reason"] == "CommandLine");
        let by = said.find(|line| line["subject.id"] == ann.id.as_str());
        let by = by.and_then(|line| Some(line["actor.name"].as_str()?.contains('@')));
        if by == Some(true) {
            Ok(())
        } else {
            Err(lines.join("\n"))
        }
    })
    .await;
    refused(&world, &ann.token).await;
    assert_eq!(world.me(&bob.token).await, 200);
    for (arguments, expected) in [
        (&["end"][..], "--all"),
        (&["end", "--all", "--user", "x"], "cannot be used with"),
        (
            &["end", "--user", "nobody@example.com"],
            "no account has the address `nobody@example.com`",
        ),
        (
            &["end", "--session", "00000000-0000-7000-8000-000000000000"],
            "there is no session",
        ),
        (&["end", "--session", "1"], "invalid value '1'"),
    ] {
        let output = sessions(&world, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(expected),
            "{arguments:?}: {errors}"
        );
    }
    assert!(printed(&sessions(&world, &["end", "--all"]))["ended"].as_u64() > Some(0));
    refused(&world, &bob.token).await;
    world.authd.kill();
    world.start_again().await;
    assert_eq!(world.me(&bob.token).await, 401, "it stays over");
    world.sign_in(&bob.email, PASSWORD).await;
}

#[tokio::test]
async fn a_folder_without_a_database_is_not_filled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let output = run(&["sessions", "list", "--data", &path]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("is not there: name the `--data` of the server"),
        "{errors}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
