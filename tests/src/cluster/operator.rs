//! The operator as a process of this machine, and what it published.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crds::published::{INDEX_ENTRY, index_secret, shard_entry, shard_secret};
use policy::Engine;
use policy::engine::ReadyPiece;
use policy::snapshot::shard::{Head, Index, Piece};
use rustix::process::Signal;
use serde_json::Value;

use super::{Cluster, User};
use crate::http;
use crate::process::Process;
use crate::wait;

/// How long it may take to list everything: with 100,000 resources that is no small thing.
const LISTED: Duration = Duration::from_secs(120);

/// A running operator.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    command: (PathBuf, PathBuf, Vec<String>),
    admin: String,
}

/// Where the program lies: beside the folder of the test that is running.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn program() -> PathBuf {
    crate::authd::program().with_file_name("authd-operator")
}

impl Operator {
    /// Starts it for these namespaces, with the rights of an administrator of the cluster, and waits until it has listed everything.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(cluster: &Cluster, namespaces: &[&str], more: &[&str]) -> Self {
        Self::start_program(&program(), cluster, namespaces, more).await
    }

    /// The same, with a program that lies elsewhere.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_program(program: &Path, cluster: &Cluster, namespaces: &[&str], more: &[&str]) -> Self {
        let kubeconfig = cluster.kubeconfig(User::Admin).await;
        Self::start_by(program, kubeconfig, namespaces, more).await
    }

    /// The same, by a way of its own to the API server.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_by(program: &Path, kubeconfig: PathBuf, namespaces: &[&str], more: &[&str]) -> Self {
        let opted_in = namespaces.join(",");
        let own = namespaces.first().copied().unwrap_or("default");
        let mut arguments = vec![
            "run",
            "--namespaces",
            &opted_in,
            "--namespace",
            own,
            "--listen",
            "127.0.0.1:0",
        ];
        arguments.extend(more);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let mut operator = Self {
            process: spawn(program, &kubeconfig, &arguments),
            command: (program.to_owned(), kubeconfig, arguments),
            admin: String::new(),
        };
        operator.served().await;
        operator.ready().await;
        operator
    }

    /// `kill -9`, if it still runs, and a new one with the same arguments.
    ///
    /// # Panics
    /// It does not start.
    pub async fn restart(&mut self) {
        self.kill();
        let (program, kubeconfig, arguments) = &self.command;
        self.process = spawn(program, kubeconfig, arguments);
        self.served().await;
    }

    async fn served(&mut self) {
        self.admin = wait::until("the operator serves its metrics", || {
            let lines = self.process.errors();
            async move {
                let said = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let mut served = said.filter(|line| line.get("message").is_some_and(|text| text == "admin_served"));
                let address = served.find_map(|line| Some(format!("http://{}", line.get("address")?.as_str()?)));
                address.ok_or_else(|| format!("{lines:?}"))
            }
        })
        .await;
    }

    /// Waits until it has listed everything.
    ///
    /// # Panics
    /// It never has.
    pub async fn ready(&self) {
        wait::within(LISTED, "the operator is ready", || async {
            let answer = http::get(format!("{}/readyz", self.admin)).attempt().await?;
            if answer.status == 200 { Ok(()) } else { Err(answer.body) }
        })
        .await;
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.process.errors()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it answers at `/readyz`.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn readiness(&self) -> String {
        http::get(format!("{}/readyz", self.admin)).send().await.body
    }

    /// How many writes it sent to the API server since it started.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn writes(&self) -> u64 {
        let counts = self.metric("authd_operator_writes_total").await;
        counts.iter().filter_map(|count| count.parse::<u64>().ok()).sum()
    }

    /// The values of a metric, one for each set of labels.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn metric(&self, name: &str) -> Vec<String> {
        let text = http::get(format!("{}/metrics", self.admin)).send().await.body;
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| Some(line.rsplit(' ').next()?.to_owned()))
            .collect()
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }
}

fn spawn(program: &Path, kubeconfig: &Path, arguments: &[String]) -> Process {
    Process::start(Command::new(program).env("KUBECONFIG", kubeconfig).args(arguments))
}

/// What is published for an Authd: the index, and an Engine of its shards.
///
/// # Errors
/// Nothing is, or it cannot be read.
pub async fn published(cluster: &Cluster, namespace: &str, authd: &str) -> Result<(Index, Engine), String> {
    let index = entry(cluster, namespace, &index_secret(authd), INDEX_ENTRY).await?;
    let index: Index = serde_json::from_slice(&index).map_err(|error| error.to_string())?;
    let mut shards = Vec::new();
    for (number, digest) in index.shards.iter().enumerate() {
        let name = shard_secret(authd, number);
        shards.push((digest, entry(cluster, namespace, &name, shard_entry(digest)).await?));
    }
    let (digest, head) = shards.first().ok_or("an index names a head")?;
    let head = Head::read(head, digest).map_err(|error| error.to_string())?;
    let mut pieces = Vec::new();
    for (digest, bytes) in shards.get(1..).unwrap_or_default() {
        let piece = Piece::read(bytes, digest).map_err(|error| error.to_string())?;
        pieces.push(Arc::new(ReadyPiece::new(piece).map_err(|error| error.to_string())?));
    }
    let engine = Engine::assemble(head, pieces, index.digest.clone()).map_err(|error| error.to_string())?;
    Ok((index, engine))
}

async fn entry(cluster: &Cluster, namespace: &str, secret: &str, entry: &str) -> Result<Vec<u8>, String> {
    let read = cluster
        .kubectl(&["get", "secret", secret, "-n", namespace, "-o", "json"])
        .await
        .attempt()?;
    let read: Value = serde_json::from_str(&read).map_err(|error| error.to_string())?;
    let text = read.pointer(&format!("/data/{entry}")).and_then(Value::as_str);
    let text = text.ok_or_else(|| format!("Secret `{secret}` has no `{entry}`"))?;
    STANDARD.decode(text).map_err(|error| error.to_string())
}
