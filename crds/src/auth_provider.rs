//! `AuthProvider`: one way to sign in.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::Status;

/// One way to sign in.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "authd.dev",
    version = "v1alpha1",
    kind = "AuthProvider",
    namespaced,
    plural = "authproviders",
    shortname = "aprov",
    category = "authd",
    status = "Status",
    doc = "One way to sign in.",
    printcolumn(name = "Display name", type_ = "string", json_path = ".spec.displayName"),
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
#[x_kube(validation = Rule::new("has(self.password)").message("give exactly one kind of provider: `password: {}`"))]
pub struct AuthProviderSpec {
    /// What people read on the sign-in page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub display_name: Option<String>,
    /// Accounts with an e-mail address and a password that authd keeps itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// Accounts that authd keeps itself. Their claims are `email`, `email_verified`, `name` and `role`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Password {}
