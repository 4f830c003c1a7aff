//! What does an issuer outside say of itself, and did it sign this? For providers whose people sign in ([`crate::login::oidc`]) and for
//! issuers whose tokens programs show ([`crate::identity::issued`]).
//!
//! What a token opens is not here, nor what an ID token of a sign-in has to say.

pub(crate) mod cached;
pub mod discovery;
pub mod jwt;
pub(crate) mod kept;
pub mod keys;
pub mod shown;
