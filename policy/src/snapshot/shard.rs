//! A Snapshot cut into Secret-sized pieces, each named by its own digest.
//!
//! The first shard holds the [`Head`]. Keys and AccessPolicies follow, spread over a power of two of buckets: a key by its digest, a
//! policy by the digest of its name, so that one changed resource changes one shard. The [`Index`] names the digest of every shard;
//! a reader takes only what it names, and never mixes two Snapshots. Where the pieces are kept is not here.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::keys::Keys;
use super::{Access, FORMAT, Key, LoadError, Provider, Settings, Snapshot, digest, digest_of, read_digest};

/// The most bytes of a shard's content, before compression, when it holds more than one item: compressed text is always smaller
/// than this, and a Secret of 1 MiB has room for a shard and the one that follows it.
const ROOMY: usize = 500 * 1024;
/// The most bytes of a shard, compressed.
pub const LARGEST: usize = 512 * 1024;
/// The most bytes that a shard is ever inflated to.
const INFLATED: usize = 16 * 1024 * 1024;
/// The most buckets.
const MOST_BUCKETS: usize = 256;
/// How hard to compress, of 10: little, as each change waits for it.
const LEVEL: u8 = 2;

/// What is not spread over buckets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The format, [`FORMAT`].
    pub format: u32,
    /// How the instance behaves.
    pub settings: Settings,
    /// Ways to sign in, by name.
    pub providers: Vec<Provider>,
}

/// What one bucket holds.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// Keys, by digest.
    pub keys: Keys,
    /// AccessPolicies, by name.
    pub access: Vec<Access>,
}

/// One item of a bucket, read from a line of its content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Item {
    Key(Key),
    Access(Access),
}

/// The same, to be written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Line<'a> {
    Key(Key),
    Access(&'a Access),
}

/// Which shards make a Snapshot, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// The format, [`FORMAT`].
    pub format: u32,
    /// Counts what was published for this instance; it only grows.
    pub sequence: u64,
    /// The Snapshot's digest.
    pub digest: String,
    /// The digest of each shard's content; the first is the head's.
    pub shards: Vec<String>,
}

/// A Secret-sized piece.
#[derive(Clone, Debug)]
pub struct Shard {
    /// The digest of its content.
    pub digest: String,
    /// Its content, compressed (RFC 1951). It contains secrets.
    pub bytes: Arc<[u8]>,
}

/// A Snapshot in pieces.
#[derive(Clone, Debug, Default)]
pub struct Shards {
    /// The Snapshot's digest: of the digests of its shards.
    pub digest: String,
    /// The pieces, the head first.
    pub shards: Vec<Shard>,
}

/// A Snapshot cannot be cut, or a shard cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More than fits.
    #[error("{what} takes {bytes} bytes, {LARGEST} are the most: remove some resources, or give them to another Authd")]
    TooLarge {
        /// What does.
        what: String,
        /// How many, compressed.
        bytes: usize,
    },
    /// The bytes are damaged.
    #[error("shard {digest} is damaged")]
    Damaged {
        /// The digest that was expected.
        digest: String,
    },
    /// The index does not say what an index says.
    #[error("the index is damaged")]
    DamagedIndex,
    /// The content cannot be used.
    #[error(transparent)]
    Content(#[from] LoadError),
}

impl Shards {
    /// Cuts a Snapshot. What did not change since `before` is taken over from it.
    ///
    /// # Errors
    /// It does not fit into the most shards that there can be.
    pub fn cut(snapshot: &Snapshot, before: &Self) -> Result<Self, Error> {
        let head = Head {
            format: snapshot.format,
            settings: snapshot.settings.clone(),
            providers: snapshot.providers.clone(),
        };
        let head = serde_json::to_vec(&head).map_err(LoadError::from)?;
        let buckets = buckets(&lines(snapshot)?);
        let mut shards = vec![before.shard("the instance with its providers", &head)?];
        for (number, content) in buckets.iter().enumerate() {
            shards.push(before.shard(&format!("part {number} of {}", buckets.len()), content)?);
        }
        let digest = digest_of_all(shards.iter().map(|shard| &shard.digest));
        Ok(Self { digest, shards })
    }

    /// The index under which they are published.
    #[must_use]
    pub fn index(&self, sequence: u64) -> Index {
        Index {
            format: FORMAT,
            sequence,
            digest: self.digest.clone(),
            shards: self.shards.iter().map(|shard| shard.digest.clone()).collect(),
        }
    }

    fn shard(&self, what: &str, content: &[u8]) -> Result<Shard, Error> {
        let digest = digest(content);
        if let Some(known) = self.shards.iter().find(|shard| shard.digest == digest) {
            return Ok(known.clone());
        }
        let bytes: Arc<[u8]> = compress_to_vec(content, LEVEL).into();
        if bytes.len() > LARGEST {
            let (what, bytes) = (what.to_owned(), bytes.len());
            return Err(Error::TooLarge { what, bytes });
        }
        Ok(Shard { digest, bytes })
    }
}

