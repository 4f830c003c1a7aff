//! What time is it when somebody sets the machine's clock back?
//!
//! Following it would let in again what has expired, refuse tokens for coming from the future, and sign people out who signed in a
//! minute ago. So time goes on from where it was, at half speed, until the machine's clock has caught up: an hour back is forgotten
//! after two. A clock that went back by more than a day was wrong before, and is followed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

/// Further back than this is followed, in milliseconds.
const MOST: i64 = 24 * 3600 * 1000;
/// Less than this is no setting back: clocks are corrected by it all the time. In milliseconds.
const LEAST: i64 = 100;

/// A clock that never goes back by itself.
#[derive(Debug, Default)]
pub struct Steady {
    /// The latest moment that was shown, to [`LEAST`], in epoch milliseconds.
    latest: AtomicI64,
    behind: Mutex<Option<Behind>>,
}

/// Time goes on at half speed.
#[derive(Clone, Copy, Debug)]
struct Behind {
    since: Instant,
    from: i64,
    /// What was shown last; something later was shown since if the machine's clock has caught up.
    last: i64,
}

impl Steady {
    /// What is shown when the machine's clock says `machine`; `now` is of a clock that nobody sets.
    pub(super) fn shown(&self, machine: Timestamp, now: impl Fn() -> Instant) -> Timestamp {
        let says = machine.as_millisecond();
        let latest = self.latest.load(Ordering::Acquire);
        if says > latest.saturating_sub(LEAST) {
            // Written seldom, as every request reads it.
            if says > latest.saturating_add(LEAST) {
                self.latest.fetch_max(says, Ordering::AcqRel);
            }
            return machine;
        }
        Timestamp::from_millisecond(self.catching_up(says, now())).unwrap_or(machine)
    }

    fn catching_up(&self, says: i64, now: Instant) -> i64 {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = self.latest.load(Ordering::Acquire);
        if latest.saturating_sub(says) > MOST {
            tracing::error!("the machine's clock was set back by more than a day, and is followed");
            self.latest.store(says, Ordering::Release);
            *behind = None;
            return says;
        }
        let going_on = behind.filter(|behind| behind.last == latest).unwrap_or_else(|| {
            tracing::warn!(
                seconds = latest.saturating_sub(says) / 1000,
                "the machine's clock was set back: time goes on at half speed until it has caught up"
            );
            Behind {
                since: now,
                from: latest,
                last: latest,
            }
        });
        let passed = i64::try_from(now.duration_since(going_on.since).as_millis()).unwrap_or(0);
        let shown = latest.max(going_on.from.saturating_add(passed / 2));
        *behind = Some(Behind {
            last: shown,
            ..going_on
        });
        self.latest.fetch_max(shown, Ordering::AcqRel);
        shown
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: i64 = 3600;

    /// What is shown when the machine says so, each so many real seconds after the start.
    #[track_caller]
    fn check(case: &str, steps: &[(i64, i64, i64)]) {
        let (steady, start) = (Steady::default(), Instant::now());
        for (passed, says, expected) in steps {
            let real = start + Duration::from_secs(u64::try_from(*passed).unwrap());
            let machine = Timestamp::from_second(1_800_000_000 + says).unwrap();
            let shown = steady.shown(machine, || real).as_second() - 1_800_000_000;
            assert_eq!(shown, *expected, "{case}: {passed} s on, the machine says {says}");
        }
    }

    #[test]
    fn e20_time_goes_on_when_the_clock_is_set_back() {
        check(
            "control: it is followed",
            &[(0, 0, 0), (1, 1, 1), (2, HOUR, HOUR), (3, HOUR + 1, HOUR + 1)],
        );
        check(
            "E20 an hour back",
            &[
                (0, 0, 0),
                (10, 10 - HOUR, 0),
                (20, 20 - HOUR, 5),
                (1810, 1810 - HOUR, 900),
                (HOUR + 10, 10, HOUR / 2),
                (2 * HOUR + 10, HOUR + 10, HOUR + 10),
                (2 * HOUR + 20, HOUR + 20, HOUR + 20),
            ],
        );
        check(
            "E20 there and back",
            &[(0, 0, 0), (1, HOUR, HOUR), (2, 2, HOUR), (4, 4, HOUR + 1)],
        );
        check(
            "E20 twice",
            &[(0, 0, 0), (1, -60, 0), (200, 139, 139), (201, 0, 139), (203, 2, 140)],
        );
        check(
            "E20 more than a day",
            &[
                (0, 0, 0),
                (1, -25 * HOUR, -25 * HOUR),
                (2, -25 * HOUR + 1, -25 * HOUR + 1),
            ],
        );
    }
}
