//! Resources in, Snapshot and problems out: a function of the resources and Secrets alone.
//!
//! Bad input is data: a broken resource is reported and left out, and changes nothing but itself.

mod access_policy;
mod api_key;
mod auth_provider;
mod authd;
mod cedar_text;
mod database;
mod identity_headers;
mod nesting;
mod proxy_auth;
mod redis;
mod role_mapping;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::problem::Problem;
use crate::resources::Resources;
use crate::snapshot::{FORMAT, Snapshot};
use scope::Scope;

pub(crate) use access_policy::{rule_field, rule_id};
pub(crate) use role_mapping::glob_tag;

/// What came of compiling.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The Snapshot; `None` when there is no instance to make one for.
    pub snapshot: Option<Snapshot>,
    /// Everything that is wrong, in a stable order.
    pub problems: Vec<Problem>,
    /// The namespaces whose resources the instance reads: its own, and those of tenants that are granted hosts.
    pub namespaces: BTreeSet<String>,
}

/// Compiles the resources for one instance, named as `namespace/name`; unnamed, there must be exactly one.
#[must_use]
pub fn compile(resources: &Resources, instance: Option<&str>) -> Compiled {
    let mut problems = Vec::new();
    let mut namespaces = BTreeSet::new();
    let snapshot = scope::choose(resources, instance, &mut problems).and_then(|authd| {
        let scope = Scope::new(resources, authd);
        namespaces = scope.namespaces();
        let settings = authd::compile(&scope, &mut problems);
        let mut providers = auth_provider::compile(&scope, &mut problems);
        role_mapping::compile(&scope, &mut providers, &mut problems);
        let keys = api_key::compile(&scope, &mut problems);
        let access = access_policy::compile(&scope, &mut problems);
        Some(Snapshot {
            format: FORMAT,
            settings: settings?,
            providers,
            keys,
            access,
        })
    });
    problems.sort();
    problems.dedup();
    Compiled {
        snapshot,
        problems,
        namespaces,
    }
}
