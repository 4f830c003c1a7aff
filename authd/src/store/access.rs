//! What happens to an account's sessions and keys when its rights change?
//!
//! Each change and the revocations that follow from it are one transaction: there is no moment, and no crash, after which
//! the change holds and an old session does too. The caller then puts what is returned into memory.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::keys::{self, ActiveKey, KeyHash};
use super::revocations::{self, Reason, Revocation};
use super::sessions;
use super::sql::sql;
use super::transaction::{Lock, Transaction};
use super::users::{Role, User};
use super::{Error, Store, changes};

#[cfg(test)]
mod tests;

/// What a change ended, for whoever keeps it in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The sessions that are refused from now on.
    pub revocations: Vec<Revocation>,
    /// The keys that no longer open anything.
    pub keys: Vec<KeyHash>,
}

impl Store {
    /// Sets the password's hash and ends every session of the user, but the one to `keep`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn change_password_hash(
        &self,
        user: Uuid,
        hash: &SecretString,
        keep: Option<Uuid>,
        now: Timestamp,
    ) -> Result<Ended, Error> {
        let mut transaction = self.begin(&[Lock::Account(user)]).await?;
        let done = sql("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1")
            .bind(user)
            .bind(hash.expose_secret())
            .bind(now)
            .execute(&mut transaction)
            .await?;
        if done == 0 {
            return Err(Error::NotFound);
        }
        let revocations = end_all(&mut transaction, user, keep, (Reason::PasswordChanged, now)).await?;
        transaction.commit().await?;
        Ok(Ended {
            revocations,
            keys: Vec::new(),
        })
    }

    /// Replaces the hash of the same password by one of another cost; nothing ends.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the hash is no longer the one that was verified; [`Error::Unavailable`].
    pub async fn renew_password_hash(&self, user: Uuid, old: &SecretString, new: &SecretString) -> Result<(), Error> {
        let done = sql("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind(user)
            .bind(old.expose_secret())
            .bind(new.expose_secret())
            .execute(&self.writer)
            .await?;
        if done == 0 { Err(Error::NotFound) } else { Ok(()) }
    }

    /// Changes the role and ends every session of the user; the role that the user has already changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LastAdmin`], [`Error::Unavailable`].
    pub async fn change_role(&self, user: Uuid, role: Role, now: Timestamp) -> Result<Ended, Error> {
        let mut transaction = self.begin(&[Lock::Admins, Lock::Account(user)]).await?;
        let before = find(&mut transaction, user).await?;
        if before.role == role {
            return Ok(Ended::default());
        }
        keep_an_admin(&mut transaction, &before).await?;
        sql("UPDATE users SET role = $2, updated_at = $3 WHERE id = $1")
            .bind(user)
            .bind(role.as_str())
            .bind(now)
            .execute(&mut transaction)
            .await?;
        let revocations = end_all(&mut transaction, user, None, (Reason::RoleChanged, now)).await?;
        changes::account(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(Ended {
            revocations,
            keys: Vec::new(),
        })
    }

    /// Keeps the user out: ends every session, and suspends every key until [`Store::enable_user`].
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LastAdmin`], [`Error::Unavailable`].
    pub async fn disable_user(&self, user: Uuid, now: Timestamp) -> Result<Ended, Error> {
        let mut transaction = self.begin(&[Lock::Admins, Lock::Account(user)]).await?;
        let before = find(&mut transaction, user).await?;
        keep_an_admin(&mut transaction, &before).await?;
        set_disabled(&mut transaction, user, true, now).await?;
        let keys = keys::hashes_of(&mut transaction, user).await?;
        let revocations = end_all(&mut transaction, user, None, (Reason::AccountDisabled, now)).await?;
        changes::account(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(Ended { revocations, keys })
    }

    /// Lets the user in again, and returns the keys that open again; the sessions stay ended.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn enable_user(&self, user: Uuid, now: Timestamp) -> Result<Vec<ActiveKey>, Error> {
        let mut transaction = self.begin(&[Lock::Account(user)]).await?;
        find(&mut transaction, user).await?;
        set_disabled(&mut transaction, user, false, now).await?;
        let keys = keys::active_of(&mut transaction, user, now).await?;
        changes::account(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(keys)
    }

    /// Takes the user's identity at a provider away, with its groups, and ends the sessions that began there.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; [`Error::Unavailable`].
    pub async fn unlink_identity(&self, user: Uuid, provider: &str, now: Timestamp) -> Result<Ended, Error> {
        let mut transaction = self.begin(&[Lock::Account(user)]).await?;
        let done = sql("DELETE FROM identities WHERE user_id = $1 AND provider = $2")
            .bind(user)
            .bind(provider)
            .execute(&mut transaction)
            .await?;
        if done == 0 {
            return Err(Error::NotFound);
        }
        super::identities::replace_membership(&mut transaction, user, provider, &[]).await?;
        let revocations = sessions::revocable_at(&mut transaction, user, provider).await?;
        revocations::end_sessions(&mut transaction, &revocations, Reason::EndedByOwner, now).await?;
        changes::account(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(Ended {
            revocations,
            keys: Vec::new(),
        })
    }

    /// Deletes the account with its sessions, keys, identities and memberships.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LastAdmin`], [`Error::Unavailable`].
    pub async fn delete_user(&self, user: Uuid, now: Timestamp) -> Result<Ended, Error> {
        let mut transaction = self.begin(&[Lock::Admins, Lock::Account(user)]).await?;
        let before = find(&mut transaction, user).await?;
        keep_an_admin(&mut transaction, &before).await?;
        let keys = keys::hashes_of(&mut transaction, user).await?;
        let revocations = sessions::revocable(&mut transaction, user, None).await?;
        // The other tables refer to this one with ON DELETE CASCADE.
        sql("DELETE FROM users WHERE id = $1")
            .bind(user)
            .execute(&mut transaction)
            .await?;
        revocations::end_sessions(&mut transaction, &revocations, Reason::AccountDeleted, now).await?;
        changes::account(&mut transaction, user).await?;
        transaction.commit().await?;
        Ok(Ended { revocations, keys })
    }
}

async fn find(transaction: &mut Transaction, user: Uuid) -> Result<User, Error> {
    let query = sql("SELECT * FROM users WHERE id = $1").bind(user);
    Ok(query.fetch_one(transaction).await?)
}

/// Refuses where no enabled admin would be left but the user.
async fn keep_an_admin(transaction: &mut Transaction, user: &User) -> Result<(), Error> {
    if user.role != Role::Admin {
        return Ok(());
    }
    let others: i64 = sql("SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled = FALSE AND id <> $1")
        .bind(user.id)
        .fetch_one(transaction)
        .await?;
    if others == 0 { Err(Error::LastAdmin) } else { Ok(()) }
}

async fn set_disabled(transaction: &mut Transaction, user: Uuid, disabled: bool, now: Timestamp) -> Result<(), Error> {
    sql("UPDATE users SET disabled = $2, updated_at = $3 WHERE id = $1")
        .bind(user)
        .bind(disabled)
        .bind(now)
        .execute(transaction)
        .await?;
    Ok(())
}

async fn end_all(
    transaction: &mut Transaction,
    user: Uuid,
    keep: Option<Uuid>,
    (reason, now): (Reason, Timestamp),
) -> Result<Vec<Revocation>, Error> {
    let ended = sessions::revocable(transaction, user, keep).await?;
    revocations::end_sessions(transaction, &ended, reason, now).await?;
    Ok(ended)
}
