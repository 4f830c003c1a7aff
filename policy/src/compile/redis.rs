//! `redis` of an Authd to the Redis by which replicas hear of each other.

use crds::Reason;

use super::database::authorities;
use super::scope::{Scope, problem};
use crate::problem::Problem;
use crate::redis::Address;
use crate::secret::secret;
use crate::snapshot::Redis;

/// The Redis; `None` where there is none.
pub(super) fn redis(scope: &Scope<'_>) -> Result<Option<Redis>, Problem> {
    let Some(redis) = &scope.authd.spec.redis else {
        return Ok(None);
    };
    let field = "spec.redis.secretRef";
    let url = scope.secret(scope.authd, field, &redis.secret_ref)?;
    if let Err(error) = Address::read(std::str::from_utf8(url).unwrap_or_default()) {
        let message = format!("the value is not the URL of a Redis: {error}");
        return Err(problem(scope.authd, field, Reason::SecretUnusable, message));
    }
    Ok(Some(Redis {
        url: secret(url),
        ca: authorities(scope, "spec.redis.caSecretRef", redis.ca_secret_ref.as_ref())?,
        key_prefix: redis.key_prefix.clone(),
    }))
}
