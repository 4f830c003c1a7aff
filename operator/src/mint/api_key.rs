//! Keys of ApiKeys that name a Secret: made, replaced in time, and the replaced ones forgotten.

use crds::published::{API_KEY_ENTRY, MADE_AT, PREVIOUS_API_KEY_ENTRY, PREVIOUS_UNTIL};
use crds::{ApiKey, Duration};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;

use super::{Due, NoRandomness, Source, Work};
use crate::inventory::Inventory;

/// Adds what is due for every ApiKey.
pub(super) fn due(
    inventory: &Inventory,
    now: Timestamp,
    source: &mut impl Source,
    due: &mut Due,
) -> Result<(), NoRandomness> {
    for resource in &inventory.resources.api_keys {
        let namespace = resource.namespace().unwrap_or_default();
        let Some(name) = resource.spec.secret_name.as_deref() else {
            continue;
        };
        if !inventory.may_make_in(&namespace) {
            continue;
        }
        match inventory.secret(&namespace, name) {
            None => due
                .work
                .push(Work::Make(Box::new(made(resource, name, now, source.api_key()?)))),
            Some(secret) if is_ours(resource, secret) => {
                if let Some(change) = change(resource, secret, now, source, due)? {
                    let (namespace, name) = (namespace, name.to_owned());
                    due.work.push(Work::Change {
                        namespace,
                        name,
                        change,
                    });
                }
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_ours(resource: &ApiKey, secret: &Secret) -> bool {
    let owner = secret.owner_references().first().map(|owner| owner.uid.as_str());
    owner.is_some() && owner == resource.metadata.uid.as_deref()
}

fn made(resource: &ApiKey, name: &str, now: Timestamp, key: String) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: resource.namespace(),
            annotations: Some([(MADE_AT.to_owned(), second(now).to_string())].into()),
            owner_references: resource.controller_owner_ref(&()).map(|owner| vec![unblocking(owner)]),
            ..ObjectMeta::default()
        },
        data: Some([(API_KEY_ENTRY.to_owned(), ByteString(key.into_bytes()))].into()),
        type_: Some("authd.dev/api-key".to_owned()),
        ..Secret::default()
    }
}

/// Deleting an ApiKey does not wait for its Secret.
fn unblocking(owner: OwnerReference) -> OwnerReference {
    OwnerReference {
        block_owner_deletion: None,
        ..owner
    }
}

fn second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// What is due for a Secret that the operator made: another key, or forgetting the one before.
fn change(
    resource: &ApiKey,
    secret: &Secret,
    now: Timestamp,
    source: &mut impl Source,
    due: &mut Due,
) -> Result<Option<serde_json::Value>, NoRandomness> {
    let noted = |name: &str| {
        secret
            .annotations()
            .get(name)
            .and_then(|text| text.parse::<Timestamp>().ok())
    };
    let entry = |name: &str| secret.data.as_ref().and_then(|data| data.get(name));
    let version = secret.resource_version();
    if let (Some(rotation), Some(made_at)) = (&resource.spec.rotation, noted(MADE_AT)) {
        let (Some(every), overlap) = (seconds(&rotation.every), seconds(&rotation.overlap)) else {
            return Ok(None);
        };
        let replaced_at = made_at + every;
        if replaced_at <= now || entry(API_KEY_ENTRY).is_none() {
            let until = second(now) + overlap.unwrap_or(SignedDuration::ZERO);
            let data = json!({
                API_KEY_ENTRY: ByteString(source.api_key()?.into_bytes()),
                PREVIOUS_API_KEY_ENTRY: entry(API_KEY_ENTRY),
            });
            let annotations = json!({ MADE_AT: second(now).to_string(), PREVIOUS_UNTIL: until.to_string() });
            due.at(until);
            return Ok(Some(json!({
                "metadata": { "resourceVersion": version, "annotations": annotations }, "data": data,
            })));
        }
        due.at(replaced_at);
    }
    if let (Some(until), Some(_)) = (noted(PREVIOUS_UNTIL), entry(PREVIOUS_API_KEY_ENTRY)) {
        if until <= now {
            return Ok(Some(json!({
                "metadata": { "resourceVersion": version, "annotations": { PREVIOUS_UNTIL: null } },
                "data": { PREVIOUS_API_KEY_ENTRY: null },
            })));
        }
        due.at(until);
    }
    Ok(None)
}

fn seconds(duration: &Duration) -> Option<SignedDuration> {
    let seconds = duration.seconds().ok().flatten()?;
    Some(SignedDuration::from_secs(i64::try_from(seconds).ok()?))
}
