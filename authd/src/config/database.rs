//! Which database.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

/// Where accounts and sessions are kept.
#[derive(Debug, Args)]
pub struct Database {
    /// The URL of the PostgreSQL database that replicas share: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Without it the one that
    /// the Authd names; without that, a file below `--data`.
    #[arg(long, value_name = "URL", env = "AUTHD_POSTGRES_URL", hide_env_values = true, value_parser = secret)]
    pub postgres: Option<SecretString>,
    /// With `--postgres`: certificates of the authorities that the server's certificate is believed from, as PEM, in place of the
    /// public ones.
    #[arg(long, value_name = "FILE")]
    pub postgres_ca: Option<PathBuf>,
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a Result")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}
