//! How is one statement sent to the database, and how are its rows read?
//!
//! Everything else in [`crate::store`] says what it wants in SQL with numbered parameters and reads rows by the names of columns; only
//! this module knows which client library runs it.

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{
    AssertSqlSafe, Database, Encode, IntoArguments, Postgres, Row as _, SqlSafeStr as _, SqlStr, Sqlite, SqlitePool,
    Type,
};
use uuid::Uuid;

use super::postgres::{self, Connections, within};
use super::transaction::Transaction;

/// One statement and what stands for its parameters, `$1` first.
#[derive(Debug)]
pub(super) struct Statement {
    text: SqlStr,
    values: Vec<Value>,
}

/// A statement of this text, in which nothing is from outside. Both databases understand it.
pub(super) fn sql(text: &'static str) -> Statement {
    Statement {
        text: text.into_sql_str(),
        values: Vec::new(),
    }
}

/// A statement that is put together from names of this program's own tables and columns, and from nothing else.
pub(super) fn generated(text: String) -> Statement {
    Statement {
        text: AssertSqlSafe(text).into_sql_str(),
        values: Vec::new(),
    }
}

/// What a parameter stands for.
#[derive(Debug)]
pub(super) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Truth(bool),
    Bytes(Vec<u8>),
}

/// Connections to a database.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(Connections),
}

/// Where a statement runs: within a transaction, or on its own.
#[derive(Debug)]
pub(super) enum On<'a> {
    Transaction(&'a mut Transaction),
    Pool(&'a Pool),
}

/// A row, as the database has it.
#[derive(Debug)]
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What is read from a row.
pub(super) trait FromRow: Sized {
    /// # Errors
    /// The row has no such columns, or something else in them.
    fn from_row(row: &Row) -> Result<Self, sqlx::Error>;
}

/// Runs a statement where it is to run, with what its query is called there, and gives what PostgreSQL answers a deadline.
macro_rules! run {
    ($statement:ident on $on:ident, $method:ident) => {
        match $on.into() {
            On::Transaction(Transaction::Sqlite(on)) => {
                $statement.query::<Sqlite>().$method(&mut **on).await.map(Answer::from)
            }
            On::Pool(Pool::Sqlite(on)) => $statement.query::<Sqlite>().$method(on).await.map(Answer::from),
            On::Transaction(Transaction::Postgres(on)) => within($statement.query::<Postgres>().$method(&mut **on))
                .await
                .map(Answer::from),
            On::Pool(Pool::Postgres(on)) => on
                .breaker
                .ask(within($statement.query::<Postgres>().$method(&on.pool)))
                .await
                .map(Answer::from),
        }
    };
}

impl Statement {
    /// The value of the next parameter.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it, and returns how many rows it changed.
    pub(super) async fn execute<'a>(self, on: impl Into<On<'a>>) -> Result<u64, sqlx::Error> {
        Ok(run!(self on on, execute)?.changed)
    }

    /// The only row that it returns, or the first.
    ///
    /// # Errors
    /// `RowNotFound` where there is none.
    pub(super) async fn fetch_one<'a, T: FromRow>(self, on: impl Into<On<'a>>) -> Result<T, sqlx::Error> {
        self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// The only row that it returns, or the first, where there is one.
    pub(super) async fn fetch_optional<'a, T: FromRow>(self, on: impl Into<On<'a>>) -> Result<Option<T>, sqlx::Error> {
        let answer = run!(self on on, fetch_optional)?;
        answer.rows.first().map(T::from_row).transpose()
    }

    /// Every row that it returns.
    pub(super) async fn fetch_all<'a, T: FromRow>(self, on: impl Into<On<'a>>) -> Result<Vec<T>, sqlx::Error> {
        self.rows(on).await?.iter().map(T::from_row).collect()
    }

    /// Every row that it returns, as it is.
    pub(super) async fn rows<'a>(self, on: impl Into<On<'a>>) -> Result<Vec<Row>, sqlx::Error> {
        Ok(run!(self on on, fetch_all)?.rows)
    }

    fn query<D: Kind>(self) -> sqlx::query::Query<'static, D, D::Arguments>
    where
        D::Arguments: IntoArguments<D>,
        Option<String>: Encode<'static, D> + Type<D>,
        Option<i64>: Encode<'static, D> + Type<D>,
        bool: Encode<'static, D> + Type<D>,
        Vec<u8>: Encode<'static, D> + Type<D>,
    {
        let query = sqlx::query(self.text);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text.map(D::written)),
            Value::Integer(integer) => query.bind(integer),
            Value::Truth(truth) => query.bind(truth),
            Value::Bytes(bytes) => query.bind(bytes),
        })
    }
}

