//! What is in a database of Open WebUI? Both of its schemas are read: the one before 0.6.41, with keys, subjects and members in columns
//! of their own, and the one since, with tables for keys and members.
//!
//! Values are taken as they stand; what they mean here is [`super::accounts`]' matter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use secrecy::SecretString;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

/// All that was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Accounts, the oldest first.
    pub accounts: Vec<Account>,
    /// Groups: their names, and the ids of their members.
    pub groups: Vec<(String, Vec<String>)>,
    /// How much there is of what has no counterpart here, by what it is.
    pub left: Vec<(Left, u64)>,
}

/// An account.
#[derive(Debug, Default)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its address.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// Its role.
    pub role: String,
    /// The URL of a picture, unless it is longer than anybody needs.
    pub picture: Option<String>,
    /// What the person says of themselves.
    pub bio: Option<String>,
    /// In the person's own words.
    pub gender: Option<String>,
    /// The day of birth.
    pub date_of_birth: Option<String>,
    /// When it was made, in epoch seconds.
    pub created_at: Option<i64>,
    /// What its password is held against.
    pub password: Option<SecretString>,
    /// Whether it may sign in.
    pub active: bool,
    /// Its subjects at providers: JSON, or `PROVIDER@SUBJECT`.
    pub subjects: Option<String>,
    /// Its API keys.
    pub keys: Vec<Key>,
}

/// An API key.
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub text: SecretString,
    /// When it ends, in epoch seconds.
    pub expires_at: Option<i64>,
}

/// What has no counterpart here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Groups with permissions.
    Permissions,
    /// Tokens of providers.
    ProviderSessions,
    /// Settings that were changed in Open WebUI.
    Settings,
    /// Accounts with settings of their own.
    Preferences,
}

/// The longest picture that is read, in characters.
const MAX_PICTURE: u32 = 65_536;

/// Reads a database, which is left as it is.
///
/// # Errors
/// It cannot be read, or is none of Open WebUI's.
pub async fn read(path: &Path) -> anyhow::Result<Found> {
    ensure!(
        path.is_file(),
        "`{}` is no file: name the database of Open WebUI",
        path.display()
    );
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let named = || {
        format!(
            "`{}` cannot be read: copy it while Open WebUI is stopped",
            path.display()
        )
    };
    let mut database = options.connect().await.with_context(named)?;
    let mut source = Source {
        tables: tables(&mut database).await.with_context(named)?,
        database,
    };
    for table in ["user", "auth"] {
        if !source.tables.contains_key(table) {
            bail!(
                "`{}` is no database of Open WebUI: it has no table `{table}`",
                path.display()
            );
        }
    }
    let found = source.all().await.with_context(named);
    source.database.close().await?;
    found
}

/// The columns of each table.
async fn tables(database: &mut SqliteConnection) -> Result<BTreeMap<String, BTreeSet<String>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table'",
    );
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows.fetch_all(database).await? {
        tables.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
    }
    Ok(tables)
}

struct Source {
    database: SqliteConnection,
    tables: BTreeMap<String, BTreeSet<String>>,
}

impl Source {
    async fn all(&mut self) -> Result<Found, sqlx::Error> {
        let mut accounts = self.accounts().await?;
        let mut keys = self.keys().await?;
        for account in &mut accounts {
            account.keys.extend(keys.remove(&account.id).unwrap_or_default());
        }
        Ok(Found {
            accounts,
            groups: self.groups().await?,
            left: self.left().await?,
        })
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// A column as text, or nothing where the table has none.
    fn column(&self, table: &str, column: &str) -> String {
        if self.has(table, column) {
            format!("CAST(\"{table}\".\"{column}\" AS TEXT) AS \"{column}\"")
        } else {
            format!("NULL AS \"{column}\"")
        }
    }

    async fn rows(&mut self, sql: String) -> Result<Vec<SqliteRow>, sqlx::Error> {
        // Of names that are written in this file alone.
        sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.database).await
    }

    async fn accounts(&mut self) -> Result<Vec<Account>, sqlx::Error> {
        let columns = [
            "id",
            "email",
            "name",
            "role",
            "bio",
            "gender",
            "date_of_birth",
            "created_at",
            "oauth",
            "oauth_sub",
            "api_key",
        ];
        let columns = columns.map(|column| self.column("user", column)).join(", ");
        let picture = format!(
            "CASE WHEN LENGTH(\"user\".profile_image_url) <= {MAX_PICTURE} THEN \"user\".profile_image_url END AS picture"
        );
        let sql = format!(
            "SELECT {columns}, {picture}, auth.password AS password, CAST(auth.active AS INTEGER) AS active
             FROM \"user\" LEFT JOIN auth ON auth.id = \"user\".id ORDER BY \"user\".created_at, \"user\".id"
        );
        self.rows(sql).await?.iter().map(account).collect()
    }

