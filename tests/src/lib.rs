//! How do the stories reach real programs? Each module starts or speaks to one kind of peer, and ends what it started.
//!
//! Deliberately not here: what is expected of the peers, which the stories in `it` say.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test, and a panic with its reason is how a test fails"
)]

pub mod authd;
pub mod browser;
pub mod clock;
pub mod cluster;
pub mod corpora;
pub mod disk;
pub mod http;
pub mod ldap;
pub mod mutate;
pub mod npm;
pub mod openid;
pub mod orders;
pub mod peer;
pub mod port;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod recorder;
pub mod redis;
pub mod relay;
pub mod resources;
pub mod rows;
pub mod upstream;
pub mod wait;
pub mod window;
pub mod wire;
pub mod world;

use std::path::PathBuf;

/// The top of the checkout.
#[must_use]
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in a folder of the repository")
        .to_owned()
}

/// Where downloads are kept, as `tests/run` says.
#[must_use]
pub fn cache() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("AUTHD_TESTS_CACHE").unwrap_or_else(|| {
        variable("XDG_CACHE_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(std::env::temp_dir)
            .join("authd-tests")
    })
}
