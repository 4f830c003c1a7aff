//! `authd import`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::database::secret;
use super::{Output, Stored};

/// `authd import`.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Take over accounts, bcrypt hashes, groups, API keys and subjects at providers from a database of Open WebUI (SQLite or
    /// PostgreSQL).
    #[command(
        name = "open-webui",
        after_help = "Examples:\n  authd import open-webui --database webui.db --data authd-data\n  \
                      authd import open-webui --database webui.db --data authd-data --provider oidc=corporate --apply\n\n\
                      An account that is here already is left as it is, so that it can be run again. Take a copy of a file \
                      while Open WebUI is stopped, or with `sqlite3 webui.db .backup`. A password is better given in \
                      OPEN_WEBUI_DATABASE than where others see it."
    )]
    OpenWebUi(OpenWebUi),
}

/// `authd import open-webui`.
#[derive(Debug, Args)]
pub struct OpenWebUi {
    /// The database of Open WebUI, which is only read: a file, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    #[arg(long, value_name = "FILE|URL", env = "OPEN_WEBUI_DATABASE", hide_env_values = true, value_parser = secret)]
    pub database: SecretString,
    /// Write it. Otherwise it is only tried.
    #[arg(long)]
    pub apply: bool,
    /// What a provider of Open WebUI (`google`, `microsoft`, `github`, `oidc`, `feishu`) is called here, where its AuthProvider has
    /// another name. May be repeated.
    #[arg(long, value_name = "THERE=HERE")]
    pub provider: Vec<Renamed>,
    /// Into which database.
    #[command(flatten)]
    pub stored: Stored,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What something is called there and here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Its name there.
    pub there: String,
    /// Its name here.
    pub here: String,
}

impl FromStr for Renamed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((there, here)) if !there.is_empty() && !here.is_empty() => Ok(Self {
                there: there.to_owned(),
                here: here.to_owned(),
            }),
            _ => Err("expected a name there and one here, such as oidc=corporate"),
        }
    }
}