/// One of the two databases.
trait Kind: Database {
    /// A text as it can be kept there.
    fn written(text: String) -> String;
}

impl Kind for Sqlite {
    fn written(text: String) -> String {
        text
    }
}

impl Kind for Postgres {
    fn written(text: String) -> String {
        postgres::written(text)
    }
}

/// What a database answers, of which a statement takes what it asked for.
#[derive(Default)]
struct Answer {
    changed: u64,
    rows: Vec<Row>,
}

macro_rules! answers {
    ($result:ty, $row:ident => $into:path) => {
        impl From<$result> for Answer {
            fn from(result: $result) -> Self {
                Self {
                    changed: result.rows_affected(),
                    ..Self::default()
                }
            }
        }

        impl From<Vec<$row>> for Answer {
            fn from(rows: Vec<$row>) -> Self {
                Self {
                    rows: rows.into_iter().map($into).collect(),
                    ..Self::default()
                }
            }
        }

        impl From<Option<$row>> for Answer {
            fn from(row: Option<$row>) -> Self {
                Self::from(Vec::from_iter(row))
            }
        }
    };
}

answers!(sqlx::sqlite::SqliteQueryResult, SqliteRow => Row::Sqlite);
answers!(sqlx::postgres::PgQueryResult, PgRow => Row::Postgres);

impl<'a> From<&'a mut Transaction> for On<'a> {
    fn from(transaction: &'a mut Transaction) -> Self {
        Self::Transaction(transaction)
    }
}

impl<'a> From<&'a Pool> for On<'a> {
    fn from(pool: &'a Pool) -> Self {
        Self::Pool(pool)
    }
}

impl Pool {
    /// Waits for what is under way, and closes every connection.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(on) => on.pool.close().await,
        }
    }
}

/// What a column can be read as.
pub(super) trait Column:
    for<'r> sqlx::Decode<'r, Sqlite> + Type<Sqlite> + for<'r> sqlx::Decode<'r, Postgres> + Type<Postgres>
{
    /// What was kept, of what PostgreSQL keeps for it.
    fn kept(self) -> Self {
        self
    }
}

impl Column for i64 {}

impl Column for Option<i64> {}

impl Column for bool {}

impl Column for Vec<u8> {}

impl Column for String {
    fn kept(self) -> Self {
        postgres::read(self)
    }
}

impl Column for Option<String> {
    fn kept(self) -> Self {
        self.map(postgres::read)
    }
}

impl Row {
    /// What is in the column.
    pub(super) fn read<T: Column>(&self, column: &str) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column).map(T::kept),
        }
    }

    /// What is in the first column, of a statement that asks for one thing.
    fn only<T: Column>(&self) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(0),
            Self::Postgres(row) => row.try_get(0).map(T::kept),
        }
    }

    /// The id in the column.
    pub(super) fn id(&self, column: &str) -> Result<Uuid, sqlx::Error> {
        let text: String = self.read(column)?;
        Uuid::parse_str(&text).map_err(|cause| undecodable(column, cause))
    }

    /// The time in the column.
    pub(super) fn time(&self, column: &str) -> Result<Timestamp, sqlx::Error> {
        let milliseconds = self.read(column)?;
        Timestamp::from_millisecond(milliseconds).map_err(|cause| undecodable(column, cause))
    }

    /// The time in the column, where there is one.
    pub(super) fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
        let milliseconds: Option<i64> = self.read(column)?;
        milliseconds
            .map(|milliseconds| Timestamp::from_millisecond(milliseconds).map_err(|cause| undecodable(column, cause)))
            .transpose()
    }
}

/// What is in the column is not what should be.
pub(super) fn undecodable(column: &str, cause: impl Into<sqlx::error::BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.into(),
        source: cause.into(),
    }
}

impl FromRow for i64 {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        row.only()
    }
}

impl FromRow for String {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        row.only()
    }
}

impl FromRow for Vec<u8> {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        row.only()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(Some(integer))
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Integer(Some(time.as_millisecond()))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(time: Option<Timestamp>) -> Self {
        Self::Integer(time.map(Timestamp::as_millisecond))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}
