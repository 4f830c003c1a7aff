//! Accounts that come from another program, with all that belongs to them: all are written in one transaction, or none.
//!
//! An account that is here already is left as it is, with all that belongs to it: what was changed or taken away here since must not
//! come back because somebody imports again.

use jiff::Timestamp;
use jiff::civil::Date;

use super::identities::{self, Identity};
use super::keys::{self, NewKey};
use super::sql::sql;
use super::transaction::Transaction;
use super::users::{self, NewUser};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// What groups come from that an administrator gave by hand.
const BY_HAND: &str = "manual";

/// An account from elsewhere.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The account, under the id that it has there.
    pub user: NewUser,
    /// What the person says of themselves.
    pub bio: Option<String>,
    /// In the person's own words.
    pub gender: Option<String>,
    /// The day of birth.
    pub date_of_birth: Option<Date>,
    /// Whether it is kept out.
    pub disabled: bool,
    /// Whom it is known as at providers.
    pub identities: Vec<Identity>,
    /// Its API keys.
    pub keys: Vec<NewKey>,
    /// The groups that it is in.
    pub groups: Vec<String>,
}

/// Whether what would be done is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// It is only tried.
    Tried,
    /// It is.
    Done,
}

/// What became of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it was taken over.
    pub taken: Taken,
    /// What of it was not.
    pub conflicts: Vec<Conflict>,
}

/// Whether an account was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was.
    Over,
    /// It is here already, and stays as it is.
    HereAlready,
    /// Another account here has its address.
    AddressTaken,
}

/// What belongs to somebody else here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The identity at this provider.
    Identity(String),
    /// The key that begins so.
    Key(String),
}

impl Store {
    /// Takes accounts over, and says what became of each, in their order.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: nothing was written.
    pub async fn import(&self, accounts: &[Foreign], writing: Writing, now: Timestamp) -> Result<Vec<Outcome>, Error> {
        let mut transaction = self.begin(&[]).await?;
        let mut outcomes = Vec::with_capacity(accounts.len());
        for account in accounts {
            outcomes.push(take_over(&mut transaction, account, now).await?);
        }
        let taken = accounts.iter().zip(&outcomes);
        for (account, _) in taken.filter(|(_, outcome)| outcome.taken == Taken::Over) {
            changes::account(&mut transaction, account.user.id).await?;
        }
        if writing == Writing::Done {
            transaction.commit().await?;
        }
        Ok(outcomes)
    }
}

async fn take_over(transaction: &mut Transaction, account: &Foreign, now: Timestamp) -> Result<Outcome, Error> {
    let id = account.user.id.to_string();
    let known: Vec<String> = sql("SELECT id FROM users WHERE id = $1 OR email = $2")
        .bind(&id)
        .bind(account.user.email.to_lowercase())
        .fetch_all(&mut *transaction)
        .await?;
    let mut conflicts = Vec::new();
    if !known.is_empty() {
        let is_it = known.contains(&id);
        let taken = if is_it { Taken::HereAlready } else { Taken::AddressTaken };
        return Ok(Outcome { taken, conflicts });
    }
    users::insert(transaction, &account.user).await?;
    for identity in &account.identities {
        if is_known(transaction, identity).await? {
            conflicts.push(Conflict::Identity(identity.provider.clone()));
        } else {
            identities::write(transaction, identity).await?;
        }
    }
    for key in &account.keys {
        let count: i64 = sql("SELECT COUNT(*) FROM api_keys WHERE hash = $1")
            .bind(key.hash.as_slice())
            .fetch_one(&mut *transaction)
            .await?;
        if count > 0 {
            conflicts.push(Conflict::Key(key.prefix.clone()));
        } else {
            keys::insert(transaction, key).await?;
        }
    }
    identities::replace_membership(transaction, account.user.id, BY_HAND, &account.groups).await?;
    complete(transaction, account, now).await?;
    Ok(Outcome {
        taken: Taken::Over,
        conflicts,
    })
}

async fn is_known(transaction: &mut Transaction, identity: &Identity) -> Result<bool, Error> {
    let count: i64 = sql("SELECT COUNT(*) FROM identities WHERE provider = $1 AND subject = $2")
        .bind(&identity.provider)
        .bind(&identity.subject)
        .fetch_one(transaction)
        .await?;
    Ok(count > 0)
}

/// Writes what an account is not made with.
async fn complete(transaction: &mut Transaction, account: &Foreign, now: Timestamp) -> Result<(), Error> {
    sql("UPDATE users SET bio = $2, gender = $3, date_of_birth = $4, disabled = $5, updated_at = $6 WHERE id = $1")
        .bind(account.user.id)
        .bind(&account.bio)
        .bind(&account.gender)
        .bind(account.date_of_birth.map(|date| date.to_string()))
        .bind(account.disabled)
        .bind(now)
        .execute(transaction)
        .await?;
    Ok(())
}
