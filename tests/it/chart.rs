//! The chart says what it installs, asks for no right that it does not need, and installs, upgrades and leaves a real cluster.

mod install;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::cluster::{Cluster, Said};
use tests::repository;

/// The chart's folder.
fn chart() -> String {
    repository().join("charts/authd").display().to_string()
}

/// What helm says of the chart with these arguments.
async fn template(arguments: &[&str]) -> Said {
    let chart = chart();
    let all = [&["template", "first", &chart, "--namespace", "auth-system"], arguments].concat();
    Cluster::shared().await.helm(&all).await
}

/// The objects that it installs.
async fn objects(arguments: &[&str]) -> Vec<Value> {
    let text = template(arguments).await.ok();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The kinds of all objects, each once.
fn kinds(objects: &[Value]) -> BTreeSet<&str> {
    objects.iter().filter_map(|object| object["kind"].as_str()).collect()
}

#[tokio::test]
async fn helm_finds_nothing_to_say_about_the_chart() {
    let cluster = Cluster::shared().await;
    let said = cluster.helm(&["lint", "--strict", &chart()]).await.ok();
    assert!(said.contains("0 chart(s) failed"), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
}

#[tokio::test]
async fn rights_have_no_wildcard_and_secrets_are_read_only_where_it_was_opted_in() {
    let objects = objects(&["--set", "namespaces={payments,auth}"]).await;
    let roles: Vec<&Value> = ["Role", "ClusterRole"]
        .iter()
        .flat_map(|kind| of_kind(&objects, kind))
        .collect();
    assert_eq!(roles.len(), 4, "{roles:#?}");
    for rule in roles.iter().flat_map(|role| role["rules"].as_array().unwrap()) {
        let all = ["verbs", "resources", "apiGroups"]
            .map(|part| texts(&rule[part]))
            .concat();
        for word in all {
            assert!(!["*", "escalate", "bind", "impersonate"].contains(&word), "{rule}");
        }
    }
    let cluster_wide = of_kind(&objects, "ClusterRole");
    assert_eq!(cluster_wide.len(), 1);
    assert!(!cluster_wide[0].to_string().contains("secrets"), "{cluster_wide:#?}");
    let written: BTreeSet<&str> = cluster_wide[0]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| {
            texts(&rule["verbs"])
                .iter()
                .any(|verb| !["get", "list", "watch"].contains(verb))
        })
        .flat_map(|rule| texts(&rule["resources"]))
        .collect();
    assert!(
        written
            .iter()
            .all(|resource| resource.ends_with("/status") || *resource == "events"),
        "{written:?}"
    );
    let read_secrets: BTreeSet<&str> = of_kind(&objects, "Role")
        .iter()
        .filter(|role| role.to_string().contains("\"secrets\""))
        .filter_map(|role| role["metadata"]["namespace"].as_str())
        .collect();
    assert_eq!(read_secrets, BTreeSet::from(["auth", "payments"]));
}

#[tokio::test]
async fn the_operators_pods_keep_to_the_restricted_profile() {
    let objects = objects(&["--set", "replicas=2"]).await;
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    for (path, expected) in [
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/automountServiceAccountToken", json!(false)),
        ("/containers/0/securityContext/allowPrivilegeEscalation", json!(false)),
        ("/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
        ("/containers/0/securityContext/capabilities/drop", json!(["ALL"])),
        ("/containers/0/image", json!("ghcr.io/authd/authd-operator:0.1.0")),
        ("/containers/0/args/2", json!("auth-system")),
    ] {
        assert_eq!(pod.pointer(path), Some(&expected), "{path}: {pod:#}");
    }
    let expected = [
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ];
    assert!(
        kinds(&objects).is_superset(&BTreeSet::from(expected)),
        "{:?}",
        kinds(&objects)
    );
    assert!(!objects.iter().any(|object| object.to_string().contains("hostPath")));
}

#[tokio::test]
async fn what_is_optional_is_there_when_it_is_asked_for() {
    let plain = objects(&[]).await;
    let digest = format!("sha256:{}", "a".repeat(64));
    let set = [
        "replicas=2".to_owned(),
        "serviceMonitor.enabled=true".to_owned(),
        "dashboard.enabled=true".to_owned(),
        "crds.install=false".to_owned(),
        "networkPolicy.enabled=false".to_owned(),
        "instance.create=true".to_owned(),
        "instance.spec.publicUrl=https://auth.example.com".to_owned(),
        format!("image.digest={digest}"),
        "imagePullSecrets={registry}".to_owned(),
    ];
    let mut arguments = vec!["--api-versions", "authd.dev/v1alpha1/Authd"];
    arguments.extend(set.iter().flat_map(|value| ["--set", value]));
    let full = objects(&arguments).await;
    for (kind, by_default, when_asked) in [
        ("CustomResourceDefinition", 5, 0),
        ("NetworkPolicy", 1, 0),
        ("PodDisruptionBudget", 0, 1),
        ("ServiceMonitor", 0, 2),
        ("ConfigMap", 0, 1),
        ("Authd", 0, 1),
        ("Deployment", 1, 1),
    ] {
        let counts = (of_kind(&plain, kind).len(), of_kind(&full, kind).len());
        assert_eq!(counts, (by_default, when_asked), "{kind}");
    }
    let pod = &of_kind(&full, "Deployment")[0]["spec"]["template"]["spec"];
    let image = format!("ghcr.io/authd/authd-operator@{digest}");
    assert_eq!(pod["containers"][0]["image"], json!(image));
    assert_eq!(pod["imagePullSecrets"], json!([{ "name": "registry" }]));
    for definition in of_kind(&plain, "CustomResourceDefinition") {
        assert_eq!(definition["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_meant_is_refused_by_its_name() {
    let public_url = "instance.spec.publicUrl=https://auth.example.com";
    for (set, expected) in [
        (&["replicas=two"][..], "at '/replicas': got string, want integer"),
        (&["replicas=99"], "at '/replicas': maximum: got 99, want 10"),
        (&["namespace=auth"], "additional properties 'namespace' not allowed"),
        (&["namespaces={Auth}"], "at '/namespaces/0': 'Auth' does not match"),
        (&["namespaces={auth,auth}"], "at '/namespaces'"),
        (
            &["image.name=x"],
            "at '/image': additional properties 'name' not allowed",
        ),
        (&["image.digest=latest"], "at '/image/digest'"),
        (&["image.pullPolicy=Sometimes"], "at '/image/pullPolicy'"),
        (&["crds.install=maybe"], "at '/crds/install': got string, want boolean"),
        (&["serviceMonitor.interval=often"], "at '/serviceMonitor/interval'"),
        (
            &["instance.create=true"],
            "at '/instance/spec': missing property 'publicUrl'",
        ),
        (
            &["instance.create=true", public_url],
            "the cluster does not know the kind Authd yet: install the chart with",
        ),
    ] {
        let arguments: Vec<&str> = set.iter().flat_map(|value| ["--set", value]).collect();
        let refusal = template(&arguments).await.refused();
        assert!(refusal.contains(expected), "{set:?}: {refusal}");
    }
    let known = [
        "--api-versions",
        "authd.dev/v1alpha1/Authd",
        "--set",
        "instance.create=true",
        "--set",
        public_url,
    ];
    let elsewhere = [&known[..], &["--set", "instance.namespace=elsewhere"]].concat();
    let refusal = template(&elsewhere).await.refused();
    assert!(
        refusal.contains("instance.namespace: `elsewhere` is not one of `namespaces`: add it"),
        "{refusal}"
    );
}

/// What stands between quotation marks and begins like a metric, in these files.
fn metrics(paths: &[&str]) -> BTreeSet<String> {
    let of = |path: &&str| std::fs::read_to_string(repository().join(path)).unwrap();
    let text: String = paths.iter().map(of).collect();
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    let metrics = words.filter(|word| word.starts_with("authd_"));
    metrics
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let shown = metrics(&["charts/authd/dashboards/authd.json"]);
    let known = metrics(&["authd/src/telemetry.rs", "operator/src/admin.rs"]);
    let known: BTreeSet<String> = known.into_iter().filter(|name| !name.ends_with('_')).collect();
    assert!(known.len() > 15, "control: {known:?}");
    assert_eq!(shown, known);
}
