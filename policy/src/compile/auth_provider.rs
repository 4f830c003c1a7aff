//! `AuthProvider` to a way to sign in: what all kinds share, and the list of kinds.

mod github;
mod google;
mod issuers;
mod jwt;
mod ldap;
mod microsoft;
mod oidc;
mod outbound;
mod token_exchange;

use crds::{AuthProvider, Reason, ResourceExt, SecretKeyRef};

use super::scope::{Scope, by_age, problem};
use crate::problem::Problem;
use crate::secret::{Secret, secret};
use crate::snapshot::{Accounts, Method, Provider};
use issuers::Issuers;

/// What memberships that an administrator gave are said to come from, where others name their provider.
const BY_HAND: &str = "manual";

/// The providers of the instance's own namespace, by name. Tenants cannot declare any.
pub(super) fn compile(scope: &Scope<'_>, problems: &mut Vec<Problem>) -> Vec<Provider> {
    let mut providers = Vec::new();
    let mut issuers = Issuers::default();
    for resource in by_age(&scope.resources.providers) {
        if scope.is_elsewhere(resource) {
            continue;
        }
        if !scope.is_home(resource) {
            let message = "an AuthProvider counts only in the namespace of its Authd: move it there";
            problems.push(problem(resource, "metadata.namespace", Reason::HostNotGranted, message));
            continue;
        }
        if resource.name_any() == BY_HAND {
            let message = "`manual` stands for what administrators give by hand: give it another name";
            problems.push(problem(resource, "metadata.name", Reason::InvalidValue, message));
            continue;
        }
        let claimed = issuers.claim(scope, resource);
        match claimed.and_then(|()| provider(scope, resource)) {
            Ok(provider) => providers.push(provider),
            Err(problem) => problems.push(problem),
        }
    }
    providers.sort_by(|left, right| left.name.cmp(&right.name));
    providers
}

/// How the provider works. Every kind is one line of the list.
fn method(scope: &Scope<'_>, resource: &AuthProvider) -> Result<Method, Problem> {
    let spec = &resource.spec;
    let kinds = [
        spec.password.as_ref().map(|_| Ok(Method::Password)),
        spec.oidc.as_ref().map(|oidc| oidc::compile(scope, resource, oidc)),
        spec.google
            .as_ref()
            .map(|google| google::compile(scope, resource, google)),
        spec.microsoft
            .as_ref()
            .map(|microsoft| microsoft::compile(scope, resource, microsoft)),
        spec.github
            .as_ref()
            .map(|github| github::compile(scope, resource, github)),
        spec.jwt.as_ref().map(|jwt| jwt::compile(scope, resource, jwt)),
        spec.ldap.as_ref().map(|ldap| ldap::compile(scope, resource, ldap)),
    ];
    let mut given = kinds.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(method), None) => method,
        (None, _) => {
            let message = "it is of no kind: give exactly one, such as `password: {}`";
            Err(problem(resource, "spec", Reason::InvalidField, message))
        }
        (Some(_), Some(_)) => {
            let message = "it is of several kinds: give exactly one, and make another AuthProvider for the other";
            Err(problem(resource, "spec", Reason::InvalidField, message))
        }
    }
}

fn provider(scope: &Scope<'_>, resource: &AuthProvider) -> Result<Provider, Problem> {
    let spec = &resource.spec;
    let method = method(scope, resource)?;
    let name = resource.name_any();
    let accounts = spec.accounts.clone().unwrap_or_default();
    Ok(Provider {
        display_name: spec.display_name.clone().unwrap_or_else(|| name.clone()),
        name,
        claims: (!method.is_password()).then(|| spec.claims.clone().unwrap_or_default()),
        accounts: Accounts {
            create: accounts.create,
            allowed_domains: accounts.allowed_domains,
            link_verified_email: accounts.link_verified_email,
            trust_email: accounts.trust_email,
        },
        token_exchange: token_exchange::compile(resource, &method)?,
        method,
        on_no_match: None,
        grants: Vec::new(),
        groups: None,
    })
}

/// A secret that must be text. A line break at its end, which editors and `echo` leave there, does not count.
fn text(scope: &Scope<'_>, resource: &AuthProvider, field: &str, reference: &SecretKeyRef) -> Result<Secret, Problem> {
    let value = scope.secret(resource, field, reference)?;
    let text = std::str::from_utf8(value)
        .ok()
        .map(|text| text.trim_end_matches(['\r', '\n']));
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Ok(secret(text.as_bytes())),
        None => {
            let message = format!(
                "the value of Secret `{}`, key `{}`, is not text",
                reference.name, reference.key
            );
            Err(problem(resource, field, Reason::SecretUnusable, message))
        }
    }
}
