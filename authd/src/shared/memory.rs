//! The facts of one process: revocations and rate limits.

mod limits;
mod revocations;

pub use limits::{Attempt, Guesses, Limited, Purpose, RateLimits, Reservation};
pub use revocations::{Revocations, Revoked};
