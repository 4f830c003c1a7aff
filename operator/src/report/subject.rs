//! The five kinds as the report sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::published::{API_KEY_ENTRY, MADE_AT};
use crds::{AccessPolicy, ApiKey, AuthProvider, Authd, Condition, ConditionType, Reason, RoleMapping, Time};
use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use kube::{Resource, ResourceExt as _};
use serde_json::{Value, json};

use super::queue::Call;
use super::{Report, reference};
use crate::cluster::{Cluster, Namespaced};
use crate::inventory::Inventory;
use crate::plan::{Instance, Plan};
use crate::publish::{Publisher, key_secret, version_of};
use crate::replicas::Replicas;
use crate::stored::Stored;
use crate::watch::{Kept, World};

/// A resource whose status is reported.
pub struct Subject<'a> {
    pub(super) uid: String,
    pub(super) generation: i64,
    pub(super) resource_version: u128,
    /// As the publisher counts versions.
    pub(super) version: String,
    pub(super) conditions: Vec<Condition>,
    observed: Option<i64>,
    enforced: Option<String>,
    said_more: BTreeMap<&'static str, Value>,
    pub(super) more: BTreeMap<&'static str, Value>,
    pub(super) instance: Option<&'a Instance>,
    pub(super) problem: Option<(Reason, String)>,
    pub(super) tracks_enforcement: bool,
    /// Its name, where it is a provider with servers of its own.
    pub(super) provider_outside: Option<String>,
    pub(super) is_readable: bool,
    pub(super) reference: ObjectReference,
    pub(super) call: Call,
}

/// What is particular to a kind.
trait Reported: Namespaced + Send + Sync + 'static {
    /// Whether its status says how many replicas enforce it.
    const TRACKS_ENFORCEMENT: bool;

    fn conditions(&self) -> (Option<i64>, &[Condition]);

    fn enforced(&self) -> Option<&String> {
        None
    }

    /// What its status says beside that.
    fn said(&self) -> BTreeMap<&'static str, Value> {
        BTreeMap::new()
    }

    /// What its status should say beside that.
    fn more(&self, _of: &Sources<'_>) -> BTreeMap<&'static str, Value> {
        BTreeMap::new()
    }

    /// Whether it is a provider that replicas have to reach.
    fn is_outside(&self) -> bool {
        false
    }

    /// The Secret whose version is part of the resource's.
    fn secret<'a>(&self, _inventory: &'a Inventory) -> Option<&'a Arc<Secret>> {
        None
    }
}

/// Where more than conditions comes from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// What was read.
    pub inventory: &'a Inventory,
    /// What is wrong.
    pub plan: &'a Plan,
    /// What is published.
    pub publisher: &'a Publisher,
    /// What replicas say.
    pub replicas: &'a Replicas,
}

/// Every resource, readable or not.
#[must_use]
pub fn all<'a>(world: &World, sources: Sources<'a>) -> Vec<Subject<'a>> {
    let mut subjects = Vec::new();
    add(&world.authds, sources, &mut subjects);
    add(&world.providers, sources, &mut subjects);
    add(&world.role_mappings, sources, &mut subjects);
    add(&world.api_keys, sources, &mut subjects);
    add(&world.access_policies, sources, &mut subjects);
    subjects
}

fn add<'a, K: Reported>(kept: &Kept<K>, sources: Sources<'a>, subjects: &mut Vec<Subject<'a>>) {
    let call: Call = Arc::new(|cluster, status| write::<K>(cluster, status).boxed());
    for object in kept.state() {
        if object.meta().deletion_timestamp.is_none() {
            subjects.extend(subject(&object, sources, &call));
        }
    }
}

