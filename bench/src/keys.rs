//! A Snapshot with many API keys. The n-th key is `sk-` and the first 32 digits of the SHA-256 of `bench n`.

use std::path::Path;

use policy::Snapshot;
use policy::snapshot::{Key, KeyOwner, hexadecimal};
use sha2::{Digest as _, Sha256};

/// Adds `count` keys, each of a service of its own with the role `program`.
///
/// # Errors
/// A file cannot be read or written, or is no Snapshot.
pub fn add(from: &Path, to: &Path, count: u32) -> anyhow::Result<()> {
    let mut snapshot = Snapshot::read(&std::fs::read(from)?)?;
    snapshot.keys = (0..count)
        .map(|number| {
            let text = hexadecimal(&Sha256::digest(format!("bench {number}")));
            let key: String = "sk-".chars().chain(text.chars().take(32)).collect();
            Key {
                digest: Sha256::digest(key).into(),
                name: format!("bench/key-{number}"),
                owner: KeyOwner::Service(format!("bench/program-{number}")),
                roles: vec!["program".to_owned()],
                restrictions: Vec::new(),
                not_before: None,
                expires_at: None,
                suspended: false,
            }
        })
        .chain(snapshot.keys.written())
        .collect();
    std::fs::write(to, snapshot.bytes()?)?;
    Ok(())
}
