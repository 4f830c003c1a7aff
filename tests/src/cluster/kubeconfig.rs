//! How does somebody reach the cluster? A kubeconfig for each who does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::authority::Identity;

/// Who asks the API server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum User<'a> {
    /// Somebody in `system:masters`, who may do everything.
    Admin,
    /// A ServiceAccount that exists, with a token that the API server made for it.
    ServiceAccount {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// Somebody with a client certificate.
    Person {
        /// The name that RBAC knows.
        name: &'a str,
        /// The group that RBAC knows.
        group: &'a str,
    },
}

/// What the user shows.
#[derive(Debug)]
pub(super) enum Proof {
    /// A client certificate.
    Certificate(Identity),
    /// A bearer token.
    Token(String),
}

impl Proof {
    fn json(&self) -> Value {
        match self {
            Self::Certificate(identity) => json!({
                "client-certificate": identity.certificate,
                "client-key": identity.key,
            }),
            Self::Token(token) => json!({"token": token}),
        }
    }
}

/// A kubeconfig, as JSON, which is YAML too.
pub(super) fn kubeconfig(address: &str, authority: &str, proof: &Proof) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {
            "server": address,
            "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{"name": "tests", "user": proof.json()}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    })
}

/// A kubeconfig that leads to somebody who asks for no proof.
pub(super) fn plain(address: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": address}}],
        "users": [{"name": "tests", "user": {}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    })
}
