//! A document of a provider, kept: served while it is fresh, fetched by one at a time, and the last good one when fetching fails.

use std::future::Future;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

/// How long a document is taken as it is.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// How long the last good one serves while none can be fetched: a key that was taken back meanwhile must not count for ever.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How much time lies between two attempts to fetch it. Only the first wish for a newer one does not wait for it: a provider may well
/// have got a new key right after we fetched the old ones.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// A document, kept.
#[derive(Debug)]
pub(crate) struct Cached<T, E> {
    held: ArcSwapOption<Held<T>>,
    last: Mutex<Option<Attempt<T, E>>>,
}

#[derive(Debug)]
struct Held<T> {
    document: Arc<T>,
    fetched_at: Timestamp,
}

#[derive(Debug)]
struct Attempt<T, E> {
    at: Timestamp,
    wanted: Wanted,
    outcome: Result<Arc<Held<T>>, E>,
}

/// What is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A document that is fresh, or the last good one.
    Fresh,
    /// One that was fetched after this one, or the last good one.
    Newer(Timestamp),
}

impl Wanted {
    /// Whether an attempt that was made for the other will do for this one.
    fn is_met_by(self, other: Self) -> bool {
        matches!((self, other), (Self::Fresh, _) | (Self::Newer(_), Self::Newer(_)))
    }
}

impl<T, E> Default for Cached<T, E> {
    fn default() -> Self {
        Self {
            held: ArcSwapOption::empty(),
            last: Mutex::new(None),
        }
    }
}

impl<T, E: Clone> Cached<T, E> {
    /// The document, with the time at which it was fetched.
    ///
    /// # Errors
    /// It was never fetched, or so long ago that it does not count any more, and cannot be now.
    pub(crate) async fn take<F>(
        &self,
        now: Timestamp,
        wanted: Wanted,
        fetch: impl FnOnce() -> F,
    ) -> Result<(Arc<T>, Timestamp), E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if let Some(held) = self.good_enough(now, wanted) {
            return Ok(held);
        }
        let mut last = self.last.lock().await;
        if let Some(held) = self.good_enough(now, wanted) {
            return Ok(held);
        }
        let recent = last
            .as_ref()
            .filter(|attempt| now.duration_since(attempt.at).abs() < PAUSE)
            .filter(|attempt| attempt.outcome.is_err() || wanted.is_met_by(attempt.wanted));
        let outcome = match recent {
            Some(attempt) => attempt.outcome.clone(),
            None => {
                let outcome = fetch().await.map(|document| Held {
                    document: Arc::new(document),
                    fetched_at: now,
                });
                let outcome = outcome.map(|held| {
                    let held = Arc::new(held);
                    self.held.store(Some(Arc::clone(&held)));
                    held
                });
                *last = Some(Attempt {
                    at: now,
                    wanted,
                    outcome: outcome.clone(),
                });
                outcome
            }
        };
        match self.held(now) {
            Some(held) => Ok(held),
            None => outcome.map(|held| (Arc::clone(&held.document), held.fetched_at)),
        }
    }

    /// The document as it is held and still counts, with the time at which it was fetched; nothing is fetched.
    pub(crate) fn held(&self, now: Timestamp) -> Option<(Arc<T>, Timestamp)> {
        let held = self.held.load_full()?;
        let counts = now.duration_since(held.fetched_at) < KEPT;
        counts.then(|| (Arc::clone(&held.document), held.fetched_at))
    }

    fn good_enough(&self, now: Timestamp, wanted: Wanted) -> Option<(Arc<T>, Timestamp)> {
        let held = self.held.load_full()?;
        let good = match wanted {
            Wanted::Fresh => now.duration_since(held.fetched_at).abs() < FRESH,
            Wanted::Newer(than) => held.fetched_at > than,
        };
        good.then(|| (Arc::clone(&held.document), held.fetched_at))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// Takes at a time, with a server that answers this; returns what came and how often the server was asked.
    async fn take(
        cached: &Cached<u32, &'static str>,
        seconds: i64,
        wanted: Wanted,
        answer: Result<u32, &'static str>,
    ) -> (Result<u32, &'static str>, u32) {
        let asked = AtomicU32::new(0);
        let taken = cached
            .take(at(seconds), wanted, || async {
                asked.fetch_add(1, Ordering::Relaxed);
                answer
            })
            .await;
        (taken.map(|(document, _)| *document), asked.into_inner())
    }

    #[tokio::test]
    async fn a_document_is_fetched_when_it_is_old_and_kept_when_that_fails() {
        let cached = Cached::default();
        assert_eq!(take(&cached, 0, Wanted::Fresh, Ok(1)).await, (Ok(1), 1));
        assert_eq!(take(&cached, 599, Wanted::Fresh, Ok(2)).await, (Ok(1), 0));
        assert_eq!(take(&cached, 600, Wanted::Fresh, Err("away")).await, (Ok(1), 1));
        assert_eq!(take(&cached, 629, Wanted::Fresh, Ok(2)).await, (Ok(1), 0));
        assert_eq!(take(&cached, 630, Wanted::Fresh, Ok(2)).await, (Ok(2), 1));
    }

    #[tokio::test]
    async fn the_last_good_one_counts_for_a_day_and_no_longer() {
        let (cached, day) = (Cached::default(), 24 * 60 * 60);
        assert_eq!(take(&cached, 0, Wanted::Fresh, Ok(1)).await, (Ok(1), 1));
        for (seconds, kept) in [(600, Ok(1)), (day - 1, Ok(1)), (day + 30, Err("away"))] {
            let taken = take(&cached, seconds, Wanted::Fresh, Err("away")).await;
            assert_eq!(taken, (kept, 1), "after {seconds} s");
            assert_eq!(cached.held(at(seconds)).is_some(), kept.is_ok(), "after {seconds} s");
        }
        assert_eq!(
            take(&cached, day + 60, Wanted::Fresh, Ok(2)).await,
            (Ok(2), 1),
            "back again"
        );
    }

    #[tokio::test]
    async fn a_newer_one_is_fetched_at_most_once_in_thirty_seconds() {
        let cached = Cached::default();
        assert_eq!(take(&cached, 0, Wanted::Fresh, Ok(1)).await, (Ok(1), 1));
        assert_eq!(take(&cached, 1, Wanted::Newer(at(0)), Ok(2)).await, (Ok(2), 1));
        assert_eq!(take(&cached, 2, Wanted::Newer(at(1)), Ok(3)).await, (Ok(2), 0));
        assert_eq!(take(&cached, 30, Wanted::Newer(at(1)), Ok(3)).await, (Ok(2), 0));
        assert_eq!(take(&cached, 31, Wanted::Newer(at(1)), Ok(3)).await, (Ok(3), 1));
        assert_eq!(take(&cached, 32, Wanted::Newer(at(31)), Err("away")).await, (Ok(3), 0));
    }

    #[tokio::test]
    async fn without_any_the_failure_is_told_until_it_is_time_to_try_again() {
        let cached = Cached::default();
        assert_eq!(take(&cached, 0, Wanted::Fresh, Err("away")).await, (Err("away"), 1));
        assert_eq!(take(&cached, 29, Wanted::Fresh, Ok(1)).await, (Err("away"), 0));
        assert_eq!(take(&cached, 30, Wanted::Fresh, Ok(1)).await, (Ok(1), 1));
    }
}
