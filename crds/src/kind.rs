//! Every kind, in one list.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{AccessPolicy, ApiKey, AuthProvider, Authd, RoleMapping};

/// The API group of all kinds.
pub const GROUP: &str = "authd.dev";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// One kind of resource.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As written in `kind:`.
    pub name: &'static str,
    /// The generated definition that a cluster installs.
    pub definition: fn() -> CustomResourceDefinition,
}

/// Every kind, in the order in which they depend on one another.
pub const KINDS: [Kind; 5] = [
    Kind {
        name: "Authd",
        definition: Authd::crd,
    },
    Kind {
        name: "AuthProvider",
        definition: AuthProvider::crd,
    },
    Kind {
        name: "RoleMapping",
        definition: RoleMapping::crd,
    },
    Kind {
        name: "ApiKey",
        definition: ApiKey::crd,
    },
    Kind {
        name: "AccessPolicy",
        definition: AccessPolicy::crd,
    },
];
