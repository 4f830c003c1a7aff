//! Signing in with a provider outside.

mod peers;
