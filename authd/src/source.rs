//! Configuration in: a folder or a file, to a Snapshot with its digest, or to problems with their places.

use std::io::Read;
use std::path::Path;

use policy::snapshot::{LoadError, digest};
use policy::{Engine, Snapshot};
use sha2::{Digest as _, Sha256};

use crate::config;
use crate::load::{self, Loaded, Located, Note};

/// A Snapshot and its name.
#[derive(Debug)]
pub struct Ready {
    /// The Snapshot.
    pub snapshot: Snapshot,
    /// Its digest.
    pub digest: String,
    /// The digest of the folder's files, where it comes from a folder.
    pub inputs: Option<[u8; 32]>,
}

impl Ready {
    /// The Snapshot, ready to answer.
    ///
    /// # Errors
    /// A policy in it does not parse.
    pub fn engine(self) -> Result<Engine, LoadError> {
        Engine::new(self.snapshot, self.digest)
    }
}

/// What came of reading a folder.
#[derive(Debug)]
pub struct Outcome {
    /// The Snapshot, if nothing is wrong.
    pub ready: Option<Ready>,
    /// What is wrong.
    pub problems: Vec<Located>,
    /// What was left out on purpose.
    pub notes: Vec<Note>,
}

/// Compiles what a folder held. Nothing is half-applied: with any problem there is no Snapshot.
///
/// # Errors
/// The Snapshot cannot be written as bytes.
pub fn compile(loaded: Loaded, folder: &Path, instance: Option<&str>) -> anyhow::Result<Outcome> {
    let Loaded {
        resources,
        mut problems,
        notes,
        positions,
        digest: inputs,
    } = loaded;
    let compiled = policy::compile(&resources, instance);
    drop(resources);
    // A file that does not parse leaves holes; what compiling says of the holes would only distract.
    if problems.is_empty() {
        problems.extend(
            compiled
                .problems
                .into_iter()
                .map(|problem| positions.place(problem, folder)),
        );
    }
    let ready = match compiled.snapshot {
        Some(snapshot) if problems.is_empty() => Some(Ready {
            digest: digest(&snapshot.bytes()?),
            snapshot,
            inputs: Some(inputs),
        }),
        _ => None,
    };
    Ok(Outcome { ready, problems, notes })
}

/// Reads and compiles a folder.
///
/// # Errors
/// The Snapshot cannot be written as bytes.
pub fn folder(folder: &Path, instance: Option<&str>) -> anyhow::Result<Outcome> {
    compile(load::read(folder), folder, instance)
}

/// Reads a Snapshot file.
///
/// # Errors
/// The file cannot be read, or is no Snapshot; the error names it.
pub fn file(path: &Path) -> anyhow::Result<Ready> {
    use anyhow::Context as _;
    let named = || format!("`{}`", path.display());
    let mut bytes = Hashed {
        from: std::fs::File::open(path).with_context(named)?,
        hash: Sha256::new(),
    };
    let snapshot = read_all(&mut bytes).with_context(named)?;
    Ok(Ready {
        snapshot,
        digest: bytes.digest(),
        inputs: None,
    })
}

fn read_all(bytes: impl Read) -> Result<Snapshot, LoadError> {
    serde_json::from_reader::<_, Snapshot>(std::io::BufReader::new(bytes))?.understood()
}

/// Bytes on their way, and the digest of those that passed: a file with many keys is never in memory as a whole.
struct Hashed<R> {
    from: R,
    hash: Sha256,
}

impl<R> Hashed<R> {
    fn digest(self) -> String {
        policy::snapshot::digest_of(&self.hash.finalize())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(into)?;
        self.hash.update(into.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Reads whichever is given, and says on standard error what is wrong.
///
/// # Errors
/// There is a problem.
pub fn read(source: &config::Source, instance: Option<&str>) -> anyhow::Result<Ready> {
    match (&source.resources, &source.snapshot) {
        (Some(dir), _) => {
            let outcome = folder(dir, instance)?;
            outcome.problems.iter().for_each(|problem| eprintln!("{problem}"));
            outcome
                .ready
                .ok_or_else(|| anyhow::anyhow!("{} in `{}`", counted(outcome.problems.len()), dir.display()))
        }
        (None, Some(path)) => file(path),
        (None, None) => Err(anyhow::anyhow!("give `--resources DIR` or `--snapshot FILE`")),
    }
}

/// `1 problem`, `2 problems`.
#[must_use]
pub fn counted(problems: usize) -> String {
    if problems == 1 {
        "1 problem".to_owned()
    } else {
        format!("{problems} problems")
    }
}
