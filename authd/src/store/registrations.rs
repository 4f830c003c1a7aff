//! What is authd called at providers where it registered itself? Sealed; see [`crate::seal`].

use jiff::Timestamp;

use super::sql::sql;
use super::{Error, Store};

impl Store {
    /// The registration at a provider, sealed.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn registration(&self, provider: &str) -> Result<Option<Vec<u8>>, Error> {
        let query = sql("SELECT sealed FROM registrations WHERE provider = $1").bind(provider);
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// Keeps a registration in the place of the one before.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn keep_registration(&self, provider: &str, sealed: &[u8], now: Timestamp) -> Result<(), Error> {
        sql(
            "INSERT INTO registrations (provider, sealed, updated_at) VALUES ($1, $2, $3)
             ON CONFLICT (provider) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at",
        )
        .bind(provider)
        .bind(sealed)
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Forgets a registration that the provider no longer knows.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_registration(&self, provider: &str) -> Result<(), Error> {
        sql("DELETE FROM registrations WHERE provider = $1")
            .bind(provider)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
