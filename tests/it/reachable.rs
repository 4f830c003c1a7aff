//! How providers fare: every replica finds out by itself, and whoever runs them is told where they look, in the status of each
//! AuthProvider above all.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::cluster::operator::Operator;
use tests::cluster::{Cluster, Namespace};
use tests::http::{get, post};
use tests::ldap::open_ldap::{APPLICATION, APPLICATION_PASSWORD, BASE};
use tests::ldap::{Authority, OpenLdap};
use tests::openid::Client;
use tests::openid::misbehaving::{Fault, Misbehaving, Trouble};
use tests::resources::{Folder, ROOMY};
use tests::wait;
use tests::window::Window;
use tests::world::World;

/// Longer than a question, its answer, a Lease and a round may take on a machine that is busy.
const SOON: Duration = Duration::from_secs(30);
/// Where browsers find authd.
const PUBLIC: &str = "http://auth.test.localhost:8000";
/// Where an OpenID provider says who it is.
const METADATA: &str = "/.well-known/openid-configuration";

/// A directory whose authority is in a ConfigMap, and an OpenID provider.
fn providers(namespace: &str, server: &OpenLdap, issuer: &str) -> String {
    format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: company, namespace: {namespace}}}
spec:
  ldap:
    urls: ['{}']
    tls: {{caConfigMapRef: {{name: authorities, key: ca.crt}}}}
    bind: {{application: {{name: '{APPLICATION}', passwordSecretRef: {{name: company, key: password}}}}}}
    search: {{base: 'ou=people,{BASE}', filter: '(uid={{username}})'}}
    limits: {{connect: 2s, operation: 2s}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: company, namespace: {namespace}}}
spec: {{providerRef: {{name: company}}, roles: [{{role: user, whenAny: [{{claim: username, glob: '*'}}]}}]}}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: corporate, namespace: {namespace}}}
spec:
  oidc:
    issuer: {issuer}
    clientId: authd
    clientSecretRef: {{name: company, key: password}}
    outbound: {{allowedNetworks: [127.0.0.0/8]}}
{}{}",
        server.ldaps(),
        password(namespace, APPLICATION_PASSWORD),
        authorities(namespace, &server.authority),
    )
}

fn password(namespace: &str, password: &str) -> String {
    let metadata = json!({"name": "company", "namespace": namespace});
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": password}});
    format!("---\n{secret}\n")
}

fn authorities(namespace: &str, pem: &str) -> String {
    let metadata = json!({"name": "authorities", "namespace": namespace});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": pem}});
    format!("---\n{map}\n")
}

async fn openid() -> Misbehaving {
    let client = Client {
        id: "authd".to_owned(),
        secret: Some(APPLICATION_PASSWORD.to_owned()),
        redirect_uris: format!("{PUBLIC}/oauth/"),
    };
    Misbehaving::start(client).await
}

async fn directory() -> OpenLdap {
    let server = OpenLdap::start().await;
    server.person("ann");
    server
}

/// Each Event, as `type name reason message`.
const EACH_EVENT: &str = "jsonpath={range .items[*]}{.type} {.involvedObject.name} {.reason} {.message}{\"\\n\"}{end}";

/// A cluster with an operator, and two replicas of an instance that has both providers.
struct Story {
    cluster: Cluster,
    home: Namespace,
    operator: Operator,
    server: OpenLdap,
    openid: Misbehaving,
}

