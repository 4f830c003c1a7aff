//! Who has an account?
//!
//! Changes that end access (password, role, disabling, deleting) are in `access`.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use uuid::Uuid;

use super::sql::{FromRow, Row, sql, undecodable};
use super::transaction::{Lock, Transaction};
use super::{Error, Store, changes};

mod page;

pub use page::{Direction, Order, UserPage, UserQuery};

#[cfg(test)]
mod tests;

/// What an account may do at large; finer rights come from policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Waits for an admin.
    Pending,
    /// An ordinary account.
    User,
    /// Administers authd.
    Admin,
}

/// A word that names no role.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of `pending`, `user`, `admin`")]
pub struct UnknownRole(String);

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Never changes and is never used again.
    pub id: Uuid,
    /// In lower case; unique.
    pub email: String,
    /// Whether somebody proved that the address is theirs.
    pub email_verified: bool,
    /// What the person is called.
    pub name: String,
    /// What the account may do at large.
    pub role: Role,
    /// Whether the account is kept out.
    pub disabled: bool,
    /// The bcrypt hash; `None` for accounts that sign in through a provider only.
    pub password_hash: Option<SecretString>,
    /// A URL or a path.
    pub profile_image_url: String,
    /// What the person says of themselves.
    pub bio: Option<String>,
    /// In the person's own words.
    pub gender: Option<String>,
    /// The day of birth.
    pub date_of_birth: Option<Date>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When anything but the last sign-in changed.
    pub updated_at: Timestamp,
    /// When the person last signed in.
    pub last_sign_in_at: Option<Timestamp>,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// A new id, from [`crate::random::Random::id`].
    pub id: Uuid,
    /// In any case; stored in lower case.
    pub email: String,
    /// Whether somebody proved that the address is theirs.
    pub email_verified: bool,
    /// What the person is called.
    pub name: String,
    /// What the account may do at large.
    pub role: Role,
    /// The bcrypt hash; `None` for accounts that sign in through a provider only.
    pub password_hash: Option<SecretString>,
    /// A URL or a path.
    pub profile_image_url: String,
    /// When the account is made.
    pub created_at: Timestamp,
}

/// What a person may change of their own account.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What the person is called.
    pub name: String,
    /// A URL or a path.
    pub profile_image_url: String,
    /// What the person says of themselves.
    pub bio: Option<String>,
    /// In the person's own words.
    pub gender: Option<String>,
    /// The day of birth.
    pub date_of_birth: Option<Date>,
}

/// The domain of the addresses of accounts that have none. Nobody can have it (RFC 2606).
const NO_ADDRESS: &str = "@no-address.invalid";

impl User {
    /// The e-mail address, of those who have one.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        Some(self.email.as_str()).filter(|email| !email.ends_with(NO_ADDRESS))
    }
}

impl NewUser {
    /// What stands for the address of an account that has none: accounts are told apart by their addresses.
    #[must_use]
    pub fn no_address(id: Uuid) -> String {
        format!("{id}{NO_ADDRESS}")
    }
}

impl Store {
    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the e-mail address has one, in any case; [`Error::Unavailable`].
    pub async fn create_user(&self, user: &NewUser) -> Result<User, Error> {
        let mut transaction = self.begin(&[]).await?;
        let user = insert(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(user)
    }

    /// Makes the first admin, and nothing where there is an admin already, enabled or not.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is no admin and the e-mail address has another account; [`Error::Unavailable`].
    pub async fn bootstrap_admin(&self, user: &NewUser) -> Result<Option<User>, Error> {
        let mut transaction = self.begin(&[Lock::Admins]).await?;
        let admins: i64 = sql("SELECT COUNT(*) FROM users WHERE role = 'admin'")
            .fetch_one(&mut transaction)
            .await?;
        if admins > 0 {
            return Ok(None);
        }
        let admin = insert(
            &mut transaction,
            &NewUser {
                role: Role::Admin,
                ..user.clone()
            },
        )
        .await?;
        transaction.commit().await?;
        Ok(Some(admin))
    }

    /// The account with the id.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn user_by_id(&self, id: Uuid) -> Result<Option<User>, Error> {
        let query = sql("SELECT * FROM users WHERE id = $1").bind(id);
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// The account with the e-mail address, in any case.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, Error> {
        let query = sql("SELECT * FROM users WHERE email = $1").bind(email.to_lowercase());
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// How many accounts there are, disabled ones too.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_users(&self) -> Result<u64, Error> {
        let count: i64 = sql("SELECT COUNT(*) FROM users").fetch_one(&self.readers).await?;
        Ok(count.unsigned_abs())
    }

