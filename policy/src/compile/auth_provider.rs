//! `AuthProvider` to a way to sign in.

use crds::{Reason, ResourceExt};

use super::scope::{Scope, problem};
use crate::problem::Problem;
use crate::snapshot::{Method, Provider};

/// The providers of the instance's own namespace, by name. Tenants cannot declare any.
pub(super) fn compile(scope: &Scope<'_>, problems: &mut Vec<Problem>) -> Vec<Provider> {
    let mut providers = Vec::new();
    for resource in &scope.resources.providers {
        if scope.is_elsewhere(resource) {
            continue;
        }
        if !scope.is_home(resource) {
            let message = "an AuthProvider counts only in the namespace of its Authd: move it there";
            problems.push(problem(resource, "metadata.namespace", Reason::HostNotGranted, message));
            continue;
        }
        let name = resource.name_any();
        let display_name = resource.spec.display_name.clone().unwrap_or_else(|| name.clone());
        match &resource.spec.password {
            Some(_) => {
                providers.push(Provider {
                    name,
                    display_name,
                    method: Method::Password,
                    on_no_match: None,
                    grants: Vec::new(),
                });
            }
            None => {
                let message = "it is of no kind: give exactly one, such as `password: {}`";
                problems.push(problem(resource, "spec", Reason::InvalidField, message));
            }
        }
    }
    providers.sort_by(|left, right| left.name.cmp(&right.name));
    providers
}
