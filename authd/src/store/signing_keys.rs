//! With which keys do replicas sign that each have keys of their own? Their public halves; the private ones never leave a replica.
//!
//! Whether a row is a replica's is not asked here: see [`crate::public_halves`].

use jiff::{SignedDuration, Timestamp};

use super::purge::purge;
use super::sql::{FromRow, Row, sql};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// How many are read at most: no instance has so many replicas.
const MOST: i64 = 1_000;
/// How long one is kept that verifies nothing any more, as clocks differ.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// The public half of a signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHalf {
    /// The key's id.
    pub kid: String,
    /// Its 32 bytes.
    pub public: Vec<u8>,
    /// From when on nothing that it signed is good; `None` is never.
    pub until: Option<Timestamp>,
    /// That a replica published it.
    pub proof: Vec<u8>,
    /// Since when it is revoked, if it is.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// Publishes public halves, or how long they last; what is revoked stays so.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn publish_signing_keys(&self, halves: &[PublicHalf]) -> Result<(), Error> {
        let mut transaction = self.begin(&[]).await?;
        for half in halves {
            sql(
                "INSERT INTO signing_keys (kid, public, until, proof) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (kid) DO UPDATE SET public = excluded.public, until = excluded.until, proof = excluded.proof
                     WHERE signing_keys.revoked_at IS NULL",
            )
            .bind(&half.kid)
            .bind(half.public.as_slice())
            .bind(half.until)
            .bind(half.proof.as_slice())
            .execute(&mut transaction)
            .await?;
        }
        changes::next(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// What is published and still verifies something, or is revoked.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Vec<PublicHalf>, Error> {
        let query = sql("SELECT * FROM signing_keys WHERE until IS NULL OR until > $1 ORDER BY kid LIMIT $2");
        Ok(query.bind(now).bind(MOST).fetch_all(&self.readers).await?)
    }

    /// Revokes a key, and returns whether there was one that was not revoked yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn revoke_signing_key(&self, kid: &str, now: Timestamp) -> Result<bool, Error> {
        let mut transaction = self.begin(&[]).await?;
        let done = sql("UPDATE signing_keys SET revoked_at = $2 WHERE kid = $1 AND revoked_at IS NULL")
            .bind(kid)
            .bind(now)
            .execute(&mut transaction)
            .await?;
        if done > 0 {
            changes::next(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(done > 0)
    }

    /// Forgets the keys that verify nothing any more, and returns how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_signing_keys(&self, now: Timestamp) -> Result<u64, Error> {
        let before = now.saturating_sub(KEPT).map_or(i64::MIN, Timestamp::as_millisecond);
        purge(&self.writer, "signing_keys", "until <= $1", before).await
    }
}

impl FromRow for PublicHalf {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            kid: row.read("kid")?,
            public: row.read("public")?,
            until: row.optional_time("until")?,
            proof: row.read("proof")?,
            revoked_at: row.optional_time("revoked_at")?,
        })
    }
}
