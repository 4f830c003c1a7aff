//! What people and other programs do to resources, to what was made of them, and to the operator's rights.

use futures::StreamExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use std::time::Duration;
use tests::cluster::operator::{Operator, program};
use tests::cluster::{Cluster, User};
use tests::{repository, wait};

use super::{INSTANCE, Story, hosts, open};

/// The API server's words for a right that is missing.
const FORBIDDEN: &str = "403";

#[tokio::test]
async fn f05_f30_a_resource_that_another_writer_storms_is_followed_to_its_end() {
    let (story, operator) = Story::with_the_instance().await;
    story.says("accesspolicy/app", "Published", "True").await;
    story.settled(&operator).await;
    let before = operator.writes().await;

    let policies: Api<crds::AccessPolicy> = Api::namespaced(story.cluster.client().await, &story.home);
    let edits = 500;
    futures::stream::iter(0..edits)
        .map(|number| {
            let policies = policies.clone();
            async move {
                let spec =
                    json!({ "spec": { "rules": [{ "paths": [format!("/{number}")], "allow": { "anyone": true } }] } });
                let edited = policies
                    .patch("app", &PatchParams::default(), &Patch::Merge(&spec))
                    .await;
                edited.expect("an edit is taken");
            }
        })
        .buffer_unordered(4)
        .collect::<Vec<()>>()
        .await;
    let generation = story
        .kubectl(&["get", "accesspolicy", "app", "-o", "jsonpath={.metadata.generation}"])
        .await;
    wait::within(Duration::from_secs(5), "the last generation is observed", || async {
        let policy = policies.get("app").await.map_err(|error| error.to_string())?;
        let observed = policy.status.and_then(|status| status.observed_generation);
        if observed.is_some_and(|observed| observed.to_string() == generation) {
            Ok(())
        } else {
            Err(format!("{observed:?} of {generation}"))
        }
    })
    .await;
    story.settled(&operator).await;
    let writes = operator.writes().await - before;
    assert!(writes < 4 * edits, "{writes} writes for {edits} edits");
    assert!(operator.readiness().await.starts_with("ready"), "it leads still");
}

#[tokio::test]
async fn f06_what_others_own_stays_theirs_and_what_is_ours_is_put_back() {
    let (story, operator) = Story::with_the_instance().await;
    story.exist(&["deployment/main"]).await;
    story.settled(&operator).await;
    let theirs = format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: main, namespace: {}, annotations: {{example.com/note: theirs}}}}, \
         spec: {{replicas: 3, template: {{metadata: {{annotations: {{example.com/restarted: now}}}}}}}}}}",
        story.home
    );
    let apply = [
        "apply",
        "--server-side",
        "--field-manager=another",
        "--force-conflicts",
        "-f",
        "-",
    ];
    story.cluster.kubectl_as(User::Admin, &apply, &theirs).await.ok();
    wait::until("the number of replicas is put back", || async {
        let path = "jsonpath={.spec.replicas} {.metadata.annotations.example\\.com/note} \
                    {.spec.template.metadata.annotations.example\\.com/restarted}";
        let said = story
            .cluster
            .kubectl(&["get", "deployment", "main", "-n", &story.home, "-o", path])
            .await;
        let said = said.attempt()?;
        if said == "0 theirs now" { Ok(()) } else { Err(said) }
    })
    .await;
    story.settled(&operator).await;
    let events = story.events().await;
    assert!(
        events.contains("PutBack") && events.contains("Deployment `main`"),
        "{events}"
    );
}

/// The rights of the chart, for an operator that runs here.
async fn rights(cluster: &Cluster, home: &str) -> std::path::PathBuf {
    let chart = repository().join("charts/authd").display().to_string();
    let namespaces = format!("namespaces={{{home}}}");
    for part in ["serviceaccount", "rights"] {
        let show = format!("templates/{part}.yaml");
        let template = [
            "template",
            "authd",
            &chart,
            "-n",
            home,
            "--set",
            &namespaces,
            "--show-only",
            &show,
        ];
        let yaml = cluster.helm(&template).await.ok();
        let apply = ["apply", "-n", home, "-f", "-"];
        cluster.kubectl_as(User::Admin, &apply, &yaml).await.ok();
    }
    cluster
        .kubeconfig(User::ServiceAccount {
            namespace: home,
            name: "authd",
        })
        .await
}

