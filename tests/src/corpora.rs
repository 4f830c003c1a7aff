//! Attacks that others collected: `tests/corpora/install` fetches them, and they are read from the cache.

use std::process::Command;

use crate::{cache, repository};

/// The text of one of them; fetched if it is missing.
///
/// # Panics
/// It cannot be fetched.
#[must_use]
pub fn read(name: &str) -> String {
    let path = cache().join("corpora").join(name);
    if !path.exists() {
        let status = Command::new(repository().join("tests/corpora/install"))
            .env("AUTHD_TESTS_CACHE", cache())
            .status()
            .expect("the script can be started");
        assert!(status.success(), "tests/corpora/install: {status}");
    }
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
