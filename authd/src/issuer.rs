//! What does an issuer outside say of itself, and did it sign this? For providers whose people sign in ([`crate::login::oidc`]) and for
//! issuers whose tokens programs show ([`crate::identity::issued`]).
//!
//! Whether what a token says is good is not here: that depends on what it is used for.

pub(crate) mod cached;
pub mod discovery;
pub mod jwt;
pub(crate) mod kept;
pub mod keys;
