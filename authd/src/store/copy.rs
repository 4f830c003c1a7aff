//! How does everything get from a file into another database?
//!
//! Table by table, within one transaction on each side: all of it, or nothing.

use super::sql::{Row, Statement, Value, generated, sql};
use super::transaction::Transaction;
use super::{Error, Store};

#[cfg(test)]
mod tests;

/// How many rows are written by one statement. PostgreSQL takes 65,535 parameters.
const AT_ONCE: i64 = 500;

/// What a column has.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Integer,
    Truth,
    Bytes,
}

use Kind::{Bytes, Integer, Text, Truth};

/// Every table with its columns, those that others refer to first. Secrets of our own are offered, not copied, and
/// every replica publishes its signing keys itself.
const TABLES: &[(&str, &[(&str, Kind)])] = &[
    (
        "users",
        &[
            ("id", Text),
            ("email", Text),
            ("email_verified", Truth),
            ("name", Text),
            ("role", Text),
            ("disabled", Truth),
            ("password_hash", Text),
            ("profile_image_url", Text),
            ("bio", Text),
            ("gender", Text),
            ("date_of_birth", Text),
            ("created_at", Integer),
            ("updated_at", Integer),
            ("last_sign_in_at", Integer),
        ],
    ),
    (
        "identities",
        &[
            ("provider", Text),
            ("subject", Text),
            ("user_id", Text),
            ("claims", Text),
            ("updated_at", Integer),
            ("refused_at", Integer),
            ("leased_until", Integer),
        ],
    ),
    (
        "memberships",
        &[("user_id", Text), ("group_name", Text), ("source", Text)],
    ),
    (
        "sessions",
        &[
            ("id", Text),
            ("user_id", Text),
            ("provider", Text),
            ("created_at", Integer),
            ("last_seen_at", Integer),
            ("expires_at", Integer),
            ("client_address", Text),
            ("user_agent", Text),
            ("signed_in_at", Integer),
            ("acr", Text),
        ],
    ),
    (
        "grants",
        &[
            ("session_id", Text),
            ("provider", Text),
            ("subject", Text),
            ("sid", Text),
            ("sealed", Bytes),
            ("due_at", Integer),
            ("leased_until", Integer),
            ("updated_at", Integer),
        ],
    ),
    (
        "api_keys",
        &[
            ("id", Text),
            ("user_id", Text),
            ("name", Text),
            ("prefix", Text),
            ("hash", Bytes),
            ("endpoints", Text),
            ("created_at", Integer),
            ("expires_at", Integer),
            ("last_used_at", Integer),
        ],
    ),
    (
        "revocations",
        &[
            ("kind", Text),
            ("id", Text),
            ("expires_at", Integer),
            ("reason", Text),
            ("created_at", Integer),
            ("position", Integer),
        ],
    ),
    ("changed_accounts", &[("user_id", Text), ("position", Integer)]),
    (
        "registrations",
        &[("provider", Text), ("sealed", Bytes), ("updated_at", Integer)],
    ),
    (
        "acts",
        &[
            ("id", Text),
            ("at", Integer),
            ("what", Text),
            ("actor", Text),
            ("subject", Text),
        ],
    ),
    ("spent", &[("purpose", Text), ("id", Text), ("expires_at", Integer)]),
    (
        "failed_guesses",
        &[("subject", Text), ("at", Integer), ("expires_at", Integer)],
    ),
    (
        "blocked_subjects",
        &[
            ("subject", Text),
            ("blocked_until", Integer),
            ("blocks", Integer),
            ("expires_at", Integer),
        ],
    ),
];

impl Store {
    /// Copies every row of a file into another database, and returns how many that were of which table.
    ///
    /// # Errors
    /// [`Error::Conflict`] when anybody has an account there; [`Error::Unavailable`].
    pub async fn copy_into(&self, other: &Self) -> Result<Vec<(&'static str, u64)>, Error> {
        // On SQLite this keeps others from writing meanwhile.
        let mut from = self.begin(&[]).await?;
        let mut to = other.begin(&[]).await?;
        let accounts: i64 = sql("SELECT COUNT(*) FROM users").fetch_one(&mut to).await?;
        if accounts > 0 {
            return Err(Error::Conflict);
        }
        let mut copied = Vec::new();
        for &(table, columns) in TABLES {
            copied.push((table, copy(&mut from, &mut to, table, columns).await?));
        }
        let last: i64 = sql("SELECT last FROM positions WHERE name = 'changes'")
            .fetch_one(&mut from)
            .await?;
        sql("UPDATE positions SET last = $1 WHERE name = 'changes'")
            .bind(last)
            .execute(&mut to)
            .await?;
        to.commit().await?;
        Ok(copied)
    }
}

async fn copy(
    from: &mut Transaction,
    to: &mut Transaction,
    table: &str,
    columns: &[(&str, Kind)],
) -> Result<u64, Error> {
    let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let (mut after, mut copied) = (0, 0);
    loop {
        let some = format!("SELECT rowid, {names} FROM {table} WHERE rowid > $1 ORDER BY rowid LIMIT $2");
        let rows = generated(some).bind(after).bind(AT_ONCE).rows(&mut *from).await?;
        let Some(last) = rows.last() else {
            return Ok(copied);
        };
        after = last.read("rowid")?;
        copied += insert(table, &names, columns, &rows)?.execute(&mut *to).await?;
    }
}

/// One statement that inserts all these rows.
fn insert(table: &str, names: &str, columns: &[(&str, Kind)], rows: &[Row]) -> Result<Statement, sqlx::Error> {
    let width = columns.len();
    let places = |row: usize| {
        let places: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", places.join(", "))
    };
    let places: Vec<String> = (0..rows.len()).map(places).collect();
    let mut statement = generated(format!("INSERT INTO {table} ({names}) VALUES {}", places.join(", ")));
    for row in rows {
        for (column, kind) in columns {
            statement = statement.bind(kind.read(row, column)?);
        }
    }
    Ok(statement)
}

impl Kind {
    fn read(self, row: &Row, column: &str) -> Result<Value, sqlx::Error> {
        Ok(match self {
            Self::Text => Value::Text(row.read(column)?),
            Self::Integer => Value::Integer(row.read(column)?),
            Self::Truth => Value::Truth(row.read(column)?),
            Self::Bytes => Value::Bytes(row.read(column)?),
        })
    }
}
