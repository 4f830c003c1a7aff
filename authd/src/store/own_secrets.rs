//! Which secrets of authd's own are the same on every replica?

use super::sql::sql;
use super::{Error, Store};

impl Store {
    /// The secret of that name; where there is none yet, this one becomes it. Whoever asks at the same time gets the same.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn own_secret(&self, name: &str, offered: &[u8]) -> Result<Vec<u8>, Error> {
        sql("INSERT INTO own_secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(offered)
            .execute(&self.writer)
            .await?;
        self.kept_secret(name).await?.ok_or(Error::NotFound)
    }

    /// The secret of that name, where there is one.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn kept_secret(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let kept = sql("SELECT secret FROM own_secrets WHERE name = $1").bind(name);
        Ok(kept.fetch_optional(&self.readers).await?)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::tests::fixture;

    #[tokio::test]
    async fn the_first_secret_that_is_offered_is_everybodys() {
        let fixture = fixture().await;
        assert_eq!(fixture.store.kept_secret("forms").await.unwrap(), None);
        assert_eq!(fixture.store.own_secret("forms", b"first").await.unwrap(), b"first");
        let other = fixture.reopened().await;
        assert_eq!(other.own_secret("forms", b"second").await.unwrap(), b"first");
        assert_eq!(
            other.own_secret("guesses", b"second").await.unwrap(),
            b"second",
            "each has its own"
        );
    }
}
