//! What must replicas agree on at once?
//!
//! Which sessions and tokens are revoked, and how often somebody has guessed. Here the facts live in this process
//! ([`memory`]); they are made durable by the store before they come here.

pub mod memory;

pub use memory::{Attempt, Guesses, Limited, Purpose, RateLimits, Reservation, Revocations, Revoked};
