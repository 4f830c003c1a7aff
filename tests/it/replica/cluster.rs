//! Replicas in Pods: what is published is enforced at once, by an identity that may read nothing else, with the API server or without.

use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use policy::Snapshot;
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::cluster::{Cluster, Namespace};
use tests::http::get;
use tests::resources::{HOST, POLICIES};
use tests::wait;

use super::published::{cut, opened, snapshot};

/// A change takes a twentieth of a second on a machine that has nothing else to do; here others may be at work.
const SOON: Duration = Duration::from_secs(5);

/// The Secrets of a Snapshot, the index last, as the operator names them.
fn secrets(sequence: u64, snapshot: &Snapshot) -> Vec<(String, String, Vec<u8>)> {
    let shards = cut(snapshot);
    let index = serde_json::to_vec(&shards.index(sequence)).unwrap();
    let numbered = shards.shards.iter().enumerate().map(|(number, shard)| {
        let entry = crds::published::shard_entry(&shard.digest).to_owned();
        (
            crds::published::shard_secret("main", number),
            entry,
            shard.bytes.to_vec(),
        )
    });
    let index = (
        crds::published::index_secret("main"),
        crds::published::INDEX_ENTRY.to_owned(),
        index,
    );
    numbered.chain([index]).collect()
}

async fn publish(cluster: &Cluster, namespace: &str, sequence: u64, snapshot: &Snapshot) {
    let mut snapshot = snapshot.clone();
    snapshot.settings.instance = format!("{namespace}/main");
    let api: Api<Secret> = Api::namespaced(cluster.client().await, namespace);
    for (name, entry, bytes) in secrets(sequence, &snapshot) {
        let data = json!({entry: ByteString(bytes)});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data});
        let params = PatchParams::apply("tests").force();
        api.patch(&name, &params, &Patch::Apply(&secret)).await.unwrap();
    }
}

