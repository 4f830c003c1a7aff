//! A place of a story's own in a cluster that many share.

use std::fmt::{Display, Formatter};
use std::ops::Deref;
use std::process::{Command, Stdio};

use super::{Cluster, START, User, kubectl};
use crate::wait;

/// A namespace, which is its name, and is deleted when it is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    deletion: Command,
}

impl Namespace {
    pub(super) async fn new(cluster: &Cluster, name: String) -> Self {
        cluster.kubectl(&["create", "namespace", &name]).await.ok();
        for every in ["serviceaccount/default", "configmap/kube-root-ca.crt"] {
            wait::within(START, every, || async {
                cluster.kubectl(&["get", every, "--namespace", &name]).await.attempt()
            })
            .await;
        }
        let mut deletion = kubectl(&cluster.kubeconfig(User::Admin).await, cluster.folder.path());
        deletion.args(["delete", "namespace", "--wait=false", "--ignore-not-found", &name]);
        Self { name, deletion }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nobody waits for it, and the cluster may be gone already.
        let quiet = self
            .deletion
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _ = quiet.arg("--request-timeout=10s").spawn();
    }
}

impl Deref for Namespace {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl Display for Namespace {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}
