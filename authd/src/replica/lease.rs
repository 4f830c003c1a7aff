//! How does a replica say what it serves, and how providers fare? In a Lease of its own, which goes with its Pod.
//!
//! Written as soon as that changes and every few seconds after, and deleted when the replica stops in order. Whether it can be
//! written matters to nobody who is served.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::published::{
    Fares, INSTANCE_LABEL, LEASE_DURATION_SECONDS, LEASE_RENEWAL_SECONDS, PROVIDERS, REFUSED, SEQUENCE, SNAPSHOT,
    replica_lease,
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
use crate::app::App;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long the last call may take, while everything else has stopped.
const LAST_DEADLINE: Duration = Duration::from_secs(2);
/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// The longest text of why something is refused, in bytes.
const LONGEST: usize = 1024;
/// The most bytes of how providers fare: all annotations of an object together may have 256 KiB.
const MOST_OF_PROVIDERS: usize = 64 * 1024;
/// How long to wait for more changes of how providers fare after one.
const GATHER: Duration = Duration::from_millis(300);
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
    app: Arc<App>,
    stop: CancellationToken,
) {
    let mut health = app.health.changes();
    let mut is_written = false;
    let mut was_written = true;
    loop {
        let now = told.borrow_and_update().clone();
        let mut wait = Duration::from_secs(LEASE_RENEWAL_SECONDS);
        if now.serving.is_some() {
            // Asked after: it says nothing of a Snapshot before the one that is named.
            let fares = app
                .serving()
                .map(|serving| app.health.told(&serving))
                .unwrap_or_default();
            let said = (&now, fitting(fares));
            let written = write(&cluster, &lease(&cluster, &pod, said, app.now())).await;
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
            Ok(()) = gathered(&mut health) => {}
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

/// Waits for a change, and then for those that come with it.
async fn gathered(changes: &mut watch::Receiver<u64>) -> Result<(), watch::error::RecvError> {
    changes.changed().await?;
    tokio::time::sleep(GATHER).await;
    Ok(())
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

/// What fits into an annotation, as JSON: what does not work before what does. `None`: there is nothing to say.
fn fitting(fares: BTreeMap<String, Option<Fares>>) -> Option<String> {
    let mut asked: Vec<(String, Fares)> = fares
        .into_iter()
        .filter_map(|(name, fares)| Some((name, fares?)))
        .collect();
    asked.sort_by_key(|(_, fares)| fares.reason.is_none());
    let mut room = MOST_OF_PROVIDERS;
    let mut said = BTreeMap::new();
    for (name, fares) in asked {
        let length = json!({ name.as_str(): fares }).to_string().len();
        let Some(left) = room.checked_sub(length) else { break };
        room = left;
        said.insert(name, fares);
    }
    serde_json::to_string(&said).ok().filter(|_| !said.is_empty())
}

fn lease(cluster: &Cluster, pod: &Pod, (told, fares): (&Told, Option<String>), now: Timestamp) -> Value {
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
    annotations.extend(fares.map(|fares| (PROVIDERS.to_owned(), fares.into())));
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

#[cfg(test)]
mod tests {
    use crds::Reason;

    use super::*;

    fn fares(reason: Option<Reason>) -> Option<Fares> {
        Some(Fares {
            reason,
            message: "m".repeat(512),
            issuer: None,
        })
    }

    #[test]
    fn what_does_not_fit_into_a_lease_is_what_works() {
        assert_eq!(fitting(BTreeMap::new()), None);
        assert_eq!(fitting(BTreeMap::from([("new".to_owned(), None)])), None);
        let mut all: BTreeMap<String, Option<Fares>> = (0..500).map(|n| (format!("a{n}"), fares(None))).collect();
        all.insert("z".to_owned(), fares(Some(Reason::TimedOut)));
        let text = fitting(all).unwrap();
        assert!(
            (MOST_OF_PROVIDERS / 2..=MOST_OF_PROVIDERS).contains(&text.len()),
            "{}",
            text.len()
        );
        let said = crds::published::fares(&text);
        assert_eq!(said["z"].reason, Some(Reason::TimedOut));
        assert!(said.len() > 100 && said.len() < 500, "{}", said.len());
    }
}
