//! How is a PostgreSQL server reached, and how long is it waited for?
//!
//! A pool of few connections, each of which gives up on what takes too long: a database that does not answer holds nobody up for
//! longer, soon nobody at all ([`super::breaker`]), and is used again as soon as it answers.

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use futures::FutureExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};
use url::Url;

use super::breaker::Breaker;
use super::sql::Pool;
use super::{Error, Store, migrations};

#[cfg(test)]
mod tests;

/// How many connections each replica has at most.
const CONNECTIONS: u32 = 10;
/// How long anything may take here. On the server it may take a little less, so that the server says what it was.
const WAIT: Duration = Duration::from_secs(5);
/// How long a connection lives, so that none stays for good with a server that another took over from.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long a connection is tried before it is used: its other end may be gone without a word.
const TRIED: Duration = Duration::from_secs(1);
/// How long the schema may take, and another replica that brings it up to date.
const MIGRATION: Duration = Duration::from_secs(300);

/// What every connection begins with. What is acknowledged is on the server's disk, whatever its settings say; what takes too long
/// is given up there too; and a transaction whose replica went away soon holds nobody up.
const BEGINNING: &str = "SET statement_timeout = '4s';
    SET lock_timeout = '3s';
    SET idle_in_transaction_session_timeout = '10s';
    SET default_transaction_isolation = 'read committed';
    SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// Few connections to a server, and whether it is worth asking.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    /// The connections.
    pub(super) pool: PgPool,
    /// Who may ask.
    pub(super) breaker: Breaker,
}

/// Where a database is on a PostgreSQL server.
#[derive(Clone, Debug)]
pub struct Server {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with the parameters of PostgreSQL's own clients.
    pub url: SecretString,
    /// Certificates of the authorities to believe, as PEM; `None`: those that `sslrootcert` names, or the public ones.
    pub ca: Option<Vec<u8>>,
}

/// A URL that does not say where a database is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the PostgreSQL database {0}: expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`")]
pub struct NotAServer(String);

impl Server {
    /// How connections are made. Unless the URL says otherwise, a server on another machine has to show a certificate of its name.
    pub(crate) fn options(&self) -> Result<PgConnectOptions, NotAServer> {
        let text = self.url.expose_secret().trim();
        let url = Url::parse(text).map_err(|error| NotAServer(format!("cannot be read: {error}")))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(NotAServer(format!("begins with `{}`", url.scheme())));
        }
        let read = PgConnectOptions::from_str(text);
        let mut options = read.map_err(|error| NotAServer(format!("cannot be used: {error}")))?;
        let says_how = url
            .query_pairs()
            .any(|(name, _)| name == "sslmode" || name == "ssl-mode");
        if !says_how && !is_here(&options) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        if let Some(ca) = &self.ca {
            options = options.ssl_root_cert_from_pem(ca.clone());
        }
        Ok(options.application_name("authd"))
    }
}

fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    options.get_socket().is_some() || host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// What the database is called in messages.
fn name(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(path) => path.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("{host}/{}", options.get_database().unwrap_or(options.get_username()))
}

/// Brings the schema up to date and opens the database.
pub(super) async fn open(server: &Server) -> Result<Store, Error> {
    let options = server.options()?;
    let database = name(&options);
    let unusable = |source| Error::Unusable {
        database: database.clone(),
        source,
    };
    let mut connection = within(options.connect()).await.map_err(unusable)?;
    // Whoever comes second waits for the first, and finds nothing left to do.
    let migrated = tokio::time::timeout(MIGRATION, migrations::all().run(&mut connection)).await;
    migrated
        .map_err(|_| unusable(late()))?
        .map_err(|error| migrations::refused(&database, error))?;
    let _ = connection.close().await;
    let pool = Pool::Postgres(Connections {
        pool: pool(options),
        breaker: Breaker::default(),
    });
    Ok(Store {
        writer: pool.clone(),
        readers: pool,
    })
}

/// Whether tables were made there, of whatever version.
pub(super) async fn is_made(server: &Server) -> Result<bool, Error> {
    let options = server.options()?;
    let database = name(&options);
    let asked = async {
        let mut connection = options.connect().await?;
        let asked = sqlx::query_scalar(
            "SELECT to_regclass('_sqlx_migrations') IS NOT NULL AND to_regclass('own_secrets') IS NOT NULL",
        );
        let is_made = asked.fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(is_made)
    };
    within(asked)
        .await
        .map_err(|source| Error::Unusable { database, source })
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(WAIT)
        .max_lifetime(LIFETIME)
        .after_connect(|connection, _| {
            sqlx::raw_sql(BEGINNING)
                .execute(connection)
                .map(|done| done.map(|_| ()))
                .boxed()
        })
        .test_before_acquire(false)
        .before_acquire(|connection, _| is_there(connection).boxed())
        .after_release(|connection, _| may_go_on(connection).boxed())
        .connect_lazy_with(options)
}

/// Whether the other end of a connection still answers: one that is gone without a word costs whoever would use it only this long.
async fn is_there(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(TRIED, connection.ping()).await;
    answer.unwrap_or_else(|_| Err(late()))?;
    Ok(true)
}

/// Whether a connection is used again: not when it no longer answers, and not when its server takes no writes, as one does whose
/// place another took.
async fn may_go_on(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let asked =
        sqlx::query_scalar("SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'");
    within(asked.fetch_one(connection)).await
}

/// What is answered in time.
pub(super) async fn within<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(WAIT, answer).await.unwrap_or_else(|_| Err(late()))
}

fn late() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer in time").into()
}

/// PostgreSQL keeps every character in a text but NUL, and this one stands before what it cannot keep. It is none that texts have.
const MARK: char = '\u{FDD0}';

/// A text as PostgreSQL can keep it. No two texts become the same.
pub(super) fn written(text: String) -> String {
    if !text.contains(['\0', MARK]) {
        return text;
    }
    text.replace(MARK, "\u{FDD0}1").replace('\0', "\u{FDD0}0")
}

/// The text that was written.
pub(super) fn read(text: String) -> String {
    if !text.contains(MARK) {
        return text;
    }
    text.replace("\u{FDD0}0", "\0").replace("\u{FDD0}1", "\u{FDD0}")
}
