use serde_json::{Value, json};

use super::*;

fn authd(spec: Value) -> Authd {
    let mut spec = spec;
    spec["publicUrl"] = "https://auth.example.com".into();
    let metadata = json!({ "name": "main", "namespace": "auth" });
    let whole = json!({ "apiVersion": "authd.dev/v1alpha1", "kind": "Authd", "metadata": metadata, "spec": spec });
    serde_json::from_value(whole).unwrap()
}

/// The instance, and nothing else.
pub(super) fn resources() -> policy::Resources {
    policy::Resources {
        authds: vec![authd(json!({}))],
        ..policy::Resources::default()
    }
}

fn made(spec: Value, shards: usize) -> Vec<Value> {
    made_with(spec, shards, None)
}

fn made_with(spec: Value, shards: usize, read: Option<&str>) -> Vec<Value> {
    let objects = objects(&authd(spec), shards, "authd:1", read);
    objects
        .iter()
        .map(|object| serde_json::to_value(object).unwrap())
        .collect()
}

#[track_caller]
fn of_kind(objects: &[Value], kind: &str) -> Value {
    objects
        .iter()
        .find(|object| object["kind"] == kind)
        .cloned()
        .unwrap_or_default()
}

#[test]
fn rights_are_exact_names_and_nothing_is_a_wildcard() {
    let role = of_kind(&made(json!({}), 9), "Role");
    let mut expected = vec!["main-snapshot".to_owned()];
    expected.extend((0..16).map(|number| format!("main-snapshot-{number}")));
    assert_eq!(role["rules"][0]["resourceNames"], json!(expected));
    assert_eq!(role["rules"][0]["resources"], json!(["secrets"]));
    assert_eq!(role["rules"][1]["resources"], json!(["leases"]));
    assert_eq!(role["rules"].as_array().unwrap().len(), 2);
    assert!(!role.to_string().contains('*'));
}

#[test]
fn pods_keep_to_the_restricted_profile() {
    let pod = of_kind(&made(json!({}), 1), "Deployment")["spec"]["template"]["spec"].clone();
    for (row, path, expected) in [
        ("user", "/securityContext/runAsNonRoot", json!(true)),
        (
            "seccomp",
            "/securityContext/seccompProfile/type",
            json!("RuntimeDefault"),
        ),
        (
            "escalation",
            "/containers/0/securityContext/allowPrivilegeEscalation",
            json!(false),
        ),
        (
            "capabilities",
            "/containers/0/securityContext/capabilities/drop",
            json!(["ALL"]),
        ),
        (
            "file system",
            "/containers/0/securityContext/readOnlyRootFilesystem",
            json!(true),
        ),
        ("token", "/automountServiceAccountToken", json!(false)),
    ] {
        assert_eq!(pod.pointer(path), Some(&expected), "{row}");
    }
    for forbidden in [
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "hostPath",
        "hostPort",
        "privileged\":true",
    ] {
        assert!(!pod.to_string().contains(forbidden), "{forbidden}");
    }
}

