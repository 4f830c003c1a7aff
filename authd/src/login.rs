//! How does a person get a session?

pub mod again;
pub mod arrival;
pub mod change_password;
pub mod devices;
pub mod directory;
mod github;
pub mod hashing;
pub mod ldap;
pub mod linking;
pub mod oidc;
pub mod outcome;
pub mod own_keys;
pub mod password;
pub mod policy;
pub mod revalidate;
pub mod session;
pub mod sign_out;
