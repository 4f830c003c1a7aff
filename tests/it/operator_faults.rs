//! What goes wrong around an operator, and what must hold all the same. Rows of the list of operator faults.
//!
//! Every story has a cluster of its own, as the kinds are the whole cluster's. After each fault the end is what it would have been
//! without it, statuses tell the truth, and nothing is written once all is settled.

mod meddling;
mod on_the_way;
mod process;

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tests::cluster::operator::{Operator, published};
use tests::cluster::{Cluster, Namespace};
use tests::wait;

struct Story {
    cluster: Cluster,
    home: Namespace,
    /// What statuses say at the end of a run that nothing disturbed.
    undisturbed: std::sync::OnceLock<Vec<String>>,
}

/// An instance that nobody runs: what is published is what is looked at.
const INSTANCE: &str = "
apiVersion: authd.dev/v1alpha1
kind: Authd
metadata: {name: main, namespace: HOME}
spec: {publicUrl: 'https://auth.example.com', replicas: 0}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: accounts, namespace: HOME}
spec: {displayName: Accounts, password: {}}
---
apiVersion: authd.dev/v1alpha1
kind: ApiKey
metadata: {name: ci, namespace: HOME}
spec: {owner: {service: ci}, secretName: ci}
---
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: app, namespace: HOME}
spec: {hosts: [app.example.com], rules: [{allow: {services: [HOME/ci]}}]}
";

/// In place of `secretName`, for a key whose Secret nobody makes.
const HASH: &str = "hash: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'";

/// An AccessPolicy that lets anyone in.
fn open(name: &str, host: &str) -> String {
    format!(
        "---\n{{apiVersion: authd.dev/v1alpha1, kind: AccessPolicy, metadata: {{name: {name}, namespace: HOME}}, \
         spec: {{hosts: [{host}], rules: [{{allow: {{anyone: true}}}}]}}}}\n"
    )
}

impl Story {
    async fn begin() -> Self {
        let cluster = Cluster::start().await;
        super::cluster::install_kinds(&cluster).await;
        let home = cluster.namespace("home").await;
        let undisturbed = std::sync::OnceLock::new();
        Self {
            cluster,
            home,
            undisturbed,
        }
    }

    /// An operator that has seen the instance.
    async fn with_the_instance() -> (Self, Operator) {
        let story = Self::begin().await;
        let operator = story.operator(&[]).await;
        story.apply(INSTANCE).await;
        (story, operator)
    }

    async fn operator(&self, more: &[&str]) -> Operator {
        Operator::start(&self.cluster, &[&self.home], more).await
    }

    async fn apply(&self, yaml: &str) {
        self.cluster.apply(&yaml.replace("HOME", &self.home)).await.ok();
    }

