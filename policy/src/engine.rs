//! A Snapshot ready to answer.
//!
//! A question is first cut down to the policies that can matter ([`mod@slice`]), then decided by Cedar ([`decide`]), or put into
//! words ([`explain`]). What may be remembered of an answer, and under which key, is said by [`slice::Slice::key`]; remembering it
//! is the caller's.

pub mod decide;
pub mod explain;
pub mod roles;
pub mod slice;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use cedar_policy::Policy;

use crate::cedar;
use crate::snapshot::keys::Keys;
use crate::snapshot::{Access, CedarPolicy, LoadError, MOST_RULES, Provider, Settings, Snapshot};

pub use decide::{Context, Decision, Denial, Determining, Outcome};
pub use explain::Explanation;
pub use roles::{AccountRole, Admission, Claims};
pub use slice::{DecisionKey, Slice};

/// A Snapshot ready to answer. Immutable: a change of configuration is another Engine.
#[derive(Debug)]
pub struct Engine {
    digest: String,
    settings: Settings,
    providers: Vec<ReadyProvider>,
    keys: Keys,
    hosts: HashMap<String, usize>,
    access: Vec<ReadyAccess>,
}

/// An AccessPolicy with its Cedar policies parsed.
#[derive(Debug)]
pub(crate) struct ReadyAccess {
    pub(crate) access: Access,
    pub(crate) allows: Vec<Policy>,
    pub(crate) cedar: Vec<Policy>,
    pub(crate) reads: slice::Reads,
}

/// A provider with its grants parsed.
#[derive(Debug)]
pub(crate) struct ReadyProvider {
    pub(crate) provider: Provider,
    pub(crate) policies: Vec<Policy>,
}

impl Engine {
    /// Parses every policy of the Snapshot, whose digest is given.
    ///
    /// # Errors
    /// A policy does not parse, or its rules do not pair up with what they allow; the old Engine is to be kept.
    pub fn new(snapshot: Snapshot, digest: String) -> Result<Self, LoadError> {
        cedar::with_enough_stack(|| Self::read(snapshot, digest))
    }

    fn read(snapshot: Snapshot, digest: String) -> Result<Self, LoadError> {
        let mut hosts = HashMap::new();
        let mut access = Vec::with_capacity(snapshot.access.len());
        for (index, mut one) in snapshot.access.into_iter().enumerate() {
            hosts.extend(one.hosts.iter().map(|host| (host.clone(), index)));
            if one.rules.len() != one.allows.len() || one.rules.len() > MOST_RULES {
                let message = format!("{} rules with {} policies", one.rules.len(), one.allows.len());
                let id = format!("AccessPolicy/{}", one.name);
                return Err(LoadError::Policy { id, message });
            }
            let reads = slice::Reads::of(&one.cedar);
            let (allows, cedar) = (parse(&one.allows)?, parse(&one.cedar)?);
            one.allows
                .iter_mut()
                .chain(&mut one.cedar)
                .for_each(|policy| policy.tree = serde_json::Value::Null);
            access.push(ReadyAccess {
                access: one,
                allows,
                cedar,
                reads,
            });
        }
        let mut providers = Vec::with_capacity(snapshot.providers.len());
        for provider in snapshot.providers {
            let policies = provider
                .grants
                .iter()
                .map(|grant| parse_one(&grant.policy))
                .collect::<Result<_, _>>()?;
            providers.push(ReadyProvider { provider, policies });
        }
        Ok(Self {
            digest,
            settings: snapshot.settings,
            providers,
            keys: snapshot.keys,
            hosts,
            access,
        })
    }

    /// The name of the Snapshot.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How the instance behaves.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ways to sign in, by name.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter().map(|ready| &ready.provider)
    }

    /// The keys of ApiKey resources.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether an AccessPolicy governs the host, which is in lower case and without a port.
    #[must_use]
    pub fn governs(&self, host: &str) -> bool {
        self.access_of(host).is_some()
    }

    /// The hosts that AccessPolicies govern, wildcards among them.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    pub(crate) fn access_of(&self, host: &str) -> Option<(usize, &ReadyAccess)> {
        let wildcard = || crate::target::parent(host).and_then(|parent| self.hosts.get(&format!("*.{parent}")));
        let index = *self.hosts.get(host).or_else(wildcard)?;
        Some((index, self.access.get(index)?))
    }
}

fn parse(policies: &[CedarPolicy]) -> Result<Vec<Policy>, LoadError> {
    policies.iter().map(parse_one).collect()
}

fn parse_one(policy: &CedarPolicy) -> Result<Policy, LoadError> {
    let id = format!("{} {}", policy.source, policy.rule);
    cedar::policy(&id, policy.tree.clone()).map_err(|message| LoadError::Policy { id, message })
}
