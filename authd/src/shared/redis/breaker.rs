//! Is Redis worth asking? Not after so many questions in a row went unanswered; then nobody waits for it, until somebody who has the
//! time has found that it answers again.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

/// After how many questions in a row without an answer nobody asks any more.
const MOST_MISSED: u32 = 5;

/// Counts what goes unanswered.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    missed: AtomicU32,
    opened: Notify,
}

impl Breaker {
    /// A question was answered.
    pub(super) fn answered(&self) {
        self.missed.store(0, Ordering::Release);
    }

    /// A question went unanswered.
    pub(super) fn missed(&self) {
        if self.missed.fetch_add(1, Ordering::AcqRel) + 1 == MOST_MISSED {
            self.opened.notify_one();
        }
    }

    /// Begins to count, and returns once too many went unanswered.
    pub(super) async fn open(&self) {
        self.answered();
        loop {
            self.opened.notified().await;
            // Word of an earlier time may be left.
            if self.missed.load(Ordering::Acquire) >= MOST_MISSED {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn five_in_a_row_open_it() {
        let breaker = Breaker::default();
        let mut open = Box::pin(breaker.open());
        assert_eq!((&mut open).now_or_never(), None);
        for _ in 0..3 {
            (0..4).for_each(|_| breaker.missed());
            assert_eq!((&mut open).now_or_never(), None, "four");
            breaker.answered();
        }
        (0..5).for_each(|_| breaker.missed());
        assert_eq!(open.now_or_never(), Some(()), "five");
    }

    #[test]
    fn what_was_missed_before_is_not_held_against_it() {
        let breaker = Breaker::default();
        (0..20).for_each(|_| breaker.missed());
        let mut open = Box::pin(breaker.open());
        assert_eq!((&mut open).now_or_never(), None);
        (0..5).for_each(|_| breaker.missed());
        assert_eq!(open.now_or_never(), Some(()));
    }
}