fn subject<'a, K: Reported>(object: &Stored<K>, sources: Sources<'a>, call: &Call) -> Option<Subject<'a>> {
    let resource = object.0.as_ref().ok();
    let (observed, conditions) = resource.map_or((None, &[][..]), Reported::conditions);
    Some(Subject {
        uid: object.uid()?,
        generation: object.meta().generation.unwrap_or(0),
        resource_version: object
            .resource_version()
            .and_then(|version| version.parse().ok())
            .unwrap_or(0),
        version: version_of(object, resource.and_then(|resource| resource.secret(sources.inventory))),
        conditions: conditions.to_vec(),
        observed,
        enforced: resource.and_then(Reported::enforced).cloned(),
        said_more: resource.map(Reported::said).unwrap_or_default(),
        more: resource.map(|resource| resource.more(&sources)).unwrap_or_default(),
        instance: sources.plan.instance_of(object),
        problem: sources.plan.problem(object),
        tracks_enforcement: K::TRACKS_ENFORCEMENT,
        provider_outside: resource
            .filter(|resource| resource.is_outside())
            .map(|resource| resource.name_any()),
        is_readable: resource.is_some(),
        reference: reference(object),
        call: Arc::clone(call),
    })
}

async fn write<K: Reported>(cluster: Cluster, status: Value) -> Result<u128, crate::cluster::Error> {
    let text = |path: &str| status.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let written: K = cluster.status(namespace, name, &status).await?;
    Ok(written
        .resource_version()
        .and_then(|version| version.parse().ok())
        .unwrap_or(0))
}

impl Subject<'_> {
    /// Whether the status says it already.
    pub(super) fn says(&self, report: &Report) -> bool {
        let said = |(kind, said): &(ConditionType, super::Said)| {
            self.conditions.iter().any(|condition| {
                condition.type_ == kind.name()
                    && condition.status == said.holds.name()
                    && condition.reason == said.reason.name()
                    && condition.message == said.message
                    && condition.observed_generation == Some(report.generation)
            })
        };
        self.observed == Some(report.generation)
            && self.enforced == report.enforced
            && self.said_more == report.more
            && self.conditions.len() == report.conditions.len()
            && report.conditions.iter().all(said)
    }

    /// The body of the call that writes the status.
    pub(super) fn patch(&self, status: &Value) -> Value {
        let ObjectReference {
            api_version,
            kind,
            namespace,
            name,
            ..
        } = &self.reference;
        json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": { "namespace": namespace, "name": name, "uid": self.uid },
            "status": status,
        })
    }
}

/// The one conversion of times between resources and their statuses.
fn time(moment: Timestamp) -> Value {
    json!(Time(moment))
}

macro_rules! conditions {
    () => {
        fn conditions(&self) -> (Option<i64>, &[Condition]) {
            let status = self.status.as_ref();
            (
                status.and_then(|status| status.observed_generation),
                status.map_or(&[], |status| &status.conditions),
            )
        }
    };
    (enforced) => {
        const TRACKS_ENFORCEMENT: bool = true;

        conditions!();

        fn enforced(&self) -> Option<&String> {
            self.status.as_ref()?.enforced.as_ref()
        }
    };
}

impl Reported for AuthProvider {
    const TRACKS_ENFORCEMENT: bool = false;

    conditions!();

    fn said(&self) -> BTreeMap<&'static str, Value> {
        let Some(status) = &self.status else {
            return BTreeMap::new();
        };
        let uri = status.redirect_uri.iter().map(|uri| ("redirectUri", json!(uri)));
        let issuer = status.issuer.iter().map(|issuer| ("issuer", json!(issuer)));
        uri.chain(issuer).collect()
    }

    fn more(&self, of: &Sources<'_>) -> BTreeMap<&'static str, Value> {
        let mut more = BTreeMap::new();
        let Some(instance) = of.plan.instance_of(self) else {
            return more;
        };
        if self.spec.is_elsewhere() {
            let public_url = instance.authd.spec.public_url.trim_end_matches('/');
            let uri = format!("{public_url}/oauth/{}/callback", self.name_any());
            more.insert("redirectUri", json!(uri));
        }
        more.extend(issuer(self, instance, of).map(|issuer| ("issuer", json!(issuer))));
        more
    }

    fn is_outside(&self) -> bool {
        self.spec.password.is_none()
    }
}

