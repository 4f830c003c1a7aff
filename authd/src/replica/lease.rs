//! How does a replica say what it serves? In a Lease of its own, which goes with its Pod.
//!
//! Written as soon as that changes and every few seconds after, and deleted when the replica stops in order. Whether it can be
//! written matters to nobody who is served.

use std::sync::Arc;
use std::time::Duration;

use crds::published::{
    INSTANCE_LABEL, LEASE_DURATION_SECONDS, LEASE_RENEWAL_SECONDS, REFUSED, SEQUENCE, SNAPSHOT, replica_lease,
};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Told;
use super::cluster::{Cluster, Error, failed};
use crate::clock::Clock;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long the last call may take, while everything else has stopped.
const LAST_DEADLINE: Duration = Duration::from_secs(2);
/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// The longest annotation, in bytes.
const LONGEST: usize = 1024;
/// By whom it is written.
const MANAGER: &str = "authd";

/// The Pod of this replica.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its `metadata.uid`; with it the Lease goes when the Pod goes.
    pub uid: Option<String>,
}

/// Says what serves until the stop.
pub async fn keep(
    cluster: Arc<Cluster>,
    pod: Pod,
    mut told: watch::Receiver<Told>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut is_written = false;
    let mut was_written = true;
    loop {
        let now = told.borrow_and_update().clone();
        let mut wait = Duration::from_secs(LEASE_RENEWAL_SECONDS);
        if now.serving.is_some() {
            let written = write(&cluster, &lease(&cluster, &pod, &now, clock.now())).await;
            if let Err(error) = &written {
                failed("lease");
                wait = AFTER_FAILURE;
                if was_written {
                    tracing::warn!(error = %error, "the Lease of this replica was not written");
                }
            }
            was_written = written.is_ok();
            is_written |= was_written;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            Ok(()) = told.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    if is_written {
        let leases: Api<Lease> = Api::namespaced(cluster.client(), cluster.namespace());
        let (name, params) = (replica_lease(&pod.name), DeleteParams::default());
        let deleted = tokio::time::timeout(LAST_DEADLINE, leases.delete(&name, &params)).await;
        if !matches!(deleted, Ok(Ok(_))) {
            tracing::warn!("the Lease of this replica was not deleted: it runs out by itself");
        }
    }
}

async fn write(cluster: &Cluster, lease: &Value) -> Result<(), Error> {
    let leases: Api<Lease> = Api::namespaced(cluster.client(), cluster.namespace());
    let name = lease
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let params = PatchParams::apply(MANAGER).force();
    let patch = Patch::Apply(lease);
    let written = tokio::time::timeout(DEADLINE, leases.patch(name, &params, &patch)).await;
    written.map_err(|_| Error::Late)??;
    Ok(())
}

fn lease(cluster: &Cluster, pod: &Pod, told: &Told, now: Timestamp) -> Value {
    let mut annotations = serde_json::Map::new();
    if let Some((sequence, digest)) = &told.serving {
        annotations.insert(SEQUENCE.to_owned(), sequence.to_string().into());
        annotations.insert(SNAPSHOT.to_owned(), digest.clone().into());
    }
    if let Some(refused) = &told.refused {
        let mut refused = refused.clone();
        refused.truncate(refused.floor_char_boundary(LONGEST));
        annotations.insert(REFUSED.to_owned(), refused.into());
    }
    let owners: Vec<Value> = pod
        .uid
        .iter()
        .map(|uid| json!({"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": uid}))
        .collect();
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": replica_lease(&pod.name),
            "namespace": cluster.namespace(),
            "labels": {INSTANCE_LABEL: cluster.authd()},
            "annotations": annotations,
            "ownerReferences": owners,
        },
        "spec": {
            "holderIdentity": pod.name,
            "leaseDurationSeconds": LEASE_DURATION_SECONDS,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        },
    })
}
