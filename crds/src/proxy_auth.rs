//! How the proxies that ask an Authd prove that they are proxies.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKeyRef;

/// How proxies prove that they are proxies. Everything that is set here must be shown, from whatever address.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.secretRefs) && size(self.secretRefs) > 0) || has(self.tls)").message("needs `secretRefs`, `tls`, or both"))]
pub struct ProxyAuth {
    /// The value of the header `X-Authd-Proxy` that proxies send with every question; over gRPC, of the metadata of that name. Of
    /// two, either will do: so that one can take the place of the other. 32 or more visible ASCII characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub secret_refs: Vec<SecretKeyRef>,
    /// The verify and gRPC listeners speak TLS, and proxies show a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ProxyTls>,
}

/// Mutual TLS (1.2 and 1.3). A certificate that is replaced is used within seconds; connections of the one before end.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyTls {
    /// A Secret of type `kubernetes.io/tls`, as cert-manager writes it: authd's certificate with its chain in `tls.crt`, and the
    /// key in `tls.key`.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: String,
    /// The certificates of those who issue certificates of proxies, as PEM. Absent: `ca.crt` of the same Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca_ref: Option<SecretKeyRef>,
    /// The names of the proxies: a DNS name or a URI, such as `spiffe://cluster.local/ns/ingress/sa/envoy`, that the certificate has
    /// as a subject alternative name, to the letter.
    #[schemars(
        length(min = 1, max = 32),
        inner(
            length(min = 1, max = 512),
            regex(pattern = r"^([a-z0-9*]([-a-z0-9.]*[a-z0-9])?|[a-z][-a-z0-9+.]*://\S+)$")
        )
    )]
    pub client_names: Vec<String>,
}
