//! A folder that changes while authd serves it: what is good is live within a second, what is bad changes nothing.

use std::time::Duration;

use tests::http::get;
use tests::resources::{Folder, POLICIES, REST, instance};
use tests::wait;
use tests::world::World;

/// A change is live within a second on a machine that has nothing else to do, which `bench/` measures; here others may be at work.
const SOON: Duration = Duration::from_secs(5);

async fn digest(world: &World) -> String {
    get(format!("{}/snapshot", world.authd.admin))
        .send()
        .await
        .text("digest")
}

async fn public_is_open(world: &World, path: &str) -> bool {
    world.forward("GET", path).send().await.status == 200
}

#[tokio::test]
async fn a_good_change_is_live_within_a_second() {
    let world = World::usual().await;
    let before = digest(&world).await;
    assert!(!public_is_open(&world, "/news").await, "control");
    for path in ["/news", "/about", "/press"] {
        world.folder.write("policies.yaml", &POLICIES.replace("/public", path));
        wait::within(SOON, path, || async {
            if public_is_open(&world, path).await {
                Ok(())
            } else {
                Err("still closed".to_owned())
            }
        })
        .await;
    }
    assert!(!public_is_open(&world, "/public").await && before != digest(&world).await);
    world.folder.write(
        "more.yaml",
        &POLICIES
            .replace("app.test.localhost", "new.test.localhost")
            .replace("*.wild.test", "*.other.test")
            .replace("name: app", "name: new")
            .replace("name: wild", "name: other"),
    );
    wait::within(SOON, "a new file", || async {
        let status = world
            .forward_to("GET", "new.test.localhost", "/public")
            .send()
            .await
            .status;
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    world.folder.remove("more.yaml");
    wait::within(SOON, "a file less", || async {
        let status = world
            .forward_to("GET", "new.test.localhost", "/public")
            .send()
            .await
            .status;
        if status == 403 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_bad_change_keeps_the_snapshot_and_says_file_field_and_why() {
    let world = World::usual().await;
    let before = digest(&world).await;
    let good_policies = POLICIES.replace("/public", "/opened");
    let rows = [
        ("policies.yaml", format!("{good_policies}oops: [\n"), "policies.yaml:"),
        (
            "policies.yaml",
            good_policies.replace("hosts: [app.test.localhost]", "hosts: app.test.localhost"),
            "spec.hosts",
        ),
        (
            "policies.yaml",
            good_policies.replace("anyone: true", "everyone: true"),
            "everyone",
        ),
        (
            "authd.yaml",
            instance("  sessions: {lifetime: soon}\n"),
            "spec.sessions.lifetime",
        ),
        (
            "rest.yaml",
            REST.replace("name: admin, namespace", "name: other, namespace"),
            "spec.bootstrapAdmin.passwordSecretRef",
        ),
        ("authd.yaml", String::new(), "Authd"),
    ];
    for (file, text, expected) in rows {
        world.folder.write(file, &text);
        wait::until(&format!("it says what is wrong with {file}: {expected}"), || async {
            let log = world.authd.log();
            let said = log
                .iter()
                .find(|line| line.contains("config_refused") && line.contains(expected));
            said.cloned().ok_or_else(|| log.join("\n"))
        })
        .await;
        assert_eq!(digest(&world).await, before, "{file}: nothing is half applied");
        assert!(
            public_is_open(&world, "/public").await && !public_is_open(&world, "/opened").await,
            "{file}"
        );
        world.folder.write("authd.yaml", &instance(tests::resources::ROOMY));
        world.folder.write("rest.yaml", REST);
        world.folder.write("policies.yaml", POLICIES);
        wait::until("it is as before", || async {
            let now = digest(&world).await;
            if now == before { Ok(()) } else { Err(now) }
        })
        .await;
    }
    world.folder.write("policies.yaml", &good_policies);
    wait::until("control: it goes on", || async {
        if public_is_open(&world, "/opened").await {
            Ok(())
        } else {
            Err("closed".to_owned())
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_folder_changes_nothing() {
    let world = World::usual().await;
    let before = digest(&world).await;
    for file in ["policies.yaml", "rest.yaml", "authd.yaml"] {
        world.folder.remove(file);
    }
    wait::until("it says so", || async {
        let log = world.authd.log().join("\n");
        if log.contains("the folder is empty") || log.contains("config_refused") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    world.admin().await;
    assert_ne!(digest(&world).await, "", "control");
    // Removed one after another: the policies may be gone in a Snapshot of their own, and never the instance.
    let hosts_are_closed_or_as_before = digest(&world).await == before || !public_is_open(&world, "/public").await;
    assert!(hosts_are_closed_or_as_before);
    assert_eq!(get(format!("{}/readyz", world.authd.admin)).send().await.status, 200);
}

#[tokio::test]
async fn a_folder_with_mistakes_does_not_start_and_all_of_them_are_said() {
    let folder = Folder::usual("  sessions: {lifetime: soon}\n");
    folder.write("policies.yaml", &POLICIES.replace("roles: [admin]", "rolls: [admin]"));
    let path = folder.path().display().to_string();
    let data = folder.path().join("data").display().to_string();
    for arguments in [
        vec!["check", path.as_str()],
        vec![
            "serve",
            "--resources",
            &path,
            "--data",
            &data,
            "--public",
            "127.0.0.1:0",
            "--verify",
            "127.0.0.1:0",
            "--grpc",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ],
    ] {
        let output = tests::authd::run(&arguments);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        for expected in [
            "authd.yaml:",
            "spec.sessions.lifetime",
            "`soon`",
            "policies.yaml:8:",
            "rolls",
            "AccessPolicy demo/app",
        ] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
    folder.write("authd.yaml", &instance(""));
    folder.write("policies.yaml", POLICIES);
    assert_eq!(tests::authd::run(&["check", &path]).status.code(), Some(0), "control");
}

#[tokio::test]
async fn a_snapshot_file_serves_like_the_folder_that_it_was_made_of() {
    let folder = Folder::usual("");
    let data = Folder::empty();
    let file = data.path().join("snapshot.json").display().to_string();
    let path = folder.path().display().to_string();
    let output = tests::authd::run(&["compile", "--resources", &path, "--snapshot", &file]);
    assert!(output.status.success(), "{output:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("it is written").permissions());
    assert_eq!(mode & 0o077, 0, "it holds secrets: {mode:o}");
    let first = std::fs::read(&file).unwrap_or_default();
    assert!(
        tests::authd::run(&["compile", "--resources", &path, "--snapshot", &file])
            .status
            .success()
    );
    assert_eq!(
        first,
        std::fs::read(&file).unwrap_or_default(),
        "same input, same bytes"
    );
}

#[tokio::test]
async fn explain_says_which_rule_decides() {
    let folder = Folder::usual("");
    let path = folder.path().display().to_string();
    for (who, url, code, word) in [
        (vec!["--anonymous"], "http://app.test.localhost/public", 0, "rules[0]"),
        (vec!["--anonymous"], "http://app.test.localhost/x", 3, "rules[2]"),
        (
            vec!["--user", "a@example.com", "--role", "user"],
            "http://app.test.localhost/admin",
            3,
            "rules[1]",
        ),
        (
            vec!["--user", "a@example.com", "--role", "admin"],
            "http://app.test.localhost/admin",
            0,
            "rules[1]",
        ),
        (
            vec!["--key", "demo/reports"],
            "http://app.test.localhost/api/reports",
            0,
            "rules[2]",
        ),
        (
            vec!["--key", "demo/reports"],
            "http://app.test.localhost/x",
            3,
            "reports",
        ),
        (
            vec!["--service", "demo/ci"],
            "http://app.test.localhost/x",
            0,
            "rules[2]",
        ),
        (vec!["--anonymous"], "http://unknown.test/", 3, "unknown.test"),
    ] {
        let mut arguments = vec!["explain", "--resources", &path];
        arguments.extend(who);
        arguments.push(url);
        let output = tests::authd::run(&arguments);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}, {word}: {said}");
    }
}
