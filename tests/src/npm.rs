//! Packages from npm that peers are made of, kept in the cache; `tests/run` puts the same ones there before the tests begin.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::cache;

/// The folder of the cache that holds a package such as `name@1.2.3`; installed there if it is missing.
///
/// # Panics
/// It cannot be installed.
#[must_use]
pub fn package(folder: &str, package: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let folder = cache().join(folder);
    let name = package.rsplit_once('@').map_or(package, |(name, _)| name);
    if folder.join("node_modules").join(name).is_dir() {
        return folder;
    }
    std::fs::create_dir_all(&folder).expect("there is a cache");
    let status = Command::new("npm")
        .args(["install", "--silent", "--no-fund", "--no-audit", "--prefix"])
        .arg(&folder)
        .arg(package)
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .status()
        .expect("npm can be started");
    assert!(status.success(), "npm: {status}");
    folder
}
