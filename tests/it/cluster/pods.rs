//! Pods run, follow their Secrets, are replaced when they end, and go on while the API server is away.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use tests::cluster::Cluster;
use tests::http::get;
use tests::wait;

/// Two Pods that show the files of their Secret, as somebody would write it who knows no node but a kubelet.
fn web(namespace: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Secret
metadata: {{name: pages, namespace: {namespace}}}
stringData: {{index.html: first}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: registry.example.com/web:1.0
        args: [--bind, $(ADDRESS), '8080', --directory, /srv/pages]
        env:
        - name: ADDRESS
          valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}
        ports: [{{name: http, containerPort: 8080}}]
        readinessProbe: {{httpGet: {{path: /index.html, port: http}}}}
        volumeMounts:
        - {{name: pages, mountPath: /srv/pages, readOnly: true}}
        - {{name: all, mountPath: /var/all}}
      volumes:
      - {{name: pages, secret: {{secretName: pages}}}}
      - name: all
        projected:
          sources:
          - secret: {{name: pages, items: [{{key: index.html, path: deep/page}}]}}
          - secret: {{name: absent, optional: true}}
          - serviceAccountToken: {{path: token, audience: somebody}}
          - downwardAPI: {{items: [{{path: labels/app, fieldRef: {{fieldPath: \"metadata.labels['app']\"}}}}]}}
"
    )
}

async fn start(cluster: &Cluster, namespace: &str) {
    cluster.node().image("web", &["python3", "-u", "-m", "http.server"]);
    cluster.apply(&web(namespace)).await.ok();
    let rollout = [
        "rollout",
        "status",
        "deployment/web",
        "--timeout=60s",
        "--namespace",
        namespace,
    ];
    cluster.kubectl(&rollout).await.ok();
}

/// The Pods' names and addresses, as the API server has them.
async fn pods(cluster: &Cluster, namespace: &str) -> Vec<(String, String)> {
    let list = ["get", "pods", "--namespace", namespace, "-o", "json"];
    let list = cluster.kubectl(&list).await.json();
    let text = |pod: &Value, pointer| {
        pod.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|pod| (text(pod, "/metadata/name"), text(pod, "/status/podIP")))
        .collect()
}

async fn page(address: &str) -> Result<String, String> {
    let answer = get(format!("http://{address}:8080/index.html")).attempt().await?;
    Ok(answer.body)
}

async fn shows(address: &str, expected: &str) {
    wait::until("the page is shown", || async {
        page(address)
            .await
            .and_then(|page| if page == expected { Ok(()) } else { Err(page) })
    })
    .await;
}

async fn patch(cluster: &Cluster, namespace: &str, page: &str) {
    let patch = serde_json::json!({"stringData": {"index.html": page}}).to_string();
    let arguments = ["patch", "secret", "pages", "--namespace", namespace, "--patch", &patch];
    cluster.kubectl(&arguments).await.ok();
}

#[tokio::test]
async fn a_deployment_gets_its_pods_and_a_killed_one_is_started_again() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("pods").await;
    start(cluster, &namespace).await;

    let pods = pods(cluster, &namespace).await;
    let addresses: BTreeSet<&str> = pods.iter().map(|(_, address)| address.as_str()).collect();
    assert_eq!((pods.len(), addresses.len()), (2, 2), "{pods:?}");
    for address in &addresses {
        assert_eq!(page(address).await, Ok("first".to_owned()));
    }
    let slices = [
        "get",
        "pods",
        "--namespace",
        &namespace,
        "--field-selector=status.phase=Running",
        "-o",
        "name",
    ];
    assert_eq!(cluster.kubectl(&slices).await.ok().lines().count(), 2);

    let (name, address) = &pods[0];
    let before = cluster.node().process_ids(&namespace, name);
    cluster.node().signal(&namespace, name, Signal::KILL);
    wait::until("another process answers", || async {
        let after = cluster.node().process_ids(&namespace, name);
        if after.is_empty() || after == before {
            return Err(format!("{after:?}"));
        }
        page(address).await
    })
    .await;
    wait::until("the restart is told", || async {
        let read = ["get", "pod", name, "--namespace", &namespace, "-o", "json"];
        let pod = cluster.kubectl(&read).await.json();
        let status = &pod["status"]["containerStatuses"][0];
        let is_told = status["restartCount"] == 1
            && status["lastState"]["terminated"]["exitCode"] == 137
            && status["ready"] == true;
        if is_told { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_pod_ends_and_another_takes_its_place() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("deleted").await;
    start(cluster, &namespace).await;
    let (name, address) = pods(cluster, &namespace).await.remove(0);
    let process = cluster.node().process_ids(&namespace, &name)[0];

    cluster
        .kubectl(&["delete", "pod", &name, "--namespace", &namespace])
        .await
        .ok();
    assert!(!Path::new(&format!("/proc/{process}")).exists(), "{process} runs");
    assert!(page(&address).await.is_err());
    let rollout = [
        "rollout",
        "status",
        "deployment/web",
        "--timeout=60s",
        "--namespace",
        &namespace,
    ];
    cluster.kubectl(&rollout).await.ok();
    assert!(pods(cluster, &namespace).await.iter().all(|pod| pod.0 != name));

    cluster
        .kubectl(&["delete", "deployment", "web", "--namespace", &namespace])
        .await
        .ok();
    wait::until("no Pod is left", || async {
        let left = pods(cluster, &namespace).await;
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn a_mounted_secret_follows_the_secret_unless_it_is_held() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("mounted").await;
    start(cluster, &namespace).await;
    let (name, address) = pods(cluster, &namespace).await.remove(0);

    let projected = cluster.node().volume(&namespace, &name, "all");
    let read = |path: &str| std::fs::read_to_string(projected.join(path)).unwrap();
    assert_eq!(
        (read("deep/page"), read("labels/app")),
        ("first".to_owned(), "web".to_owned())
    );
    assert_eq!(read("token").split('.').count(), 3);

    patch(cluster, &namespace, "second").await;
    shows(&address, "second").await;
    wait::until("the other volume shows it too", || async {
        let page = read("deep/page");
        if page == "second" { Ok(()) } else { Err(page) }
    })
    .await;

    cluster.node().pause_volumes(&namespace);
    patch(cluster, &namespace, "third").await;
    let other = cluster.namespace("other").await;
    start(cluster, &other).await;
    patch(cluster, &other, "fresh").await;
    let (_, others) = pods(cluster, &other).await.remove(0);
    shows(&others, "fresh").await;
    assert_eq!(page(&address).await, Ok("second".to_owned()));
    cluster.node().resume_volumes(&namespace);
    shows(&address, "third").await;
}

#[tokio::test]
async fn a_container_has_its_own_files_and_the_service_accounts_credentials() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("files").await;
    let script = "set -e; cd /var/run/secrets/kubernetes.io/serviceaccount; cat namespace; echo; ls; echo hidden > /authd-was-here
        pwd > /data/kept; touch token 2>/dev/null || echo read-only
        curl -sS --cacert ca.crt -H \"Authorization: Bearer $(cat token)\" \
            https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/apis/authentication.k8s.io/v1/selfsubjectreviews \
            -H 'Content-Type: application/json' -d '{}'";
    let pod = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "curious", "namespace": *namespace},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "shell", "image": "shell", "args": [script],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    });
    cluster.node().image("shell", &["sh", "-c"]);
    cluster.apply(&pod.to_string()).await.ok();
    let ended = [
        "wait",
        "pod/curious",
        "--for=jsonpath={.status.phase}=Succeeded",
        "--timeout=30s",
    ];
    let ended: Vec<&str> = ended.into_iter().chain(["--namespace", &namespace]).collect();
    let said = cluster.kubectl(&ended).await;
    let log = cluster.node().log(&namespace, "curious");
    let text = log.join("\n");
    assert!(said.success, "{said:?} {text}");
    assert!(
        text.starts_with(&format!("{namespace}\nca.crt\nnamespace\ntoken\nread-only\n")),
        "{text}"
    );
    assert!(
        text.contains(&format!("system:serviceaccount:{namespace}:default")),
        "{text}"
    );
    assert!(!Path::new("/authd-was-here").exists());
    let kept = cluster.node().volume(&namespace, "curious", "data").join("kept");
    assert!(std::fs::read_to_string(kept).unwrap().ends_with("serviceaccount\n"));
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("broken").await;
    for (name, image, volume, expected) in [
        (
            "image",
            "nobody/knows:1",
            "{emptyDir: {}}",
            "ErrImagePull: image `nobody/knows:1` stands for no program",
        ),
        (
            "volume",
            "true",
            "{secret: {secretName: absent}}",
            "ContainerCreating: volume `data`: `absent` not found",
        ),
        ("crash", "false", "{emptyDir: {}}", "CrashLoopBackOff: ended with 1: "),
    ] {
        cluster.node().image("true", &["true"]);
        cluster.node().image("false", &["false"]);
        let volume = volume.strip_prefix('{').unwrap();
        let pod = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{
               containers: [{{name: main, image: '{image}'}}], volumes: [{{name: data, {volume}]}}}}"
        );
        cluster.apply(&pod).await.ok();
        wait::until(expected, || async {
            let read = ["get", "pod", name, "--namespace", &namespace, "-o", "json"];
            let status = &cluster.kubectl(&read).await.json()["status"]["containerStatuses"][0];
            let waiting = &status["state"]["waiting"];
            let said = format!(
                "{}: {}",
                waiting["reason"].as_str().unwrap_or_default(),
                waiting["message"].as_str().unwrap_or_default()
            );
            if said.starts_with(expected) {
                Ok(())
            } else {
                Err(format!("{said} {status}"))
            }
        })
        .await;
    }
}

#[tokio::test]
async fn pods_and_data_outlive_the_api_server() {
    let mut cluster = Cluster::start().await;
    let namespace = cluster.namespace("outage").await;
    start(&cluster, &namespace).await;
    let before = pods(&cluster, &namespace).await;
    let (name, address) = before[0].clone();
    let processes = cluster.node().process_ids(&namespace, &name);

    cluster.stop_api_server();
    let read = ["get", "pods", "--namespace", &namespace, "-o", "name"];
    let refusal = cluster.kubectl(&read).await.refused();
    assert!(refusal.contains("refused"), "{refusal}");
    // Another that ends is started again: nobody has to be asked for that.
    cluster.node().signal(&namespace, &before[1].0, Signal::KILL);
    shows(&before[1].1, "first").await;
    assert_eq!(page(&address).await, Ok("first".to_owned()));

    cluster.start_api_server().await;
    assert_eq!(pods(&cluster, &namespace).await, before);
    assert_eq!(cluster.node().process_ids(&namespace, &name), processes);
    patch(&cluster, &namespace, "second").await;
    shows(&address, "second").await;

    cluster.pause_api_server();
    let hurried = ["get", "pods", "--namespace", &namespace, "--request-timeout=1s"];
    cluster.kubectl(&hurried).await.refused();
    assert_eq!(page(&address).await, Ok("second".to_owned()));
    cluster.resume_api_server();
    patch(&cluster, &namespace, "third").await;
    shows(&address, "third").await;
}
