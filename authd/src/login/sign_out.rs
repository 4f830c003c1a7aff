//! Ending sessions: durable first, then in memory.

use jiff::Timestamp;
use uuid::Uuid;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::store::{self, Reason, Revocation, RevocationKind, User, Whose};
use crate::token::Claims;

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

/// Refuses one token from now on. Its session goes on.
///
/// # Errors
/// The database does not answer: the token goes on.
pub async fn end_token(app: &App, claims: &Claims) -> Result<(), store::Error> {
    let now = app.now();
    let revocation = Revocation {
        kind: RevocationKind::Token,
        id: claims.token,
        expires_at: claims.expires_at.and_then(|at| Timestamp::from_second(at).ok()),
    };
    app.store.add_revocation(revocation, Reason::EndedByOwner, now).await?;
    app.revoke(&[revocation]);
    app.audit.record(Event {
        subject_id: Some(claims.token.to_string()),
        reason: Some("TokenRevoked"),
        ..Event::new(now, Kind::Revoked, Outcome::Success)
    });
    Ok(())
}

/// Ends every session that began through a provider, and returns how many.
///
/// # Errors
/// The database does not answer.
pub async fn end_through(app: &App, admin: &User, provider: &str) -> Result<usize, store::Error> {
    let now = app.now();
    let whose = Whose::Provider(provider);
    let ended = app.store.revoke_every_session(whose, Reason::EndedByAdmin, now).await?;
    app.revoke_many(ended).await?;
    let by = By::Admin(admin);
    app.audit.record(Event {
        actor_id: Some(admin.id),
        actor_email: by.email(),
        subject_id: Some(format!("provider/{provider}")),
        reason: Some(by.word()),
        ..Event::new(now, Kind::Revoked, Outcome::Success)
    });
    Ok(usize::try_from(ended).unwrap_or(usize::MAX))
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
