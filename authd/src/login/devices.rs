//! Where is somebody signed in? What is listed is what still opens something: a session that was idle for too long is none.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::app::App;
use crate::serving::Serving;
use crate::store::{self, Session};

/// The sessions of an account that go on, the one used last first.
///
/// # Errors
/// The database does not answer.
pub async fn of(app: &App, serving: &Serving, account: Uuid) -> Result<Vec<Session>, store::Error> {
    let now = app.now();
    let mut sessions = app.store.sessions_of(account, now).await?;
    for session in &mut sessions {
        // The last uses are written down every now and then.
        let used = app.uses.last_of_session(session.id);
        let used = used.and_then(|at| Timestamp::from_second(at).ok());
        session.last_seen_at = session.last_seen_at.max(used.unwrap_or(Timestamp::MIN));
    }
    let idle = serving.settings().sessions.idle;
    let idle = idle
        .and_then(|seconds| i64::try_from(seconds).ok())
        .map(SignedDuration::from_secs);
    sessions.retain(|session| idle.is_none_or(|idle| now.duration_since(session.last_seen_at) < idle));
    sessions.sort_by_key(|session| std::cmp::Reverse((session.last_seen_at, session.created_at, session.id)));
    Ok(sessions)
}
