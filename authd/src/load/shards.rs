//! How do published shards become an Engine, when most of them are those of before?
//!
//! Not here: where their bytes are found ([`crate::replica`]), and whether an index may follow the one before it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use policy::Engine;
use policy::engine::ReadyPiece;
use policy::snapshot::LoadError;
use policy::snapshot::shard::{self, Head, Index, Piece};

/// Bytes of shards, by digest.
pub type Found = HashMap<String, Vec<u8>>;

/// The shards of an Engine, ready to be part of the next one.
#[derive(Debug, Default)]
pub struct Shards {
    head: Option<(String, Head)>,
    pieces: HashMap<String, Arc<ReadyPiece>>,
}

/// No Engine can be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody found a shard.
    #[error("shard {number} ({digest}) is not there yet")]
    Missing {
        /// Its number.
        number: usize,
        /// Its digest.
        digest: String,
    },
    /// A shard cannot be read.
    #[error("shard {number}: {error}")]
    Shard {
        /// Its number.
        number: usize,
        /// Why.
        error: shard::Error,
    },
    /// A policy does not parse.
    #[error(transparent)]
    Engine(#[from] LoadError),
}

impl Shards {
    /// The shards of an index, by number and digest, that are not at hand.
    pub fn missing<'a>(&'a self, index: &'a Index) -> impl Iterator<Item = (usize, &'a str)> {
        let numbered = index.shards.iter().map(String::as_str).enumerate();
        numbered.filter(|(number, digest)| match (number, &self.head) {
            (0, Some((known, _))) => known != digest,
            (0, None) => true,
            _ => !self.pieces.contains_key(*digest),
        })
    }

    /// Makes the Engine of an index, of what is at hand and what was found, and the shards that it is made of.
    ///
    /// # Errors
    /// Something is missing, damaged or does not parse; what was before is to be kept.
    pub fn engine(&self, index: &Index, found: &Found) -> Result<(Engine, Self), Error> {
        let mut numbered = index.shards.iter().enumerate();
        let head = numbered
            .next()
            .map(|(_, digest)| self.head(digest, found))
            .transpose()?;
        let (digest, head) = head.ok_or_else(|| missing(0, ""))?;
        let pieces = numbered
            .map(|(number, digest)| self.piece(number, digest, found))
            .collect::<Result<Vec<_>, _>>()?;
        let engine = Engine::assemble(head.clone(), pieces.clone(), index.digest.clone())?;
        let shards = Self {
            head: Some((digest, head)),
            pieces: index.shards.iter().skip(1).cloned().zip(pieces).collect(),
        };
        Ok((engine, shards))
    }

    fn head(&self, digest: &str, found: &Found) -> Result<(String, Head), Error> {
        if let Some(known) = self.head.as_ref().filter(|(known, _)| known == digest) {
            return Ok(known.clone());
        }
        let head = Head::read(bytes(0, digest, found)?, digest).map_err(|error| Error::Shard { number: 0, error })?;
        Ok((digest.to_owned(), head))
    }

    fn piece(&self, number: usize, digest: &str, found: &Found) -> Result<Arc<ReadyPiece>, Error> {
        if let Some(known) = self.pieces.get(digest) {
            return Ok(Arc::clone(known));
        }
        let piece = Piece::read(bytes(number, digest, found)?, digest);
        let piece = piece.map_err(|error| Error::Shard { number, error })?;
        Ok(Arc::new(ReadyPiece::new(piece)?))
    }
}

fn bytes<'a>(number: usize, digest: &str, found: &'a Found) -> Result<&'a [u8], Error> {
    found
        .get(digest)
        .map(Vec::as_slice)
        .ok_or_else(|| missing(number, digest))
}

fn missing(number: usize, digest: &str) -> Error {
    Error::Missing {
        number,
        digest: digest.to_owned(),
    }
}
