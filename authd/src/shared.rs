//! What must replicas agree on at once?
//!
//! Which sessions and tokens are revoked, and how often somebody has guessed. Each replica has these facts in its [`memory`], where a
//! check asks for them; they are made durable by the store before they come here. By [`redis`] replicas tell each other that there is
//! something new, and count guesses together.
//!
//! Deliberately not here: what must happen once among all replicas, such as the use of a code or a logout token and the renewal of a
//! provider's token. The database decides these, in the transaction that writes what follows.

mod limits;
pub mod memory;
pub mod redis;

pub use limits::{RateLimits, Reservation};
pub use memory::{Attempt, Guesses, Limited, Purpose, Revocations, Revoked};
pub use redis::Redis;
