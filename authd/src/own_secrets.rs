//! Secrets that this instance makes for itself and keeps beside its database, or in the one that replicas share.

use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretBox};

use crate::random::Random;
use crate::store::{self, Store};
use crate::whole_file;

/// Secrets of our own, one for each purpose.
#[derive(Debug)]
pub struct OwnSecrets {
    /// The key of the hashes of API keys.
    pub key_hash: SecretBox<[u8; 32]>,
    /// The key of form tokens.
    pub forms: SecretBox<[u8; 32]>,
    /// The key that seals where no `encryptionKeys` are declared.
    pub sealing: SecretBox<[u8; 32]>,
    /// The key of the hashes under which failed guesses are kept.
    pub guesses: SecretBox<[u8; 32]>,
}

impl OwnSecrets {
    /// Reads the secrets, and makes those that are not there yet.
    ///
    /// # Errors
    /// A file cannot be read or written, or is not of 32 bytes; the error names it.
    pub fn open(data: &Path, random: &Random) -> std::io::Result<Self> {
        Ok(Self {
            key_hash: open(&data.join("api-keys.secret"), random)?,
            forms: open(&data.join("forms.secret"), random)?,
            sealing: open(&data.join("sealing.secret"), random)?,
            guesses: open(&data.join("guesses.secret"), random)?,
        })
    }

    /// New ones, which are kept nowhere yet.
    #[must_use]
    pub fn new(random: &Random) -> Self {
        let make = || SecretBox::new(Box::new(random.bytes()));
        Self {
            key_hash: make(),
            forms: make(),
            sealing: make(),
            guesses: make(),
        }
    }

    /// The same with that of API keys which replicas of one database have agreed on, where they have: nothing is written there.
    ///
    /// # Errors
    /// The database does not answer, or has a secret that is none of ours.
    pub async fn known(self, store: &Store) -> Result<Self, store::Error> {
        Ok(match store.kept_secret("api-keys").await? {
            Some(kept) => Self {
                key_hash: read(kept)?,
                ..self
            },
            None => self,
        })
    }

    /// The same with those that replicas of one database agree on. What is sealed for all of them is sealed with `encryptionKeys`.
    ///
    /// # Errors
    /// The database does not answer, or has a secret that is none of ours.
    pub async fn agreed(self, store: &Store) -> Result<Self, store::Error> {
        Ok(Self {
            key_hash: agreed(store, "api-keys", &self.key_hash).await?,
            forms: agreed(store, "forms", &self.forms).await?,
            guesses: agreed(store, "guesses", &self.guesses).await?,
            sealing: self.sealing,
        })
    }
}

async fn agreed(store: &Store, name: &str, own: &SecretBox<[u8; 32]>) -> Result<SecretBox<[u8; 32]>, store::Error> {
    read(store.own_secret(name, own.expose_secret()).await?)
}

fn read(kept: Vec<u8>) -> Result<SecretBox<[u8; 32]>, store::Error> {
    let bytes = <[u8; 32]>::try_from(kept).map_err(|_| store::Error::NotFound)?;
    Ok(SecretBox::new(Box::new(bytes)))
}

fn open(path: &Path, random: &Random) -> std::io::Result<SecretBox<[u8; 32]>> {
    let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
    match File::open(path) {
        Ok(mut file) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(named)?;
            let bytes = <[u8; 32]>::try_from(bytes).map_err(|bytes| {
                named(std::io::Error::other(format!(
                    "has {} bytes and must have 32: restore it from a backup",
                    bytes.len()
                )))
            })?;
            Ok(SecretBox::new(Box::new(bytes)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(path, random).map_err(named),
        Err(error) => Err(named(error)),
    }
}

fn make(path: &Path, random: &Random) -> std::io::Result<SecretBox<[u8; 32]>> {
    let bytes: [u8; 32] = random.bytes();
    let folder = path.parent().unwrap_or(Path::new("."));
    // Nobody else made it where the database is on a server.
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    whole_file::replace(path, &bytes)?;
    Ok(SecretBox::new(Box::new(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_where_there_is_no_folder_yet_and_stay() {
        let top = tempfile::tempdir().unwrap();
        let (data, random) = (top.path().join("authd").join("data"), Random::seeded(1));
        let made = OwnSecrets::open(&data, &random).unwrap();
        let read = OwnSecrets::open(&data, &random).unwrap();
        assert_eq!(made.guesses.expose_secret(), read.guesses.expose_secret());
        assert_ne!(
            made.guesses.expose_secret(),
            made.forms.expose_secret(),
            "each is its own"
        );
    }
}