    async fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-n", &self.home]).collect();
        self.cluster.kubectl(&arguments).await.ok()
    }

    /// A condition of a resource, as `status reason message`.
    async fn condition(&self, resource: &str, condition: &str) -> String {
        let path = format!(
            "{{range .status.conditions[?(@.type==\"{condition}\")]}}{{.status}} {{.reason}} {{.message}}{{end}}"
        );
        let read = ["get", resource, "-n", &self.home, "-o", &format!("jsonpath={path}")];
        self.cluster.kubectl(&read).await.attempt().unwrap_or_default()
    }

    /// Every event that was told, as `reason message`.
    async fn events(&self) -> String {
        let each = "jsonpath={range .items[*]}{.reason} {.message}{\"\\n\"}{end}";
        self.kubectl(&["get", "events", "-o", each]).await
    }

    async fn exist(&self, objects: &[&str]) {
        wait::until(&format!("{objects:?} are made"), || async {
            let read: Vec<&str> = ["get", "-n", &self.home]
                .into_iter()
                .chain(objects.iter().copied())
                .collect();
            self.cluster.kubectl(&read).await.attempt()
        })
        .await;
    }

    async fn says(&self, resource: &str, condition: &str, expected: &str) {
        wait::until(&format!("{resource}: {condition} {expected}"), || async {
            let said = self.condition(resource, condition).await;
            if said.contains(expected) { Ok(()) } else { Err(said) }
        })
        .await;
    }

    /// Waits until what is published is what `is` looks for.
    async fn publishes(&self, what: &str, is: impl Fn(&policy::Engine) -> bool) -> u64 {
        wait::until(what, || async {
            let (index, engine) = published(&self.cluster, &self.home, "main").await?;
            let hosts: Vec<&str> = engine.hosts().collect();
            if is(&engine) {
                Ok(index.sequence)
            } else {
                Err(format!("{} keys, {hosts:?}", engine.keys().count()))
            }
        })
        .await
    }

    /// Waits until nothing is written for two seconds.
    async fn settled(&self, operator: &Operator) {
        let last = Cell::new((operator.writes().await, Instant::now()));
        wait::within(Duration::from_secs(40), "writing ends", || async {
            let (before, since) = last.get();
            let writes = operator.writes().await;
            if writes != before {
                last.set((writes, Instant::now()));
            }
            let is_quiet = writes == before && since.elapsed() > Duration::from_secs(2);
            if is_quiet {
                Ok(())
            } else {
                Err(format!("{writes} writes"))
            }
        })
        .await;
    }

    /// What is left when all is settled: the Snapshot, and every status without its times.
    async fn end(&self) -> (String, Vec<String>) {
        let (index, _) = published(&self.cluster, &self.home, "main")
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let kinds = "authds,authproviders,apikeys,accesspolicies";
        let read: Value = self
            .cluster
            .kubectl(&["get", kinds, "-n", &self.home, "-o", "json"])
            .await
            .json();
        let items = read["items"].as_array().cloned().unwrap_or_default();
        let said = items.iter().flat_map(|item| {
            let conditions = item["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let name = format!("{} {}", item["kind"], item["metadata"]["name"]);
            conditions.into_iter().map(move |condition| {
                let of = |member: &str| condition[member].as_str().unwrap_or_default().to_owned();
                format!(
                    "{name} {} {} {} {}",
                    of("type"),
                    of("status"),
                    of("reason"),
                    of("message")
                )
            })
        });
        (index.digest, said.collect())
    }
}

fn hosts(engine: &policy::Engine) -> Vec<&str> {
    let mut hosts: Vec<&str> = engine.hosts().collect();
    hosts.sort_unstable();
    hosts
}

#[tokio::test]
async fn f21_kinds_that_are_removed_and_installed_again_empty_nothing() {
    let (story, operator) = Story::with_the_instance().await;
    story.says("apikey/ci", "Published", "True").await;
    story.says("accesspolicy/app", "Published", "True").await;
    story.settled(&operator).await;
    let before = story
        .publishes("the policy and the key", |engine| {
            engine.keys().count() == 1 && hosts(engine).len() == 1
        })
        .await;

    story
        .cluster
        .kubectl(&["delete", "crd", "accesspolicies.authd.dev", "--timeout=30s"])
        .await
        .ok();
    story.says("authd/main", "Published", "False Held").await;
    let kept = story
        .publishes("what was", |engine| hosts(engine) == ["app.example.com"])
        .await;
    assert_eq!(kept, before);

    super::cluster::install_kinds(&story.cluster).await;
    story.says("authd/main", "Published", "was installed anew").await;
    assert_eq!(
        story
            .publishes("what was", |engine| hosts(engine) == ["app.example.com"])
            .await,
        before
    );
    story.apply(INSTANCE).await;
    story.says("authd/main", "Published", "True").await;
    story.says("accesspolicy/app", "Published", "True").await;

    // With its definition standing, a policy that is deleted is gone.
    story.kubectl(&["delete", "accesspolicy", "app"]).await;
    story.publishes("nothing", |engine| hosts(engine).is_empty()).await;

    story
        .cluster
        .kubectl(&["delete", "crd", "authds.authd.dev", "--timeout=30s"])
        .await
        .ok();
    wait::until("the operator notices", || async {
        let log = operator.log();
        if log.iter().any(|line| line.contains("instance_kept")) {
            Ok(())
        } else {
            Err(log.join("\n"))
        }
    })
    .await;
    story
        .kubectl(&["get", "deployment/main", "secret/main-snapshot", "role/main"])
        .await;
}

