//! How does a person get a session?

pub mod hashing;
pub mod policy;
