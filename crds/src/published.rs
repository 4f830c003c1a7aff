//! Where the operator puts what a replica reads, and where a replica says what it serves: names that both must agree on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Reason;

/// The label on everything that belongs to one Authd; its value is the Authd's name.
pub const INSTANCE_LABEL: &str = "authd.dev/instance";
/// The entry of the index Secret: a `policy::snapshot::shard::Index` as JSON.
pub const INDEX_ENTRY: &str = "index";
/// The entry of the signing keys' Secret.
pub const SIGNING_KEYS_ENTRY: &str = "signing-keys";
/// The entry of an ApiKey's Secret that holds the key.
pub const API_KEY_ENTRY: &str = "api-key";
/// The entry that holds the key before the last rotation, while both are valid.
pub const PREVIOUS_API_KEY_ENTRY: &str = "previous-api-key";
/// When the key in a Secret was made (RFC 3339).
pub const MADE_AT: &str = "authd.dev/made-at";
/// Until when the previous key is valid (RFC 3339).
pub const PREVIOUS_UNTIL: &str = "authd.dev/previous-until";
/// On a Secret: the ApiKey of the same namespace that may use it though the operator did not make it.
pub const FOR_API_KEY: &str = "authd.dev/api-key";
/// On a replica's Lease: the sequence number of the index that it serves.
pub const SEQUENCE: &str = "authd.dev/sequence";
/// On a replica's Lease: the digest of the Snapshot that it serves.
pub const SNAPSHOT: &str = "authd.dev/snapshot";
/// On a replica's Lease: why it does not serve a newer one, if it could not.
pub const REFUSED: &str = "authd.dev/refused";
/// On a replica's Lease: how providers fare, as JSON: for each name a [`Fares`].
pub const PROVIDERS: &str = "authd.dev/providers";
/// On an index: how many resources of each kind it was made of, and the `metadata.uid` of the kind's definition, as JSON.
pub const MADE_OF: &str = "authd.dev/made-of";
/// On an Authd: `true` lets it be published though resources vanished together with the definition of their kind.
pub const ALLOW_LOSS: &str = "authd.dev/allow-loss";
/// On a replica's Pod: a digest of what it reads of Secrets when it starts, so that another value has Pods replaced.
pub const READ_AT_START: &str = "authd.dev/read-at-start";
/// How often a replica renews its Lease, in seconds.
pub const LEASE_RENEWAL_SECONDS: u64 = 10;
/// How long a replica that said nothing still counts, in seconds.
pub const LEASE_DURATION_SECONDS: i32 = 30;
/// How many shards are mounted at least, so that a few more resources change nothing about the Pods.
pub const LEAST_SHARDS: usize = 8;

/// The Secret with the index of an Authd's Snapshot.
#[must_use]
pub fn index_secret(authd: &str) -> String {
    format!("{authd}-snapshot")
}

/// The Secret with a shard of it. Its entries are named by the hexadecimal digits of their digests.
#[must_use]
pub fn shard_secret(authd: &str, number: usize) -> String {
    format!("{authd}-snapshot-{number}")
}

/// The entry of a shard's Secret for this digest: the digits after `sha256:`.
#[must_use]
pub fn shard_entry(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

/// How many shard Secrets are mounted when so many are needed: a power of two and at least [`LEAST_SHARDS`].
#[must_use]
pub fn mounted_shards(needed: usize) -> usize {
    needed.next_power_of_two().max(LEAST_SHARDS)
}

/// The Secret with the keys that sign an Authd's tokens.
#[must_use]
pub fn signing_keys_secret(authd: &str) -> String {
    format!("{authd}-signing-keys")
}

/// How a provider fares, as far as one replica can tell.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Fares {
    /// Why it does not work; absent: it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What is wrong, in words; also of one server where others work.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The issuer that it says it is, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// What a replica says of providers. What cannot be read is left out, as it may be of another version.
#[must_use]
pub fn fares(annotation: &str) -> BTreeMap<String, Fares> {
    let said: BTreeMap<String, serde_json::Value> = serde_json::from_str(annotation).unwrap_or_default();
    said.into_iter()
        .filter_map(|(name, fares)| Some((name, serde_json::from_value(fares).ok()?)))
        .collect()
}

/// The Lease by which a replica says what it serves.
#[must_use]
pub fn replica_lease(pod: &str) -> String {
    format!("{pod}-serving")
}
