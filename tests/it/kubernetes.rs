//! The whole of it in a cluster: installed by Helm, declared with kubectl, asked through nginx, and answering whatever is down.

use serde_json::json;
use tests::cluster::{Cluster, Namespace};
use tests::http::{Answer, Request, get, post};
use tests::proxy::{Kind, Proxy};
use tests::{repository, wait};

/// The quickstart as a platform team would apply it: the operator makes the keys.
fn resources(namespace: &str, port: u16) -> String {
    format!(
        "
apiVersion: v1
kind: Secret
metadata: {{name: admin, namespace: {namespace}}}
stringData: {{password: only a sample of a password}}
---
apiVersion: authd.dev/v1alpha1
kind: Authd
metadata: {{name: main, namespace: {namespace}}}
spec:
  publicUrl: http://auth.demo.localhost:{port}
  cookie: {{domain: demo.localhost}}
  passwords: {{bcryptCost: 10}}
  bootstrapAdmin: {{email: admin@example.com, passwordSecretRef: {{name: admin, key: password}}}}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: accounts, namespace: {namespace}}}
spec: {{displayName: Accounts, password: {{}}}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: accounts, namespace: {namespace}}}
spec:
  providerRef: {{name: accounts}}
  roles: [{{role: operator, whenAny: [{{claim: email, glob: '*@operations.example.com'}}]}}]
  onNoMatch: Keep
---
apiVersion: authd.dev/v1alpha1
kind: ApiKey
metadata: {{name: ci, namespace: {namespace}}}
spec: {{owner: {{service: ci}}, secretName: ci-api-key, expiresAfter: 90d}}
---
{}",
        policy(namespace, "")
    )
}

fn policy(namespace: &str, more: &str) -> String {
    format!(
        "
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: app, namespace: {namespace}}}
spec:
  hosts: [app.demo.localhost]
  rules:
    - {{paths: [/public], methods: [GET], allow: {{anyone: true}}}}
    - {{paths: [/admin], allow: {{roles: [admin]}}}}
    - {{allow: {{roles: [user, admin], services: [{namespace}/ci]}}}}
{more}"
    )
}

/// What is asked, by whom, and what was answered.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    stranger: u16,
    anyone: u16,
    key: u16,
    key_at_admin: u16,
    admin: u16,
}

struct Story<'a> {
    cluster: &'a mut Cluster,
    namespace: String,
    port: u16,
    key: String,
    token: String,
}

