//! When does a folder change, and what does it hold then?
//!
//! Notifications of the file system say when to look; a look every 30 seconds makes up for those that get lost. What is delivered
//! is always the whole folder, and only when its content is another than before. Whether to use it is the receiver's decision.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::{Notify, mpsc},
    task,
    time::{Instant, timeout, timeout_at},
};

use super::{
    folder::{Loaded, understand},
    kinds::Kinds,
    source::{self, Sources},
};

/// How long to wait, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long the folder has to be quiet before it is read.
    pub quiet: Duration,
    /// How long a folder that is never quiet is waited for.
    pub patience: Duration,
    /// How often to look without having been told.
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(100),
            patience: Duration::from_millis(500),
            poll: Duration::from_secs(30),
        }
    }
}

/// How often to look where the file system gives no notifications.
const POLL_ALONE: Duration = Duration::from_millis(500);

/// A folder that is watched.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    seen: [u8; 32],
    timing: Timing,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    gone: bool,
}

/// What a look at the folder found.
enum Seen {
    /// What was there before.
    Same,
    /// Something else.
    Other(Box<Loaded>),
    /// Nothing that could be meant: why.
    Gone(String),
}

impl Watch {
    /// Begins to watch `dir`, whose content `seen` (a [`Loaded::digest`]) is known already. A change from now on is not missed,
    /// so read the folder afterwards or before with equal right.
    ///
    /// # Errors
    ///
    /// Where the path cannot be made absolute. A file system without notifications is looked at twice a second instead.
    pub fn begin(dir: &Path, seen: [u8; 32], timing: Timing) -> io::Result<Self> {
        let changed = Arc::new(Notify::new());
        let mut watch = Self {
            dir: std::path::absolute(dir)?,
            seen,
            timing,
            changed,
            watcher: None,
            gone: false,
        };
        watch.arm();
        // What changed between the reading and now gave no notification.
        watch.changed.notify_one();
        Ok(watch)
    }

    /// Delivers what the folder holds each time that it changed, until the receiver is gone.
    ///
    /// A folder that vanished or holds no file at all is not delivered: an unmounted volume looks like that. It is delivered
    /// again when it is back.
    pub async fn run(mut self, shown: PathBuf, to: mpsc::Sender<Loaded>) {
        loop {
            let poll = if self.watcher.is_some() {
                self.timing.poll
            } else {
                POLL_ALONE
            };
            let told = tokio::select! {
                told = timeout(poll, self.changed.notified()) => told.is_ok(),
                () = to.closed() => return,
            };
            if told {
                self.settle().await;
            }
            // Armed anew before each look: the folder, or a link in it, may be another one now.
            self.arm();
            let (dir, seen) = (shown.clone(), self.seen);
            let Ok(found) = task::spawn_blocking(move || look(&dir, seen)).await else {
                continue;
            };
            let loaded = match found {
                Seen::Other(loaded) => loaded,
                Seen::Same => {
                    self.gone = false;
                    continue;
                }
                Seen::Gone(why) => {
                    self.say_gone(&shown, &why);
                    continue;
                }
            };
            self.gone = false;
            self.seen = loaded.digest;
            if to.send(*loaded).await.is_err() {
                return;
            }
        }
    }

    /// Once, not with each look.
    fn say_gone(&mut self, shown: &Path, why: &str) {
        if !std::mem::replace(&mut self.gone, true) {
            let problem = format!("{}:1:1: {why}: what was read before is kept", shown.display());
            tracing::error!(problem, "config_refused");
            metrics::counter!("authd_snapshot_load_failures_total").increment(1);
        }
    }

    /// Waits until the folder is quiet.
    async fn settle(&self) {
        let latest = Instant::now() + self.timing.patience;
        loop {
            let quiet = (Instant::now() + self.timing.quiet).min(latest);
            if timeout_at(quiet, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }

    fn arm(&mut self) {
        let (changed, dir) = (Arc::clone(&self.changed), self.dir.clone());
        let tell = move |event: notify::Result<Event>| {
            let concerns = match &event {
                // Our own reading of the files.
                Ok(Event {
                    kind: EventKind::Access(_),
                    ..
                }) => false,
                Ok(event) => event.paths.iter().any(|path| path.starts_with(&dir)),
                Err(_) => true,
            };
            if concerns {
                changed.notify_one();
            }
        };
        let armed = notify::recommended_watcher(tell).and_then(|mut watcher| {
            // The parent tells when the folder itself is replaced.
            if let Some(parent) = self.dir.parent() {
                watcher.watch(parent, RecursiveMode::NonRecursive)?;
            }
            watcher.watch(&self.dir, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        match armed {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                if self.watcher.take().is_some() {
                    tracing::warn!(folder = %self.dir.display(), error = %error, "the folder is looked at, not watched");
                }
            }
        }
    }
}

/// What the folder holds, where that is another thing than `seen`.
fn look(dir: &Path, seen: [u8; 32]) -> Seen {
    match source::read(dir) {
        Ok(Sources { files, .. }) if files.is_empty() => Seen::Gone("the folder is empty".to_owned()),
        Ok(sources) if sources.digest == seen => Seen::Same,
        Ok(sources) => match Kinds::new() {
            Ok(kinds) => Seen::Other(Box::new(understand(sources, &kinds))),
            Err(error) => Seen::Gone(format!("the folder cannot be checked: {error}")),
        },
        Err(error) => Seen::Gone(format!("the folder cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests;
