//! A database of Open WebUI, in a file or on a PostgreSQL server, which is only read: all of it as it is at one moment.
//!
//! Every column is asked for as text, so that both kinds of database say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::store::Server;

/// A row: what is in each column, where something is.
pub(super) type Row = BTreeMap<String, String>;

/// A connection, and the columns of each table there.
pub(super) struct Source {
    database: Database,
    tables: BTreeMap<String, BTreeSet<String>>,
}

enum Database {
    File(SqliteConnection),
    Server(PgConnection),
}

/// What is asked for the tables and columns of a file, and of a server.
const IN_A_FILE: &str = "SELECT tables.name AS \"table\", columns.name AS \"column\"
    FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";
const ON_A_SERVER: &str = "SELECT CAST(table_name AS TEXT) AS \"table\", CAST(column_name AS TEXT) AS \"column\"
    FROM information_schema.columns WHERE table_schema = ANY (current_schemas(FALSE))";

/// What is called the database in messages: never with its password.
pub(super) fn name(wanted: &SecretString) -> String {
    let text = wanted.expose_secret();
    match url::Url::parse(text) {
        Ok(url) if is_url(text) => format!("{}{}", url.host_str().unwrap_or_default(), url.path()),
        _ => text.to_owned(),
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

impl Source {
    /// Opens a file, or a database on a server by its URL.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub(super) async fn open(wanted: &SecretString) -> anyhow::Result<Self> {
        let text = wanted.expose_secret();
        let database = if is_url(text) {
            Database::server(wanted).await?
        } else {
            Database::file(Path::new(text)).await?
        };
        let mut source = Self {
            database,
            tables: BTreeMap::new(),
        };
        let asked = match source.database {
            Database::File(_) => IN_A_FILE,
            Database::Server(_) => ON_A_SERVER,
        };
        for mut row in source.rows(asked.to_owned()).await? {
            let (Some(table), Some(column)) = (row.remove("table"), row.remove("column")) else {
                continue;
            };
            source.tables.entry(table).or_default().insert(column);
        }
        Ok(source)
    }

    /// Whether there is such a column.
    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// Whether there is such a table.
    pub(super) fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// A column as text, or nothing where the table has none.
    pub(super) fn column(&self, table: &str, column: &str) -> String {
        if self.has(table, column) {
            format!("CAST(\"{table}\".\"{column}\" AS TEXT) AS \"{column}\"")
        } else {
            format!("CAST(NULL AS TEXT) AS \"{column}\"")
        }
    }

    /// The rows of a statement that asks for texts, and is made of names that the program knows.
    pub(super) async fn rows(&mut self, sql: String) -> Result<Vec<Row>, sqlx::Error> {
        let query = AssertSqlSafe(sql);
        match &mut self.database {
            Database::File(file) => file.fetch_all(query).await?.iter().map(texts).collect(),
            Database::Server(server) => server.fetch_all(query).await?.iter().map(texts).collect(),
        }
    }

    /// How many rows there are that a statement counts.
    pub(super) async fn count(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let rows = self
            .rows(format!("SELECT CAST(COUNT(*) AS TEXT) AS count {sql}"))
            .await?;
        let count = rows.first().and_then(|row| row.get("count")?.parse().ok());
        Ok(count.unwrap_or(0))
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self.database {
            Database::File(file) => file.close().await,
            Database::Server(server) => server.close().await,
        }
    }
}

impl Database {
    async fn file(path: &Path) -> anyhow::Result<Self> {
        ensure!(
            path.is_file(),
            "`{}` is no file: name the database of Open WebUI, or the URL of one on a PostgreSQL server",
            path.display()
        );
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        Ok(Self::File(options.connect().await?))
    }

    async fn server(wanted: &SecretString) -> anyhow::Result<Self> {
        let server = Server {
            url: wanted.clone(),
            ca: None,
        };
        let mut connection = server.options()?.connect().await?;
        connection
            .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .context("it cannot be read at one moment")?;
        Ok(Self::Server(connection))
    }
}

/// What a row says in each column.
fn texts<R: sqlx::Row>(row: &R) -> Result<Row, sqlx::Error>
where
    usize: sqlx::ColumnIndex<R>,
    for<'r> Option<String>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    use sqlx::Column as _;
    let mut texts = Row::new();
    for column in row.columns() {
        if let Some(text) = row.try_get::<Option<String>, _>(column.ordinal())? {
            texts.insert(column.name().to_owned(), text);
        }
    }
    Ok(texts)
}
