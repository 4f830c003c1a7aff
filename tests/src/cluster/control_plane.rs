//! How do etcd, the API server and the controllers start? Each is the real program, on loopback, with what a test can bear.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::authority::{Authority, Identity};
use super::forever::{self, mortal};
use crate::process::Process;
use crate::{cache, port};

/// The controllers that the stories rest on. No scheduler and no node's life cycle: the tests' own node binds what it runs.
const CONTROLLERS: &str = "clusterrole-aggregation-controller,deployment-controller,disruption-controller,\
    endpointslice-controller,garbage-collector-controller,job-controller,namespace-controller,replicaset-controller,\
    root-ca-certificate-publisher-controller,serviceaccount-controller,serviceaccount-token-controller,statefulset-controller";

/// Where a program of the control plane lies.
///
/// # Panics
/// It was not installed.
pub(super) fn program(name: &str) -> PathBuf {
    let modules = include_str!("../../control-plane/go.mod");
    let version = modules
        .split_once("k8s.io/kubernetes v")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .expect("go.mod says which Kubernetes it is");
    let program = cache().join(format!("control-plane-{version}/bin")).join(name);
    assert!(
        program.exists(),
        "{} is not installed: run `tests/control-plane/install` first, as `tests/run` does",
        program.display()
    );
    program
}

/// Where everything is, and which programs show what.
#[derive(Debug)]
pub(super) struct ControlPlane {
    folder: PathBuf,
    etcd: (u16, u16),
    port: u16,
    server: Identity,
    tokens: PathBuf,
}

impl ControlPlane {
    pub(super) fn new(folder: &Path, authority: &Authority) -> Self {
        Self {
            folder: folder.to_owned(),
            etcd: (port::free(), port::free()),
            port: port::free(),
            server: authority.server(),
            tokens: authority.tokens(),
        }
    }

    /// The API server's address.
    pub(super) fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn etcd_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd.0)
    }

    /// Starts the database.
    pub(super) fn etcd(&self) -> Process {
        let (clients, peers) = (self.etcd_address(), format!("http://127.0.0.1:{}", self.etcd.1));
        let mut command = mortal(&program("etcd"));
        command
            .arg(format!("--data-dir={}", self.folder.join("etcd").display()))
            .arg(format!("--listen-client-urls={clients}"))
            .arg(format!("--advertise-client-urls={clients}"))
            .arg(format!("--listen-peer-urls={peers}"))
            .arg(format!("--initial-advertise-peer-urls={peers}"))
            .arg(format!("--initial-cluster=default={peers}"))
            .args(["--unsafe-no-fsync", "--log-level=warn"]);
        forever::start(command)
    }

    /// Starts the API server: the same one again whenever it was stopped.
    pub(super) fn api_server(&self) -> Process {
        let mut command = mortal(&program("kube-apiserver"));
        command
            .arg(format!("--etcd-servers={}", self.etcd_address()))
            .args(["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"])
            .arg(format!("--secure-port={}", self.port))
            .arg(format!("--cert-dir={}", self.folder.display()))
            .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16"])
            .args(["--service-account-issuer=https://kubernetes.default.svc.cluster.local"])
            .args(["--profiling=false", "--allow-privileged"]);
        file(&mut command, "--tls-cert-file", &self.server.certificate);
        file(&mut command, "--tls-private-key-file", &self.server.key);
        file(&mut command, "--client-ca-file", &self.folder.join("ca.crt"));
        file(&mut command, "--service-account-key-file", &self.tokens);
        file(&mut command, "--service-account-signing-key-file", &self.tokens);
        forever::start(command)
    }

    /// Starts the controllers.
    pub(super) fn controllers(&self, kubeconfig: &Path) -> Process {
        let mut command = mortal(&program("kube-controller-manager"));
        command
            .arg(format!("--controllers={CONTROLLERS}"))
            .args(["--leader-elect=false", "--secure-port=0", "--profiling=false"])
            .args(["--kube-api-qps=200", "--kube-api-burst=400"]);
        file(&mut command, "--kubeconfig", kubeconfig);
        file(&mut command, "--root-ca-file", &self.folder.join("ca.crt"));
        file(&mut command, "--service-account-private-key-file", &self.tokens);
        forever::start(command)
    }
}

fn file(command: &mut Command, option: &str, path: &Path) {
    command.arg(format!("{option}={}", path.display()));
}