/// The digest of a Snapshot whose shards have these.
fn digest_of_all<'a>(digests: impl Iterator<Item = &'a String>) -> String {
    let mut hash = Sha256::new();
    digests.for_each(|digest| hash.update(digest));
    digest_of(&hash.finalize())
}

impl Index {
    /// Reads an index: one whose digest is that of its shards, and whose digests can be names of files.
    ///
    /// # Errors
    /// The bytes are damaged, or have another format.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let index: Self = serde_json::from_slice(bytes).map_err(|_| Error::DamagedIndex)?;
        if index.format != FORMAT {
            return Err(LoadError::Format { found: index.format }.into());
        }
        let is_digest = |text: &String| text.strip_prefix("sha256:").and_then(read_digest).is_some();
        let is_whole = index.shards.len() > 1
            && index.shards.iter().all(is_digest)
            && index.digest == digest_of_all(index.shards.iter());
        is_whole.then_some(index).ok_or(Error::DamagedIndex)
    }
}

/// One line for each item, with where it belongs, in order.
fn lines(snapshot: &Snapshot) -> Result<Vec<(u16, Vec<u8>)>, LoadError> {
    let keys = snapshot.keys.written().map(|key| (place(&key.digest), Line::Key(key)));
    let access = snapshot
        .access
        .iter()
        .map(|access| (place(&Sha256::digest(&access.name)), Line::Access(access)));
    let mut lines = Vec::with_capacity(snapshot.keys.len() + snapshot.access.len());
    for (place, item) in keys.chain(access) {
        let mut line = serde_json::to_vec(&item)?;
        line.push(b'\n');
        lines.push((place, line));
    }
    lines.sort_by_key(|(place, _)| *place);
    Ok(lines)
}

fn place(digest: &[u8]) -> u16 {
    digest
        .iter()
        .take(2)
        .fold(0, |place, byte| place << 8 | u16::from(*byte))
}

/// The bucket of a place, of a power of two.
fn bucket(place: u16, of: usize) -> usize {
    (usize::from(place) * of) >> 16
}

/// The contents of the fewest buckets that are roomy enough; a single item may be larger, as it cannot be cut.
fn buckets(lines: &[(u16, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut of = 1;
    while of < MOST_BUCKETS && !is_roomy(lines, of) {
        of *= 2;
    }
    let mut buckets = vec![Vec::new(); of];
    for (place, line) in lines {
        if let Some(content) = buckets.get_mut(bucket(*place, of)) {
            content.extend_from_slice(line);
        }
    }
    buckets
}

fn is_roomy(lines: &[(u16, Vec<u8>)], of: usize) -> bool {
    let mut sizes = vec![(0, 0); of];
    for (place, line) in lines {
        if let Some((items, bytes)) = sizes.get_mut(bucket(*place, of)) {
            *items += 1;
            *bytes += line.len();
        }
    }
    sizes.iter().all(|(items, bytes)| *items < 2 || *bytes <= ROOMY)
}

/// The bucket that a key with this SHA-256 is in, of so many.
#[must_use]
pub fn bucket_of_key(digest: &[u8; 32], of: usize) -> usize {
    bucket(place(digest), of)
}

/// Inflates a shard, and makes sure that its content is what the index names.
fn content(bytes: &[u8], expected: &str) -> Result<Vec<u8>, Error> {
    let damaged = || Error::Damaged {
        digest: expected.to_owned(),
    };
    let content = decompress_to_vec_with_limit(bytes, INFLATED).map_err(|_| damaged())?;
    (digest(&content) == expected).then_some(content).ok_or_else(damaged)
}

impl Head {
    /// Reads the first shard.
    ///
    /// # Errors
    /// The bytes are damaged, or have another format.
    pub fn read(bytes: &[u8], expected: &str) -> Result<Self, Error> {
        let head: Self = serde_json::from_slice(&content(bytes, expected)?).map_err(LoadError::from)?;
        if head.format == FORMAT {
            Ok(head)
        } else {
            Err(LoadError::Format { found: head.format }.into())
        }
    }
}

impl Piece {
    /// Reads a shard that is not the first.
    ///
    /// # Errors
    /// The bytes are damaged.
    pub fn read(bytes: &[u8], expected: &str) -> Result<Self, Error> {
        let content = content(bytes, expected)?;
        let mut access = Vec::new();
        let mut failed = None;
        let items = serde_json::Deserializer::from_slice(&content).into_iter::<Item>();
        let keys = items
            .filter_map(|item| match item {
                Ok(Item::Key(key)) => Some(key),
                Ok(Item::Access(one)) => {
                    access.push(one);
                    None
                }
                Err(error) => {
                    failed = Some(error);
                    None
                }
            })
            .collect();
        match failed {
            Some(error) => Err(LoadError::from(error).into()),
            None => Ok(Self { keys, access }),
        }
    }
}
