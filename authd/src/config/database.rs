//! Which database, and what is done with it as a whole.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::Output;

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

/// The database of a server, for a command that works on it.
#[derive(Debug, Args)]
pub struct Stored {
    /// Where the database and the signing keys are kept.
    #[arg(long, value_name = "DIR", default_value = "authd-data")]
    pub data: PathBuf,
    /// The URL of the PostgreSQL database that replicas share, where that is the database:
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    #[arg(long, value_name = "URL", env = "AUTHD_POSTGRES_URL", hide_env_values = true, value_parser = secret)]
    pub postgres: Option<SecretString>,
    /// With `--postgres`: certificates of the authorities that the server's certificate is believed from, as PEM, in place of the
    /// public ones.
    #[arg(long, value_name = "FILE")]
    pub postgres_ca: Option<PathBuf>,
}

/// `authd backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// Where the database and the signing keys are kept.
    #[arg(long, value_name = "DIR", default_value = "authd-data")]
    pub data: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// The folder to make. It must not be there yet.
    pub backup: PathBuf,
}

/// `authd restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// Where the database and the signing keys are to be kept. It must not be there yet, or be empty.
    #[arg(long, value_name = "DIR", default_value = "authd-data")]
    pub data: PathBuf,
    /// Leave people signed in who were when the backup was made: also those who signed out since then, or were signed out.
    #[arg(long)]
    pub keep_sessions: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// The folder that `authd backup` made.
    pub backup: PathBuf,
}

/// `authd migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Where the database and the signing keys are kept.
    #[arg(long, value_name = "DIR", default_value = "authd-data")]
    pub data: PathBuf,
    /// The URL of a PostgreSQL database that nobody has an account in yet: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    #[arg(long, value_name = "URL", env = "AUTHD_POSTGRES_URL", hide_env_values = true, value_parser = secret)]
    pub to: SecretString,
    /// Certificates of the authorities that the server's certificate is believed from, as PEM, in place of the public ones.
    #[arg(long, value_name = "FILE")]
    pub postgres_ca: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a Result")]
pub(super) fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}