#[tokio::test]
async fn f16_f24_f46_keys_follow_their_secrets_and_belong_to_one_resource() {
    let (story, operator) = Story::with_the_instance().await;
    story.publishes("the key", |engine| engine.keys().count() == 1).await;
    let key = story
        .kubectl(&["get", "secret", "ci", "-o", "jsonpath={.data.api-key}"])
        .await;

    // F24, F46: the Secret goes, is made anew, and its value changes without a generation.
    story.kubectl(&["delete", "secret", "ci"]).await;
    wait::until("another key is made", || async {
        let now = story
            .cluster
            .kubectl(&[
                "get",
                "secret",
                "ci",
                "-n",
                &story.home,
                "-o",
                "jsonpath={.data.api-key}",
            ])
            .await
            .attempt()?;
        if now.is_empty() || now == key { Err(now) } else { Ok(()) }
    })
    .await;
    for (row, value, reason) in [
        ("too short", "c2stMTIz", "WeakSecret"),
        ("empty", "", "SecretUnusable"),
        ("not text", "/////w==", "WeakSecret"),
    ] {
        let patch = format!("{{\"data\": {{\"api-key\": \"{value}\"}}}}");
        story
            .kubectl(&["patch", "secret", "ci", "--type=merge", "-p", &patch])
            .await;
        story.says("apikey/ci", "Accepted", reason).await;
        story.publishes(row, |engine| engine.keys().count() == 0).await;
    }
    story
        .kubectl(&[
            "patch",
            "secret",
            "ci",
            "--type=merge",
            "-p",
            &format!("{{\"data\": {{\"api-key\": \"{key}\"}}}}"),
        ])
        .await;
    story.says("apikey/ci", "Accepted", "True").await;
    story
        .publishes("the key again", |engine| engine.keys().count() == 1)
        .await;

    // A Secret that is somebody else's is neither read nor changed, until its owner says so.
    story.apply("{apiVersion: v1, kind: Secret, metadata: {name: foreign, namespace: HOME}, stringData: {api-key: sk-00112233445566778899aabbccddeeff}}").await;
    story.apply("{apiVersion: authd.dev/v1alpha1, kind: ApiKey, metadata: {name: thief, namespace: HOME}, spec: {owner: {service: thief}, secretName: foreign}}").await;
    story.says("apikey/thief", "Accepted", "False SecretForeign").await;
    story
        .kubectl(&["annotate", "secret", "foreign", "authd.dev/api-key=thief"])
        .await;
    story.says("apikey/thief", "Accepted", "True").await;
    story.settled(&operator).await;

    // F16: made again under its old name while nobody looked, it does not inherit the key.
    drop(operator);
    story.kubectl(&["delete", "apikey", "ci", "--cascade=orphan"]).await;
    story.apply(INSTANCE).await;
    let _operator = story.operator(&["--identity", "another"]).await;
    story.says("apikey/ci", "Accepted", "False SecretForeign").await;
    story
        .publishes("the other key alone", |engine| {
            engine.keys().all(|key| key.name().ends_with("/thief"))
        })
        .await;
}

