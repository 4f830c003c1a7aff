//! `github` to GitHub, or an Enterprise server.

use crds::AuthProvider;

use super::{outbound, text};
use crate::compile::scope::Scope;
use crate::problem::Problem;
use crate::snapshot::{GitHub, Method};

/// GitHub, with its secret.
pub(super) fn compile(scope: &Scope<'_>, resource: &AuthProvider, github: &crds::GitHub) -> Result<Method, Problem> {
    let base = github.base_url.as_deref().map(|url| url.trim_end_matches('/'));
    let (base, api) = match base {
        None | Some("https://github.com") => ("https://github.com", "https://api.github.com".to_owned()),
        Some(base) => (base, format!("{base}/api/v3")),
    };
    Ok(Method::GitHub(Box::new(GitHub {
        client_id: github.client_id.clone(),
        client_secret: text(
            scope,
            resource,
            "spec.github.clientSecretRef",
            &github.client_secret_ref,
        )?,
        base: base.to_owned(),
        api,
        outbound: outbound::compile(scope, resource, "spec.github.outbound", github.outbound.as_ref())?,
    })))
}
