//! A Kubernetes cluster of a test: etcd, the API server with RBAC and the controllers are the real ones. Only the [`Node`] is our
//! own, so that Pods are processes of this machine.
//!
//! Deliberately not here: a scheduler, the cluster's network and DNS. A Pod is reached at its own address, a Service is not.

mod authority;
mod command;
mod control_plane;
pub mod fault_proxy;
pub(crate) mod forever;
mod kubeconfig;
mod namespace;
mod node;
pub mod operator;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use self::command::Said;
pub use self::kubeconfig::User;
pub use self::namespace::Namespace;
pub use self::node::Node;

use self::authority::Authority;
use self::control_plane::{ControlPlane, program};
use self::kubeconfig::Proof;
use crate::process::Process;
use crate::wait;

/// How long a cluster may take to start on a machine that has other things to do.
const START: Duration = Duration::from_secs(120);

/// A running cluster.
pub struct Cluster {
    // In the order in which they end.
    node: Node,
    controllers: Process,
    api_server: Process,
    _etcd: Process,
    plane: ControlPlane,
    authority: Authority,
    numbers: AtomicU32,
    folder: TempDir,
}

impl Cluster {
    /// The cluster that all stories of this process share, started by the first that asks. Its API server cannot be stopped.
    ///
    /// # Panics
    /// It does not start.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A cluster of the caller's own, which ends when it is dropped.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("authd-cluster-")
            .tempdir()
            .expect("there is room for a folder");
        // One that is shared, or whose process is killed, is never dropped.
        forever::delete_at_the_end(folder.path());
        let authority = Authority::new(folder.path());
        let plane = ControlPlane::new(folder.path(), &authority);
        let etcd = plane.etcd();
        let mut api_server = plane.api_server();
        let proof = Proof::Certificate(authority.client("admin", "system:masters"));
        let admin = kubeconfig::kubeconfig(&plane.address(), &authority.pem(), &proof);
        let path = folder.path().join("admin.kubeconfig");
        std::fs::write(&path, admin.to_string()).expect("a folder of the test can be written to");
        ready(&path, &mut api_server).await;
        let controllers = plane.controllers(&path);
        Self {
            node: Node::start(config(&path).await, folder.path()),
            controllers,
            api_server,
            _etcd: etcd,
            plane,
            authority,
            numbers: AtomicU32::new(0),
            folder,
        }
    }

    /// Where the API server is, for example `https://127.0.0.1:20123`.
    #[must_use]
    pub fn address(&self) -> String {
        self.plane.address()
    }

    /// The certificate that the API server's is signed by.
    #[must_use]
    pub fn certificate_authority(&self) -> PathBuf {
        self.authority.certificate()
    }

    /// A kubeconfig with which `user` reaches the cluster.
    ///
    /// # Panics
    /// The ServiceAccount does not exist.
    pub async fn kubeconfig(&self, user: User<'_>) -> PathBuf {
        let admin = self.folder.path().join("admin.kubeconfig");
        let proof = match user {
            User::Admin => return admin,
            User::Person { name, group } => Proof::Certificate(self.authority.client(name, group)),
            User::ServiceAccount { namespace, name } => {
                let arguments = ["create", "token", "--duration=12h", "--namespace", namespace, name];
                Proof::Token(self.kubectl(&arguments).await.ok().trim().to_owned())
            }
        };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("{number}.kubeconfig"));
        let text = kubeconfig::kubeconfig(&self.address(), &self.authority.pem(), &proof).to_string();
        std::fs::write(&path, text).expect("a folder of the test can be written to");
        path
    }

    /// What runs the cluster's Pods.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// A client of the administrator's, for the caller's runtime.
    ///
    /// # Panics
    /// Never, as long as its kubeconfig is.
    pub async fn client(&self) -> Client {
        client(&self.kubeconfig(User::Admin).await).await
    }

    /// Runs kubectl as the administrator.
    pub async fn kubectl(&self, arguments: &[&str]) -> Said {
        self.kubectl_as(User::Admin, arguments, "").await
    }

    /// `kubectl apply`, as the administrator, of what is given as YAML.
    pub async fn apply(&self, yaml: &str) -> Said {
        self.kubectl_as(User::Admin, &["apply", "-f", "-"], yaml).await
    }

    /// Runs kubectl as somebody, with this standard input.
    pub async fn kubectl_as(&self, user: User<'_>, arguments: &[&str], input: &str) -> Said {
        // Without the recursion that a ServiceAccount's token needs.
        let kubeconfig = Box::pin(self.kubeconfig(user)).await;
        let mut command = kubectl(&kubeconfig, self.folder.path());
        command.args(arguments);
        command::run(command, input.to_owned()).await
    }

    /// Runs helm as the administrator, with settings of its own.
    pub async fn helm(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(program("helm"));
        for (variable, folder) in [
            ("HELM_CACHE_HOME", "helm/cache"),
            ("HELM_CONFIG_HOME", "helm/config"),
            ("HELM_DATA_HOME", "helm/data"),
        ] {
            command.env(variable, self.folder.path().join(folder));
        }
        command
            .env("KUBECONFIG", self.kubeconfig(User::Admin).await)
            .args(arguments);
        command::run(command, String::new()).await
    }

    /// A namespace that nobody else uses, with what the controllers put into every namespace. It is deleted when it is dropped.
    ///
    /// # Panics
    /// It cannot be made.
    pub async fn namespace(&self, story: &str) -> Namespace {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let name = format!("{story}-{}-{number}", std::process::id());
        Namespace::new(self, name).await
    }

    /// `kill -9` of the API server; what it had said stays in etcd.
    pub fn stop_api_server(&mut self) {
        self.api_server.kill();
    }

    /// Starts the API server again, where it was, and waits until it is ready.
    ///
    /// # Panics
    /// It does not become ready.
    pub async fn start_api_server(&mut self) {
        self.api_server = self.plane.api_server();
        ready(&self.folder.path().join("admin.kubeconfig"), &mut self.api_server).await;
    }

    /// Lets the API server take connections and answer none, until [`Self::resume_api_server`].
    pub fn pause_api_server(&mut self) {
        self.api_server.signal(Signal::STOP);
    }

    /// Ends the pause.
    pub fn resume_api_server(&mut self) {
        self.api_server.signal(Signal::CONT);
    }

    /// Stops the controllers, so that for example no Deployment makes a Pod any more.
    pub fn stop_controllers(&mut self) {
        self.controllers.kill();
    }

    /// Starts the controllers again.
    pub fn start_controllers(&mut self) {
        self.controllers = self.plane.controllers(&self.folder.path().join("admin.kubeconfig"));
    }
}

