//! authd runs in Pods as it does anywhere else, and follows resources that a Secret mounts.

use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::http::get;
use tests::resources::{POLICIES, REST, instance};
use tests::wait;

fn deployment(namespace: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: authd, namespace: {namespace}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: authd}}}}
  template:
    metadata: {{labels: {{app: authd}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: authd
        image: registry.example.com/authd:0.1.0
        args: [serve, --resources, /etc/authd, --data, /data, --public, '$(IP):8080', --verify, '$(IP):8081', --grpc, '$(IP):8082', --admin, '$(IP):9090']
        env: [{{name: IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}]
        readinessProbe: {{httpGet: {{path: /readyz, port: 9090}}}}
        livenessProbe: {{httpGet: {{path: /livez, port: 9090}}}}
        volumeMounts: [{{name: resources, mountPath: /etc/authd, readOnly: true}}, {{name: data, mountPath: /data}}]
      volumes: [{{name: resources, secret: {{secretName: resources}}}}, {{name: data, emptyDir: {{}}}}]
"
    )
}

async fn snapshot(address: &str) -> Result<String, String> {
    let answer = get(format!("http://{address}:9090/snapshot")).attempt().await?;
    if answer.status == 200 {
        Ok(answer.body)
    } else {
        Err(answer.body)
    }
}

fn digest(snapshot: &str) -> Value {
    serde_json::from_str::<Value>(snapshot).unwrap()["digest"].clone()
}

#[tokio::test]
async fn pods_of_authd_serve_what_their_secret_holds_and_follow_it() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("authd").await;
    let secret = |policies: &str| {
        let files = json!({"authd.yaml": instance(""), "rest.yaml": REST, "policies.yaml": policies});
        let metadata = json!({"name": "resources", "namespace": *namespace});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": files}).to_string()
    };
    cluster.apply(&secret(POLICIES)).await.ok();
    cluster.apply(&deployment(&namespace)).await.ok();
    let rollout = [
        "rollout",
        "status",
        "deployment/authd",
        "--timeout=60s",
        "--namespace",
        &namespace,
    ];
    cluster.kubectl(&rollout).await.ok();

    let addresses = [
        "get",
        "pods",
        "-o",
        "jsonpath={.items[*].status.podIP}",
        "--namespace",
        &namespace,
    ];
    let addresses = cluster.kubectl(&addresses).await.ok();
    assert_eq!(addresses.split_whitespace().count(), 2, "{addresses}");
    let first = addresses.split_whitespace().next().unwrap();
    let before = snapshot(first).await.unwrap();
    cluster
        .apply(&secret(&POLICIES.replace("*.wild.test", "*.tame.test")))
        .await
        .ok();
    for address in addresses.split_whitespace() {
        wait::until("the change is served", || async {
            let after = snapshot(address).await?;
            if digest(&after) == digest(&before) {
                Err(after)
            } else {
                Ok(())
            }
        })
        .await;
    }
}
