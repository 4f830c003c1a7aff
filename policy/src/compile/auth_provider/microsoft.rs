//! `microsoft` to an OpenID provider with a flavour.

use crds::{AuthProvider, IdTokenAlgorithm, UserInfo};

use super::{outbound, text};
use crate::compile::scope::Scope;
use crate::problem::Problem;
use crate::snapshot::{Authentication, Client, ClientProof, Flavour, Method, Oidc};

/// The OpenID provider, with its secret.
pub(super) fn compile(
    scope: &Scope<'_>,
    resource: &AuthProvider,
    microsoft: &crds::Microsoft,
) -> Result<Method, Problem> {
    let field = "spec.microsoft.clientSecretRef";
    let secret = text(scope, resource, field, &microsoft.client_secret_ref)?;
    let at = |given: &Option<String>, otherwise: &str| {
        let url = given.as_deref().unwrap_or(otherwise);
        url.trim_end_matches('/').to_owned()
    };
    let login = at(&microsoft.login_url, "https://login.microsoftonline.com");
    Ok(Method::Oidc(Box::new(Oidc {
        issuer: format!("{login}/{}/v2.0", microsoft.tenant),
        client: Client::Registered {
            id: microsoft.client_id.clone(),
            proof: ClientProof::Post(secret),
        },
        scopes: ["openid", "email", "profile", "offline_access", "User.Read"]
            .map(str::to_owned)
            .to_vec(),
        authorize_parameters: Vec::new(),
        id_token_algorithms: vec![IdTokenAlgorithm::RS256],
        authentication: Authentication::default(),
        userinfo: UserInfo::Never,
        outbound: outbound::compile(scope, resource, "spec.microsoft.outbound", microsoft.outbound.as_ref())?,
        flavour: Flavour::Microsoft {
            template: matches!(microsoft.tenant.as_str(), "common" | "organizations" | "consumers")
                .then(|| format!("{login}/{{tenantid}}/v2.0")),
            tenants: microsoft.allowed_tenants.clone(),
            graph: at(&microsoft.graph_url, "https://graph.microsoft.com"),
        },
    })))
}