/// Takes verbs on a resource out of a role. The rules that it had.
async fn take_away(story: &Story, role: &str, resource: &str, verbs: &[&str]) -> serde_json::Value {
    let mut read = story
        .cluster
        .kubectl(&["get", role, "-n", &story.home, "-o", "json"])
        .await
        .json();
    let rules = read["rules"].take();
    let mut fewer = rules.clone();
    let holds = |rule: &&mut serde_json::Value| {
        rule["resources"]
            .as_array()
            .is_some_and(|resources| resources.iter().any(|one| one == resource))
    };
    for rule in fewer.as_array_mut().unwrap().iter_mut().filter(holds) {
        let held = rule["verbs"].as_array_mut().unwrap();
        held.retain(|one| !verbs.iter().any(|verb| one == verb));
    }
    assert_ne!(rules, fewer, "{role} has no {verbs:?} of {resource}");
    set_rules(story, role, &fewer).await;
    rules
}

async fn set_rules(story: &Story, role: &str, rules: &serde_json::Value) {
    let patch = json!({ "rules": rules }).to_string();
    story.kubectl(&["patch", role, "--type=merge", "-p", &patch]).await;
}

#[tokio::test]
async fn f20_a_right_that_is_taken_away_is_named_and_everything_else_goes_on() {
    let story = Story::begin().await;
    let kubeconfig = rights(&story.cluster, &story.home).await;
    let operator = Operator::start_by(&program(), kubeconfig, &[&story.home], &["--resync", "3"]).await;
    story.apply(INSTANCE).await;
    story.says("accesspolicy/app", "Published", "True").await;
    story.says("apikey/ci", "Published", "True").await;
    let name = format!("{}:authd", &*story.home);
    let (everywhere, inside) = (format!("clusterrole/{name}"), format!("role/{name}"));

    // What cannot be read any more stays as it was; the other kinds are followed.
    let rules = take_away(&story, &everywhere, "accesspolicies", &["list"]).await;
    wait::until("it says what it cannot list", || async {
        let said = operator.readiness().await;
        if said.contains("cannot list resource") && said.contains("accesspolicies") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    // The five kinds share a rule, so that none is listed; Secrets are, and a key is made anew.
    story.kubectl(&["delete", "secret", "ci"]).await;
    story.exist(&["secret/ci"]).await;
    story
        .publishes("what was", |engine| hosts(engine) == ["app.example.com"])
        .await;
    set_rules(&story, &everywhere, &rules).await;
    story.apply(&open("after-list", "list.example.com")).await;
    story
        .publishes("what came after", |engine| engine.governs("list.example.com"))
        .await;
    wait::until("it is ready again", || async {
        let said = operator.readiness().await;
        if said.starts_with("ready") { Ok(()) } else { Err(said) }
    })
    .await;

    // What cannot be said in a status is enforced all the same, and said later.
    let rules = take_away(&story, &everywhere, "accesspolicies/status", &["patch"]).await;
    story.apply(&open("after-status", "status.example.com")).await;
    story
        .publishes("the policy", |engine| engine.governs("status.example.com"))
        .await;
    says_in_its_log(&operator, "status_not_written", "cannot patch resource").await;
    set_rules(&story, &everywhere, &rules).await;
    wait::within(Duration::from_secs(70), "the status is written", || async {
        let said = story.condition("accesspolicy/after-status", "Published").await;
        if said.starts_with("True") { Ok(()) } else { Err(said) }
    })
    .await;

    // What cannot be published is told to those who wait for it.
    let rules = take_away(&story, &inside, "secrets", &["patch", "update"]).await;
    story.apply(&open("after-secrets", "secrets.example.com")).await;
    story.says("authd/main", "Published", FORBIDDEN).await;
    story.says("authd/main", "Published", "secrets").await;
    set_rules(&story, &inside, &rules).await;
    story
        .publishes("the policy", |engine| engine.governs("secrets.example.com"))
        .await;
    story.says("authd/main", "Published", "True").await;

    // What cannot be deployed is told, and is no reason not to publish.
    let rules = take_away(&story, &inside, "deployments", &["patch"]).await;
    story.kubectl(&["scale", "deployment/main", "--replicas=2"]).await;
    story.says("authd/main", "Ready", "deployments").await;
    story.apply(&open("after-deployments", "deployments.example.com")).await;
    story
        .publishes("the policy", |engine| engine.governs("deployments.example.com"))
        .await;
    set_rules(&story, &inside, &rules).await;
    wait::within(Duration::from_secs(70), "it is put back", || async {
        let path = "jsonpath={.spec.replicas}";
        let said = story
            .cluster
            .kubectl(&["get", "deployment", "main", "-n", &story.home, "-o", path])
            .await
            .attempt()?;
        if said == "0" { Ok(()) } else { Err(said) }
    })
    .await;
    story.settled(&operator).await;
}

async fn says_in_its_log(operator: &Operator, event: &str, words: &str) {
    wait::until(&format!("the log says {event}: {words}"), || async {
        let log = operator.log();
        if log.iter().any(|line| line.contains(event) && line.contains(words)) {
            Ok(())
        } else {
            Err(log.last().cloned().unwrap_or_default())
        }
    })
    .await;
}

#[tokio::test]
async fn f25_references_to_nothing_and_over_borders_are_told_and_grant_nothing() {
    let story = Story::begin().await;
    let other = story.cluster.namespace("other").await;
    let operator = story.operator(&[]).await;
    story.apply(INSTANCE).await;
    story
        .apply(
            "
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {name: nobodys, namespace: HOME}
spec: {providerRef: {name: nobody}, roles: [{role: admin, whenAny: [{claim: groups, equals: staff}]}]}
",
        )
        .await;
    story
        .says("rolemapping/nobodys", "Accepted", "False ProviderMissing")
        .await;
    // A provider of that name in another namespace is none of ours, and a policy there claims no host of ours.
    let elsewhere = format!(
        "{{apiVersion: authd.dev/v1alpha1, kind: AuthProvider, metadata: {{name: nobody, namespace: {other}}}, \
         spec: {{displayName: Theirs, password: {{}}}}}}\n{}",
        open("theirs", "app.example.com").replace("HOME", &other)
    );
    story.cluster.apply(&elsewhere).await.ok();
    wait::until("it is granted nothing", || async {
        let path = "jsonpath={.status.conditions[*].reason}";
        let said = story
            .cluster
            .kubectl(&["get", "accesspolicy", "theirs", "-n", &other, "-o", path])
            .await
            .attempt()?;
        if said.contains("HostNotGranted") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    story.settled(&operator).await;
    story
        .says("rolemapping/nobodys", "Accepted", "False ProviderMissing")
        .await;
    story.says("accesspolicy/app", "Accepted", "True").await;
    // It heals as soon as what it refers to is there.
    story
        .apply("{apiVersion: authd.dev/v1alpha1, kind: AuthProvider, metadata: {name: nobody, namespace: HOME}, spec: {displayName: Late, password: {}}}")
        .await;
    story.says("rolemapping/nobodys", "Published", "True").await;
}

/// Whether nobody in particular may open a page of a host.
fn may_open(engine: &policy::Engine, host: &str) -> bool {
    let target = policy::Target::read(b"GET", policy::target::Scheme::Https, host.as_bytes(), b"/").unwrap();
    let context = policy::engine::Context {
        client_ip: None,
        now: 0,
        signed_in: None,
    };
    let decision = engine.decide(&policy::Principal::anonymous(), &target, &context);
    matches!(decision.outcome, policy::engine::Outcome::Permit)
}

#[tokio::test]
async fn f42_what_an_older_definition_let_in_is_marked_and_its_hosts_stay_closed() {
    let (story, operator) = Story::with_the_instance().await;
    story.says("accesspolicy/app", "Published", "True").await;
    let definition = "crd/accesspolicies.authd.dev";
    let loose = json!({ "spec": { "versions": [{
        "name": "v1alpha1", "served": true, "storage": true, "subresources": { "status": {} },
        "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
    }] } });
    story
        .kubectl(&["patch", definition, "--type=merge", "-p", &loose.to_string()])
        .await;
    let old = "{apiVersion: authd.dev/v1alpha1, kind: AccessPolicy, metadata: {name: old, namespace: HOME}, \
               spec: {hosts: [old.example.com], mode: Sometimes, rules: [{allow: {anyone: 7}}]}}";
    let any = open("any", "'*.example.com'");
    wait::until("the loose definition takes it", || async {
        let yaml = format!("{old}\n{any}").replace("HOME", &story.home);
        story.cluster.apply(&yaml).await.attempt()
    })
    .await;
    crate::cluster::install_kinds(&story.cluster).await;
    story.says("accesspolicy/any", "Published", "True").await;
    story
        .publishes("its host, closed, and the others", |engine| {
            hosts(engine) == ["*.example.com", "app.example.com", "old.example.com"]
        })
        .await;
    story.says("accesspolicy/any", "Ready", "NoReplicas").await;
    story.says("accesspolicy/old", "Accepted", "False InvalidField").await;
    story
        .publishes("nobody may open what the other's wildcard would", |engine| {
            may_open(engine, "any.example.com") && !may_open(engine, "old.example.com")
        })
        .await;
    story.kubectl(&["delete", "accesspolicy", "old"]).await;
    story
        .publishes("the others", |engine| {
            hosts(engine) == ["*.example.com", "app.example.com"]
        })
        .await;
    story.settled(&operator).await;
}

#[tokio::test]
async fn f44_the_longest_names_and_the_largest_annotations_are_carried() {
    let (story, operator) = Story::with_the_instance().await;
    let refused = story
        .cluster
        .apply(
            &INSTANCE
                .replace("name: main", "name: a-name-that-is-longer-than-the-forty-characters")
                .replace("HOME", &story.home),
        )
        .await
        .refused();
    assert!(refused.contains("the name of an Authd must be"), "{refused}");

    // Two names of 253 characters that differ in the last one.
    let long = |last: &str| format!("{}{last}", format!("{}.", "a".repeat(62)).repeat(4).get(..252).unwrap());
    let large = "x".repeat(200 * 1024);
    let yaml: String = ["b", "c"]
        .map(|last| {
            let name = long(last);
            format!(
                "---\n{{apiVersion: authd.dev/v1alpha1, kind: ApiKey, metadata: {{name: {name}, namespace: HOME, \
                 labels: {{example.com/{label}: {label}}}}}, spec: {{owner: {{service: {last}}}, secretName: {name}}}}}\n",
                label = "l".repeat(63)
            )
        })
        .concat();
    story.apply(&yaml).await;
    let bomb = open("bomb", "bomb.example.com").replace(
        "metadata: {",
        &format!("metadata: {{annotations: {{example.com/note: {large}}}, "),
    );
    let apply = ["apply", "--server-side", "-f", "-"];
    story
        .cluster
        .kubectl_as(User::Admin, &apply, &bomb.replace("HOME", &story.home))
        .await
        .ok();
    story
        .publishes("both keys and the policy", |engine| {
            engine.keys().count() == 3 && engine.governs("bomb.example.com")
        })
        .await;
    let key = async |last: &str| {
        let name = long(last);
        story
            .kubectl(&["get", "secret", &name, "-o", "jsonpath={.data.api-key}"])
            .await
    };
    assert_ne!(key("b").await, key("c").await);
    story.settled(&operator).await;
}

#[tokio::test]
async fn f45_finalizers_owners_and_labels_that_a_tenant_forges_gain_nothing() {
    let (story, operator) = Story::with_the_instance().await;
    story.publishes("the key", |engine| engine.keys().count() == 1).await;
    story.settled(&operator).await;

    // Whatever holds an ApiKey that is deleted, the key is refused from then on.
    let finalizer = r#"{"metadata": {"finalizers": ["authd.dev/keep"]}}"#;
    story
        .kubectl(&["patch", "apikey", "ci", "--type=merge", "-p", finalizer])
        .await;
    story.kubectl(&["delete", "apikey", "ci", "--wait=false"]).await;
    story.publishes("no key", |engine| engine.keys().count() == 0).await;
    story.settled(&operator).await;
    let none = r#"{"metadata": {"finalizers": null}}"#;
    story
        .kubectl(&["patch", "apikey", "ci", "--type=merge", "-p", none])
        .await;

    // What carries our label is neither ours to delete nor taken for ours.
    let forged = "
apiVersion: v1
kind: Secret
metadata: {name: main-snapshot-9, namespace: HOME, labels: {authd.dev/instance: main}}
stringData: {shard: nonsense}
---
apiVersion: v1
kind: Service
metadata: {name: theirs, namespace: HOME, labels: {authd.dev/instance: main}}
spec: {ports: [{port: 80}]}
";
    story.apply(forged).await;
    // A policy elsewhere that says that it belongs to the instance is granted nothing by that.
    let uid = story
        .kubectl(&["get", "authd/main", "-o", "jsonpath={.metadata.uid}"])
        .await;
    let owner = format!("{{apiVersion: authd.dev/v1alpha1, kind: Authd, name: main, uid: {uid}}}");
    let other = story.cluster.namespace("other").await;
    let owned =
        open("owned", "owned.example.com").replace("metadata: {", &format!("metadata: {{ownerReferences: [{owner}], "));
    story.cluster.apply(&owned.replace("HOME", &other)).await.ok();
    story.apply(&open("more", "more.example.com")).await;
    story
        .publishes("more", |engine| {
            hosts(engine) == ["app.example.com", "more.example.com"]
        })
        .await;
    story.settled(&operator).await;
    story
        .exist(&["service/theirs", "secret/main-snapshot-9", "secret/main-snapshot"])
        .await;
}