impl Story {
    async fn begin() -> Self {
        let cluster = Cluster::start().await;
        super::cluster::install_kinds(&cluster).await;
        let home = cluster.namespace("home").await;
        let (server, openid) = tokio::join!(directory(), openid());
        let operator = Operator::start(&cluster, &[&home], &[]).await;
        let instance = format!(
            "{{apiVersion: authd.dev/v1alpha1, kind: Authd, metadata: {{name: main, namespace: {}}},
               spec: {{publicUrl: '{PUBLIC}', replicas: 2}}}}\n",
            &*home
        );
        let providers = providers(&home, &server, &openid.issuer("corporate"));
        cluster.apply(&format!("{instance}{providers}")).await.ok();
        Self {
            cluster,
            home,
            operator,
            server,
            openid,
        }
    }

    async fn read(&self, arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-n", &self.home]).collect();
        self.cluster.kubectl(&arguments).await.attempt()
    }

    /// A condition of a provider, as `status reason message`.
    async fn condition(&self, provider: &str, condition: &str) -> Result<String, String> {
        let path = format!(
            "jsonpath={{range .status.conditions[?(@.type==\"{condition}\")]}}{{.status}} {{.reason}} {{.message}}{{end}}"
        );
        self.read(&["get", "authprovider", provider, "-o", &path]).await
    }

    /// Waits until the status of a provider says so.
    async fn says(&self, provider: &str, expected: &str) -> String {
        wait::within(SOON, &format!("{provider}: {expected}"), || async {
            let said = self.condition(provider, "Reachable").await?;
            if said.starts_with(expected) {
                Ok(said)
            } else {
                Err(said)
            }
        })
        .await
    }

    async fn issuer(&self) -> String {
        let path = "jsonpath={.status.issuer}";
        self.read(&["get", "authprovider", "corporate", "-o", path])
            .await
            .unwrap_or_default()
    }

    async fn apply(&self, yaml: &str) {
        self.cluster.apply(yaml).await.ok();
    }

    /// What each replica's Lease says of providers, and when it was renewed.
    async fn leases(&self) -> Vec<(String, String)> {
        let read = self
            .read(&["get", "leases", "-l", "authd.dev/instance=main", "-o", "json"])
            .await;
        let read: Value = serde_json::from_str(&read.unwrap_or_default()).unwrap_or_default();
        let leases = read["items"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        leases
            .iter()
            .map(|lease| {
                (
                    text(&lease["metadata"]["annotations"]["authd.dev/providers"]),
                    text(&lease["spec"]["renewTime"]),
                )
            })
            .collect()
    }

    /// Waits until every replica has renewed its Lease though nothing changed, and nothing was written for that.
    async fn settles(&self) {
        let last = RefCell::new((self.operator.writes().await, Instant::now(), self.leases().await));
        wait::within(
            Duration::from_secs(90),
            "Leases are renewed and nothing is written",
            || async {
                let writes = self.operator.writes().await;
                let leases = self.leases().await;
                let mut last = last.borrow_mut();
                if writes != last.0 {
                    *last = (writes, Instant::now(), leases);
                    return Err(format!("{writes} writes"));
                }
                let renewed = leases.iter().zip(&last.2).filter(|(now, then)| now.1 != then.1).count();
                if renewed == 2 {
                    Ok(())
                } else {
                    Err(format!("{renewed} are renewed"))
                }
            },
        )
        .await;
    }

    /// The addresses of the replicas.
    async fn replicas(&self) -> Vec<String> {
        let addresses = self
            .read(&["get", "pods", "-o", "jsonpath={.items[*].status.podIP}"])
            .await;
        addresses
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    /// Somebody tries to sign in with the directory at each replica.
    async fn sign_in(&self) -> Vec<u16> {
        let body = json!({"user": "ann", "password": "ann's password"});
        let mut answers = Vec::new();
        for replica in self.replicas().await {
            let url = format!("http://{replica}:8080/api/v1/auths/ldap");
            answers.push(post(url).json(&body).send().await.status);
        }
        answers
    }

    async fn patch(&self, resource: &str, patch: &Value) {
        let patched = self
            .read(&["patch", resource, "--type=merge", "-p", &patch.to_string()])
            .await;
        patched.unwrap_or_else(|error| panic!("{resource}: {error}"));
    }
}

#[tokio::test]
async fn a_provider_that_goes_away_and_one_that_refuses_authd_are_told_in_their_status() {
    let mut story = Story::begin().await;
    story.says("company", "True Reachable").await;
    story.says("corporate", "True Reachable").await;
    assert_eq!(story.issuer().await, story.openid.issuer("corporate"));
    // What the operator read of the ConfigMap is what replicas trust.
    assert_eq!(story.sign_in().await, [200, 200]);
    let columns = story.read(&["get", "authproviders"]).await.unwrap_or_default();
    assert!(columns.contains("REACHABLE"), "{columns}");
    story.settles().await;

    // The directory goes away, which replicas notice by themselves, and sooner when somebody tries to sign in.
    story.server.stop();
    assert_eq!(story.sign_in().await, [400, 400]);
    let said = story.says("company", "False ServerUnreachable 2 of 2 replicas: ").await;
    assert!(said.contains(&story.server.ldaps()), "{said}");
    let ready = story.condition("company", "Ready").await;
    assert_eq!(
        ready.unwrap_or_default().trim_end(),
        "True Ready",
        "a provider that is away is no mistake of its resource"
    );
    story.says("corporate", "True Reachable").await;
    story.server.start_again().await;
    story.says("company", "True Reachable").await;
    let events = story
        .read(&["get", "events", "-o", EACH_EVENT])
        .await
        .unwrap_or_default();
    for expected in ["Warning company ServerUnreachable ", "Normal company Reachable"] {
        assert!(events.contains(expected), "{expected}: {events}");
    }
    assert!(!events.contains(" corporate "), "{events}");

    // It refuses the application; the password is told nowhere.
    story.apply(&password(&story.home, "not the password")).await;
    story
        .says("company", "False ApplicationBindRefused 2 of 2 replicas: ")
        .await;
    let all = story
        .read(&["get", "authproviders,leases,events", "-o", "yaml"])
        .await
        .unwrap_or_default();
    assert!(
        !all.contains("not the password") && !all.contains(APPLICATION_PASSWORD),
        "{all}"
    );
    story.apply(&password(&story.home, APPLICATION_PASSWORD)).await;
    story.says("company", "True Reachable").await;

    // Another authority is in the ConfigMap.
    story.apply(&authorities(&story.home, &Authority::new().pem())).await;
    story.says("company", "False CertificateInvalid").await;
    assert_eq!(story.sign_in().await, [400, 400]);
    story.apply(&authorities(&story.home, &story.server.authority)).await;
    story.says("company", "True Reachable").await;
    assert_eq!(story.sign_in().await, [200, 200]);
    story.settles().await;
}

#[tokio::test]
async fn an_openid_provider_that_is_another_and_replicas_that_are_gone_are_told() {
    let story = Story::begin().await;
    let honest = story.openid.issuer("corporate");
    story.says("corporate", "True Reachable").await;
    let with_issuer = |issuer: &str| json!({"spec": {"oidc": {"issuer": issuer}}});
    // A mistake in the resource, which the provider's own metadata shows.
    story
        .patch("authprovider/corporate", &with_issuer(&format!("{honest}/")))
        .await;
    story.says("corporate", "False IssuerMismatch 2 of 2 replicas: ").await;
    assert_eq!(story.issuer().await, "", "nobody says that it is this issuer");
    story.patch("authprovider/corporate", &with_issuer(&honest)).await;
    story.says("corporate", "True Reachable").await;
    assert_eq!(story.issuer().await, honest);

    // Its keys are gone, which the first who tries to sign in finds out.
    story.openid.does("corporate", Fault::At("/keys", Trouble::Status(503)));
    for replica in story.replicas().await {
        let mut window = Window::new(PUBLIC, &format!("http://{replica}:8080"));
        window
            .follow(&format!("{PUBLIC}/oauth/corporate/login"), &format!("{PUBLIC}/account"))
            .await;
    }
    story.says("corporate", "False BadKeys 2 of 2 replicas: ").await;
    assert_eq!(story.issuer().await, honest, "who it is was heard before");
    story.openid.does("corporate", Fault::None);
    story.says("corporate", "True Reachable").await;

    // J10: a tenant declares no provider, and nobody is asked in its name.
    let tenant = story.cluster.namespace("tenant").await;
    let declared = format!(
        "{{apiVersion: authd.dev/v1alpha1, kind: AuthProvider, metadata: {{name: theirs, namespace: {}}}, spec: {{oidc: {{issuer: \
         '{}', clientId: authd, clientAuth: None, outbound: {{allowedNetworks: [127.0.0.0/8]}}}}}}}}",
        &*tenant,
        story.openid.issuer("theirs")
    );
    story.apply(&declared).await;
    wait::within(SOON, "J10: it is told", || async {
        let said = [
            "get",
            "authprovider",
            "theirs",
            "-n",
            &tenant,
            "-o",
            "jsonpath={.status.conditions[*].reason}",
        ];
        let said = story.cluster.kubectl(&said).await.attempt()?;
        if said.contains("HostNotGranted") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    story.settles().await;
    assert_eq!(story.openid.requests("theirs"), 0, "J10: 0 outbound");

    // Nobody is believed who runs no more.
    story.patch("authd/main", &json!({"spec": {"replicas": 0}})).await;
    story.says("corporate", "Unknown NoReplicas").await;
    story.says("company", "Unknown NoReplicas").await;
}

/// What the admin listener says of providers.
async fn listed(world: &World) -> Value {
    get(format!("{}/providers", world.authd.admin))
        .send()
        .await
        .expect("providers", 200)
        .json()
}

#[tokio::test]
async fn without_a_cluster_the_admin_listener_and_the_metrics_tell_the_same() {
    let (mut server, openid) = tokio::join!(directory(), openid());
    openid.does("corporate", Fault::At(METADATA, Trouble::Status(503)));
    let folder = Folder::usual(ROOMY);
    folder.write(
        "providers.yaml",
        &providers("demo", &server, &openid.issuer("corporate")),
    );
    let world = World::of(folder).await;
    let says = async |provider: &str, expected: Value| {
        wait::within(SOON, &format!("{provider}: {expected}"), || async {
            let listed = listed(&world).await;
            let reason = if listed[provider].is_object() {
                &listed[provider]["reason"]
            } else {
                &json!("not asked")
            };
            if *reason == expected {
                Ok(())
            } else {
                Err(listed.to_string())
            }
        })
        .await;
    };
    says("company", Value::Null).await;
    says("corporate", json!("BadMetadata")).await;
    assert!(
        listed(&world).await.get("accounts").is_none(),
        "authd keeps those itself"
    );
    openid.does("corporate", Fault::None);
    says("corporate", Value::Null).await;
    assert_eq!(listed(&world).await["corporate"]["issuer"], openid.issuer("corporate"));
    server.stop();
    let body = json!({"user": "ann", "password": "ann's password"});
    post(world.auths("ldap")).json(&body).send().await.expect("away", 400);
    says("company", json!("ServerUnreachable")).await;
    let metrics = get(format!("{}/metrics", world.authd.admin)).send().await.body;
    for expected in [
        "authd_provider_reachable{provider=\"company\"} 0",
        "authd_provider_reachable{provider=\"corporate\"} 1",
    ] {
        assert!(metrics.contains(expected), "{expected}: {metrics}");
    }
    get(format!("{}/readyz", world.authd.admin))
        .send()
        .await
        .expect("others are served", 200);
    server.start_again().await;
    says("company", Value::Null).await;
    world.folder.remove("providers.yaml");
    wait::until("what is declared no more is not listed", || async {
        let listed = listed(&world).await;
        if listed == json!({}) {
            Ok(())
        } else {
            Err(listed.to_string())
        }
    })
    .await;
}
