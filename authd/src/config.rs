//! The command line.

mod import;
mod sessions;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use database::{Backup, Database, Migrate, Restore, Stored};
pub use import::{Import, OpenWebUi, Renamed};
pub use redis::Redis;
pub use sessions::{EndSessions, SessionList, Sessions};

mod database;
mod redis;

use crate::doctor::subject::Header;
use crate::doctor::weakness::Proxy;

/// Sign-in, API keys and authorization in front of any application behind an ingress.
#[derive(Debug, Parser)]
#[command(name = "authd", version, about, max_term_width = 100)]
pub struct Command {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Sign people in, and answer what ingresses ask.
    #[command(after_help = "Example:\n  authd serve --resources examples/quickstart")]
    Serve(Box<Serve>),
    /// Compile a folder of resources and print every problem with file and line. Exit code 1 where there is one.
    #[command(after_help = "Example:\n  authd check examples/quickstart --output json")]
    Check(Check),
    /// Compile a folder of resources into a Snapshot file, for `authd serve --snapshot`. The file contains secrets.
    #[command(after_help = "Example:\n  authd compile --resources examples/quickstart --snapshot snapshot.json")]
    Compile(Compile),
    /// Say why somebody may or may not reach a URL, naming the rule. Exit code 0 for yes, 3 for no.
    #[command(
        after_help = "Examples:\n  authd explain --resources examples/quickstart --anonymous http://app.demo.localhost/\n  \
                      authd explain --resources examples/quickstart --user ann@example.com --role user http://app.demo.localhost/admin"
    )]
    Explain(Box<Explain>),
    /// Try from outside, through the real proxy, what attackers try: identity headers, paths, hosts, methods and more. Exit code 1
    /// where something does not hold.
    #[command(
        after_help = "Example:\n  authd doctor https://app.example.com/reports --public /public --header 'Authorization: Bearer sk-...' --echo\n\n\
                      Sends some 150 requests to that host and nowhere else, one after another, none of which changes anything. The rest \
                      of the host is taken to be protected."
    )]
    Doctor(Box<Doctor>),
    /// Show the keys that sign session tokens, and take one away that leaked. For an instance that keeps its own keys.
    #[command(subcommand, name = "signing-keys")]
    SigningKeys(SigningKeys),
    /// Copy the database, the signing keys and the secrets of a data folder, also while a server runs on it. The copy contains secrets.
    #[command(after_help = "Example:\n  authd backup --data authd-data authd-2026-01-31\n\n\
                      A database on a PostgreSQL server is backed up with `pg_dump` and comes back with `pg_restore`: see docs/database.md.")]
    Backup(Backup),
    /// Make a data folder of a backup. People have to sign in again.
    #[command(after_help = "Example:\n  authd restore --data authd-data authd-2026-01-31")]
    Restore(Restore),
    /// Move accounts, sessions, keys and all else from the file of a data folder into a PostgreSQL database, while no server runs on it.
    #[command(
        after_help = "Example:\n  authd migrate --data authd-data --to 'postgres://authd:PASSWORD@db.example.com/authd'\n\n\
                      The file stays as it is. A password is better given in AUTHD_POSTGRES_URL than where others see it."
    )]
    Migrate(Migrate),
    /// Show where people are signed in, and sign them out.
    #[command(subcommand)]
    Sessions(Sessions),
    /// Take accounts over from another program. Without `--apply` nothing is written, and what would be is said.
    #[command(subcommand)]
    Import(Import),
}

/// `authd signing-keys`.
#[derive(Debug, Subcommand)]
pub enum SigningKeys {
    /// List the keys, and where each stands: the one that signs, the one that signs next, those that only verify.
    #[command(after_help = "Example:\n  authd signing-keys list --data authd-data --output json")]
    List(KeyList),
    /// Take a key away: no token that it signed is accepted any more, at once and for good. Another signs from then on.
    #[command(
        after_help = "Examples:\n  authd signing-keys revoke --data authd-data 0c4f9d2e61b7a8350c4f9d2e61b7a835\n  \
                      AUTHD_POSTGRES_URL='postgres://...' authd signing-keys revoke 0c4f9d2e61b7a8350c4f9d2e61b7a835"
    )]
    Revoke(KeyRevocation),
}

