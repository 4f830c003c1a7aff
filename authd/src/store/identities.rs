//! What did providers say of a person, and which groups is the person in?
//!
//! An identity is a provider and a subject that never changes. Whether an identity may be linked to an account is decided
//! at sign-in, not here; here it is only never moved from one account to another.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::sql::{FromRow, Row, Statement, generated, sql, undecodable};
use super::transaction::{Lock, Transaction};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// The source of memberships that an administrator gave by hand. No provider may be called so.
const BY_HAND: &str = "manual";

/// How many groups are asked for by one statement.
const NAMED_AT_ONCE: usize = 500;

/// A person as one provider knows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The provider's name.
    pub provider: String,
    /// The provider's id of the person, which never changes.
    pub subject: String,
    /// The account that it signs in to.
    pub user_id: Uuid,
    /// What the provider said at the last sign-in.
    pub claims: Value,
    /// When the provider said so.
    pub updated_at: Timestamp,
    /// Since when it says that the person may not be here; `None`: they may.
    pub refused_at: Option<Timestamp>,
}

/// Whether a provider says something else than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsChange {
    /// The identity is new, its claims are not what they were, or the person may be here again.
    Changed,
    /// The claims are what they were, in whatever order.
    Same,
}

/// A group that a user is in, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The group's name.
    pub group: String,
    /// `manual`, or the provider's name.
    pub source: String,
}

impl Store {
    /// Notes what a provider says of a person.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the identity is another account's; [`Error::NotFound`] when there is no such user;
    /// [`Error::Unavailable`].
    pub async fn upsert_identity(&self, identity: &Identity) -> Result<ClaimsChange, Error> {
        let mut transaction = self.begin(&[Lock::Account(identity.user_id)]).await?;
        let change = write(&mut transaction, identity).await?;
        if change == ClaimsChange::Changed {
            changes::account(&mut transaction, identity.user_id).await?;
        }
        transaction.commit().await?;
        Ok(change)
    }

    /// Links an identity that no account has to one that has none at the provider, with its groups.
    ///
    /// # Errors
    /// [`Error::Conflict`] when either is not so; [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn link_identity(&self, identity: &Identity, groups: Option<&[String]>) -> Result<(), Error> {
        let mut transaction = self.begin(&[Lock::Account(identity.user_id)]).await?;
        write(&mut transaction, identity).await?;
        if let Some(groups) = groups {
            replace_membership(&mut transaction, identity.user_id, &identity.provider, groups).await?;
        }
        changes::account(&mut transaction, identity.user_id).await?;
        Ok(transaction.commit().await?)
    }

    /// The identity with the provider and subject, both exact.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn find_identity(&self, provider: &str, subject: &str) -> Result<Option<Identity>, Error> {
        let query = sql("SELECT * FROM identities WHERE provider = $1 AND subject = $2");
        Ok(query.bind(provider).bind(subject).fetch_optional(&self.readers).await?)
    }

    /// The user's identity at the provider.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn identity_of(&self, user: Uuid, provider: &str) -> Result<Option<Identity>, Error> {
        let query = sql("SELECT * FROM identities WHERE user_id = $1 AND provider = $2");
        Ok(query.bind(user).bind(provider).fetch_optional(&self.readers).await?)
    }

    /// The user's identities, by provider.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn identities_of(&self, user: Uuid) -> Result<Vec<Identity>, Error> {
        let query = sql("SELECT * FROM identities WHERE user_id = $1 ORDER BY provider, subject");
        Ok(query.bind(user).fetch_all(&self.readers).await?)
    }

    /// The groups that the user is in, by name; a group that two sources name comes twice.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn memberships_of(&self, user: Uuid) -> Result<Vec<Membership>, Error> {
        let query = sql("SELECT group_name, source FROM memberships WHERE user_id = $1 ORDER BY group_name, source");
        Ok(query.bind(user).fetch_all(&self.readers).await?)
    }

    /// The names of the groups that the user is in by hand or by what this provider says, sorted, each once.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn groups_of(&self, user: Uuid, provider: &str) -> Result<Vec<String>, Error> {
        let mut names: Vec<_> = self
            .memberships_of(user)
            .await?
            .into_iter()
            .filter(|row| row.source == BY_HAND || row.source == provider)
            .map(|row| row.group)
            .collect();
        names.dedup();
        Ok(names)
    }

    /// Replaces the groups that one source puts the user into; those from other sources stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there are groups and no such user; [`Error::Unavailable`].
    pub async fn set_membership(&self, user: Uuid, source: &str, groups: &[String]) -> Result<(), Error> {
        let mut transaction = self.begin(&[Lock::Account(user)]).await?;
        replace_membership(&mut transaction, user, source, groups).await?;
        changes::account(&mut transaction, user).await?;
        Ok(transaction.commit().await?)
    }

    /// Which of these groups have members, whoever put them there.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn known_groups(&self, named: &[String]) -> Result<Vec<String>, Error> {
        let mut known = Vec::new();
        for some in named.chunks(NAMED_AT_ONCE) {
            let places: Vec<String> = (1..=some.len()).map(|place| format!("(${place})")).collect();
            let query = generated(format!(
                "WITH named (name) AS (VALUES {}) SELECT name FROM named
                 WHERE EXISTS (SELECT 1 FROM memberships WHERE group_name = named.name)",
                places.join(", ")
            ));
            let query = some.iter().fold(query, Statement::bind);
            let found: Vec<String> = query.fetch_all(&self.readers).await?;
            known.extend(found);
        }
        Ok(known)
    }
}

