//! The cluster that other stories rest on is a real one: what it refuses, a cluster refuses, and what it runs, runs.

mod authd;
mod database;
mod pods;

use tests::cluster::{Cluster, User};
use tests::{repository, wait};

/// Installs the kinds, as a release does.
pub(crate) async fn install_kinds(cluster: &Cluster) {
    let folder = repository().join("crds/yaml");
    let folder = folder.to_str().unwrap();
    cluster
        .kubectl(&["apply", "--server-side", "--force-conflicts", "-f", folder])
        .await
        .ok();
    let established = ["wait", "--for=condition=Established", "--timeout=30s", "-f", folder];
    cluster.kubectl(&established).await.ok();
}

#[tokio::test]
async fn a_service_account_may_do_what_it_was_granted_and_nothing_else() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("rbac").await;
    for arguments in [
        vec!["create", "serviceaccount", "robot"],
        vec!["create", "role", "reader", "--verb=get,list", "--resource=configmaps"],
        vec!["create", "rolebinding", "robot", "--role=reader", "--serviceaccount"],
    ] {
        let account = format!("{namespace}:robot");
        let mut arguments = arguments;
        if arguments.last() == Some(&"--serviceaccount") {
            arguments.push(&account);
        }
        arguments.extend(["--namespace", &namespace]);
        cluster.kubectl(&arguments).await.ok();
    }
    let robot = User::ServiceAccount {
        namespace: &namespace,
        name: "robot",
    };
    let list = |kind: &'static str| {
        let namespace = namespace.to_string();
        async move {
            cluster
                .kubectl_as(robot, &["get", kind, "--namespace", &namespace], "")
                .await
        }
    };
    wait::until("the grant is known", || async { list("configmaps").await.attempt() }).await;
    let refusal = list("secrets").await.refused();
    let expected = format!(
        "secrets is forbidden: User \"system:serviceaccount:{namespace}:robot\" cannot list resource \"secrets\" in API group \
         \"\" in the namespace \"{namespace}\""
    );
    assert!(refusal.contains(&expected), "{refusal}");

    let stranger = User::Person {
        name: "mallory",
        group: "visitors",
    };
    let refusal = cluster.kubectl_as(stranger, &["get", "nodes"], "").await.refused();
    assert!(
        refusal.contains("User \"mallory\" cannot list resource \"nodes\""),
        "{refusal}"
    );
}

#[tokio::test]
async fn the_kinds_install_explain_themselves_and_refuse_what_they_do_not_mean() {
    let cluster = Cluster::shared().await;
    install_kinds(cluster).await;
    let namespace = cluster.namespace("kinds").await;

    let explained = cluster
        .kubectl(&["explain", "accesspolicy.spec.rules.allow"])
        .await
        .ok();
    assert!(explained.contains("Members of one of these groups."), "{explained}");

    let policy = |allow: &str| {
        format!(
            "{{apiVersion: authd.dev/v1alpha1, kind: AccessPolicy, metadata: {{name: app, namespace: {namespace}}},
               spec: {{hosts: [app.example.com], rules: [{{allow: {allow}}}]}}}}"
        )
    };
    let refusal = cluster.apply(&policy("{}")).await.refused();
    let expected = "spec.rules[0].allow: Invalid value: say who is allowed: one of anyone, signedIn, roles, groups, users, services";
    assert!(refusal.contains(expected), "{refusal}");
    cluster.apply(&policy("{signedIn: true}")).await.ok();
    let read = ["get", "accesspolicy", "app", "--namespace", &namespace, "-o", "json"];
    let read = cluster.kubectl(&read).await.json();
    assert_eq!(read["spec"]["rules"][0]["allow"]["signedIn"], true, "{read}");
}

#[tokio::test]
async fn helm_installs_and_removes_a_chart() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("helm").await;
    let chart = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(chart.path().join(name), text).unwrap();
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    file("Chart.yaml", "{apiVersion: v2, name: little, version: 0.1.0}");
    file(
        "templates/configmap.yaml",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: {{ .Release.Name }}}, data: {version: {{ .Capabilities.KubeVersion }}}}",
    );
    let folder = chart.path().to_str().unwrap();
    let install = ["install", "first", folder, "--namespace", &namespace];
    cluster.helm(&install).await.ok();
    let read = ["get", "configmap", "first", "--namespace", &namespace, "-o", "json"];
    let read = cluster.kubectl(&read).await.json();
    assert!(read["data"]["version"].as_str().unwrap().starts_with("v1."), "{read}");
    cluster
        .helm(&["uninstall", "first", "--namespace", &namespace])
        .await
        .ok();
}
