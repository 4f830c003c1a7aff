//! Which schema does a database have, and how is it brought to that of this program?
//!
//! Forward only. One text stands for both databases.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::Error;

/// Every migration, oldest first; one that was released is never changed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("migrations/0001_first.sql")),
    (2, "providers", include_str!("migrations/0002_providers.sql")),
    (3, "failed_guesses", include_str!("migrations/0003_failed_guesses.sql")),
    (4, "signed_in_at", include_str!("migrations/0004_signed_in_at.sql")),
    (5, "replicas", include_str!("migrations/0005_replicas.sql")),
    (6, "refused", include_str!("migrations/0006_refused.sql")),
    (7, "acr", include_str!("migrations/0007_acr.sql")),
    (8, "by_provider", include_str!("migrations/0008_by_provider.sql")),
    (9, "acts", include_str!("migrations/0009_acts.sql")),
    (10, "signing_keys", include_str!("migrations/0010_signing_keys.sql")),
    (11, "by_group", include_str!("migrations/0011_by_group.sql")),
];

/// Every migration, ready to be applied.
pub(super) fn all() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// Why a database is not brought up to date.
pub(super) fn refused(database: &str, error: MigrateError) -> Error {
    let known = MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    let database = database.to_owned();
    match error {
        MigrateError::VersionMissing(found) if found > known => Error::TooNew { database, found, known },
        MigrateError::Execute(source) => Error::Unusable { database, source },
        source => Error::Schema { database, source },
    }
}
