//! How do rows go that nobody needs any more?
//!
//! Some at a time, so that no statement takes long, however many there are. Of several replicas that do it at once each takes others,
//! and what somebody works with is left for the next time.

use super::Error;
use super::sql::{Pool, generated};

#[cfg(test)]
mod tests;

/// How many rows go with one statement.
const AT_ONCE: i64 = 5_000;

/// Deletes the rows of a table for which a condition on `$1` holds, and returns how many.
pub(super) async fn purge(pool: &Pool, table: &str, condition: &str, value: i64) -> Result<u64, Error> {
    let some = match pool {
        Pool::Sqlite(_) => {
            format!("DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT $2)")
        }
        Pool::Postgres(_) => format!(
            "DELETE FROM {table} WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM {table} WHERE {condition} LIMIT $2 FOR UPDATE SKIP LOCKED))"
        ),
    };
    let mut gone = 0;
    loop {
        let done = generated(some.clone()).bind(value).bind(AT_ONCE).execute(pool).await?;
        gone += done;
        if done < AT_ONCE.unsigned_abs() {
            return Ok(gone);
        }
    }
}
