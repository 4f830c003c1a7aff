//! The policy engine, pure: [`compile`] turns [`Resources`] into a [`Snapshot`], and an [`Engine`] made of it answers who may do
//! what, and why.
//!
//! There is no I/O here, no clock, no randomness and no async: time and everything else that is needed are arguments.

pub mod resources;

pub use resources::Resources;
