//! Which Redis.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::database::secret;

/// By what replicas of one database hear of each other at once.
#[derive(Debug, Args)]
pub struct Redis {
    /// The URL of the Redis by which replicas of one database hear of each other at once, and count failures to sign in together:
    /// `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or as `Authd.spec.redis` takes it for Sentinels and Clusters. Without it the one
    /// that the Authd names; without that, none.
    #[arg(long = "redis", value_name = "URL", env = "AUTHD_REDIS_URL", hide_env_values = true, value_parser = secret)]
    pub url: Option<SecretString>,
    /// With `--redis`: certificates of the authorities that the servers' certificates are believed from, as PEM, in place of the
    /// system's.
    #[arg(long = "redis-ca", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// With `--redis`: what the names of keys and channels there begin with.
    #[arg(long = "redis-prefix", value_name = "PREFIX", default_value = "authd")]
    pub prefix: String,
}
