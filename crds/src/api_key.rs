//! `ApiKey`: a key for a program.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{ApiKeyStatus, Duration};

/// A key with which a program calls applications: `Authorization: Bearer sk-...`.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "authd.dev",
    version = "v1alpha1",
    kind = "ApiKey",
    namespaced,
    plural = "apikeys",
    shortname = "akey",
    category = "authd",
    status = "ApiKeyStatus",
    doc = "A key with which a program calls applications.",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.owner.service"),
    printcolumn(name = "User", type_ = "string", json_path = ".spec.owner.user", priority = 1),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expiresAt"),
    printcolumn(name = "Enforced", type_ = "string", json_path = ".status.enforced"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.secretName) != has(self.hash)").message("give exactly one of `secretName` and `hash`"))]
#[x_kube(validation = Rule::new("!(has(self.owner.user) && has(self.roles))").message("a key that acts for a user has that user's roles: leave out `roles`"))]
#[x_kube(validation = Rule::new("!(has(self.hash) && (has(self.rotation) || has(self.expiresAfter)))").message("the operator did not make a key that is given by its hash: leave out `rotation` and `expiresAfter`"))]
#[x_kube(validation = Rule::new("!(has(self.expiresAt) && has(self.expiresAfter))").message("give one of `expiresAt` and `expiresAfter`"))]
#[x_kube(validation = Rule::new("!(has(self.notBefore) && has(self.expiresAt)) || self.notBefore < self.expiresAt").message("`notBefore` must be earlier than `expiresAt`"))]
pub struct ApiKeySpec {
    /// For whom the key acts.
    pub owner: Owner,
    /// Roles of the service that owns the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 128)))]
    pub roles: Option<Vec<String>>,
    /// The only endpoints that the key opens. Absent: those of `Authd.spec.apiKeys`, or all that the owner may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub allowed_endpoints: Option<Vec<Endpoint>>,
    /// The Secret in this namespace that holds the key, under `api-key`: `sk-` and 32 or more hexadecimal digits. In a cluster the
    /// operator makes the key and the Secret; a Secret that is there already counts only if it has the annotation
    /// `authd.dev/api-key` with the name of this ApiKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: Option<String>,
    /// SHA-256 of a key that was made elsewhere, so that the key itself is in no Secret: `sha256:` and 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub hash: Option<String>,
    /// The key is refused before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// The key is refused from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// The key is refused so long after it was made by the operator. Rotation makes it anew, in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Duration>,
    /// Replaces the key in its Secret from time to time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// `true` switches the key off and keeps it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// How a key is replaced.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    /// How long after it was made a key is replaced.
    pub every: Duration,
    /// How long the replaced key stays valid beside the new one.
    #[serde(default = "a_day")]
    pub overlap: Duration,
}

fn a_day() -> Duration {
    "24h".into()
}

/// For whom a key acts.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.service) != has(self.user)").message("give exactly one of `service` and `user`"))]
pub struct Owner {
    /// A service, known as `namespace/service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: Option<String>,
    /// A person, by e-mail address in lower case: the key has that account's rights for as long as the account is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 254), regex(pattern = "^[^A-Z@\\s]+@[^A-Z@\\s]+$"))]
    pub user: Option<String>,
}

/// Some paths and methods on some hosts.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// Host names, exact or with one leading wildcard label. Absent: every host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(
            length(min = 1, max = 253),
            regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    pub hosts: Vec<String>,
    /// Path prefixes, by whole segments. Absent: every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 1024), regex(pattern = r"^/[^?#;\\%\s]*$"))
    )]
    pub paths: Vec<String>,
    /// HTTP methods, in capitals. Absent: every method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 32), regex(pattern = "^[A-Z][A-Z_-]*$"))
    )]
    pub methods: Vec<String>,
}
