//! What is said of a change that cannot be served: file, line, field and why, on standard error and as a number. And what is
//! served meanwhile: all of what was served before.

use std::time::{Duration, Instant};

use serde_json::Value;
use tests::http::get;
use tests::resources::{POLICIES, REST, ROOMY, instance};
use tests::wait;
use tests::world::World;

/// What is served, and how many changes were refused so far.
#[derive(Debug, PartialEq)]
struct State {
    digest: String,
    generation: u64,
    refused: u64,
}

async fn state(world: &World) -> State {
    let snapshot = get(format!("{}/snapshot", world.authd.admin)).send().await;
    let metrics = get(format!("{}/metrics", world.authd.admin)).send().await.body;
    let refused = metrics
        .lines()
        .find_map(|line| line.strip_prefix("authd_snapshot_load_failures_total "))
        .and_then(|number| number.parse().ok());
    State {
        digest: snapshot.text("digest"),
        generation: snapshot.json()["generation"].as_u64().unwrap(),
        refused: refused.unwrap(),
    }
}

/// Every problem that was said so far.
fn problems(world: &World) -> Vec<String> {
    let lines = world.authd.log().into_iter();
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let refused = lines.filter(|line| line["message"] == "config_refused");
    refused
        .filter_map(|line| line["problem"].as_str().map(str::to_owned))
        .collect()
}

async fn open(world: &World, path: &str) -> bool {
    world.forward("GET", path).send().await.status == 200
}

async fn opens(world: &World, path: &str) {
    wait::until(path, || async {
        if open(world, path).await {
            Ok(())
        } else {
            Err(format!("closed; {:?}", problems(world)))
        }
    })
    .await;
}

/// Waits for one refusal more than there was, and for what it says.
async fn refused(world: &World, case: &str, before: &State, said: usize, expected: &[&str]) {
    let problems = wait::until(case, || async {
        let (now, problems) = (state(world).await, problems(world));
        if now.refused > before.refused && problems.len() > said {
            Ok(problems)
        } else {
            Err(format!("{now:?} {problems:?}"))
        }
    })
    .await;
    let new = problems.get(said..).unwrap();
    let whole = |problem: &&String| expected.iter().all(|part| problem.contains(part));
    assert!(
        new.iter().any(|problem| whole(&problem)),
        "{case}: {expected:?}: {new:#?}"
    );
    let after = state(world).await;
    assert_eq!(
        (&after.digest, after.generation),
        (&before.digest, before.generation),
        "{case}: something else is served"
    );
    assert!(open(world, "/public").await, "{case}: what was open is closed");
    assert!(!open(world, "/opened").await, "{case}: it is half applied");
    assert_eq!(
        get(format!("{}/readyz", world.authd.admin)).send().await.status,
        200,
        "{case}"
    );
}

#[tokio::test]
async fn a_bad_change_is_refused_whole_with_file_line_field_and_why() {
    let world = World::usual().await;
    // Each row changes the policies too, in a way that would be good alone: none of it may be applied.
    let good = POLICIES.replace("/public", "/opened");
    let rows: [(&str, &str, String, &[&str]); 7] = [
        ("not YAML", "more.yaml", "kind: [\n".to_owned(), &["more.yaml:2:1: "]),
        (
            "half an object",
            "more.yaml",
            "kind: AccessPolicy\n".to_owned(),
            &["more.yaml:1:", "apiVersion"],
        ),
        (
            "an unknown field",
            "more.yaml",
            POLICIES
                .replace(".localhost", ".example")
                .replace(".wild.", ".tame.")
                .replace("name: app", "name: b")
                .replace("name: wild", "name: c")
                .replace("roles: [admin]", "rolls: [admin]"),
            &["more.yaml:8:", "AccessPolicy demo/b: spec.rules[1].allow", "`rolls`"],
        ),
        (
            "a value that is none",
            "authd.yaml",
            instance("  sessions: {lifetime: soon}\n"),
            &["authd.yaml:9:24: Authd demo/main: spec.sessions.lifetime: ", "`soon`"],
        ),
        (
            "a Secret that is missing",
            "rest.yaml",
            REST.replace("name: admin, namespace", "name: other, namespace"),
            &[
                "authd.yaml:8:",
                "Authd demo/main: spec.bootstrapAdmin.passwordSecretRef",
                "admin",
            ],
        ),
        (
            "a key that is missing",
            "rest.yaml",
            REST.replace(
                "name: ci, namespace: demo}\nstringData",
                "name: cj, namespace: demo}\nstringData",
            ),
            &["rest.yaml:", "ApiKey demo/ci: spec.secretName: ", "`ci`"],
        ),
        (
            "a name twice",
            "more.yaml",
            POLICIES.to_owned(),
            &["AccessPolicy demo/app", "more.yaml:"],
        ),
    ];
    for (case, file, text, expected) in rows {
        let (before, said) = (state(&world).await, problems(&world).len());
        world.folder.write("policies.yaml", &good);
        world.folder.write(file, &text);
        refused(&world, case, &before, said, expected).await;
        world.folder.write("authd.yaml", &instance(ROOMY));
        world.folder.write("rest.yaml", REST);
        if file == "more.yaml" {
            world.folder.remove(file);
        }
        opens(&world, "/opened").await;
        world.folder.write("policies.yaml", POLICIES);
        opens(&world, "/public").await;
    }
}

#[tokio::test]
async fn a_folder_that_goes_away_or_is_empty_changes_nothing_until_it_is_back() {
    let world = World::usual().await;
    let (before, folder) = (state(&world).await, world.folder.path().to_owned());
    let aside = folder.with_extension("aside");
    for (case, empty) in [("removed", false), ("empty", true)] {
        let (before, said) = (state(&world).await, problems(&world).len());
        std::fs::rename(&folder, &aside).unwrap();
        if empty {
            std::fs::create_dir(&folder).unwrap();
        }
        let place = format!("{}:1:1: ", folder.display());
        refused(&world, case, &before, said, &[&place, "kept"]).await;
        if empty {
            std::fs::remove_dir(&folder).unwrap();
        }
        std::fs::rename(&aside, &folder).unwrap();
        world
            .folder
            .write("policies.yaml", &POLICIES.replace("/public", "/back"));
        opens(&world, "/back").await;
        world.folder.write("policies.yaml", POLICIES);
        opens(&world, "/public").await;
    }
    assert_eq!(
        state(&world).await.digest,
        before.digest,
        "the same folder is the same Snapshot"
    );
}

#[tokio::test]
async fn a_good_change_is_live_soon() {
    let world = World::usual().await;
    let refused = state(&world).await.refused;
    let mut slowest = Duration::ZERO;
    for round in 0..10 {
        let path = format!("/round-{round}");
        world.folder.write("policies.yaml", &POLICIES.replace("/public", &path));
        let begun = Instant::now();
        opens(&world, &path).await;
        slowest = slowest.max(begun.elapsed());
        assert!(!open(&world, "/public").await, "{path}: the old rule holds on");
    }
    println!("a change of the folder is live after {slowest:?} at most (10 changes)");
    assert_eq!(state(&world).await.refused, refused, "none of them was refused");
}
