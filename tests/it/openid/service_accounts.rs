//! Programs in a Kubernetes cluster show the tokens of their ServiceAccounts. A real API server signs them, and serves its keys.

use serde_json::json;
use tests::cluster::Cluster;
use tests::wait;
use tests::world::World;

use super::trial::world;

/// As `--service-account-issuer` of the cluster says it.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A token that the API server makes for an account, for these audiences; without any, for the API server itself.
async fn token(cluster: &Cluster, namespace: &str, account: &str, audiences: &[&str]) -> String {
    let audiences: Vec<String> = audiences.iter().map(|name| format!("--audience={name}")).collect();
    let mut arguments = vec!["create", "token", account, "--namespace", namespace];
    arguments.extend(audiences.iter().map(String::as_str));
    cluster.kubectl(&arguments).await.ok().trim().to_owned()
}

/// Lets everybody read the cluster's keys, and waits until they can: whoever fails once waits half a minute before trying again.
async fn publish_keys(cluster: &Cluster, namespace: &str) {
    let name = format!("{namespace}-keys");
    let role = "--clusterrole=system:service-account-issuer-discovery";
    let bind = [
        "create",
        "clusterrolebinding",
        &name,
        role,
        "--group=system:unauthenticated",
    ];
    cluster.kubectl(&bind).await.ok();
    let strangers = ["--as=system:anonymous", "--as-group=system:unauthenticated"];
    let read = [&["get", "--raw", "/openid/v1/jwks"], &strangers[..]].concat();
    wait::until("strangers may read the keys", || async {
        cluster.kubectl(&read).await.attempt()
    })
    .await;
}

fn resources(cluster: &Cluster, namespace: &str) -> String {
    let authority = std::fs::read_to_string(cluster.certificate_authority()).expect("the cluster has an authority");
    let (authority, address) = (json!(authority), cluster.address());
    format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: cluster, namespace: demo}}
spec:
  jwt:
    issuer: {ISSUER}
    audiences: [authd]
    algorithms: [RS256]
    jwksUrl: {address}/openid/v1/jwks
    outbound: {{allowedNetworks: [127.0.0.0/8], caSecretRef: {{name: cluster-ca, key: ca.crt}}}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: cluster, namespace: demo}}
spec:
  providerRef: {{name: cluster}}
  roles:
    - {{role: user, whenAny: [{{claim: sub, equals: 'system:serviceaccount:{namespace}:ci'}}]}}
    - {{role: admin, whenAny: [{{claim: kubernetes.io.serviceaccount.name, equals: root}}]}}
  onNoMatch: Deny
---
apiVersion: v1
kind: Secret
metadata: {{name: cluster-ca, namespace: demo}}
stringData: {{ca.crt: {authority}}}
"
    )
}

/// What the gate says to a token at a path.
async fn asks(world: &World, path: &str, token: &str) -> u16 {
    world.forward("GET", path).bearer(token).send().await.status
}

#[tokio::test]
async fn the_token_of_a_service_account_opens_what_its_mapping_says_and_nothing_else() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("machines").await;
    for account in ["ci", "root", "guest"] {
        let create = ["create", "serviceaccount", account, "--namespace", &namespace];
        cluster.kubectl(&create).await.ok();
    }
    publish_keys(cluster, &namespace).await;
    let world = world(&resources(cluster, &namespace)).await;

    let ci = token(cluster, &namespace, "ci", &["authd"]).await;
    wait::until("the keys are there", || async {
        match asks(&world, "/x", &ci).await {
            200 => Ok(()),
            status => Err(format!("{status} {:?}", world.authd.log().last())),
        }
    })
    .await;
    let answer = world.forward("GET", "/x").bearer(&ci).send().await;
    assert_eq!(
        answer.header("x-auth-user"),
        format!("cluster:system:serviceaccount:{}:ci", &*namespace)
    );
    assert_eq!(answer.header("x-auth-roles"), "user");
    assert_eq!(asks(&world, "/admin", &ci).await, 403, "a right that no mapping gives");
    let root = token(cluster, &namespace, "root", &["authd"]).await;
    assert_eq!(asks(&world, "/admin", &root).await, 200, "a claim inside another");
    let several = token(cluster, &namespace, "ci", &["vault", "authd"]).await;
    assert_eq!(asks(&world, "/x", &several).await, 200, "for others too");

    let default = token(cluster, &namespace, "ci", &[]).await;
    let vault = token(cluster, &namespace, "ci", &["vault"]).await;
    let guest = token(cluster, &namespace, "guest", &["authd"]).await;
    let (text, signature) = ci.rsplit_once('.').expect("a token has parts");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let spoilt = format!("{text}.{first}{}", &signature[1..]);
    for (row, token, reason) in [
        ("A29 for the API server", default, "WrongAudience"),
        ("A29 for somebody else", vault, "WrongAudience"),
        ("an account that no mapping names", guest, "NotAdmitted"),
        ("A19", spoilt, "BadSignature"),
    ] {
        assert_eq!(asks(&world, "/x", &token).await, 401, "{row}");
        let said = format!("\"reason\":\"{reason}\"");
        wait::until(row, || async {
            let lines = world.authd.log();
            let last = lines.iter().rev().find(|line| line.contains("\"event\":\"Refused\""));
            last.filter(|line| line.contains(&said))
                .map(drop)
                .ok_or(format!("{last:?}"))
        })
        .await;
    }
    assert_eq!(asks(&world, "/x", &ci).await, 200, "control");
}
