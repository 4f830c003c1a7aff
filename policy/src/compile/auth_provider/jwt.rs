//! `jwt` to an issuer of tokens.

use crds::AuthProvider;

use super::outbound;
use crate::compile::scope::Scope;
use crate::problem::Problem;
use crate::snapshot::{Jwt, Method};

/// The issuer, with what its tokens have to be.
pub(super) fn compile(scope: &Scope<'_>, resource: &AuthProvider, jwt: &crds::Jwt) -> Result<Method, Problem> {
    Ok(Method::Jwt(Box::new(Jwt {
        issuer: jwt.issuer.clone(),
        audiences: jwt.audiences.clone(),
        algorithms: jwt.algorithms.clone(),
        jwks_url: jwt.jwks_url.clone(),
        outbound: outbound::compile(scope, resource, "spec.jwt.outbound", jwt.outbound.as_ref())?,
    })))
}
