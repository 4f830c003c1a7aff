//! How long until a changed policy is enforced in a cluster, what a start costs, and what the operator needs.
//!
//! A real API server, the operator and one replica, all on this machine; what is measured begins when a request is sent to the API
//! server and ends when the replica answers differently.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::cluster::fault_proxy::FaultProxy;
use tests::cluster::operator::Operator;

use crate::{percentiles, program};

/// What to measure with.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// How many AccessPolicies there are.
    #[arg(long, default_value_t = 10_000)]
    policies: usize,
    /// How many ApiKeys there are.
    #[arg(long, default_value_t = 0)]
    keys: usize,
    /// How many changes are timed.
    #[arg(long, default_value_t = 100)]
    changes: usize,
}

/// How many resources are created at a time.
const AT_A_TIME: usize = 16;
const NAMESPACE: &str = "bench";

/// Measures, and prints JSON.
///
/// # Errors
/// Something did not start, or did not come to an end.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{:#}", runtime.block_on(measure(settings))?);
    Ok(())
}

async fn measure(settings: &Settings) -> anyhow::Result<Value> {
    let mut bench = Bench::start().await?;
    let created = Instant::now();
    bench.create("accesspolicies", settings.policies, policy).await?;
    bench.create("apikeys", settings.keys, key).await?;
    let created = created.elapsed();
    let begun = Instant::now();
    bench.settled("accesspolicies", settings.policies).await?;
    bench.settled("apikeys", settings.keys).await?;
    let settled = begun.elapsed();
    let writes = bench.operator.writes().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let settled_writes = bench.operator.writes().await - writes;

    bench.find_replica().await;
    let mut changes = Vec::new();
    for change in 0..settings.changes {
        changes.push(bench.change(change % settings.policies, change).await?);
    }
    let memory = resident_mebibytes(bench.operator.id())?;
    let compile = bench.operator.metric("authd_operator_compile_seconds").await;
    let begun = Instant::now();
    bench.operator.restart().await;
    bench.operator.ready().await;
    let started = begun.elapsed();
    let requests = bench.settled_requests().await;
    Ok(json!({
        "policies": settings.policies,
        "api_keys": settings.keys,
        "create_seconds": created.as_secs_f64(),
        "created_to_all_ready_seconds": settled.as_secs_f64(),
        "change_to_decision_milliseconds": percentiles(changes),
        "operator_resident_mebibytes": memory,
        "operator_restart_to_listed_milliseconds": started.as_millis(),
        "compile_seconds": compile,
        "writes_in_ten_settled_seconds": settled_writes,
        "requests_in_a_settled_minute": requests,
    }))
}

struct Bench {
    cluster: Cluster,
    client: kube::Client,
    operator: Operator,
    program: PathBuf,
    verify: String,
}

impl Bench {
    async fn start() -> anyhow::Result<Self> {
        let cluster = Cluster::start().await;
        let authd = program("authd")?;
        cluster.node().image("authd", &[&authd.display().to_string()]);
        let kinds = tests::repository().join("crds/yaml");
        let kinds = kinds.display().to_string();
        cluster.kubectl(&["apply", "--server-side", "-f", &kinds]).await.ok();
        cluster
            .kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", &kinds])
            .await
            .ok();
        cluster.kubectl(&["create", "namespace", NAMESPACE]).await.ok();
        let more = ["--identity", "bench"];
        let program = program("authd-operator")?;
        let operator = Operator::start_program(&program, &cluster, &[NAMESPACE], &more).await;
        let instance = json!({
            "apiVersion": "authd.dev/v1alpha1", "kind": "Authd",
            "metadata": { "name": "main", "namespace": NAMESPACE },
            "spec": { "publicUrl": "https://auth.example.com", "image": "authd" },
        });
        cluster.apply(&instance.to_string()).await.ok();
        let ready = [
            "wait",
            "--for=condition=Ready",
            "--timeout=60s",
            "authd/main",
            "-n",
            NAMESPACE,
        ];
        cluster.kubectl(&ready).await.ok();
        Ok(Self {
            client: cluster.client().await,
            verify: String::new(),
            cluster,
            operator,
            program,
        })
    }