/// What an operator makes of an Authd, as far as it matters here.
fn deployment(namespace: &str) -> String {
    let named = |name: &str| json!({"name": name, "namespace": namespace});
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let secrets = ["main-snapshot", "main-snapshot-0", "main-snapshot-1"];
    let volumes = [("index", secrets[0]), ("0", secrets[1]), ("1", secrets[2])];
    let mounts = volumes.map(|(name, _)| {
        json!({"name": format!("shard-{name}"), "mountPath": format!("/snapshot/{name}"), "readOnly": true})
    });
    let volumes = volumes.map(
        |(name, secret)| json!({"name": format!("shard-{name}"), "secret": {"secretName": secret, "optional": true}}),
    );
    let volumes = [&volumes[..], &[json!({"name": "data", "emptyDir": {}})]].concat();
    let mounts = [&mounts[..], &[json!({"name": "data", "mountPath": "/data"})]].concat();
    let instance = format!("{namespace}/main");
    let items = json!([
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named("main")},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": named("main"), "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": secrets, "verbs": ["get", "watch"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "patch", "get", "delete"]},
        ]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": named("main"),
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "main"},
         "subjects": [{"kind": "ServiceAccount", "name": "main", "namespace": namespace}]},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named("main"), "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "authd"}},
            "template": {"metadata": {"labels": {"app": "authd"}}, "spec": {
                "serviceAccountName": "main", "terminationGracePeriodSeconds": 30, "volumes": volumes,
                "containers": [{
                    "name": "authd", "image": "registry.example.com/authd:0.1.0", "volumeMounts": mounts,
                    "args": ["serve", "--instance", instance, "--shards", "/snapshot", "--follow-cluster", "--data", "/data",
                             "--drain", "1", "--public", "$(POD_IP):8080", "--verify", "$(POD_IP):8081", "--grpc", "$(POD_IP):8082", "--admin", "$(POD_IP):9090"],
                    "env": [field("POD_NAME", "metadata.name"), field("POD_UID", "metadata.uid"), field("POD_IP", "status.podIP")],
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9090}},
                    "livenessProbe": {"httpGet": {"path": "/livez", "port": 9090}},
                }],
            }},
        }},
    ]);
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// The Pods' names and addresses, once all of them are ready.
async fn start(cluster: &Cluster, namespace: &str) -> Vec<(String, String)> {
    cluster.apply(&deployment(namespace)).await.ok();
    let rollout = [
        "rollout",
        "status",
        "deployment/main",
        "--timeout=60s",
        "--namespace",
        namespace,
    ];
    cluster.kubectl(&rollout).await.ok();
    let list = ["get", "pods", "--namespace", namespace, "-o", "json"];
    let list = cluster.kubectl(&list).await.json();
    let text = |pod: &Value, pointer| {
        pod.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let pods = list["items"].as_array().unwrap().iter();
    pods.map(|pod| (text(pod, "/metadata/name"), text(pod, "/status/podIP")))
        .collect()
}

async fn opens(address: &str, path: &str) -> Result<(), String> {
    let answer = get(format!("http://{address}:8081/verify/forward"))
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-host", HOST)
        .header("x-forwarded-uri", path)
        .attempt()
        .await?;
    if answer.status == 200 {
        Ok(())
    } else {
        Err(format!("{answer:?}"))
    }
}

/// Waits until every Pod opens the path, and says how long that took.
async fn enforced(pods: &[(String, String)], path: &str) -> Duration {
    let begun = Instant::now();
    for (name, address) in pods {
        wait::until(&format!("{name} opens {path}"), || opens(address, path)).await;
    }
    begun.elapsed()
}

async fn leases(cluster: &Cluster, namespace: &str) -> Vec<Lease> {
    let api: Api<Lease> = Api::namespaced(cluster.client().await, namespace);
    let params = ListParams::default().labels(&format!("{}=main", crds::published::INSTANCE_LABEL));
    api.list(&params).await.unwrap().items
}

/// Waits until every Pod says that it serves this, and returns the Leases.
async fn said(cluster: &Cluster, namespace: &str, sequence: u64) -> Vec<Lease> {
    wait::until("the Leases say so", || async {
        let leases = leases(cluster, namespace).await;
        let expected = sequence.to_string();
        let says = |lease: &Lease| {
            lease
                .metadata
                .annotations
                .as_ref()?
                .get(crds::published::SEQUENCE)
                .cloned()
        };
        let all = leases.iter().all(|lease| says(lease).as_ref() == Some(&expected));
        if leases.len() == 2 && all {
            Ok(leases)
        } else {
            Err(format!("{leases:#?}"))
        }
    })
    .await
}

#[tokio::test]
async fn a_change_is_enforced_at_once_and_said_in_a_lease() {
    let cluster = Cluster::shared().await;
    let namespace: Namespace = cluster.namespace("replica").await;
    publish(cluster, &namespace, 1, &snapshot(POLICIES)).await;
    let pods = start(cluster, &namespace).await;
    for lease in said(cluster, &namespace, 1).await {
        let owner = &lease.metadata.owner_references.as_ref().unwrap()[0];
        let pod = pods.iter().find(|(name, _)| *name == owner.name).unwrap();
        assert_eq!(
            lease.metadata.name.as_deref(),
            Some(&*crds::published::replica_lease(&pod.0))
        );
        assert_eq!(lease.spec.unwrap().holder_identity.as_ref(), Some(&pod.0));
    }

    // The API server alone brings what follows.
    cluster.node().pause_volumes(&namespace);
    for round in 2..7 {
        let path = format!("/round-{round}");
        publish(cluster, &namespace, round, &opened(&path)).await;
        let took = enforced(&pods, &path).await;
        println!("enforced by every replica {took:?} after it was published");
        assert!(took < SOON, "{took:?}");
        said(cluster, &namespace, round).await;
    }

    publish(cluster, &namespace, 3, &snapshot(POLICIES)).await;
    let refused = wait::until("it is refused", || async {
        let leases = leases(cluster, &namespace).await;
        let refused = leases
            .iter()
            .filter_map(|lease| lease.metadata.annotations.as_ref()?.get(crds::published::REFUSED));
        let refused: Vec<String> = refused.cloned().collect();
        if refused.len() == 2 {
            Ok(refused)
        } else {
            Err(format!("{leases:#?}"))
        }
    })
    .await;
    assert_eq!(refused[0], "cluster: index 3 is older than 6, which serves");
    enforced(&pods, "/round-6").await;
    publish(cluster, &namespace, 7, &opened("/seventh")).await;
    enforced(&pods, "/seventh").await;
    let leases = said(cluster, &namespace, 7).await;
    let forgiven = |lease: &Lease| {
        !lease
            .metadata
            .annotations
            .as_ref()
            .unwrap()
            .contains_key(crds::published::REFUSED)
    };
    assert!(leases.iter().all(forgiven), "{leases:#?}");

    let scale = ["scale", "deployment/main", "--replicas=0", "--namespace", &namespace];
    cluster.kubectl(&scale).await.ok();
    wait::until("the Leases are gone", || async {
        let leases = self::leases(cluster, &namespace).await;
        if leases.is_empty() {
            Ok(())
        } else {
            Err(format!("{leases:#?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn replicas_start_and_serve_without_the_api_server_and_catch_up() {
    let mut cluster = Cluster::start().await;
    let namespace = cluster.namespace("outage").await;
    publish(&cluster, &namespace, 1, &snapshot(POLICIES)).await;
    let pods = start(&cluster, &namespace).await;
    cluster.node().pause_volumes(&namespace);
    publish(&cluster, &namespace, 2, &opened("/second")).await;
    enforced(&pods, "/second").await;
    said(&cluster, &namespace, 2).await;

    cluster.stop_api_server();
    enforced(&pods, "/second").await;
    let (name, _) = &pods[0];
    let before = cluster.node().process_ids(&namespace, name);
    cluster.node().signal(&namespace, name, Signal::KILL);
    wait::until("another process runs", || async {
        let after = cluster.node().process_ids(&namespace, name);
        if after.is_empty() || after == before {
            Err(format!("{after:?}"))
        } else {
            Ok(())
        }
    })
    .await;
    // The mount still has the first: the disk knows better.
    enforced(&pods, "/second").await;

    cluster.start_api_server().await;
    publish(&cluster, &namespace, 3, &opened("/third")).await;
    println!("caught up after {:?}", enforced(&pods, "/third").await);
    said(&cluster, &namespace, 3).await;
}