#[tokio::test]
async fn f26_f28_claims_and_hand_edits() {
    let (story, operator) = Story::with_the_instance().await;
    story.exist(&["deployment/main", "service/main"]).await;

    // A namespace that was not opted in is told so, and nothing is made in it.
    let other = story.cluster.namespace("other").await;
    story.cluster.apply(&INSTANCE.replace("HOME", &other)).await.ok();
    for resource in ["authd/main", "apikey/ci"] {
        wait::until("it is told", || async {
            let read = [
                "get",
                resource,
                "-n",
                &other,
                "-o",
                "jsonpath={.status.conditions[*].reason}",
            ];
            let said = story.cluster.kubectl(&read).await.attempt()?;
            if said.contains("NotOptedIn") { Ok(()) } else { Err(said) }
        })
        .await;
    }

    // F26: the older has the host, and the younger is told.
    let of_app = story
        .kubectl(&[
            "get",
            "accesspolicy",
            "app",
            "-o",
            "jsonpath={.metadata.creationTimestamp}",
        ])
        .await;
    wait::until("the API server counts another second", || async {
        let now = [
            "create",
            "configmap",
            "now",
            "--dry-run=server",
            "-o",
            "jsonpath={.metadata.creationTimestamp}",
        ];
        let now = story.cluster.kubectl(&now).await.attempt()?;
        if now > of_app { Ok(()) } else { Err(now) }
    })
    .await;
    story.apply(&open("another", "app.example.com")).await;
    story.says("accesspolicy/another", "Ready", "False HostConflict").await;
    story.says("accesspolicy/app", "Accepted", "True").await;

    // F28: what was changed by hand or deleted is put back, and said.
    story.settled(&operator).await;
    story.kubectl(&["scale", "deployment/main", "--replicas=7"]).await;
    story.kubectl(&["delete", "service", "main"]).await;
    wait::within(Duration::from_secs(5), "both are put back", || async {
        let read = [
            "get",
            "deployment/main",
            "service/main",
            "-n",
            &story.home,
            "-o",
            "jsonpath={.items[0].spec.replicas}",
        ];
        let replicas = story.cluster.kubectl(&read).await.attempt()?;
        if replicas == "0" { Ok(()) } else { Err(replicas) }
    })
    .await;
    let events = story.events().await;
    assert!(events.contains("PutBack"), "{events}");
    story.settled(&operator).await;
}

#[tokio::test]
async fn f40_f41_what_somebody_damaged_or_put_back_is_whole_again() {
    let (story, operator) = Story::with_the_instance().await;
    let first = story.publishes("the policy", |engine| hosts(engine).len() == 1).await;
    let old = story
        .kubectl(&["get", "secret", "main-snapshot", "-o", "jsonpath={.data.index}"])
        .await;
    story.settled(&operator).await;

    let entries = [
        "get",
        "secret",
        "main-snapshot-1",
        "-o",
        "go-template={{range $name, $_ := .data}}{{$name}} {{end}}",
    ];
    let entries = story.kubectl(&entries).await;
    let entry = entries.split_whitespace().next().unwrap();
    let damage = format!("{{\"data\": {{\"{entry}\": \"AAAA\"}}}}");
    story
        .kubectl(&["patch", "secret", "main-snapshot-1", "--type=merge", "-p", &damage])
        .await;
    story
        .publishes("a whole shard", |engine| hosts(engine).len() == 1)
        .await;
    story
        .kubectl(&["delete", "secret", "main-snapshot-0", "main-snapshot-1"])
        .await;
    story.publishes("every shard", |engine| hosts(engine).len() == 1).await;

    // An index of before is replaced by one that replicas follow.
    story.apply(&open("more", "more.example.com")).await;
    let second = story
        .publishes("both policies", |engine| hosts(engine).len() == 2)
        .await;
    let back = format!("{{\"data\": {{\"index\": \"{old}\"}}}}");
    story
        .kubectl(&["patch", "secret", "main-snapshot", "--type=merge", "-p", &back])
        .await;
    let third = story
        .publishes("both policies again", |engine| hosts(engine).len() == 2)
        .await;
    assert!(first < second && second <= third, "{first} {second} {third}");
    story.settled(&operator).await;
}

