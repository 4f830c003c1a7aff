//! A Snapshot ready to answer.
//!
//! A question is first cut down to the policies that can matter ([`mod@slice`]), then decided by Cedar ([`decide`]), or put into
//! words ([`explain`]). What may be remembered of an answer, and under which key, is said by [`slice::Slice::key`]; remembering it
//! is the caller's.

mod ask;
pub mod decide;
pub mod explain;
pub mod roles;
pub mod sign_in;
pub mod slice;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::Policy;

use crate::cedar;
use crate::snapshot::keys::{Key, Keys};
use crate::snapshot::shard::{Head, Piece, bucket_of_key};
use crate::snapshot::{Access, CedarPolicy, LoadError, MOST_RULES, Provider, Settings, Snapshot, Tree};

pub use decide::{Context, Decision, Denial, Determining, Outcome};
pub use explain::Explanation;
pub use roles::{AccountRole, Admission, Claims};
pub use sign_in::SignIn;
pub use slice::{DecisionKey, Slice};

/// A Snapshot ready to answer. Immutable: a change of configuration is another Engine.
#[derive(Debug)]
pub struct Engine {
    digest: String,
    settings: Settings,
    providers: Vec<ReadyProvider>,
    pieces: Vec<Arc<ReadyPiece>>,
    hosts: HashMap<String, At>,
}

/// Which piece, and which AccessPolicy of it.
type At = (usize, usize);

/// A bucket of keys and AccessPolicies, ready to answer. Engines share those that did not change.
#[derive(Debug)]
pub struct ReadyPiece {
    keys: Keys,
    access: Vec<ReadyAccess>,
}

impl ReadyPiece {
    /// Parses every policy.
    ///
    /// # Errors
    /// A policy does not parse, or its rules do not pair up with what they allow.
    pub fn new(piece: Piece) -> Result<Self, LoadError> {
        cedar::with_enough_stack(|| {
            Ok(Self {
                keys: piece.keys,
                access: piece
                    .access
                    .into_iter()
                    .map(ReadyAccess::new)
                    .collect::<Result<_, _>>()?,
            })
        })
    }
}

impl ReadyAccess {
    fn new(mut access: Access) -> Result<Self, LoadError> {
        if access.rules.len() != access.allows.len() || access.rules.len() > MOST_RULES {
            let message = format!("{} rules with {} policies", access.rules.len(), access.allows.len());
            let id = format!("AccessPolicy/{}", access.name);
            return Err(LoadError::Policy { id, message });
        }
        let reads = slice::Reads::of(&access.cedar);
        let (allows, cedar) = (parse(&access.allows)?, parse(&access.cedar)?);
        access
            .allows
            .iter_mut()
            .chain(&mut access.cedar)
            .for_each(|policy| policy.tree = Tree::default());
        Ok(Self {
            access,
            allows,
            cedar,
            reads,
        })
    }
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
        let head = Head {
            format: snapshot.format,
            settings: snapshot.settings,
            providers: snapshot.providers,
        };
        let piece = ReadyPiece::new(Piece {
            keys: snapshot.keys,
            access: snapshot.access,
        })?;
        Self::assemble(head, vec![Arc::new(piece)], digest)
    }

    /// Puts pieces together, which are in the order of the Snapshot's index.
    ///
    /// # Errors
    /// A grant does not parse; the old Engine is to be kept.
    pub fn assemble(head: Head, pieces: Vec<Arc<ReadyPiece>>, digest: String) -> Result<Self, LoadError> {
        let mut hosts = HashMap::new();
        for (at, piece) in pieces.iter().enumerate() {
            for (index, ready) in piece.access.iter().enumerate() {
                hosts.extend(ready.access.hosts.iter().map(|host| (host.clone(), (at, index))));
            }
        }
        let ready = |provider: Provider| {
            let policies = provider.grants.iter().map(|grant| parse_one(&grant.policy));
            let policies = policies.collect::<Result<_, _>>()?;
            Ok::<_, LoadError>(ReadyProvider { provider, policies })
        };
        let providers = cedar::with_enough_stack(|| head.providers.into_iter().map(ready).collect::<Result<_, _>>())?;
        Ok(Self {
            digest,
            settings: head.settings,
            providers,
            pieces,
            hosts,
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

    /// The way to sign in of that name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers().find(|provider| provider.name == name)
    }

    /// The key of an ApiKey resource that has this SHA-256.
    #[must_use]
    pub fn key(&self, digest: &[u8; 32]) -> Option<&Key> {
        let bucket = bucket_of_key(digest, self.pieces.len());
        self.pieces.get(bucket)?.keys.find(digest)
    }

    /// The keys of ApiKey resources.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.pieces.iter().flat_map(|piece| piece.keys.iter())
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

    pub(crate) fn access_of(&self, host: &str) -> Option<(At, &ReadyAccess)> {
        let wildcard = || crate::target::parent(host).and_then(|parent| self.hosts.get(&format!("*.{parent}")));
        let at = *self.hosts.get(host).or_else(wildcard)?;
        Some((at, self.pieces.get(at.0)?.access.get(at.1)?))
    }
}

fn parse(policies: &[CedarPolicy]) -> Result<Vec<Policy>, LoadError> {
    policies.iter().map(parse_one).collect()
}

fn parse_one(policy: &CedarPolicy) -> Result<Policy, LoadError> {
    let id = format!("{} {}", policy.source, policy.rule);
    let read = policy.tree.value().map_err(|error| error.to_string());
    read.and_then(|tree| cedar::policy(&id, tree))
        .map_err(|message| LoadError::Policy { id, message })
}
