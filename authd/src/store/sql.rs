//! How is one statement sent to the database, and how are its rows read?
//!
//! Everything else in [`crate::store`] says what it wants in SQL with numbered parameters and reads rows by the names of columns; only
//! this module knows which client library runs it.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite, SqlitePool};
use uuid::Uuid;

/// One statement and what stands for its parameters, `$1` first.
#[derive(Debug)]
pub(super) struct Statement {
    text: &'static str,
    values: Vec<Value>,
}

/// A statement of this text, in which nothing is from outside.
pub(super) fn sql(text: &'static str) -> Statement {
    Statement {
        text,
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

/// A transaction that may write; it is undone when it is dropped before `commit`.
#[derive(Debug)]
pub(super) struct Transaction(pub(super) sqlx::Transaction<'static, Sqlite>);

/// Where a statement runs: within a transaction, or on its own.
#[derive(Debug)]
pub(super) enum On<'a> {
    Transaction(&'a mut Transaction),
    Pool(&'a SqlitePool),
}

/// A row, as the database has it.
#[derive(Debug)]
pub(super) struct Row(SqliteRow);

/// What is read from a row.
pub(super) trait FromRow: Sized {
    /// # Errors
    /// The row has no such columns, or something else in them.
    fn from_row(row: &Row) -> Result<Self, sqlx::Error>;
}

impl Statement {
    /// The value of the next parameter.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it, and returns how many rows it changed.
    pub(super) async fn execute<'a>(self, on: impl Into<On<'a>>) -> Result<u64, sqlx::Error> {
        let query = self.query();
        let done = match on.into() {
            On::Transaction(transaction) => query.execute(&mut *transaction.0).await,
            On::Pool(pool) => query.execute(pool).await,
        };
        Ok(done?.rows_affected())
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
        let query = self.query();
        let row = match on.into() {
            On::Transaction(transaction) => query.fetch_optional(&mut *transaction.0).await,
            On::Pool(pool) => query.fetch_optional(pool).await,
        };
        row?.map(|row| T::from_row(&Row(row))).transpose()
    }

    /// Every row that it returns.
    pub(super) async fn fetch_all<'a, T: FromRow>(self, on: impl Into<On<'a>>) -> Result<Vec<T>, sqlx::Error> {
        let query = self.query();
        let rows = match on.into() {
            On::Transaction(transaction) => query.fetch_all(&mut *transaction.0).await,
            On::Pool(pool) => query.fetch_all(pool).await,
        };
        rows?.into_iter().map(|row| T::from_row(&Row(row))).collect()
    }

    fn query(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        let query = sqlx::query(self.text);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Integer(integer) => query.bind(integer),
            Value::Truth(truth) => query.bind(truth),
            Value::Bytes(bytes) => query.bind(bytes),
        })
    }
}

impl Transaction {
    /// Writes down all that was done in it.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.commit().await
    }
}

impl<'a> From<&'a mut Transaction> for On<'a> {
    fn from(transaction: &'a mut Transaction) -> Self {
        Self::Transaction(transaction)
    }
}

impl<'a> From<&'a SqlitePool> for On<'a> {
    fn from(pool: &'a SqlitePool) -> Self {
        Self::Pool(pool)
    }
}

/// What a column can be read as.
pub(super) trait Column: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> {}

impl<T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>> Column for T {}

impl Row {
    /// What is in the column.
    pub(super) fn read<T: Column>(&self, column: &str) -> Result<T, sqlx::Error> {
        self.0.try_get(column)
    }

    /// What is in the first column, of a statement that asks for one thing.
    fn only<T: Column>(&self) -> Result<T, sqlx::Error> {
        self.0.try_get(0)
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