#[tokio::test]
async fn k16_what_a_mapping_granted_goes_though_it_went_while_nobody_looked() {
    let (story, mut operator) = Story::with_the_instance().await;
    let grants = |engine: &policy::Engine| {
        let ann = policy::engine::Claims([("email".to_owned(), vec!["ann@example.com".to_owned()])].into());
        let admission = engine.admit("accounts", &ann, policy::engine::AccountRole::Pending);
        matches!(admission, policy::engine::Admission::Admitted { roles, .. } if roles.contains("operator"))
    };
    story
        .apply(
            "{apiVersion: authd.dev/v1alpha1, kind: RoleMapping, metadata: {name: all, namespace: HOME}, spec: {providerRef: {name: \
             accounts}, roles: [{role: operator, whenAny: [{claim: email, equals: ann@example.com}]}], onNoMatch: Keep}}",
        )
        .await;
    story.publishes("K16 control: the right", grants).await;
    operator.kill();
    story.kubectl(&["delete", "rolemapping", "all"]).await;
    let begun = Instant::now();
    operator.restart().await;
    operator.ready().await;
    story.publishes("K16: no right", |engine| !grants(engine)).await;
    println!("K16: the right was gone {:?} after the operator began", begun.elapsed());
    story.settled(&operator).await;
    story.publishes("K16: it stays gone", |engine| !grants(engine)).await;
}

#[tokio::test]
async fn f27_a_namespace_that_goes_takes_everything_along() {
    let (story, _operator) = Story::with_the_instance().await;
    let keys: String = (0..60)
        .map(|number| format!("---\n{{apiVersion: authd.dev/v1alpha1, kind: ApiKey, metadata: {{name: key-{number}, namespace: HOME}}, spec: {{owner: {{service: s}}, secretName: key-{number}}}}}\n"))
        .collect();
    story.apply(&keys).await;
    story.publishes("all keys", |engine| engine.keys().count() == 61).await;
    story
        .cluster
        .kubectl(&["delete", "namespace", &story.home, "--timeout=60s"])
        .await
        .ok();
}

#[tokio::test]
async fn f32_f33_f34_one_leads_and_who_was_paused_writes_nothing() {
    let story = Story::begin().await;
    let mut first = story.operator(&["--identity", "first"]).await;
    story.apply(INSTANCE).await;
    story.publishes("the policy", |engine| hosts(engine).len() == 1).await;
    let second = story.operator(&["--identity", "second"]).await;
    story.settled(&first).await;
    assert_eq!(second.writes().await, 0, "another leads");

    let writes = first.writes().await;
    first.signal(Signal::STOP);
    story.apply(&open("late", "late.example.com")).await;
    wait::within(Duration::from_secs(40), "the second takes over", || async {
        let (_, engine) = published(&story.cluster, &story.home, "main").await?;
        if engine.governs("late.example.com") {
            Ok(())
        } else {
            Err(second.log().last().cloned().unwrap_or_default())
        }
    })
    .await;
    first.signal(Signal::CONT);
    story.settled(&second).await;
    assert_eq!(first.writes().await, writes, "F32: fenced");

    // F34: the Lease is deleted; whoever takes it, one leads.
    story.kubectl(&["delete", "lease", "authd-operator"]).await;
    story.kubectl(&["delete", "accesspolicy", "late"]).await;
    story
        .publishes("the first policy alone", |engine| hosts(engine) == ["app.example.com"])
        .await;

    // F33: two that both believe that they lead do not undo each other's work.
    let third = story.operator(&["--no-leader-election"]).await;
    story.settled(&third).await;
    story.settled(&second).await;
}

#[tokio::test]
async fn f19_an_api_server_that_comes_back_is_found_and_nothing_was_lost() {
    let story = Story::begin().await;
    let operator = story.operator(&["--resync", "10"]).await;
    story.apply(INSTANCE).await;
    let before = story
        .publishes("the policy and the key", |engine| {
            engine.keys().count() == 1 && hosts(engine).len() == 1
        })
        .await;
    assert!(operator.readiness().await.starts_with("ready"));
    let mut story = story;
    story.cluster.stop_api_server();
    wait::within(Duration::from_secs(40), "the operator says what fails", || async {
        let said = operator.readiness().await;
        if said.contains("accesspolicies") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    story.cluster.start_api_server().await;
    story.apply(&open("more", "more.example.com")).await;
    let after = wait::within(Duration::from_secs(60), "it goes on", || async {
        let (index, engine) = published(&story.cluster, &story.home, "main").await?;
        if hosts(&engine).len() == 2 && engine.keys().count() == 1 {
            Ok(index.sequence)
        } else {
            Err(operator.readiness().await)
        }
    })
    .await;
    assert!(after > before);
}
