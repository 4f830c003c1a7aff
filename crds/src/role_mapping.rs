//! `RoleMapping`: which claims grant which roles and groups.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ProviderRef, Status};

/// Which claims of a provider grant which roles and groups. Several mappings of one provider add up.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "authd.dev",
    version = "v1alpha1",
    kind = "RoleMapping",
    namespaced,
    plural = "rolemappings",
    shortname = "rmap",
    category = "authd",
    status = "Status",
    doc = "Which claims of a provider grant which roles and groups.",
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.providerRef.name"),
    printcolumn(name = "No match", type_ = "string", json_path = ".spec.onNoMatch"),
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
#[x_kube(validation = Rule::new("has(self.roles) || has(self.groups)").message("say what is granted: add `roles` or `groups`"))]
pub struct RoleMappingSpec {
    /// The provider whose claims are read.
    pub provider_ref: ProviderRef,
    /// Roles, and what grants them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub roles: Option<Vec<Grant>>,
    /// What becomes of somebody to whom no mapping of the provider grants a role.
    #[serde(default)]
    pub on_no_match: OnNoMatch,
    /// Groups, and what makes somebody a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupGrants>,
}

/// A role and what grants it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    /// The role: `user`, `admin`, or a name of your own.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9._:/-]*$"))]
    #[x_kube(validation = Rule::new("self != 'pending'").message("`pending` is the absence of a role: use `onNoMatch: Pending`"))]
    pub role: String,
    /// Tests of which one must hold.
    #[schemars(length(min = 1, max = 32))]
    pub when_any: Vec<When>,
}

/// Which groups somebody is in.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.grant) || (has(self.sync) && self.sync)").message("say which groups: add `grant`, or `sync: true`"))]
#[x_kube(validation = Rule::new("(has(self.sync) && self.sync) || (!has(self.ignore) && !(has(self.create) && self.create))").message("`create` and `ignore` go with `sync: true`"))]
pub struct GroupGrants {
    /// Groups, and what makes somebody a member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub grant: Vec<GroupGrant>,
    /// Whether people are members of the groups that the claim `groups` names, and of no others that it named before. What an
    /// administrator gave by hand stays.
    #[serde(default)]
    pub sync: bool,
    /// Whether a group comes to be when somebody arrives who is in it. Where not, only groups that have members already, or that a
    /// `grant` names, are joined.
    #[serde(default)]
    pub create: bool,
    /// Groups that are neither joined nor left, as patterns in which `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub ignore: Vec<String>,
    /// What to do when the provider does not send the claim at all, which is not the same as sending an empty one.
    #[serde(default)]
    pub on_absent: OnAbsent,
}

/// What an absent claim means.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnAbsent {
    /// Signing in is refused: the provider does not send what it should.
    #[default]
    Deny,
    /// The person is in none of the provider's groups.
    Leave,
    /// The groups stay what they were.
    Keep,
}

/// A group and what makes somebody a member.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupGrant {
    /// The group's name.
    #[schemars(length(min = 1, max = 256))]
    pub group: String,
    /// Tests of which one must hold.
    #[schemars(length(min = 1, max = 32))]
    pub when_any: Vec<When>,
}

/// A test of one claim. A claim that holds a list passes when one of its items does.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.equals) != has(self.glob)").message("give exactly one of `equals` and `glob`"))]
pub struct When {
    /// The claim's name, such as `groups` or `email`.
    #[schemars(length(min = 1, max = 256))]
    pub claim: String,
    /// The claim is exactly this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub equals: Option<String>,
    /// The claim fits this pattern, in which `*` stands for any text, also none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub glob: Option<String>,
}

/// What becomes of somebody to whom nothing is granted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNoMatch {
    /// Signing in is refused.
    #[default]
    Deny,
    /// The account waits for an administrator.
    Pending,
    /// The role stays what an administrator set on the account.
    Keep,
}
