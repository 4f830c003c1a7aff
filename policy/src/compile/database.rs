//! `database` of an Authd to the database that replicas share.

use crds::{Reason, SecretKeyRef};

use super::scope::{Scope, problem};
use crate::problem::Problem;
use crate::secret::secret;
use crate::snapshot::Database;

/// The database; `None` where each replica has a file.
pub(super) fn database(scope: &Scope<'_>) -> Result<Option<Database>, Problem> {
    let Some(database) = &scope.authd.spec.database else {
        return Ok(None);
    };
    let field = "spec.database.postgresSecretRef";
    let url = scope.secret(scope.authd, field, &database.postgres_secret_ref)?;
    let is_one = std::str::from_utf8(url).is_ok_and(|url| {
        let url = url.trim();
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    });
    if !is_one {
        let message = "the value is not the URL of a PostgreSQL database: it must read \
                       `postgres://USER:PASSWORD@HOST:PORT/DATABASE`";
        return Err(problem(scope.authd, field, Reason::SecretUnusable, message.to_owned()));
    }
    let ca = authorities(scope, "spec.database.caSecretRef", database.ca_secret_ref.as_ref())?;
    Ok(Some(Database { url: secret(url), ca }))
}

/// The certificates that a reference points at, as PEM, if there is one.
pub(super) fn authorities(
    scope: &Scope<'_>,
    field: &str,
    reference: Option<&SecretKeyRef>,
) -> Result<Option<String>, Problem> {
    let Some(reference) = reference else { return Ok(None) };
    let pem = std::str::from_utf8(scope.secret(scope.authd, field, reference)?).unwrap_or_default();
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        let message = "the value has no certificate: it must be the certificates of authorities, as PEM";
        return Err(problem(scope.authd, field, Reason::SecretUnusable, message.to_owned()));
    }
    Ok(Some(pem.to_owned()))
}
