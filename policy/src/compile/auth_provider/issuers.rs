//! Whose tokens are those of an issuer? Of one AuthProvider: what a token opens must not hang on which of two was found first.

use std::collections::BTreeMap;

use crds::{AuthProvider, Reason, ResourceExt};

use crate::compile::scope::{Scope, problem};
use crate::problem::Problem;

/// The issuers that were claimed, and by whom.
#[derive(Debug, Default)]
pub(super) struct Issuers<'a>(BTreeMap<&'a str, String>);

impl<'a> Issuers<'a> {
    /// Claims the issuer of a resource, if it is one of tokens that programs show. Whoever comes first has it, broken or not.
    pub(super) fn claim(&mut self, scope: &Scope<'_>, resource: &'a AuthProvider) -> Result<(), Problem> {
        let Some(jwt) = &resource.spec.jwt else {
            return Ok(());
        };
        let wrong = |reason, message| Err(problem(resource, "spec.jwt.issuer", reason, message));
        let issuer = jwt.issuer.trim_end_matches('/');
        if issuer == scope.authd.spec.public_url.trim_end_matches('/') {
            let message = format!("`{}` is this instance itself, whose tokens count anyway", jwt.issuer);
            return wrong(Reason::InvalidValue, message);
        }
        if let Some(owner) = self.0.get(jwt.issuer.as_str()) {
            let message = format!(
                "tokens of `{}` already belong to AuthProvider `{owner}`: name every audience there, and tell programs apart in its \
                 RoleMapping",
                jwt.issuer
            );
            return wrong(Reason::IssuerConflict, message);
        }
        self.0.insert(&jwt.issuer, resource.name_any());
        Ok(())
    }
}
