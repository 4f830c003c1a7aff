//! Is the database worth waiting for?
//!
//! Whoever asks a server that says nothing waits for the whole of a deadline. After a few such questions in a row nobody waits any
//! more: questions fail at once, but for one each second that finds out whether it answers again. So requests are answered while the
//! server is away, and do not all fall upon it when it is back.
//!
//! Deliberately not here: how long anything may take, which [`super::postgres`] says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// After how many questions in a row without an answer nobody waits any more.
const ENOUGH: u32 = 5;
/// How often it is tried all the same.
const TRIED_EVERY: Duration = Duration::from_secs(1);

/// Who may ask; clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker(Arc<Mutex<Lately>>);

/// What became of the last questions.
#[derive(Debug, Default)]
struct Lately {
    unanswered: u32,
    next_try: Option<Instant>,
}

/// The database did not answer others, so that this was not asked.
#[derive(Debug, thiserror::Error)]
#[error("it did not answer lately, and was not asked")]
struct NotAsked;

impl Breaker {
    /// What is answered, if it is worth asking.
    ///
    /// # Errors
    /// What the question comes to; or at once, while the database does not answer others.
    pub(super) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        if !self.admits(Instant::now()) {
            metrics::counter!("authd_database_unanswered_total", "outcome" => "not_asked").increment(1);
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, NotAsked).into());
        }
        let answer = question.await;
        self.note(answer.as_ref().is_err_and(is_silence));
        answer
    }

    fn admits(&self, now: Instant) -> bool {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.unanswered < ENOUGH {
            return true;
        }
        let is_due = lately.next_try.is_none_or(|next| next <= now);
        if is_due {
            lately.next_try = Some(now + TRIED_EVERY);
        }
        is_due
    }

    fn note(&self, is_silence: bool) {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_silence {
            metrics::counter!("authd_database_unanswered_total", "outcome" => "no_answer").increment(1);
            lately.unanswered = lately.unanswered.saturating_add(1);
        } else {
            *lately = Lately::default();
        }
    }
}

/// Whether somebody waited for nothing. A server that refuses, and a connection that breaks, tell so at once.
fn is_silence(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::TimedOut,
        _ => false,
    }
}
