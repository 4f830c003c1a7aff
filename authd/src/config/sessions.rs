//! `authd sessions`.

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{Output, Stored};

/// `authd sessions`.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// List sessions, the one used last first: whose, from which address and client, since when, last seen.
    #[command(after_help = "Example:\n  authd sessions list --data authd-data --user ann@example.com --output json")]
    List(SessionList),
    /// End sessions. Servers on the same database refuse their tokens within a second, and after a restart too.
    #[command(
        after_help = "Examples:\n  authd sessions end --data authd-data --user ann@example.com\n  \
                      authd sessions end --data authd-data --session 0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b\n  \
                      AUTHD_POSTGRES_URL='postgres://...' authd sessions end --provider corporate"
    )]
    End(EndSessions),
}

/// `authd sessions list`.
#[derive(Debug, Args)]
pub struct SessionList {
    /// Only those of the account with this address.
    #[arg(long, value_name = "EMAIL")]
    pub user: Option<String>,
    /// How many to show at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub most: u32,
    /// Which database.
    #[command(flatten)]
    pub stored: Stored,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// `authd sessions end`.
#[derive(Debug, Args)]
pub struct EndSessions {
    /// Which.
    #[command(flatten)]
    pub which: WhichSessions,
    /// Which database.
    #[command(flatten)]
    pub stored: Stored,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Which sessions are to end.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhichSessions {
    /// This one, as `authd sessions list` shows it. May be repeated.
    #[arg(long, value_name = "ID")]
    pub session: Vec<Uuid>,
    /// All of the account with this address.
    #[arg(long, value_name = "EMAIL")]
    pub user: Option<String>,
    /// All that began through this provider.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// All of everybody.
    #[arg(long)]
    pub all: bool,
}
