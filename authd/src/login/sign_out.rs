//! Ending sessions: durable first, then in memory.

use uuid::Uuid;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::store::{self, Reason, User};

/// Ends a session because its owner signs out. One that is over already stays so.
///
/// # Errors
/// The database does not answer: the session goes on.
pub async fn end_session(app: &App, account: Uuid, session: Uuid) -> Result<(), store::Error> {
    match app.store.revoke_session(session, Reason::SignedOut, app.now()).await {
        Ok(revocation) => app.revoke(&[revocation]),
        Err(store::Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    }
    app.audit.record(Event {
        actor_id: Some(account),
        subject_id: Some(session.to_string()),
        ..Event::new(app.now(), Kind::SignOut, Outcome::Success)
    });
    Ok(())
}

/// Ends sessions of an account, and returns how many.
///
/// # Errors
/// There is no such session of theirs, or the database does not answer.
pub async fn end(app: &App, account: Uuid, by: By<'_>, which: Which) -> Result<usize, store::Error> {
    let now = app.now();
    let (reason, actor) = match by {
        By::Owner => (Reason::EndedByOwner, account),
        By::Admin(admin) => (Reason::EndedByAdmin, admin.id),
    };
    let revocations = match which {
        Which::One(session) => {
            let found = app.store.session_by_id(session).await?;
            found
                .filter(|found| found.user_id == account)
                .ok_or(store::Error::NotFound)?;
            vec![app.store.revoke_session(session, reason, now).await?]
        }
        Which::AllBut(kept) => app.store.revoke_sessions_of(account, Some(kept), reason, now).await?,
        Which::All => app.store.revoke_sessions_of(account, None, reason, now).await?,
    };
    app.revoke(&revocations);
    app.audit.record(Event {
        actor_id: Some(actor),
        actor_email: by.email(),
        subject_id: Some(account.to_string()),
        reason: Some(by.word()),
        ..Event::new(now, Kind::Revoked, Outcome::Success)
    });
    Ok(revocations.len())
}

/// Who ends sessions.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Whose they are.
    Owner,
    /// An administrator.
    Admin(&'a User),
}

impl By<'_> {
    fn email(self) -> Option<String> {
        match self {
            Self::Owner => None,
            Self::Admin(admin) => Some(admin.email.clone()),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Owner => "EndedByOwner",
            Self::Admin(_) => "EndedByAdmin",
        }
    }
}

/// Which sessions are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(Uuid),
    /// All but this one.
    AllBut(Uuid),
    /// All.
    All,
}
