//! When is a provider asked again? Now and then while it works; soon after it failed, and less often the longer that goes on.

use std::time::Duration;

use crds::Reason;
use tokio::time::Instant;

/// How often one that works is asked.
const EVERY: Duration = Duration::from_secs(30);
/// How soon one that failed is asked again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// The same where it refused a password of ours: a directory may lock the application out after some that are wrong.
const AGAIN_WITH_A_PASSWORD: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1800));
/// How much time lies between two questions at least, whatever is heard.
const LEAST: Duration = Duration::from_secs(2);

/// When a provider is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// When it is to be asked next; `None`: it is being asked.
    due: Option<Instant>,
    asked_at: Option<Instant>,
    /// How often it failed in a row.
    failures: u32,
    /// Whether it is to be asked again as soon as it has answered.
    is_doubted: bool,
}

impl Pace {
    /// It is to be asked at once.
    pub(super) fn beginning(now: Instant) -> Self {
        Self {
            due: Some(now),
            asked_at: None,
            failures: 0,
            is_doubted: false,
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// It is being asked.
    pub(super) fn begin(&mut self, now: Instant) {
        self.due = None;
        self.asked_at = Some(now);
        self.is_doubted = false;
    }

    /// It has answered, or not; `spread` is random, so that replicas do not ask together.
    pub(super) fn end(&mut self, reason: Option<Reason>, spread: u8, now: Instant) {
        self.failures = if reason.is_none() {
            0
        } else {
            self.failures.saturating_add(1)
        };
        let pause = spread_out(pause(reason, self.failures), spread);
        self.due = Some(now + pause);
        if self.is_doubted {
            self.hurry(now);
        }
    }

    /// It is to be asked soon, as something else was heard of it.
    pub(super) fn hurry(&mut self, now: Instant) {
        let soonest = self.asked_at.map_or(now, |asked_at| (asked_at + LEAST).max(now));
        match &mut self.due {
            Some(due) => *due = (*due).min(soonest),
            None => self.is_doubted = true,
        }
    }
}

fn pause(reason: Option<Reason>, failures: u32) -> Duration {
    let (first, most) = match reason {
        None => return EVERY,
        Some(Reason::ApplicationBindRefused) => AGAIN_WITH_A_PASSWORD,
        Some(_) => AGAIN,
    };
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    doubled.min(most)
}

/// From three quarters of a time to five quarters.
fn spread_out(time: Duration, spread: u8) -> Duration {
    time * 3 / 4 + time / 2 * u32::from(spread) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_that_fails_is_asked_soon_and_one_that_refuses_a_password_is_not_locked() {
        let pauses = |reason| [1, 2, 3, 4, 5, 6, 40].map(|failures| pause(reason, failures).as_secs());
        assert_eq!(pauses(Some(Reason::ServerUnreachable)), [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(
            pauses(Some(Reason::ApplicationBindRefused)),
            [60, 120, 240, 480, 960, 1800, 1800]
        );
        assert_eq!(pauses(None), [30; 7]);
    }

    #[test]
    fn replicas_do_not_ask_together() {
        for (spread, expected) in [(0, seconds(45)), (255, seconds(75))] {
            assert_eq!(spread_out(seconds(60), spread), expected);
        }
    }

    #[test]
    fn what_is_heard_hurries_a_question_but_never_two_within_two_seconds() {
        let begun = Instant::now();
        let mut pace = Pace::beginning(begun);
        assert!(pace.is_due(begun));
        pace.begin(begun);
        assert!(!pace.is_due(begun + seconds(3600)), "it is being asked");
        pace.end(None, 0, begun);
        assert!(!pace.is_due(begun + seconds(22)) && pace.is_due(begun + seconds(23)));
        pace.hurry(begun + seconds(1));
        assert!(!pace.is_due(begun + seconds(1)) && pace.is_due(begun + seconds(2)));

        pace.begin(begun + seconds(2));
        pace.hurry(begun + seconds(3));
        assert!(!pace.is_due(begun + seconds(3)));
        pace.end(None, 0, begun + seconds(10));
        assert!(pace.is_due(begun + seconds(10)), "heard while it was being asked");
    }
}
