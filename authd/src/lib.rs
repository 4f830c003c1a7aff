//! The data plane: identify the caller, decide, answer.
//!
//! The modules are the flow. [`serve`] reads the configuration ([`source`], [`load`]; [`replica`] in a cluster) and puts it to use
//! ([`app`], [`serving`]).
//! A connection comes in ([`listen`]) and is either an ingress asking ([`gate`], over [`grpc`] too) or a person or program ([`router`], with the
//! pages' routes in [`site`] and the JSON API in [`api`]). Both find out who is calling ([`identity`]); how a person gets a
//! session is [`login`]. What must last is in the [`store`], what must be known at once in [`shared`], and who did what in
//! [`audit`]. [`doctor`] is none of this: it asks from outside.

pub mod acts;
pub mod admin;
pub mod api;
pub mod app;
pub mod audit;
pub mod authorities;
pub mod backup;
pub mod check;
pub mod client_address;
pub mod clock;
pub mod config;
pub mod cookie;
pub mod data_folder;
pub mod doctor;
pub mod error;
pub mod explain;
pub mod fuzz;
pub mod gate;
pub mod grpc;
pub mod health;
pub mod identity;
pub mod import;
pub mod issuer;
pub mod listen;
pub mod load;
pub mod login;
pub mod migrate;
pub mod openapi;
pub mod outbound;
pub mod own_secrets;
pub mod pages;
mod print;
mod probe;
pub mod proxy_auth;
pub mod public_halves;
pub mod random;
#[cfg(test)]
mod reference;
pub mod replica;
pub mod router;
pub mod seal;
pub mod serve;
pub mod serving;
pub mod sessions;
pub mod shared;
pub mod signing_keys;
pub mod site;
pub mod source;
#[cfg(test)]
mod stand;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod uses;
mod whole_file;
