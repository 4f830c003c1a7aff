//! The policy engine, pure: [`compile()`] turns [`Resources`] into a [`Snapshot`], and an [`Engine`] made of it answers who may do
//! what, and why.
//!
//! There is no I/O here, no clock, no randomness and no async: time and everything else that is needed are arguments.

pub mod cedar;
pub mod compile;
pub mod directory;
pub mod email;
pub mod engine;
pub mod identity_headers;
pub mod principal;
pub mod problem;
pub mod redis;
pub mod resources;
pub mod said;
pub mod secret;
pub mod snapshot;
#[cfg(test)]
mod story;
pub mod target;
#[cfg(test)]
mod tests;

pub use compile::{Compiled, compile};
pub use engine::Engine;
pub use principal::Principal;
pub use problem::Problem;
pub use resources::Resources;
pub use said::Said;
pub use snapshot::Snapshot;
pub use target::Target;
