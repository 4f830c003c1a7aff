//! `google` to an OpenID provider with a flavour.

use crds::{AuthProvider, IdTokenAlgorithm, UserInfo};

use super::{outbound, text};
use crate::compile::scope::Scope;
use crate::problem::Problem;
use crate::snapshot::{Authentication, Client, ClientProof, Flavour, Method, Oidc};

/// The OpenID provider, with its secret.
pub(super) fn compile(scope: &Scope<'_>, resource: &AuthProvider, google: &crds::Google) -> Result<Method, Problem> {
    let secret = text(
        scope,
        resource,
        "spec.google.clientSecretRef",
        &google.client_secret_ref,
    )?;
    let hosted_domains: Vec<String> = google
        .hosted_domains
        .iter()
        .map(|domain| domain.to_lowercase())
        .collect();
    // A hint for the page where people choose their account; what counts is the claim.
    let hint = match hosted_domains.as_slice() {
        [only] => Some(("hd".to_owned(), only.clone())),
        _ => None,
    };
    let issuer = google
        .issuer
        .clone()
        .unwrap_or_else(|| "https://accounts.google.com".to_owned());
    Ok(Method::Oidc(Box::new(Oidc {
        issuer,
        client: Client::Registered {
            id: google.client_id.clone(),
            proof: ClientProof::Post(secret),
        },
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        authorize_parameters: [("access_type".to_owned(), "offline".to_owned())]
            .into_iter()
            .chain(hint)
            .collect(),
        id_token_algorithms: vec![IdTokenAlgorithm::RS256],
        authentication: Authentication::default(),
        userinfo: UserInfo::Never,
        outbound: outbound::compile(scope, resource, "spec.google.outbound", google.outbound.as_ref())?,
        flavour: Flavour::Google { hosted_domains },
    })))
}