/// `authd signing-keys list`.
#[derive(Debug, Args)]
pub struct KeyList {
    /// Those in the folder `--data`, or with `--postgres` those that its replicas have published.
    #[command(flatten)]
    pub stored: Stored,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// `authd signing-keys revoke`.
#[derive(Debug, Args)]
pub struct KeyRevocation {
    /// The key's id, as the header of a token and `authd signing-keys list` show it.
    pub kid: String,
    /// That of the folder `--data`, or with `--postgres` that of whichever of its replicas has it.
    #[command(flatten)]
    pub stored: Stored,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// A folder of resources as YAML. `serve` watches it: a good change is live within a second, a bad one changes nothing.
    #[arg(long, value_name = "DIR")]
    pub resources: Option<PathBuf>,
    /// A Snapshot file, as `authd compile` writes it.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
}

/// `authd serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// How it is one of several in a cluster.
    #[command(flatten)]
    pub replication: Replication,
    /// Which database it uses.
    #[command(flatten)]
    pub database: Database,
    /// By what it hears of other replicas at once.
    #[command(flatten)]
    pub redis: Redis,
    /// The Authd to serve, where the folder holds more than one.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub instance: Option<String>,
    /// Where signing keys are kept, and the database where no other is named.
    #[arg(long, value_name = "DIR", default_value = "authd-data")]
    pub data: PathBuf,
    /// Where people and programs reach pages and API: an address and a port; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    pub public: SocketAddr,
    /// Where ingresses ask.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081", value_parser = address)]
    pub verify: SocketAddr,
    /// Where Envoy asks over gRPC.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8082", value_parser = address)]
    pub grpc: SocketAddr,
    /// Where Apache asks over FastCGI. Without it, nowhere.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub fastcgi: Option<SocketAddr>,
    /// Where operators read metrics and health.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090", value_parser = address)]
    pub admin: SocketAddr,
    /// How long to go on serving after the signal to stop, while `/readyz` says that no more requests should come.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub drain: u16,
    /// What is logged, to standard error: a level, or `info,authd=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// Where the audit lines go: a file, or `-` for standard error.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub audit: PathBuf,
    /// While audit lines cannot be written, answer 503 to whatever would leave one: nobody is let in but where anybody is, nobody signs in
    /// or out, and nobody changes anything. Without it lines are lost, and counted in `authd_audit_dropped_total`.
    #[arg(long)]
    pub audit_required: bool,
    /// How the start is announced.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// An address and a port. A Pod puts its own address before a port, without the brackets of IPv6.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let parted = text.rsplit_once(':').filter(|(_, port)| !port.is_empty());
    let read = parted.and_then(|(ip, port)| Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?)));
    read.ok_or_else(|| "expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// How one replica of several serves what an operator publishes in a cluster.
#[derive(Debug, Args)]
pub struct Replication {
    /// Secrets that the operator publishes, as kubelet mounts them: the one with the index at `DIR/index`, shard n at `DIR/n`.
    /// The newest that is whole serves, and is kept below `--data`.
    #[arg(long, value_name = "DIR", group = "Source")]
    pub shards: Option<PathBuf>,
    /// With `--shards`, in a Pod: watch the API server too, so that a change is live at once, and keep a Lease that says what
    /// serves. authd starts and serves without the API server.
    #[arg(long, requires_all = ["shards", "instance", "pod_name"])]
    pub follow_cluster: bool,
    /// The name of this Pod.
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide_env_values = true)]
    pub pod_name: Option<String>,
    /// The `metadata.uid` of this Pod.
    #[arg(long, value_name = "UID", env = "POD_UID", hide_env_values = true)]
    pub pod_uid: Option<String>,
}