    /// Finds the replica, which is another one once more shards are mounted.
    async fn find_replica(&mut self) {
        let rollout = [
            "rollout",
            "status",
            "deployment/main",
            "--timeout=120s",
            "-n",
            NAMESPACE,
        ];
        self.cluster.kubectl(&rollout).await.ok();
        let ready = "jsonpath={range .items[?(@.status.containerStatuses[0].ready==true)]}{.status.podIP} {end}";
        let pods = self
            .cluster
            .kubectl(&["get", "pods", "-n", NAMESPACE, "-o", ready])
            .await
            .ok();
        let address = pods.split_whitespace().last().unwrap_or_default();
        self.verify = format!("http://{address}:8081/verify/forward");
    }

    async fn send(&self, method: http::Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let path = format!("/apis/authd.dev/v1alpha1/namespaces/{NAMESPACE}/{path}");
        let kind = if method == http::Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind);
        Ok(self.client.request(request.body(serde_json::to_vec(body)?)?).await?)
    }

    async fn create(&self, plural: &str, count: usize, made: fn(usize) -> Value) -> anyhow::Result<()> {
        let creations = (0..count)
            .map(|number| async move { self.send(http::Method::POST, plural, &made(number)).await.map(drop) });
        futures::stream::iter(creations)
            .buffer_unordered(AT_A_TIME)
            .try_collect()
            .await
    }

    /// Waits until all of a kind are Ready.
    async fn settled(&self, plural: &str, count: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1200) {
            let list = format!("{plural}?limit=200000&resourceVersion=0");
            let list = self.send(http::Method::GET, &list, &Value::Null).await?;
            let items = list
                .get("items")
                .and_then(Value::as_array)
                .context("a list has items")?;
            if items.iter().filter(|item| is_ready(item)).count() >= count {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        anyhow::bail!("not all {plural} are Ready: {:?}", self.operator.log().last())
    }

    /// How many calls an operator makes in a minute in which nothing happens: one that is begun anew, so that they can be counted.
    async fn settled_requests(&mut self) -> usize {
        self.operator.kill();
        let proxy = FaultProxy::start(&self.cluster).await;
        let more = ["--identity", "bench"];
        self.operator = Operator::start_by(&self.program, proxy.kubeconfig(), &[NAMESPACE], &more).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let before = proxy.calls().len();
        tokio::time::sleep(Duration::from_secs(60)).await;
        proxy.calls().len() - before
    }

    async fn asked(&self, number: usize, path: &str) -> anyhow::Result<u16> {
        let request = tests::http::get(&self.verify)
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", format!("h{number}.example.com"))
            .header("x-forwarded-uri", path);
        Ok(request.attempt().await.map_err(anyhow::Error::msg)?.status)
    }

    /// How long until a path that nobody could reach is open to anyone.
    async fn change(&self, number: usize, change: usize) -> anyhow::Result<Duration> {
        let path = format!("/open-{change}");
        anyhow::ensure!(self.asked(number, &path).await? == 401, "{path} is open already");
        let begun = Instant::now();
        let patch = json!({ "spec": spec(number, &path) });
        self.send(http::Method::PATCH, &format!("accesspolicies/policy-{number}"), &patch)
            .await?;
        while begun.elapsed() < Duration::from_secs(30) {
            if self.asked(number, &path).await? == 200 {
                return Ok(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::bail!("{path} is never open: {:?}", self.operator.log().last())
    }
}

/// How an object of the group looks.
fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "authd.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

fn policy(number: usize) -> Value {
    object("AccessPolicy", &format!("policy-{number}"), &spec(number, "/never"))
}

fn key(number: usize) -> Value {
    // Spread as digests are.
    let spread = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = format!("sha256:{spread:016x}{number:048x}");
    let spec = json!({ "owner": { "service": format!("s{number}") }, "hash": hash });
    object("ApiKey", &format!("key-{number}"), &spec)
}

fn spec(number: usize, open: &str) -> Value {
    json!({ "hosts": [format!("h{number}.example.com")], "rules": [
        { "paths": [open], "allow": { "anyone": true } },
        { "paths": ["/api"], "methods": ["GET"], "allow": { "roles": ["user", "deployer"] } },
        { "allow": { "groups": [format!("g{}", number % 50)] } },
    ] })
}

fn is_ready(policy: &Value) -> bool {
    let conditions = policy.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let is = |member: &str, text: &str| condition.get(member).is_some_and(|value| value == text);
        is("type", "Ready") && is("status", "True")
    })
}

fn resident_mebibytes(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("a process has a size")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes / 1024)
}
