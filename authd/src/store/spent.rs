//! What counts once: was it used before?

use jiff::Timestamp;

use super::purge::purge;
use super::sql::sql;
use super::{Error, Store};

impl Store {
    /// Uses something up that counts once, until `ends` (epoch seconds); returns whether it was there to be used.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn spend(&self, purpose: &str, id: &str, ends: i64, now: Timestamp) -> Result<bool, Error> {
        let done = sql(
            "INSERT INTO spent (purpose, id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (purpose, id) DO UPDATE
                 SET expires_at = excluded.expires_at WHERE spent.expires_at <= $4",
        )
        .bind(purpose)
        .bind(id)
        .bind(ends.saturating_mul(1000))
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(done == 1)
    }

    /// Forgets what can no longer be used anyway, and returns how much.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn purge_spent(&self, now: Timestamp) -> Result<u64, Error> {
        purge(&self.writer, "spent", "expires_at <= $1", now.as_millisecond()).await
    }
}

#[cfg(test)]
mod tests {
    use crate::store::tests::{at, fixture};

    #[tokio::test]
    async fn something_is_used_up_once_while_it_lasts() {
        let fixture = fixture().await;
        let ends = at(10).as_second();
        let spend =
            |purpose: &'static str, id: &'static str, minute: i64| fixture.store.spend(purpose, id, ends, at(minute));
        assert!(spend("attempt", "a", 0).await.unwrap());
        assert!(!spend("attempt", "a", 1).await.unwrap());
        assert!(spend("attempt", "b", 1).await.unwrap());
        assert!(spend("logout", "a", 1).await.unwrap(), "another purpose");
        assert_eq!(fixture.store.purge_spent(at(9)).await.unwrap(), 0);
        assert_eq!(fixture.store.purge_spent(at(10)).await.unwrap(), 3);
    }
}
