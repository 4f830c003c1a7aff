//! The data plane: identify the caller, decide, answer.
//!
//! The modules are the flow of a request, top down: a listener ([`listen`]) hands it to the [`router`] (public pages and
//! JSON) or to the [`gate`] (an ingress asking), which finds out who is calling ([`identity`]), asks the policy engine, and
//! writes an [`audit`] line.

#![forbid(unsafe_code)]

pub mod audit;
pub mod clock;
pub mod load;
pub mod login;
pub mod pages;
pub mod random;
pub mod shared;
pub mod store;
pub mod telemetry;
pub mod token;
