//! One of several replicas: what an operator publishes is put to use, and what serves is said.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;

use super::Tasks;
use crate::app::App;
use crate::config::{Replication, Serve};
use crate::replica::cluster::Cluster;
use crate::replica::lease::{self, Pod};
use crate::replica::{Replica, Told};

/// A replica that has begun.
#[derive(Debug)]
pub(super) struct Replicating {
    replica: Replica,
    cluster: Option<(Arc<Cluster>, Pod)>,
}

/// Serves what disk and mount have, if they have something; the API server is not asked yet.
pub(super) async fn begin(app: &Arc<App>, mount: PathBuf, serve: &Serve) -> anyhow::Result<Replicating> {
    let cluster = cluster(&serve.replication, serve.instance.as_deref())?;
    let way = cluster.as_ref().map(|(cluster, _)| Arc::clone(cluster));
    let mut replica = Replica::new(Arc::clone(app), mount, serve.instance.clone(), way);
    replica.begin().await;
    if app.serving().is_none() {
        tracing::warn!("there is no snapshot yet: every request is answered with 503 until there is one");
    }
    Ok(Replicating { replica, cluster })
}

fn cluster(replication: &Replication, instance: Option<&str>) -> anyhow::Result<Option<(Arc<Cluster>, Pod)>> {
    if !replication.follow_cluster {
        return Ok(None);
    }
    let (namespace, authd) = instance
        .and_then(|instance| instance.split_once('/'))
        .context("`--follow-cluster` needs `--instance NAMESPACE/NAME`")?;
    let pod = Pod {
        name: replication
            .pod_name
            .clone()
            .context("`--follow-cluster` needs `--pod-name`")?,
        uid: replication.pod_uid.clone(),
    };
    Ok(Some((Arc::new(Cluster::of_pod(namespace, authd)?), pod)))
}

impl Replicating {
    /// What serves, as that changes.
    pub(super) fn told(&self) -> watch::Receiver<Told> {
        self.replica.told()
    }

    /// Puts to use what is published until the stop, and says so for as long as requests are answered.
    pub(super) fn follow(self, app: &Arc<App>, tasks: &Tasks) {
        let (to, followed) = watch::channel(None);
        if let Some((cluster, pod)) = self.cluster {
            let (told, asked, silence) = (self.replica.told(), Arc::clone(app), tasks.silence.clone());
            tasks
                .saying
                .spawn(lease::keep(Arc::clone(&cluster), pod, told, asked, silence));
            let (random, stop) = (app.random.clone(), tasks.stop.clone());
            tasks
                .running
                .spawn(async move { cluster.follow(to, random, stop).await });
        }
        tasks.running.spawn(self.replica.run(followed, tasks.stop.clone()));
    }
}
