//! Keys that the operator makes: those of ApiKeys, and those that sign tokens.
//!
//! A Secret is made when there is none of its name, and never taken over from anybody; what is changed later must be unchanged
//! since it was read. What is due, and when more will be, follows from the resources, their Secrets and the time.

mod api_key;
mod signing_keys;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::Ed25519KeyPair;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

use crate::cluster::{Cluster, Error};
use crate::inventory::Inventory;

/// How many Secrets are written at a time.
const AT_A_TIME: usize = 8;

/// One Secret to write.
#[derive(Debug)]
enum Work {
    /// Make it; it must not be there.
    Make(Box<Secret>),
    /// Change it by a merge patch, as long as it is the version that was read.
    Change {
        namespace: String,
        name: String,
        change: Value,
    },
}

/// What is to be done now, and when there will be more.
#[derive(Debug, Default)]
struct Due {
    work: Vec<Work>,
    next: Option<Timestamp>,
}

impl Due {
    fn at(&mut self, moment: Timestamp) {
        self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
    }
}

/// Where new keys come from.
trait Source {
    /// `sk-` and 40 hexadecimal digits.
    fn api_key(&mut self) -> Result<String, NoRandomness>;
    /// An Ed25519 key pair (PKCS #8, DER).
    fn signing_key(&mut self) -> Result<Vec<u8>, NoRandomness>;
}

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system has no randomness to give")]
struct NoRandomness;

impl Source for SystemRandom {
    fn api_key(&mut self) -> Result<String, NoRandomness> {
        let mut bytes = [0; 20];
        self.fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(format!("sk-{}", policy::snapshot::hexadecimal(&bytes)))
    }

    fn signing_key(&mut self) -> Result<Vec<u8>, NoRandomness> {
        let pair = Ed25519KeyPair::generate_pkcs8(self).map_err(|_| NoRandomness)?;
        Ok(pair.as_ref().to_vec())
    }
}

/// Makes the keys that are due. The moment at which more will be is returned; what failed is logged, and due again.
pub async fn keys(cluster: &Cluster, inventory: &Inventory, now: Timestamp) -> Option<Timestamp> {
    let mut random = SystemRandom::new();
    let mut due = Due::default();
    if api_key::due(inventory, now, &mut random, &mut due)
        .and_then(|()| signing_keys::due(inventory, now, &mut random, &mut due))
        .is_err()
    {
        tracing::error!(error = %NoRandomness, "key_not_made");
    }
    let written = futures::stream::iter(due.work)
        .map(|work| write(cluster, work))
        .buffer_unordered(AT_A_TIME);
    let failed = written.filter(|failed| std::future::ready(*failed)).count().await;
    if failed > 0 {
        due.next = Some(now + jiff::SignedDuration::from_secs(2))
            .min(due.next)
            .or(due.next);
    }
    due.next
}

/// Whether it failed.
async fn write(cluster: &Cluster, work: Work) -> bool {
    let (name, outcome) = match work {
        Work::Make(secret) => {
            let name = format!(
                "{}/{}",
                secret.metadata.namespace.clone().unwrap_or_default(),
                secret.metadata.name.clone().unwrap_or_default()
            );
            (name, cluster.create(&*secret).await.map(drop))
        }
        Work::Change {
            namespace,
            name,
            change,
        } => {
            let outcome = cluster.merge::<Secret>(&namespace, &name, &change).await.map(drop);
            (format!("{namespace}/{name}"), outcome)
        }
    };
    match outcome {
        Ok(()) => {
            tracing::info!(secret = name, "key_written");
            metrics::counter!("authd_operator_keys_made_total").increment(1);
            false
        }
        // Somebody was quicker: the watch will bring what they wrote.
        Err(Error::Api(kube::Error::Api(status))) if status.code == 409 => false,
        Err(error) => {
            tracing::warn!(secret = name, %error, "key_not_written");
            true
        }
    }
}
