//! What the gate answers where rules that were written by hand disagree, fail, or are not there, whichever way it is asked. Rows K10 to
//! K12.

use serde_json::Value;
use tests::http::get;
use tests::resources::{Folder, POLICIES, ROOMY};
use tests::wait;
use tests::world::World;

/// The host that they govern.
const HOST: &str = "rules.test.localhost";

/// A policy that lets anyone in, but for what its Cedar says.
fn policy(cedar: &str) -> String {
    format!(
        "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: rules, namespace: demo}}
spec:
  hosts: [{HOST}]
  rules: [{{allow: {{anyone: true}}}}]
  cedar: |
    {cedar}
"
    )
}

/// What is answered to each way to ask.
async fn answers(world: &World, host: &str, path: &str) -> [u16; 3] {
    let forward = world.forward_to("GET", host, path).send().await.status;
    let nginx = world.nginx("GET", &format!("http://{host}{path}")).send().await.status;
    let envoy = get(format!("{}/verify/envoy{path}", world.authd.verify))
        .header("host", host)
        .header("x-forwarded-proto", "http");
    let envoy = envoy.send().await.status;
    [forward, nginx, envoy]
}

/// Whether an audit line of a refusal has this reason.
async fn is_told(row: &str, world: &World, reason: &str) {
    wait::until(&format!("{row}: {reason}"), || {
        let lines = world.authd.log();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let reasons: Vec<Value> = lines.map(|line| line["reason"].clone()).collect();
        async move {
            if reasons.iter().any(|told| told == reason) {
                Ok(())
            } else {
                Err(format!("{reasons:?}"))
            }
        }
    })
    .await;
}

#[tokio::test]
async fn k10_k11_a_rule_that_fails_or_forbids_and_one_that_is_not_there_let_nobody_in() {
    let folder = Folder::usual(ROOMY);
    folder.write(
        "rules.yaml",
        &policy(
            "forbid (principal, action, resource) when { resource.path like \"/fails*\" && 9223372036854775807 + 1 > 0 };
    permit (principal, action, resource) when { resource.path like \"*/both\" };
    forbid (principal, action, resource) when { resource.path like \"*/both\" };",
        ),
    );
    let world = World::of(folder).await;
    for (row, host, path, let_in, reason) in [
        ("K10 control", HOST, "/", true, ""),
        ("K10", HOST, "/fails", false, "EvaluationError"),
        ("K10 below", HOST, "/fails/x", false, "EvaluationError"),
        ("K11", HOST, "/x/both", false, "Forbidden"),
        ("K11 no policy", "nowhere.test.localhost", "/", false, "UnknownHost"),
    ] {
        for status in answers(&world, host, path).await {
            assert_eq!(status == 200, let_in, "{row}: {status}");
            assert!(let_in || [401, 403].contains(&status), "{row}: {status}");
        }
        if !reason.is_empty() {
            is_told(row, &world, reason).await;
        }
    }
}

#[tokio::test]
async fn k12_a_policy_that_breaks_stays_as_it_was_and_one_that_never_was_lets_nobody_in() {
    let folder = Folder::usual(ROOMY);
    folder.write(
        "rules.yaml",
        &policy("forbid (principal, action, resource) when { resource.path == \"/x\" };"),
    );
    let world = World::of(folder).await;
    let open_but_for_x = async |row: &str| {
        assert_eq!(answers(&world, HOST, "/").await, [200; 3], "{row}");
        for status in answers(&world, HOST, "/x").await {
            assert_ne!(status, 200, "{row}");
        }
    };
    open_but_for_x("K12 control").await;
    let refused = async |expected: &str| {
        wait::until(expected, || {
            let log = world.authd.log().join("\n");
            async move { if log.contains(expected) { Ok(()) } else { Err(log) } }
        })
        .await;
    };
    world.folder.write("rules.yaml", &policy("forbid (nobody);"));
    refused("rules.yaml").await;
    open_but_for_x("K12").await;
    // Nor does one that comes in its company take effect.
    let fresh = POLICIES
        .replace("name: app", "name: fresh")
        .replace("app.test", "fresh.test")
        .replace("wild", "fresher");
    world.folder.write("fresh.yaml", &fresh);
    open_but_for_x("K12 in company").await;
    for status in answers(&world, "fresh.test.localhost", "/public").await {
        assert_ne!(status, 200, "K12: one that never was");
    }
    world.folder.write(
        "rules.yaml",
        &policy("forbid (principal, action, resource) when { resource.path == \"/x\" };"),
    );
    wait::until("K12 mended: the other takes effect too", || async {
        match answers(&world, "fresh.test.localhost", "/public").await {
            [200, 200, 200] => Ok(()),
            others => Err(format!("{others:?}")),
        }
    })
    .await;
    open_but_for_x("K12 mended").await;
}
