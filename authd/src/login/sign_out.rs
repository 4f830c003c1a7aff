//! Ending sessions: durable first, then in memory.

use uuid::Uuid;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::store::{self, Reason};

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

/// Ends sessions of an account from one of them: a single other one, or all but that one.
///
/// # Errors
/// There is no such session of theirs, or the database does not answer.
pub async fn end_others(app: &App, account: Uuid, here: Uuid, which: Which) -> Result<usize, store::Error> {
    let now = app.now();
    let revocations = match which {
        Which::One(session) => {
            let owned = app
                .store
                .session_by_id(session)
                .await?
                .filter(|found| found.user_id == account);
            owned.ok_or(store::Error::NotFound)?;
            vec![app.store.revoke_session(session, Reason::EndedByOwner, now).await?]
        }
        Which::Others => {
            app.store
                .revoke_sessions_of(account, Some(here), Reason::EndedByOwner, now)
                .await?
        }
    };
    let count = revocations.len();
    app.revoke(&revocations);
    app.audit.record(Event {
        actor_id: Some(account),
        ..Event::new(now, Kind::Revoked, Outcome::Success)
    });
    Ok(count)
}

/// Which sessions are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(Uuid),
    /// All but the one that asks.
    Others,
}
