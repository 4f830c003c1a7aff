//! Did resources vanish because somebody deleted them, or because their kind did?
//!
//! When a kind's definition is removed, the API server deletes its resources one by one; installed anew, it begins with none. An index
//! notes how many resources of each kind it was made of, and which definition they had. Fewer of them are published only while that
//! definition stands.

use std::collections::BTreeMap;

use crds::published::ALLOW_LOSS;
use crds::{KINDS, ResourceExt};
use futures::future::join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::plan::Instance;

/// What an index was made of, by kind.
pub type MadeOf = BTreeMap<String, Part>;

/// The resources of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// How many there were.
    pub count: usize,
    /// The `metadata.uid` of the definition.
    pub uid: String,
}

/// What an index says that it was made of.
#[derive(Clone, Copy)]
pub enum Recorded<'a> {
    /// The definitions were what it says when this operator last looked.
    Checked(&'a MadeOf),
    /// They may have changed since.
    Unchecked(Option<&'a MadeOf>),
}

impl<'a> Recorded<'a> {
    /// A record that was or was not checked.
    #[must_use]
    pub fn new(record: Option<&'a MadeOf>, is_checked: bool) -> Self {
        match record {
            Some(record) if is_checked => Self::Checked(record),
            other => Self::Unchecked(other),
        }
    }
}

/// Why nothing is published.
#[derive(Debug, thiserror::Error)]
#[error(
    "{count} {kind} resources are missing since the definition of their kind {what}: what was published before stays; apply them \
     again, or annotate the Authd with `{ALLOW_LOSS}: \"true\"` if they shall be gone"
)]
pub struct Loss {
    kind: String,
    count: usize,
    what: &'static str,
}

/// How many resources of each kind the instance reads.
fn counts(inventory: &Inventory, instance: &Instance) -> BTreeMap<&'static str, usize> {
    fn count<K: ResourceExt>(resources: &[K], instance: &Instance) -> usize {
        let inside = |resource: &&K| instance.namespaces.contains(&resource.namespace().unwrap_or_default());
        resources.iter().filter(inside).count()
    }
    let resources = &inventory.resources;
    BTreeMap::from([
        ("Authd", 1),
        ("AuthProvider", count(&resources.providers, instance)),
        ("RoleMapping", count(&resources.role_mappings, instance)),
        ("ApiKey", count(&resources.api_keys, instance)),
        ("AccessPolicy", count(&resources.access_policies, instance)),
    ])
}

/// What the next index is made of, if that is no loss.
///
/// # Errors
/// Resources are missing, and their kind is not what it was.
pub async fn check(
    client: &Client,
    inventory: &Inventory,
    instance: &Instance,
    recorded: Recorded<'_>,
) -> Result<MadeOf, Loss> {
    let counts = counts(inventory, instance);
    let (before, known) = match recorded {
        Recorded::Checked(before) => {
            let fewer = |(kind, count): (&&str, &usize)| before.get(*kind).is_some_and(|part| *count < part.count);
            (Some(before), Some(before).filter(|_| !counts.iter().any(fewer)))
        }
        Recorded::Unchecked(before) => (before, None),
    };
    if let Some(known) = known {
        let uid = |kind: &str| known.get(kind).map(|part| part.uid.clone()).unwrap_or_default();
        let part = |(kind, count): (&&str, &usize)| {
            (
                (*kind).to_owned(),
                Part {
                    count: *count,
                    uid: uid(kind),
                },
            )
        };
        return Ok(counts.iter().map(part).collect());
    }
    let standing = standing(client).await;
    let allowed = instance
        .authd
        .annotations()
        .get(ALLOW_LOSS)
        .is_some_and(|text| text == "true");
    let mut made_of = MadeOf::new();
    for (kind, count) in counts {
        let uid = standing.get(kind).cloned().flatten();
        if let Some(part) = before
            .and_then(|before| before.get(kind))
            .filter(|part| count < part.count && !allowed)
        {
            let what = match &uid {
                None => Some("is gone"),
                Some(uid) if *uid != part.uid => Some("was installed anew"),
                Some(_) => None,
            };
            if let Some(what) = what {
                let count = part.count - count;
                return Err(Loss {
                    kind: kind.to_owned(),
                    count,
                    what,
                });
            }
        }
        made_of.insert(
            kind.to_owned(),
            Part {
                count,
                uid: uid.unwrap_or_default(),
            },
        );
    }
    Ok(made_of)
}

/// The `metadata.uid` of the definition of Authds, if it stands.
pub async fn authds_stand(client: &Client) -> Option<String> {
    standing(client).await.remove("Authd").flatten()
}

/// The `metadata.uid` of each definition that stands; `None` for one that is gone, is going, or cannot be read.
async fn standing(client: &Client) -> BTreeMap<&'static str, Option<String>> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let read = KINDS.map(|kind| {
        let api = api.clone();
        async move {
            let name = (kind.definition)().name_any();
            let call = tokio::time::timeout(std::time::Duration::from_secs(5), api.get_opt(&name));
            let found = call.await.ok().and_then(Result::ok).flatten();
            let stands = found.filter(|definition| definition.metadata.deletion_timestamp.is_none());
            (kind.name, stands.and_then(|definition| definition.uid()))
        }
    });
    join_all(read).await.into_iter().collect()
}
