//! What time is it?
//!
//! The only home of the system clock: everything else takes a [`Clock`] or a timestamp as an argument. Time never goes back
//! (`clock/steady.rs`). Waiting and time limits are not here; they are tokio's.

mod steady;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

use steady::Steady;

/// A source of the present moment.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock, where it goes forward.
    System(Arc<Steady>),
    /// A clock that stands still until it is advanced; holds milliseconds since the epoch.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock, as this process sees it from now on.
    #[must_use]
    pub fn system() -> Self {
        Self::System(Arc::default())
    }

    /// A clock that stands at the given moment (whole milliseconds; the rest is cut off).
    #[must_use]
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.as_millisecond())))
    }

    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one home of the system clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System(steady) => steady.shown(Timestamp::now(), std::time::Instant::now),
            Self::Fixed(milliseconds) => {
                Timestamp::from_millisecond(milliseconds.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Moves a fixed clock, and all its clones, forward (or back, by a negative duration); the system clock stays.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Fixed(milliseconds) = self {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            milliseconds.fetch_add(by, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_it_is_advanced() {
        let start = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let clock = Clock::fixed(start);
        let clone = clock.clone();
        assert_eq!(clock.now(), start);
        clock.advance(SignedDuration::from_secs(90));
        assert_eq!(clone.now(), start + SignedDuration::from_secs(90));
    }

    #[test]
    fn the_system_clock_is_not_moved_by_advance() {
        let clock = Clock::system();
        let before = clock.now();
        clock.advance(SignedDuration::from_hours(1000));
        assert!(clock.now() < before + SignedDuration::from_hours(999));
    }
}