    /// The primary admin: the enabled admin whose account is oldest.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn oldest_admin(&self) -> Result<Option<User>, Error> {
        let query =
            sql("SELECT * FROM users WHERE role = 'admin' AND disabled = FALSE ORDER BY created_at, id LIMIT 1");
        Ok(query.fetch_optional(&self.readers).await?)
    }

    /// Writes what the person may change; what is `None` is cleared.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn update_profile(&self, id: Uuid, profile: &Profile, now: Timestamp) -> Result<User, Error> {
        let query = sql(
            "UPDATE users SET name = $2, profile_image_url = $3, bio = $4, gender = $5, date_of_birth = $6,
                 updated_at = $7
             WHERE id = $1 RETURNING *",
        );
        let mut transaction = self.begin(&[]).await?;
        let written = query
            .bind(id)
            .bind(&profile.name)
            .bind(&profile.profile_image_url)
            .bind(&profile.bio)
            .bind(&profile.gender)
            .bind(profile.date_of_birth.map(|date| date.to_string()))
            .bind(now)
            .fetch_one(&mut transaction)
            .await?;
        changes::account(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(written)
    }

    /// Notes that the person signed in; a time before the last one noted changes nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn record_sign_in(&self, id: Uuid, at: Timestamp) -> Result<(), Error> {
        sql("UPDATE users SET last_sign_in_at = $2 WHERE id = $1 AND COALESCE(last_sign_in_at, 0) < $2")
            .bind(id)
            .bind(at)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

/// Makes an account, within the caller's transaction.
pub(super) async fn insert(transaction: &mut Transaction, user: &NewUser) -> Result<User, Error> {
    let query = sql(
        "INSERT INTO users (id, email, email_verified, name, role, password_hash, profile_image_url, created_at,
             updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING *",
    );
    Ok(query
        .bind(user.id)
        .bind(user.email.to_lowercase())
        .bind(user.email_verified)
        .bind(&user.name)
        .bind(user.role.as_str())
        .bind(user.password_hash.as_ref().map(SecretString::expose_secret))
        .bind(&user.profile_image_url)
        .bind(user.created_at)
        .fetch_one(transaction)
        .await?)
}

impl Role {
    /// The word for it in rows, tokens and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match word {
            "pending" => Ok(Self::Pending),
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}

impl FromRow for User {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let role: String = row.read("role")?;
        let date_of_birth: Option<String> = row.read("date_of_birth")?;
        let date = |text: String| {
            text.parse()
                .map_err(|cause: jiff::Error| undecodable("date_of_birth", cause))
        };
        Ok(Self {
            id: row.id("id")?,
            email: row.read("email")?,
            email_verified: row.read("email_verified")?,
            name: row.read("name")?,
            role: role.parse().map_err(|cause: UnknownRole| undecodable("role", cause))?,
            disabled: row.read("disabled")?,
            password_hash: row.read::<Option<String>>("password_hash")?.map(SecretString::from),
            profile_image_url: row.read("profile_image_url")?,
            bio: row.read("bio")?,
            gender: row.read("gender")?,
            date_of_birth: date_of_birth.map(date).transpose()?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            last_sign_in_at: row.optional_time("last_sign_in_at")?,
        })
    }
}
