//! From resources in a Kubernetes cluster to what replicas enforce: watch, compile, publish, report, deploy.
//!
//! The operator serves nobody. While it is down, or the API server is, replicas go on with what was published last.

mod admin;
mod belief;
mod children;
mod clock;
mod cluster;
pub mod config;
mod deploy;
mod guard;
mod inventory;
mod leader;
mod mint;
mod plan;
mod publish;
mod replicas;
mod report;
mod rounds;
mod stored;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use cluster::Cluster;
use leader::{Candidate, Fence};
use rounds::Rounds;
use watch::Watching;

/// The definitions of the five kinds, as a cluster installs them.
#[must_use]
pub fn definitions() -> String {
    [
        include_str!("../../crds/yaml/authds.yaml"),
        include_str!("../../crds/yaml/authproviders.yaml"),
        include_str!("../../crds/yaml/rolemappings.yaml"),
        include_str!("../../crds/yaml/apikeys.yaml"),
        include_str!("../../crds/yaml/accesspolicies.yaml"),
    ]
    .join("\n---\n")
}

/// Runs until it is asked to stop.
///
/// # Errors
/// It cannot begin: what it needs is not there.
pub fn run(settings: config::Run) -> anyhow::Result<()> {
    let metrics = admin::telemetry(&settings.log)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(operate(settings, metrics))
}

async fn operate(settings: config::Run, metrics: admin::Metrics) -> anyhow::Result<()> {
    let client = kube::Client::try_default().await.context("no way to an API server")?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let resync = Duration::from_secs(settings.resync.max(10));
    let world = Watching::new(client.clone(), resync, tasks.clone(), stop.clone()).begin(&settings.namespaces);

    let fence = if settings.no_leader_election {
        Fence::open()
    } else {
        Fence::closed()
    };
    let mut leads = None;
    if !settings.no_leader_election {
        let identity = settings
            .identity
            .clone()
            .unwrap_or_else(|| format!("authd-operator-{}", std::process::id()));
        let (candidate, seen) = Candidate::new(client.clone(), &settings.namespace, &identity, fence.clone());
        tasks.spawn(candidate.run(stop.clone()));
        leads = Some(seen);
    }
    let readiness = admin::Readiness::new(Arc::clone(&world.watches));
    tasks.spawn(admin::serve(settings.listen, metrics, readiness, stop.clone()));

    let rounds = Rounds::new(Cluster::new(client, fence), world, settings.image);
    tokio::select! {
        () = rounds.run(leads) => {}
        () = asked_to_stop() => tracing::info!("stopping"),
    }
    stop.cancel();
    tasks.close();
    let _ = tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await;
    Ok(())
}

async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