#[test]
fn every_replica_is_up_before_one_goes() {
    let deployment = of_kind(&made(json!({ "replicas": 3 }), 1), "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 3);
    let rolling = json!({ "maxUnavailable": 0, "maxSurge": 1 });
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"], rolling);
    let drain: u64 = 5 + 15;
    let grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        .as_u64()
        .unwrap();
    assert!(grace > drain, "{grace}");
}

#[test]
fn a_budget_is_for_more_than_one_replica() {
    for (replicas, expected) in [(0, false), (1, false), (2, true)] {
        let objects = made(json!({ "replicas": replicas }), 1);
        assert_eq!(
            !of_kind(&objects, "PodDisruptionBudget").is_null(),
            expected,
            "{replicas}"
        );
    }
}

#[test]
fn accounts_are_kept_where_the_authd_says() {
    let volume = |spec: Value| {
        let deployment = of_kind(&made(spec, 1), "Deployment");
        deployment["spec"]["template"]["spec"]["volumes"][0].clone()
    };
    assert_eq!(volume(json!({})), json!({ "name": "data", "emptyDir": {} }));
    let claimed = json!({ "name": "data", "persistentVolumeClaim": { "claimName": "accounts" } });
    assert_eq!(volume(json!({ "storage": { "claimName": "accounts" } })), claimed);
}

#[test]
fn a_database_is_named_by_its_secret_and_no_pod_starts_without_it() {
    let pod = |spec: Value| of_kind(&made(spec, 1), "Deployment")["spec"]["template"]["spec"].clone();
    let plain = pod(json!({}));
    assert!(!plain.to_string().contains("POSTGRES"));

    let database = json!({
        "postgresSecretRef": { "name": "pg", "key": "url" },
        "caSecretRef": { "name": "pg-ca", "key": "root.pem" },
    });
    let pod = pod(json!({ "database": database }));
    let container = &pod["containers"][0];
    let url = json!({
        "name": "AUTHD_POSTGRES_URL",
        "valueFrom": { "secretKeyRef": { "name": "pg", "key": "url" } },
    });
    assert_eq!(container["env"][3], url, "not optional");
    let arguments = container["args"].to_string();
    assert!(
        arguments.contains(r#""--postgres-ca","/database/ca.crt""#),
        "{arguments}"
    );
    let volumes = pod["volumes"].as_array().unwrap();
    let items = json!([{ "key": "root.pem", "path": "ca.crt" }]);
    let volume = json!({ "name": "database", "secret": { "secretName": "pg-ca", "items": items } });
    assert_eq!(volumes.last(), Some(&volume));
    let mounts = container["volumeMounts"].as_array().unwrap();
    let mount = json!({ "name": "database", "mountPath": "/database", "readOnly": true });
    assert_eq!(mounts.last(), Some(&mount));
}

#[test]
fn a_redis_is_named_by_its_secret_and_its_prefix() {
    let pod = |spec: Value| of_kind(&made(spec, 1), "Deployment")["spec"]["template"]["spec"].clone();
    assert!(!pod(json!({})).to_string().contains("redis"));

    let redis = json!({
        "secretRef": { "name": "cache", "key": "url" },
        "caSecretRef": { "name": "cache", "key": "root.pem" },
    });
    let pod = pod(json!({ "redis": redis }));
    let container = &pod["containers"][0];
    let url = json!({
        "name": "AUTHD_REDIS_URL",
        "valueFrom": { "secretKeyRef": { "name": "cache", "key": "url" } },
    });
    assert_eq!(container["env"][3], url);
    let arguments = container["args"].to_string();
    let given = r#""--redis-prefix","authd","--redis-ca","/redis/ca.crt""#;
    assert!(arguments.contains(given), "{arguments}");
    let items = json!([{ "key": "root.pem", "path": "ca.crt" }]);
    let volume = json!({ "name": "redis", "secret": { "secretName": "cache", "items": items } });
    assert_eq!(pod["volumes"].as_array().unwrap().last(), Some(&volume));
    let mount = json!({ "name": "redis", "mountPath": "/redis", "readOnly": true });
    assert_eq!(container["volumeMounts"].as_array().unwrap().last(), Some(&mount));
}

#[test]
fn what_is_read_at_the_start_stands_on_pods() {
    let of_pods = |read| {
        let deployment = of_kind(&made_with(json!({}), 1, read), "Deployment");
        deployment["spec"]["template"]["metadata"]["annotations"].clone()
    };
    assert_eq!(of_pods(None), Value::Null, "nothing stands on Pods without one");
    assert_eq!(of_pods(Some("0a1b")), json!({ "authd.dev/read-at-start": "0a1b" }));
}

#[test]
fn a_few_more_shards_change_nothing() {
    assert_eq!(made(json!({}), 1), made(json!({}), 8));
    assert_ne!(made(json!({}), 8), made(json!({}), 9));
}

#[test]
fn everything_is_found_by_its_label_and_belongs_to_nobody() {
    for object in made(json!({ "replicas": 2 }), 1) {
        assert_eq!(object["metadata"]["labels"]["authd.dev/instance"], "main", "{object}");
        assert_eq!(object["metadata"]["namespace"], "auth");
        assert!(object["metadata"]["ownerReferences"].is_null());
    }
}