fn kubectl(kubeconfig: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program("kubectl"));
    command
        .env_remove("KUBECONFIG")
        .env("KUBECACHEDIR", folder.join("kubectl"))
        .arg("--kubeconfig")
        .arg(kubeconfig);
    command
}

/// How a client reaches the cluster with a kubeconfig.
async fn config(kubeconfig: &Path) -> Config {
    let text = Kubeconfig::read_from(kubeconfig).expect("it was written whole");
    let config = Config::from_custom_kubeconfig(text, &KubeConfigOptions::default()).await;
    config.expect("it is well-formed")
}

/// A client with a kubeconfig.
async fn client(kubeconfig: &Path) -> Client {
    Client::try_from(config(kubeconfig).await).expect("it is well-formed")
}

/// Waits until the API server says that it is ready.
async fn ready(kubeconfig: &Path, api_server: &mut Process) {
    let client = client(kubeconfig).await;
    wait::within(START, "the API server is ready", || {
        let ended = api_server.ended();
        let errors = api_server.errors();
        let client = client.clone();
        async move {
            let request = http::Request::get("/readyz")
                .body(Vec::new())
                .expect("it is well-formed");
            let answer = client.request_text(request).await;
            answer.map_err(|error| {
                format!(
                    "{error}, {ended:?}: {:#?}",
                    errors.iter().rev().take(10).collect::<Vec<_>>()
                )
            })
        }
    })
    .await;
}
