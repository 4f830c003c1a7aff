//! The one home of the system clock.

use jiff::Timestamp;

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one home of the system clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
