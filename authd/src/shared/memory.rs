//! The facts of one process: revocations and failed guesses.

mod limits;
mod revocations;

pub use limits::{Attempt, Guesses, Limited, Purpose};
pub(crate) use limits::{End, Reservation, Rules, Subjects};
pub use revocations::{Revocations, Revoked};
