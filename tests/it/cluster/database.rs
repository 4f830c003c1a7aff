//! Replicas that the operator deploys over one PostgreSQL: they start with the URL of its Secret, share what is in it, and are replaced
//! when another password stands there.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::cluster::operator::Operator;
use tests::http::{get, post};
use tests::postgres::{PASSWORD, Postgres};
use tests::resources::ADMIN_PASSWORD;
use tests::wait;

const RESOURCES: &str = "
apiVersion: v1
kind: Secret
metadata: {name: admin, namespace: HOME}
stringData: {password: only a sample of a password}
---
apiVersion: authd.dev/v1alpha1
kind: Authd
metadata: {name: main, namespace: HOME}
spec:
  publicUrl: http://auth.demo.localhost:8000
  replicas: 2
  bootstrapAdmin: {email: admin@example.com, passwordSecretRef: {name: admin, key: password}}
  passwords: {bcryptCost: 10}
  trustedProxies: [127.0.0.0/8]
  encryptionKeys: [{name: shared, key: encryption}]
  database: {postgresSecretRef: {name: shared, key: url}}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: accounts, namespace: HOME}
spec: {displayName: Accounts, password: {}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {name: accounts, namespace: HOME}
spec:
  providerRef: {name: accounts}
  roles: [{role: operator, whenAny: [{claim: email, glob: '*@operations.example.com'}]}]
  onNoMatch: Keep
";

struct Story {
    cluster: Cluster,
    namespace: String,
}

impl Story {
    /// The Secret that both the operator and the Pods read.
    async fn share(&self, url: &str) {
        let texts = json!({"url": url, "encryption": "a sample of what is sealed with, by all"});
        let metadata = json!({"name": "shared", "namespace": self.namespace});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts});
        self.cluster.apply(&secret.to_string()).await.ok();
    }

    async fn read(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["-n", &self.namespace, "-o", "json"]].concat();
        self.cluster.kubectl(&arguments).await.json()
    }

    /// Waits until as many Pods are ready as there shall be, and no others are left, and returns their names and addresses.
    async fn pods(&self, but: &BTreeSet<String>) -> Vec<(String, String)> {
        wait::within(std::time::Duration::from_secs(60), "the Pods are ready", || async {
            let pods = self.read(&["get", "pods"]).await;
            let pods = pods["items"].as_array().cloned().unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let named = pods
                .iter()
                .map(|pod| (text(&pod["metadata"]["name"]), text(&pod["status"]["podIP"])));
            let named: Vec<(String, String)> = named.collect();
            let are_ready = pods
                .iter()
                .all(|pod| pod["status"]["containerStatuses"][0]["ready"] == true);
            let are_new = named.iter().all(|(name, _)| !but.contains(name));
            if named.len() == 2 && are_ready && are_new {
                Ok(named)
            } else {
                Err(format!("{named:?}"))
            }
        })
        .await
    }

    async fn said(&self, expected: &str) {
        let condition = format!("--for=condition={expected}");
        let wait = ["wait", &condition, "--timeout=60s", "authd/main", "-n", &self.namespace];
        self.cluster.kubectl(&wait).await.ok();
    }

    async fn deployment(&self) -> Value {
        self.read(&["get", "deployment", "main"]).await
    }
}

async fn sign_in(address: &str) -> String {
    let body = json!({"email": "admin@example.com", "password": ADMIN_PASSWORD});
    let answer = post(format!("http://{address}:8080/api/v1/auths/signin"))
        .json(&body)
        .send()
        .await;
    answer.expect("sign in", 200).text("token")
}

async fn me(address: &str, token: &str) -> u16 {
    get(format!("http://{address}:8080/api/v1/auths/"))
        .bearer(token)
        .send()
        .await
        .status
}

#[tokio::test]
async fn pods_share_the_database_of_their_secret_and_are_replaced_when_its_password_is_another() {
    let postgres = Postgres::start().await;
    let url = postgres.database();
    let cluster = Cluster::start().await;
    super::install_kinds(&cluster).await;
    let home = cluster.namespace("home").await;
    let namespace = home.to_string();
    let story = Story { cluster, namespace };
    let operator = Operator::start(&story.cluster, &[&story.namespace], &[]).await;
    story.share(&url).await;
    story
        .cluster
        .apply(&RESOURCES.replace("HOME", &story.namespace))
        .await
        .ok();
    story.said("Ready").await;

    let first = story.pods(&BTreeSet::new()).await;
    let deployed = story.deployment().await;
    assert!(!deployed.to_string().contains(PASSWORD), "the password stands nowhere");
    let token = sign_in(&first[0].1).await;
    assert_eq!(me(&first[1].1, &token).await, 200, "what one wrote the other reads");

    // The password is changed: in the database, then in the Secret.
    let role = url.rsplit('/').next().unwrap_or_default();
    postgres.sql("postgres", &format!("ALTER ROLE {role} PASSWORD 'another'"));
    let written = PASSWORD.replace(' ', "%20");
    story.share(&url.replace(&written, "another")).await;
    let names = first.iter().map(|(name, _)| name.clone()).collect();
    let second = story.pods(&names).await;
    for (_, address) in &second {
        assert_eq!(me(address, &token).await, 200, "nobody is signed out");
        sign_in(address).await;
    }

    // What cannot be read for the moment replaces nothing.
    let before = story.deployment().await["metadata"]["generation"].clone();
    story
        .cluster
        .kubectl(&["delete", "secret", "shared", "-n", &story.namespace])
        .await
        .ok();
    story.said("Accepted=False").await;
    assert_eq!(story.deployment().await["metadata"]["generation"], before);
    assert_eq!(me(&second[0].1, &token).await, 200);
    drop(operator);
}