/// Notes what a provider says of a person, within the caller's transaction. Whoever asked about them has them no longer.
pub(super) async fn write(transaction: &mut Transaction, identity: &Identity) -> Result<ClaimsChange, Error> {
    let before: Option<Identity> = sql("SELECT * FROM identities WHERE provider = $1 AND subject = $2")
        .bind(&identity.provider)
        .bind(&identity.subject)
        .fetch_optional(&mut *transaction)
        .await?;
    // Another account's stays what it is, also where that took it since.
    let written = sql(
        "INSERT INTO identities (provider, subject, user_id, claims, updated_at, refused_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (provider, subject) DO UPDATE SET claims = excluded.claims, updated_at = excluded.updated_at,
             refused_at = excluded.refused_at, leased_until = 0
             WHERE identities.user_id = excluded.user_id",
    )
    .bind(&identity.provider)
    .bind(&identity.subject)
    .bind(identity.user_id)
    .bind(identity.claims.to_string())
    .bind(identity.updated_at)
    .bind(identity.refused_at)
    .execute(transaction)
    .await?;
    if written == 0 {
        return Err(Error::Conflict);
    }
    let same = before.is_some_and(|before| {
        before.claims == identity.claims && before.refused_at.is_some() == identity.refused_at.is_some()
    });
    Ok(if same {
        ClaimsChange::Same
    } else {
        ClaimsChange::Changed
    })
}

/// Replaces the groups that one source puts the user into, within the caller's transaction.
pub(super) async fn replace_membership(
    transaction: &mut Transaction,
    user: Uuid,
    source: &str,
    groups: &[String],
) -> Result<(), Error> {
    sql("DELETE FROM memberships WHERE user_id = $1 AND source = $2")
        .bind(user)
        .bind(source)
        .execute(&mut *transaction)
        .await?;
    for group in groups {
        sql(
            "INSERT INTO memberships (user_id, group_name, source) VALUES ($1, $2, $3)
             ON CONFLICT (user_id, group_name, source) DO NOTHING",
        )
        .bind(user)
        .bind(group)
        .bind(source)
        .execute(&mut *transaction)
        .await?;
    }
    Ok(())
}

impl FromRow for Identity {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let claims: String = row.read("claims")?;
        Ok(Self {
            provider: row.read("provider")?,
            subject: row.read("subject")?,
            user_id: row.id("user_id")?,
            claims: serde_json::from_str(&claims).map_err(|cause| undecodable("claims", cause))?,
            updated_at: row.time("updated_at")?,
            refused_at: row.optional_time("refused_at")?,
        })
    }
}

impl FromRow for Membership {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            group: row.read("group_name")?,
            source: row.read("source")?,
        })
    }
}