/// `authd check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The folder.
    pub resources: PathBuf,
    /// The Authd to compile for, where the folder holds more than one.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub instance: Option<String>,
    /// Try whether the servers of every provider can be reached from here, as they are configured, and say what does not work.
    #[arg(long)]
    pub probe: bool,
    /// With `--probe`: show what each directory says of this user name, attribute by attribute.
    #[arg(long, value_name = "NAME", requires = "probe")]
    pub probe_user: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// `authd compile`.
#[derive(Debug, Args)]
pub struct Compile {
    /// The folder.
    #[arg(long, value_name = "DIR")]
    pub resources: PathBuf,
    /// The file to write, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub snapshot: PathBuf,
    /// The Authd to compile for, where the folder holds more than one.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub instance: Option<String>,
}

/// `authd explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// Who asks.
    #[command(flatten)]
    pub who: Who,
    /// With `--user`: a role that the person is taken to have, instead of looking the account up. May be repeated.
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<String>,
    /// With `--user`: a group that the person is taken to be in. May be repeated.
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<String>,
    /// With `--user`: look the account up in this data folder.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// With `--user`: how long ago they signed in, such as `2h`. Without it, just now.
    #[arg(long, value_name = "DURATION", default_value = "1ms", hide_default_value = true, value_parser = milliseconds)]
    pub signed_in_ago: i64,
    /// With `--user`: in which class their provider put the sign-in.
    #[arg(long, value_name = "CLASS")]
    pub acr: Option<String>,
    /// The method.
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// The client's address.
    #[arg(long, value_name = "ADDRESS")]
    pub client_ip: Option<IpAddr>,
    /// The Authd, where the folder holds more than one.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub instance: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// What is to be reached.
    pub url: String,
}

fn milliseconds(text: &str) -> Result<i64, String> {
    let read = crds::Duration::from(text)
        .milliseconds()
        .map_err(|error| error.to_string())?;
    let read = read.and_then(|milliseconds| i64::try_from(milliseconds).ok());
    read.ok_or_else(|| format!("`{text}` has no end: give a duration such as `2h`"))
}

/// Who asks.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// A person, by e-mail address.
    #[arg(long, value_name = "EMAIL")]
    pub user: Option<String>,
    /// A service of an ApiKey, with the roles and limits of its key.
    #[arg(long, value_name = "NAMESPACE/SERVICE")]
    pub service: Option<String>,
    /// An ApiKey.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub key: Option<String>,
    /// Nobody in particular.
    #[arg(long)]
    pub anonymous: bool,
}

/// `authd doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// What nobody may open without signing in.
    pub url: String,
    /// A path of the same host that everybody may open, for what needs one: is more public than that?
    #[arg(long, value_name = "PATH")]
    pub public: Option<String>,
    /// A header that opens the URL, for what needs a request that passes. May be repeated.
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<Header>,
    /// The application reports the path and the headers that it got: put one in its place that does, and every check can be made.
    #[arg(long)]
    pub echo: bool,
    /// authd is stopped at this moment: see that nothing passes, and try nothing else.
    #[arg(long)]
    pub while_down: bool,
    /// One more header by which the application knows who is calling. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub identity_header: Vec<String>,
    /// The name of the session's cookie.
    #[arg(long, value_name = "NAME", default_value = "token")]
    pub cookie: String,
    /// The proxy, for advice in its words; else what it says of itself.
    #[arg(long, value_enum)]
    pub proxy: Option<Proxy>,
    /// Where to connect to, in place of the URL's host and port.
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: Option<String>,
    /// Certificates of the authorities to believe, as PEM, in place of the system's.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Requests a second, at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rate: u16,
    /// How long an answer may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=60))]
    pub timeout: u16,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_are_read_with_and_without_the_brackets_of_ipv6() {
        for (text, expected) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("fd00::7:8081", Some("[fd00::7]:8081")),
            ("[::]:0", Some("[::]:0")),
            ("localhost:8080", None),
            ("8080", None),
            ("127.0.0.1", None),
            ("127.0.0.1:", None),
            ("::1", None),
            ("127.0.0.1:65536", None),
        ] {
            let read = address(text).ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