/// The issuer that a provider says it is, as replicas heard it; while none has heard anything, what was written of this generation.
fn issuer(provider: &AuthProvider, instance: &Instance, of: &Sources<'_>) -> Option<String> {
    let published = of.publisher.published(instance)?;
    let since = published.since(provider.metadata.uid.as_deref()?, &version_of(provider, None))?;
    let fares = of.replicas.fares(instance, &provider.name_any(), since);
    let heard = fares.iter().filter_map(|fares| fares.issuer.as_ref()).min();
    let written = provider
        .status
        .as_ref()
        .filter(|status| status.observed_generation == provider.metadata.generation)
        .and_then(|status| status.issuer.as_ref());
    heard.or(written).cloned()
}

impl Reported for RoleMapping {
    const TRACKS_ENFORCEMENT: bool = false;

    conditions!();
}

impl Reported for AccessPolicy {
    conditions!(enforced);
}

impl Reported for Authd {
    conditions!(enforced);

    fn said(&self) -> BTreeMap<&'static str, Value> {
        let Some(status) = &self.status else {
            return BTreeMap::new();
        };
        let snapshot = status.snapshot.iter().map(|digest| ("snapshot", json!(digest)));
        snapshot
            .chain(status.sequence.iter().map(|sequence| ("sequence", json!(sequence))))
            .collect()
    }

    fn more(&self, of: &Sources<'_>) -> BTreeMap<&'static str, Value> {
        let published = of
            .plan
            .instance_of(self)
            .and_then(|instance| of.publisher.published(instance));
        match published.and_then(|published| published.index.as_ref()) {
            Some(index) => BTreeMap::from([("snapshot", json!(index.digest)), ("sequence", json!(index.sequence))]),
            // What another operator published stands until this one knows better.
            None => self.said(),
        }
    }
}

impl Reported for ApiKey {
    conditions!(enforced);

    fn said(&self) -> BTreeMap<&'static str, Value> {
        let Some(status) = &self.status else {
            return BTreeMap::new();
        };
        let prefix = status.prefix.iter().map(|prefix| ("prefix", json!(prefix)));
        let expires_at = status.expires_at.iter().map(|moment| ("expiresAt", time(moment.0)));
        let rotated_at = status.rotated_at.iter().map(|moment| ("rotatedAt", time(moment.0)));
        prefix.chain(expires_at).chain(rotated_at).collect()
    }

    fn more(&self, of: &Sources<'_>) -> BTreeMap<&'static str, Value> {
        let mut more = BTreeMap::new();
        let secret = self.secret(of.inventory).filter(|_| of.plan.problem(self).is_none());
        let key = secret.and_then(|secret| secret.data.as_ref()?.get(API_KEY_ENTRY));
        let prefix = key.and_then(|key| std::str::from_utf8(key.0.get(..7)?).ok());
        more.extend(prefix.map(|prefix| ("prefix", json!(prefix))));
        let made_at = secret.and_then(|secret| secret.annotations().get(MADE_AT)?.parse::<Timestamp>().ok());
        more.extend(made_at.map(|made_at| ("rotatedAt", time(made_at))));
        let after = self
            .spec
            .expires_after
            .as_ref()
            .and_then(|after| after.seconds().ok().flatten());
        let after = after.and_then(|seconds| Some(SignedDuration::from_secs(i64::try_from(seconds).ok()?)));
        let expires_at = match (&self.spec.expires_at, made_at.zip(after)) {
            (Some(expires_at), _) => Some(expires_at.0),
            (None, Some((made_at, after))) => made_at.checked_add(after).ok(),
            (None, None) => None,
        };
        more.extend(expires_at.map(|moment| ("expiresAt", time(moment))));
        more
    }

    fn secret<'a>(&self, inventory: &'a Inventory) -> Option<&'a Arc<Secret>> {
        key_secret(inventory, self)
    }
}
