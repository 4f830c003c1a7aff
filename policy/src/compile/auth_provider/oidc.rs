//! `oidc` to an OpenID provider.

use crds::{AuthProvider, ClientAuth, Reason, SecretKeyRef};

use super::{outbound, text};
use crate::compile::scope::{Scope, finite, problem};
use crate::problem::Problem;
use crate::snapshot::{Authentication, Client, ClientProof, Flavour, Method, Oidc};

/// The OpenID provider, with its secrets.
pub(super) fn compile(scope: &Scope<'_>, resource: &AuthProvider, oidc: &crds::Oidc) -> Result<Method, Problem> {
    Ok(Method::Oidc(Box::new(Oidc {
        issuer: oidc.issuer.clone(),
        client: client(scope, resource, oidc)?,
        scopes: oidc.scopes.clone(),
        authorize_parameters: oidc
            .authorize_parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.value.clone()))
            .collect(),
        id_token_algorithms: oidc.id_token_algorithms.clone(),
        authentication: authentication(resource, oidc)?,
        userinfo: oidc.userinfo,
        outbound: outbound::compile(scope, resource, "spec.oidc.outbound", oidc.outbound.as_ref())?,
        flavour: Flavour::Plain,
    })))
}

fn client(scope: &Scope<'_>, resource: &AuthProvider, oidc: &crds::Oidc) -> Result<Client, Problem> {
    let value = |field: &str, reference: &SecretKeyRef| text(scope, resource, &format!("spec.oidc.{field}"), reference);
    let Some(id) = oidc.client_id.clone() else {
        let Some(registration) = &oidc.dynamic_registration else {
            let message = "authd is not known there: give `clientId`, or `dynamicRegistration: {}`";
            return Err(problem(resource, "spec.oidc", Reason::InvalidField, message));
        };
        let token = registration.initial_access_token_ref.as_ref();
        let token = token.map(|reference| value("dynamicRegistration.initialAccessTokenRef", reference));
        return Ok(Client::Dynamic {
            initial_access_token: token.transpose()?,
        });
    };
    let needed = |field: &str| {
        let message = format!("this `clientAuth` needs `{field}`");
        problem(resource, "spec.oidc.clientAuth", Reason::InvalidField, message)
    };
    let secret = || {
        let reference = oidc
            .client_secret_ref
            .as_ref()
            .ok_or_else(|| needed("clientSecretRef"))?;
        value("clientSecretRef", reference)
    };
    let proof = match (oidc.client_auth, &oidc.client_secret_ref) {
        (Some(ClientAuth::ClientSecretBasic), _) | (None, Some(_)) => ClientProof::Basic(secret()?),
        (Some(ClientAuth::ClientSecretPost), _) => ClientProof::Post(secret()?),
        (Some(ClientAuth::PrivateKeyJwt), _) => {
            let reference = oidc.private_key_ref.as_ref().ok_or_else(|| needed("privateKeyRef"))?;
            ClientProof::PrivateKeyJwt(value("privateKeyRef", reference)?)
        }
        (Some(ClientAuth::None), _) | (None, None) => ClientProof::None,
    };
    Ok(Client::Registered { id, proof })
}

fn authentication(resource: &AuthProvider, oidc: &crds::Oidc) -> Result<Authentication, Problem> {
    let Some(wanted) = &oidc.authentication else {
        return Ok(Authentication::default());
    };
    let max_age = wanted.max_age.as_ref();
    let max_age = max_age.map(|duration| finite(resource, "spec.oidc.authentication.maxAge", duration));
    Ok(Authentication {
        max_age: max_age.transpose()?,
        acr: wanted.acr.clone(),
        amr: wanted.amr.clone(),
    })
}
