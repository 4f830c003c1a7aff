//! A clock that a test moves, for one program alone: Debian's libfaketime stands between it and the C library.

use std::ffi::OsString;
use std::path::PathBuf;

use tempfile::TempDir;

/// A clock that is right until it is moved.
#[derive(Debug)]
pub struct MovableClock(TempDir);

impl Default for MovableClock {
    fn default() -> Self {
        Self::new()
    }
}

impl MovableClock {
    /// A clock that is right.
    ///
    /// # Panics
    /// There is no place for temporary files.
    #[must_use]
    pub fn new() -> Self {
        let clock = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        clock.set(0);
        clock
    }

    /// Sets it to so many seconds after (or before) what is right.
    ///
    /// # Panics
    /// The file that says so cannot be written.
    pub fn set(&self, seconds: i64) {
        let draft = self.0.path().join("draft");
        std::fs::write(&draft, format!("{seconds:+}\n")).expect("the folder can be written");
        std::fs::rename(draft, self.offset()).expect("the file can be renamed");
    }

    fn offset(&self) -> PathBuf {
        self.0.path().join("offset")
    }

    /// What a program is started with to see this clock. What it waits for passes as it really does.
    ///
    /// # Panics
    /// libfaketime is not installed.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 4] {
        [
            ("LD_PRELOAD", library().into_os_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.offset().into_os_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }
}

/// Where the library lies: Debian puts it below the name of the machine's kind.
fn library() -> PathBuf {
    let kinds = std::fs::read_dir("/usr/lib").expect("there is `/usr/lib`");
    kinds
        .filter_map(|kind| Some(kind.ok()?.path().join("faketime/libfaketime.so.1")))
        .find(|library| library.exists())
        .expect("libfaketime is not installed: `tests/run` installs it")
}
