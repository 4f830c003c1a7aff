//! How does a person get a session?

pub mod arrival;
pub mod change_password;
pub mod directory;
mod github;
pub mod hashing;
pub mod linking;
pub mod oidc;
mod outcome;
pub mod own_keys;
pub mod password;
pub mod policy;
pub mod session;
pub mod sign_out;
