//! A disk of few MiB that a test can fill, in memory.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A small disk; it goes with us.
#[derive(Debug)]
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// Makes one; `None` without the right to mount.
    #[must_use]
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(folder.path())
            .output()
            .ok()?;
        mounted.status.success().then_some(Self(folder))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space that is left.
    pub fn fill(&self) {
        let filler = self.filler();
        let mut size = 8 << 20;
        while size >= 512 {
            let mut bytes = std::fs::read(&filler).unwrap_or_default();
            bytes.resize(bytes.len() + size, 0);
            if std::fs::write(&filler, &bytes).is_err() {
                size /= 2;
            }
        }
    }

    /// Gives the space back.
    ///
    /// # Panics
    /// It was not taken.
    pub fn clear(&self) {
        std::fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
