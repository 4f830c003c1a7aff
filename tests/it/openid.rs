//! Signing in with a provider outside. Rows B, C, I, J and K of the attacks, each beside a sign-in that succeeds with the same set-up.

mod back_channel;
mod certificates;
mod client_proof;
mod linking;
mod machines;
mod mappings;
mod outage;
mod outbound;
mod peers;
mod people;
mod redirects;
mod registration;
mod relying_party;
mod replicas;
mod revalidation;
mod service_accounts;
mod services;
mod sign_out;
mod token_exchange;
mod trial;
