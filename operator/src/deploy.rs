//! What an Authd becomes in the cluster: a function of the Authd, the number of its shards, the image, and what its Pods read when they
//! start.
//!
//! Pods keep to the Pod Security profile `restricted`, and their ServiceAccount may read the Secrets of their own Snapshot, by name,
//! and keep Leases; nothing else. Making and keeping the objects is in [`crate::children`].

mod pod;
pub mod read_at_start;
#[cfg(test)]
mod tests;

use crds::published::{INSTANCE_LABEL, READ_AT_START, index_secret, mounted_shards, shard_secret};
use crds::{Authd, ResourceExt as _};
use kube::core::{DynamicObject, ObjectMeta, TypeMeta};
use serde_json::{Value, json};

/// Where people and their browsers come.
const PUBLIC: u16 = 8080;
/// Where proxies ask.
const VERIFY: u16 = 8081;
/// Where Envoy asks over gRPC.
const GRPC: u16 = 8082;
/// Where probes and Prometheus ask.
const ADMIN: u16 = 9090;

/// The objects, in the order in which they are made; `read` is what [`read_at_start`] says of them.
#[must_use]
pub fn objects(authd: &Authd, shards: usize, image: &str, read: Option<&str>) -> Vec<DynamicObject> {
    let parts = Parts {
        authd,
        name: authd.name_any(),
        shards: mounted_shards(shards),
    };
    let mut objects = vec![
        parts.service_account(),
        parts.role(),
        parts.role_binding(),
        parts.network_policy(),
        parts.service(),
        parts.deployment(image, read),
    ];
    objects.extend((authd.spec.replicas > 1).then(|| parts.disruption_budget()));
    objects
}

/// What all objects of an Authd are made from.
struct Parts<'a> {
    authd: &'a Authd,
    name: String,
    /// How many shards are mounted, and may be read.
    shards: usize,
}

impl Parts<'_> {
    fn labels(&self) -> Value {
        json!({
            "app.kubernetes.io/name": "authd",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/managed-by": "authd-operator",
            INSTANCE_LABEL: self.name,
        })
    }

    /// What the Pods of this Authd are chosen by; it must never change.
    fn selector(&self) -> Value {
        json!({ "app.kubernetes.io/name": "authd", INSTANCE_LABEL: self.name })
    }

    fn object(&self, api_version: &str, kind: &str, data: Value) -> DynamicObject {
        let labels = serde_json::from_value(self.labels()).unwrap_or_default();
        DynamicObject {
            types: Some(TypeMeta {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            }),
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: self.authd.namespace(),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            data,
        }
    }

    /// Its token is mounted explicitly, and only into the container that needs it.
    fn service_account(&self) -> DynamicObject {
        self.object("v1", "ServiceAccount", json!({ "automountServiceAccountToken": false }))
    }

    fn role(&self) -> DynamicObject {
        let shards = (0..self.shards).map(|number| shard_secret(&self.name, number));
        let secrets: Vec<String> = std::iter::once(index_secret(&self.name)).chain(shards).collect();
        let rules = json!([
            { "apiGroups": [""], "resources": ["secrets"], "resourceNames": secrets, "verbs": ["get", "watch"] },
            { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch", "delete"] },
        ]);
        self.object("rbac.authorization.k8s.io/v1", "Role", json!({ "rules": rules }))
    }

    fn role_binding(&self) -> DynamicObject {
        let data = json!({
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self.name },
            "subjects": [{ "kind": "ServiceAccount", "name": self.name, "namespace": self.authd.namespace() }],
        });
        self.object("rbac.authorization.k8s.io/v1", "RoleBinding", data)
    }

    /// In: whoever asks at the three ports. Out: names, and what may be an API server, a provider or a database, but never the
    /// address at which clouds hand out credentials.
    fn network_policy(&self) -> DynamicObject {
        let port = |port: u16| json!({ "port": port, "protocol": "TCP" });
        let data = json!({ "spec": {
            "podSelector": { "matchLabels": self.selector() },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{ "ports": [port(PUBLIC), port(VERIFY), port(GRPC), port(ADMIN)] }],
            "egress": [
                { "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }] },
                { "to": [
                    { "ipBlock": { "cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"] } },
                    { "ipBlock": { "cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::254/128"] } },
                ] },
            ],
        } });
        self.object("networking.k8s.io/v1", "NetworkPolicy", data)
    }

    fn service(&self) -> DynamicObject {
        let port = |name: &str, port: u16| json!({ "name": name, "port": port, "targetPort": name, "protocol": "TCP" });
        let data = json!({ "spec": {
            "type": "ClusterIP",
            "selector": self.selector(),
            "ports": [port("public", PUBLIC), port("verify", VERIFY), port("grpc", GRPC), port("admin", ADMIN)],
        } });
        self.object("v1", "Service", data)
    }

    fn deployment(&self, image: &str, read: Option<&str>) -> DynamicObject {
        let mut of_pods = json!({ "labels": self.labels() });
        if let (Some(digest), Some(of_pods)) = (read, of_pods.as_object_mut()) {
            of_pods.insert("annotations".to_owned(), json!({ READ_AT_START: digest }));
        }
        let data = json!({ "spec": {
            "replicas": self.authd.spec.replicas,
            "revisionHistoryLimit": 3,
            "selector": { "matchLabels": self.selector() },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } },
            "template": {
                "metadata": of_pods,
                "spec": self.pod(image),
            },
        } });
        self.object("apps/v1", "Deployment", data)
    }

    fn disruption_budget(&self) -> DynamicObject {
        let data = json!({ "spec": {
            "maxUnavailable": 1,
            "selector": { "matchLabels": self.selector() },
        } });
        self.object("policy/v1", "PodDisruptionBudget", data)
    }
}
