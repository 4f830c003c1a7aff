//! `AccessPolicy`: who may do what on which hosts and paths.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AccessPolicyStatus, Duration};

/// Who may do what on a set of hosts. A host belongs to one AccessPolicy; what no rule allows is refused.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "authd.dev",
    version = "v1alpha1",
    kind = "AccessPolicy",
    namespaced,
    plural = "accesspolicies",
    shortname = "apol",
    category = "authd",
    status = "AccessPolicyStatus",
    doc = "Who may do what on a set of hosts. What no rule allows is refused.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Hosts", type_ = "string", json_path = ".spec.hosts"),
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
#[x_kube(validation = Rule::new("(has(self.rules) && size(self.rules) > 0) || has(self.cedar)").message("say what is allowed: add `rules` or `cedar`"))]
pub struct AccessPolicySpec {
    /// `Enforce` refuses what is not allowed. `Shadow` decides and records what would have been refused, and lets it through.
    #[serde(default)]
    pub mode: Mode,
    /// What becomes of people, and of keys that they made, while a replica has not heard for more than 5 s what was revoked, as its
    /// database does not answer. `Allow`: who was let in before still is. `Deny`: they are refused (503) until it has heard. Keys of
    /// ApiKey resources, tokens of other issuers and public paths are not concerned.
    #[serde(default)]
    pub on_revocation_unknown: OnRevocationUnknown,
    /// Host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label
    /// (`*.example.com`, which covers exactly one label). An exact name wins over a wildcard.
    #[schemars(
        length(min = 1, max = 64),
        inner(
            length(min = 1, max = 253),
            regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub hosts: Vec<String>,
    /// What is allowed. The rule with the longest matching path decides, whatever the order; rules of equal paths add up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rules: Vec<AccessRule>,
    /// Cedar policies for what rules cannot say. They hold for this policy's hosts only; a `forbid` wins over every rule.
    /// A `permit` never holds for people who are pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32768))]
    pub cedar: Option<String>,
}

/// Whether refusals take effect.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Refuse what is not allowed.
    #[default]
    Enforce,
    /// Record what would have been refused, and let it through.
    Shadow,
}

/// Whether those count whose access may have been revoked, as far as a replica knows.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRevocationUnknown {
    /// They count.
    #[default]
    Allow,
    /// They do not.
    Deny,
}

impl OnRevocationUnknown {
    /// Whether it is what it is when nobody says so.
    #[must_use]
    pub fn is_allow(&self) -> bool {
        *self == Self::Allow
    }
}

/// What is allowed on some paths.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.signedInWithin) || !(has(self.allow.anyone) || has(self.allow.services))").message("`signedInWithin` is about people who sign in: give `anyone` and `services` a rule without it"))]
#[x_kube(validation = Rule::new("!has(self.acr) || !(has(self.allow.anyone) || has(self.allow.services))").message("`acr` is about people who sign in: give `anyone` and `services` a rule without it"))]
pub struct AccessRule {
    /// Path prefixes, by whole segments: `/api` covers `/api` and `/api/x`, never `/apiary`. Absent: every path.
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
    /// Who is allowed.
    pub allow: Allow,
    /// How long ago they may have signed in, `1m` or more; whoever did so earlier is asked to sign in again. A key never fits, as
    /// nobody signs in with it. Absent: as long ago as sessions last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_within: Option<Duration>,
    /// The classes (`acr`) of which their OpenID provider must have put the sign-in into one, as it names them, such as `phr` or
    /// `https://refeds.org/profile/mfa`; whoever signed in otherwise is asked to do so at a provider that is asked for them
    /// (`acr_values`). A password, a directory and a key never fit, as nobody puts them into a class. Absent: any sign-in will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 256), regex(pattern = r"^[!#-\[\]-~]+$"))
    )]
    pub acr: Vec<String>,
    /// How long a connection may stay open that this rule lets open, such as a WebSocket or a stream of events; `7d` or less. Proxy and
    /// application are told in `X-Auth-Max-Age`, and what ends it is one of them. Absent: for as long as what the caller showed is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connection_age: Option<Duration>,
}

/// Who is allowed: whoever fits one of the fields.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.anyone) || has(self.signedIn) || has(self.roles) || has(self.groups) || has(self.users) || has(self.services)").message("say who is allowed: one of anyone, signedIn, roles, groups, users, services"))]
#[x_kube(validation = Rule::new("!has(self.anyone) || !(has(self.signedIn) || has(self.roles) || has(self.groups) || has(self.users) || has(self.services))").message("`anyone` already includes everybody: leave out the other fields"))]
pub struct Allow {
    /// Everybody, signed in or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("only `true` has a meaning: leave the field out to allow nobody by it"))]
    pub anyone: Option<bool>,
    /// Every person who is signed in and not pending, and every service with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("only `true` has a meaning: leave the field out to allow nobody by it"))]
    pub signed_in: Option<bool>,
    /// People and services with one of these roles. `admin` has every right of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 128)))]
    pub roles: Option<Vec<String>>,
    /// Members of one of these groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub groups: Option<Vec<String>>,
    /// People with one of these verified e-mail addresses, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 3, max = 254), regex(pattern = "^[^A-Z@\\s]+@[^A-Z@\\s]+$"))
    )]
    pub users: Option<Vec<String>>,
    /// Services, by the `owner.service` of their ApiKey, as `namespace/service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 3, max = 127), regex(pattern = "^[a-z0-9-]+/[a-z0-9-]+$"))
    )]
    pub services: Option<Vec<String>>,
}
