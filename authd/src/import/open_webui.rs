//! What is in a database of Open WebUI? Both of its schemas are read: the one before 0.6.41, with keys, subjects and members in columns
//! of their own, and the one since, with tables for keys and members.
//!
//! Values are taken as they stand; what they mean here is [`super::accounts`]' matter.

mod source;

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use secrecy::SecretString;

use source::{Row, Source};

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

/// Reads a database, in a file or on a PostgreSQL server, which is left as it is.
///
/// # Errors
/// It cannot be read, or is none of Open WebUI's.
pub async fn read(wanted: &SecretString) -> anyhow::Result<Found> {
    let name = source::name(wanted);
    let named =
        || format!("`{name}` cannot be read: name a file that was copied while Open WebUI was stopped, or a URL");
    let mut source = Source::open(wanted).await.with_context(named)?;
    for table in ["user", "auth"] {
        ensure!(
            source.has_table(table),
            "`{name}` is no database of Open WebUI: it has no table `{table}`"
        );
    }
    let found = source.all().await.with_context(named);
    source.close().await?;
    found
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
            "SELECT {columns}, {picture}, auth.password AS password, CAST(CAST(auth.active AS INTEGER) AS TEXT) AS active
             FROM \"user\" LEFT JOIN auth ON auth.id = \"user\".id ORDER BY \"user\".created_at, \"user\".id"
        );
        Ok(self.rows(sql).await?.into_iter().map(account).collect())
    }

    /// Keys that have a table, by whose they are.
    async fn keys(&mut self) -> Result<BTreeMap<String, Vec<Key>>, sqlx::Error> {
        let mut keys: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        if self.has("api_key", "key") {
            let expires_at = self.column("api_key", "expires_at");
            let sql = format!("SELECT user_id, \"key\", {expires_at} FROM api_key ORDER BY id");
            for mut row in self.rows(sql).await? {
                let Some(text) = row.remove("key") else {
                    continue;
                };
                let owner = row.remove("user_id").unwrap_or_default();
                keys.entry(owner).or_default().push(Key {
                    text: text.into(),
                    expires_at: row.get("expires_at").and_then(|text| text.parse().ok()),
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
        for mut row in self.rows(sql).await? {
            let listed = row.get("user_ids").map(String::as_str).unwrap_or_default();
            let listed = serde_json::from_str::<Vec<String>>(listed).unwrap_or_default();
            let mut text = |column| row.remove(column).unwrap_or_default();
            groups.push((text("id"), text("name"), listed));
        }
        if self.has("group_member", "user_id") {
            let sql = "SELECT group_id, user_id FROM group_member ORDER BY id".to_owned();
            let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for mut row in self.rows(sql).await? {
                let mut text = |column| row.remove(column).unwrap_or_default();
                members.entry(text("group_id")).or_default().push(text("user_id"));
            }
            for (id, _, listed) in &mut groups {
                listed.extend(members.remove(id).unwrap_or_default());
            }
        }
        Ok(groups.into_iter().map(|(_, name, members)| (name, members)).collect())
    }

    async fn left(&mut self) -> Result<Vec<(Left, u64)>, sqlx::Error> {
        let counted = [
            (
                Left::Permissions,
                ("group", "permissions"),
                "FROM \"group\" WHERE CAST(permissions AS TEXT) NOT IN ('null', '{}')",
            ),
            (Left::ProviderSessions, ("oauth_session", "id"), "FROM oauth_session"),
            (Left::Settings, ("config", "id"), "FROM config"),
            (
                Left::Preferences,
                ("user", "settings"),
                "FROM \"user\" WHERE CAST(settings AS TEXT) NOT IN ('null', '{}')",
            ),
        ];
        let mut left = Vec::new();
        for (what, (table, column), sql) in counted {
            if self.has(table, column) {
                left.push((what, self.count(sql).await?));
            }
        }
        left.retain(|(_, count)| *count > 0);
        Ok(left)
    }
}

fn account(mut row: Row) -> Account {
    let mut text = |column: &str| row.remove(column);
    let subjects = text("oauth").filter(|json| json != "null").or(text("oauth_sub"));
    let key = text("api_key").filter(|key| !key.is_empty());
    Account {
        id: text("id").unwrap_or_default(),
        email: text("email").unwrap_or_default(),
        name: text("name").unwrap_or_default(),
        role: text("role").unwrap_or_default(),
        picture: text("picture"),
        bio: text("bio"),
        gender: text("gender"),
        date_of_birth: text("date_of_birth"),
        created_at: text("created_at").and_then(|text| text.parse().ok()),
        password: text("password").map(SecretString::from),
        active: text("active").as_deref() != Some("0"),
        subjects,
        keys: key
            .into_iter()
            .map(|text| Key {
                text: text.into(),
                expires_at: None,
            })
            .collect(),
    }
}