    /// Keys that have a table, by whose they are.
    async fn keys(&mut self) -> Result<BTreeMap<String, Vec<Key>>, sqlx::Error> {
        let mut keys: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        if self.has("api_key", "key") {
            let sql = "SELECT user_id, \"key\", CAST(expires_at AS INTEGER) AS expires_at FROM api_key ORDER BY id";
            for row in self.rows(sql.to_owned()).await? {
                let Some(text) = row.try_get::<Option<String>, _>("key")? else {
                    continue;
                };
                keys.entry(row.try_get::<Option<String>, _>("user_id")?.unwrap_or_default())
                    .or_default()
                    .push(Key {
                        text: text.into(),
                        expires_at: row.try_get("expires_at")?,
                    });
            }
        }
        Ok(keys)
    }

    async fn groups(&mut self) -> Result<Vec<(String, Vec<String>)>, sqlx::Error> {
        if !self.has("group", "name") {
            return Ok(Vec::new());
        }
        let members = self.column("group", "user_ids");
        let sql = format!("SELECT id, name, {members} FROM \"group\" ORDER BY name, id");
        let mut groups = Vec::new();
        for row in self.rows(sql).await? {
            let listed: Option<String> = row.try_get("user_ids")?;
            let listed = listed.and_then(|text| serde_json::from_str::<Vec<String>>(&text).ok());
            let (id, name): (String, Option<String>) = (row.try_get("id")?, row.try_get("name")?);
            groups.push((id, name.unwrap_or_default(), listed.unwrap_or_default()));
        }
        if self.has("group_member", "user_id") {
            let sql = "SELECT group_id, user_id FROM group_member ORDER BY id".to_owned();
            for row in self.rows(sql).await? {
                let (group, user): (String, String) = (row.try_get("group_id")?, row.try_get("user_id")?);
                let known = groups.iter_mut().find(|(id, ..)| *id == group);
                known.into_iter().for_each(|(_, _, members)| members.push(user.clone()));
            }
        }
        Ok(groups.into_iter().map(|(_, name, members)| (name, members)).collect())
    }

    async fn left(&mut self) -> Result<Vec<(Left, u64)>, sqlx::Error> {
        let counted = [
            (
                Left::Permissions,
                ("group", "permissions"),
                "SELECT COUNT(*) FROM \"group\" WHERE permissions IS NOT NULL AND permissions NOT IN ('null', '{}')",
            ),
            (
                Left::ProviderSessions,
                ("oauth_session", "id"),
                "SELECT COUNT(*) FROM oauth_session",
            ),
            (Left::Settings, ("config", "id"), "SELECT COUNT(*) FROM config"),
            (
                Left::Preferences,
                ("user", "settings"),
                "SELECT COUNT(*) FROM \"user\" WHERE settings IS NOT NULL AND settings NOT IN ('null', '{}')",
            ),
        ];
        let mut left = Vec::new();
        for (what, (table, column), sql) in counted {
            if self.has(table, column) {
                let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut self.database).await?;
                left.push((what, count.unsigned_abs()));
            }
        }
        left.retain(|(_, count)| *count > 0);
        Ok(left)
    }
}

fn account(row: &SqliteRow) -> Result<Account, sqlx::Error> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let subjects = text("oauth")?.filter(|json| json != "null").or(text("oauth_sub")?);
    let key = text("api_key")?.filter(|key| !key.is_empty());
    Ok(Account {
        id: text("id")?.unwrap_or_default(),
        email: text("email")?.unwrap_or_default(),
        name: text("name")?.unwrap_or_default(),
        role: text("role")?.unwrap_or_default(),
        picture: text("picture")?,
        bio: text("bio")?,
        gender: text("gender")?,
        date_of_birth: text("date_of_birth")?,
        created_at: text("created_at")?.and_then(|text| text.parse().ok()),
        password: text("password")?.map(SecretString::from),
        active: row.try_get::<Option<i64>, _>("active")? != Some(0),
        subjects,
        keys: key
            .into_iter()
            .map(|text| Key {
                text: text.into(),
                expires_at: None,
            })
            .collect(),
    })
}