impl Story<'_> {
    /// A request to nginx for a host below `demo.localhost`.
    fn at(&self, host: &str, request: impl FnOnce(String) -> Request, path: &str) -> Request {
        let host = format!("{host}.demo.localhost:{}", self.port);
        request(format!("http://127.0.0.1:{}{path}", self.port)).header("host", host)
    }

    async fn ask(&self, path: &str, credential: &str) -> u16 {
        let request = self.at("app", get, path).header("accept", "application/json");
        let request = if credential.is_empty() {
            request
        } else {
            request.bearer(credential)
        };
        request.send().await.status
    }

    async fn answers(&self) -> Answers {
        Answers {
            stranger: self.ask("/", "").await,
            anyone: self.ask("/public", "").await,
            key: self.ask("/", &self.key).await,
            key_at_admin: self.ask("/admin", &self.key).await,
            admin: self.ask("/admin", &self.token).await,
        }
    }

    async fn settled(&self) {
        for kind in ["authd", "authprovider", "rolemapping", "apikey", "accesspolicy"] {
            let wait = [
                "wait",
                "--for=condition=Ready",
                "--timeout=60s",
                "--all",
                kind,
                "-n",
                &self.namespace,
            ];
            self.cluster.kubectl(&wait).await.ok();
        }
    }

    async fn pods(&self, namespace: &str) -> Vec<(String, String)> {
        let pods = self
            .cluster
            .kubectl(&["get", "pods", "-n", namespace, "-o", "json"])
            .await
            .json();
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        pods.iter()
            .map(|pod| (text(&pod["metadata"]["name"]), text(&pod["status"]["podIP"])))
            .collect()
    }

    async fn secret(&self, name: &str, entry: &str) -> String {
        use base64::Engine as _;
        let path = format!("jsonpath={{.data.{entry}}}");
        let text = self
            .cluster
            .kubectl(&["get", "secret", name, "-n", &self.namespace, "-o", &path])
            .await
            .ok();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

async fn install(cluster: &Cluster, system: &Namespace, namespace: &str) {
    let chart = repository().join("charts/authd");
    let opted_in = format!("namespaces={{{namespace}}}");
    let install = [
        "install",
        "authd",
        chart.to_str().unwrap(),
        "-n",
        system,
        "--set",
        &opted_in,
        "--wait",
        "--timeout",
        "60s",
    ];
    cluster.helm(&install).await.ok();
}

#[tokio::test]
async fn a_cluster_from_helm_install_to_an_outage_and_back() {
    let mut cluster = Cluster::start().await;
    let system = cluster.namespace("system").await;
    let home = cluster.namespace("auth").await;
    let namespace = home.to_string();
    install(&cluster, &system, &namespace).await;
    let port = Proxy::port();
    cluster.apply(&resources(&namespace, port)).await.ok();
    let mut story = Story {
        cluster: &mut cluster,
        namespace: namespace.clone(),
        port,
        key: String::new(),
        token: String::new(),
    };
    story.settled().await;
    let columns = story
        .cluster
        .kubectl(&["get", "accesspolicy,apikey,authd", "-n", &namespace])
        .await
        .ok();
    assert!(columns.contains("1/1"), "{columns}");

    let (replica, address) = story.pods(&namespace).await.into_iter().next().unwrap();
    let (public, verify) = (format!("http://{address}:8080"), format!("http://{address}:8081"));
    let nginx = Proxy::start(
        Kind::Nginx,
        port,
        &[("8080", &public), ("8081", &verify)],
        "demo.localhost",
    )
    .await;
    story.key = story.secret("ci-api-key", "api-key").await;
    let credentials = json!({ "email": "admin@example.com", "password": story.secret("admin", "password").await });
    let signed_in = story
        .at("auth", post, "/api/v1/auths/signin")
        .json(&credentials)
        .send()
        .await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    story.token = signed_in.json()["token"].as_str().unwrap().to_owned();
    let open = Answers {
        stranger: 401,
        anyone: 200,
        key: 200,
        key_at_admin: 403,
        admin: 200,
    };
    assert_eq!(story.answers().await, open, "{:?}", nginx.errors());

    // A policy is changed: once it is Ready, every replica enforces it.
    let forbid = "  cedar: 'forbid (principal is Service, action, resource);'\n";
    story.cluster.apply(&policy(&namespace, forbid)).await.ok();
    story.settled().await;
    let closed = Answers {
        key: 403,
        ..Answers { ..open }
    };
    assert_eq!(story.answers().await, closed);

    // A mistake changes nothing but its own status.
    let mistake = "  cedar: 'forbid (nobody);'\n".to_owned();
    let broken = policy(&namespace, &mistake)
        .replace("name: app,", "name: broken,")
        .replace("app.demo", "broken.demo");
    story.cluster.apply(&broken).await.ok();
    let refused = [
        "wait",
        "--for=condition=Ready=False",
        "--timeout=20s",
        "accesspolicy/broken",
        "-n",
        &namespace,
    ];
    story.cluster.kubectl(&refused).await.ok();
    assert_eq!(story.answers().await, closed);
    story
        .cluster
        .kubectl(&["delete", "accesspolicy", "broken", "-n", &namespace])
        .await
        .ok();

    // Nobody is there to run it, and everything is answered as before; a replica that ends comes back by itself.
    for (pod, _) in story.pods(&system).await {
        story
            .cluster
            .node()
            .signal(&system, &pod, rustix::process::Signal::KILL);
    }
    story.cluster.stop_api_server();
    assert_eq!(story.answers().await, closed);
    story
        .cluster
        .node()
        .signal(&namespace, &replica, rustix::process::Signal::KILL);
    wait::until("the replica is back", || async {
        let ready: Answer = get(format!("http://{address}:9090/readyz")).attempt().await?;
        if ready.status == 200 {
            Ok(())
        } else {
            Err(ready.status.to_string())
        }
    })
    .await;
    assert_eq!(
        story.answers().await,
        closed,
        "from its own disk and the mounted Secrets"
    );

    story.cluster.start_api_server().await;
    story.cluster.apply(&policy(&namespace, "")).await.ok();
    story.settled().await;
    assert_eq!(story.answers().await, open);
}
