//! Which API keys did users make?
//!
//! Only a keyed hash is kept. Making and hashing keys is not here; neither are the keys that `ApiKey` resources declare,
//! which are in the Snapshot.

use jiff::Timestamp;
use uuid::Uuid;

use super::purge::purge;
use super::sql::{FromRow, On, Row, sql, undecodable};
use super::transaction::{Lock, Transaction};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// How many are read by one statement.
const AT_ONCE: i64 = 10_000;

/// The keyed hash of an API key.
pub type KeyHash = [u8; 32];

/// An API key as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The id of the row.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// The first characters of the key, by which its owner knows it again.
    pub prefix: String,
    /// JSON: where it may be used; `None` is wherever its owner may go.
    pub endpoints: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, as far as [`Store::touch_keys`] was told.
    pub last_used_at: Option<Timestamp>,
}

/// An API key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// A new id, from [`crate::random::Random::id`].
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// The first characters of the key, by which its owner knows it again.
    pub prefix: String,
    /// The keyed hash of the key.
    pub hash: KeyHash,
    /// JSON: where it may be used; `None` is wherever its owner may go.
    pub endpoints: Option<String>,
    /// When it is made.
    pub created_at: Timestamp,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
}

/// What it takes to recognise a key: small, for there may be a hundred thousand in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveKey {
    /// The id of the row.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The keyed hash of the key.
    pub hash: KeyHash,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// JSON: where it may be used; `None` is wherever its owner may go.
    pub endpoints: Option<Box<str>>,
}

/// The keys that open something at `$1`: not expired, and of a user who is not disabled.
macro_rules! active {
    ($condition:literal) => {
        concat!(
            "SELECT k.id, k.user_id, k.hash, k.expires_at, k.endpoints",
            " FROM api_keys k JOIN users u ON u.id = k.user_id",
            " WHERE u.disabled = FALSE AND (k.expires_at IS NULL OR k.expires_at > $1) AND ",
            $condition
        )
    };
}

impl Store {
    /// Makes a key.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user does not exist or is disabled; [`Error::Conflict`] when the hash or id is taken;
    /// [`Error::Unavailable`].
    pub async fn create_key(&self, key: &NewKey) -> Result<Key, Error> {
        let mut transaction = self.begin(&[Lock::Account(key.user_id)]).await?;
        let written = insert(&mut transaction, key).await?;
        changes::account(&mut transaction, key.user_id).await?;
        transaction.commit().await?;
        Ok(written)
    }

    /// The user's keys, expired ones too, oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn keys_of(&self, user: Uuid) -> Result<Vec<Key>, Error> {
        let query = sql("SELECT * FROM api_keys WHERE user_id = $1 ORDER BY created_at, id");
        Ok(query.bind(user).fetch_all(&self.readers).await?)
    }

    /// Every key that opens something now: not expired, and of a user who is not disabled.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn all_active_keys(&self, now: Timestamp) -> Result<Vec<ActiveKey>, Error> {
        let (mut keys, mut after) = (Vec::new(), String::new());
        loop {
            let some: Vec<ActiveKey> = sql(active!("k.id > $2 ORDER BY k.id LIMIT $3"))
                .bind(now)
                .bind(&after)
                .bind(AT_ONCE)
                .fetch_all(&self.readers)
                .await?;
            let Some(last) = some.last() else {
                return Ok(keys);
            };
            after = last.id.to_string();
            keys.extend(some);
        }
    }

    /// The key with the hash, where it opens something now.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn key_by_hash(&self, hash: &KeyHash, now: Timestamp) -> Result<Option<ActiveKey>, Error> {
        let query = sql(active!("k.hash = $2")).bind(now).bind(hash.as_slice());
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// Deletes a key of the user, and returns its hash for whoever keeps it in memory.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user has no such key, also when somebody else does; [`Error::Unavailable`].
    pub async fn delete_key(&self, user: Uuid, id: Uuid) -> Result<KeyHash, Error> {
        let mut transaction = self.begin(&[Lock::Account(user)]).await?;
        let Hash(hash) = sql("DELETE FROM api_keys WHERE id = $1 AND user_id = $2 RETURNING hash")
            .bind(id)
            .bind(user)
            .fetch_one(&mut transaction)
            .await?;
        changes::account(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(hash)
    }

    /// Notes when keys were last used, in one transaction; a time before the one noted changes nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn touch_keys(&self, used: &[(Uuid, Timestamp)]) -> Result<(), Error> {
        let mut transaction = self.begin(&[Lock::Uses]).await?;
        for (id, at) in used {
            sql("UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND COALESCE(last_used_at, 0) < $2")
                .bind(*id)
                .bind(*at)
                .execute(&mut transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Forgets the keys that expired before the given time, and returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_expired_keys(&self, before: Timestamp) -> Result<u64, Error> {
        purge(&self.writer, "api_keys", "expires_at <= $1", before.as_millisecond()).await
    }
}

/// Makes a key, within the caller's transaction.
pub(super) async fn insert(transaction: &mut Transaction, key: &NewKey) -> Result<Key, Error> {
    let query = sql(
        "INSERT INTO api_keys (id, user_id, name, prefix, hash, endpoints, created_at, expires_at)
         SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM users WHERE id = $2 AND disabled = FALSE RETURNING *",
    );
    Ok(query
        .bind(key.id)
        .bind(key.user_id)
        .bind(&key.name)
        .bind(&key.prefix)
        .bind(key.hash.as_slice())
        .bind(&key.endpoints)
        .bind(key.created_at)
        .bind(key.expires_at)
        .fetch_one(transaction)
        .await?)
}

/// The hashes of all keys of the user, expired ones too.
pub(super) async fn hashes_of(transaction: &mut Transaction, user: Uuid) -> Result<Vec<KeyHash>, Error> {
    let hashes: Vec<Hash> = sql("SELECT hash FROM api_keys WHERE user_id = $1")
        .bind(user)
        .fetch_all(transaction)
        .await?;
    Ok(hashes.into_iter().map(|Hash(hash)| hash).collect())
}

/// The user's keys that open something now.
pub(super) async fn active_of<'a>(on: impl Into<On<'a>>, user: Uuid, now: Timestamp) -> Result<Vec<ActiveKey>, Error> {
    let query = sql(active!("k.user_id = $2")).bind(now).bind(user);
    Ok(query.fetch_all(on).await?)
}

struct Hash(KeyHash);

impl FromRow for Hash {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let bytes: Vec<u8> = row.read("hash")?;
        bytes
            .as_slice()
            .try_into()
            .map(Self)
            .map_err(|cause: std::array::TryFromSliceError| undecodable("hash", cause))
    }
}

impl FromRow for Key {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.id("id")?,
            user_id: row.id("user_id")?,
            name: row.read("name")?,
            prefix: row.read("prefix")?,
            endpoints: row.read("endpoints")?,
            created_at: row.time("created_at")?,
            expires_at: row.optional_time("expires_at")?,
            last_used_at: row.optional_time("last_used_at")?,
        })
    }
}

impl FromRow for ActiveKey {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let Hash(hash) = Hash::from_row(row)?;
        let endpoints: Option<String> = row.read("endpoints")?;
        Ok(Self {
            id: row.id("id")?,
            user_id: row.id("user_id")?,
            hash,
            expires_at: row.optional_time("expires_at")?,
            endpoints: endpoints.map(String::into_boxed_str),
        })
    }
}
