//! How do the providers fare, as far as this replica can tell? Each is asked in the background: when it is new, now and then, soon
//! after it failed, and when a sign-in heard something else.
//!
//! Nobody who is served waits for it, and readiness does not depend on it. What is asked of a provider is in `probe.rs`; who is
//! told is the Lease of a replica ([`crate::replica::lease`]), the admin listener and the metrics.

mod pace;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::Reason;
use crds::published::Fares;
use policy::snapshot::Provider;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::issuer::kept::fingerprint;
use crate::probe;
use crate::serving::Serving;
use pace::Pace;

/// How often it is looked who is to be asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many are asked at once.
const AT_ONCE: usize = 32;
/// How long it counts that there were no tokens, which only sign-ins find out: that we are not known as a client, and anything else.
const NO_TOKENS_FOR: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(60));

/// What a sign-in, or whoever asks again about somebody, heard of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It answered as it should.
    Works,
    /// It did not.
    Fails,
    /// Its token endpoint gave no tokens, for a reason that is not the person's.
    NoTokens(Reason, String),
}

/// How the providers fare.
#[derive(Debug, Default)]
pub struct Health {
    known: Mutex<All>,
    changes: watch::Sender<u64>,
    doubted: Notify,
}

/// The providers of one Snapshot.
#[derive(Debug, Default)]
struct All {
    generation: u64,
    by_name: BTreeMap<String, Known>,
}

/// What is known of one.
#[derive(Debug)]
struct Known {
    /// Of the settings that it was asked with.
    fingerprint: [u8; 32],
    fares: Option<Fares>,
    /// Why there were no tokens, and until when that counts.
    no_tokens: Option<(Reason, String, Instant)>,
    pace: Pace,
}

impl Known {
    /// What is said of it, with what only sign-ins find out.
    fn told(&self) -> Option<Fares> {
        let mut fares = self.fares.clone()?;
        if let Some((reason, message, _)) = self.no_tokens.as_ref().filter(|_| fares.reason.is_none()) {
            fares.reason = Some(*reason);
            fares.message.clone_from(message);
        }
        Some(fares)
    }
}

impl Health {
    /// How each provider fares that has servers of its own; `None` before it was asked as it is configured now.
    #[must_use]
    pub fn told(&self, serving: &Serving) -> BTreeMap<String, Option<Fares>> {
        let known = self.following(serving, Instant::now());
        let told = known.by_name.iter().map(|(name, known)| (name.clone(), known.told()));
        told.collect()
    }

    /// Counts changes of what is told.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Somebody heard something of a provider: where that is news it is asked at once.
    pub fn heard(&self, provider: &str, heard: Heard) {
        let now = Instant::now();
        let mut all = self.locked();
        let Some(known) = all.by_name.get_mut(provider) else {
            return;
        };
        let before = known.told();
        let works = known.fares.as_ref().is_some_and(|fares| fares.reason.is_none());
        let is_news = match heard {
            Heard::Works => {
                known.no_tokens = None;
                !works
            }
            Heard::Fails => works,
            Heard::NoTokens(reason, message) => {
                let (client, other) = NO_TOKENS_FOR;
                let time = if reason == Reason::InvalidClient { client } else { other };
                known.no_tokens = Some((reason, message, now + time));
                false
            }
        };
        if is_news {
            known.pace.hurry(now);
            self.doubted.notify_one();
        }
        self.tell(provider, before.as_ref(), known.told().as_ref());
    }

    /// The providers as they are declared now; what is known of those that stay as they are is kept.
    fn following(&self, serving: &Serving, now: Instant) -> MutexGuard<'_, All> {
        let mut all = self.locked();
        if all.generation >= serving.generation {
            return all;
        }
        all.generation = serving.generation;
        let mut before = std::mem::take(&mut all.by_name);
        for provider in serving
            .engine
            .providers()
            .filter(|provider| !provider.method.is_password())
        {
            let fingerprint = fingerprint(&provider.method);
            let known = before
                .remove(&provider.name)
                .filter(|known| known.fingerprint == fingerprint);
            let known = known.unwrap_or_else(|| Known {
                fingerprint,
                fares: None,
                no_tokens: None,
                pace: Pace::beginning(now),
            });
            all.by_name.insert(provider.name.clone(), known);
        }
        for gone in before.keys().filter(|name| !all.by_name.contains_key(*name)) {
            // No alarm is raised by what is no number.
            show(gone, f64::NAN);
        }
        self.count_change();
        all
    }

    /// Those that are to be asked now.
    fn due(&self, serving: &Serving, now: Instant) -> Vec<(Provider, [u8; 32])> {
        let mut all = self.following(serving, now);
        let mut due = Vec::new();
        for (name, known) in &mut all.by_name {
            if known.no_tokens.as_ref().is_some_and(|(_, _, until)| *until <= now) {
                let before = known.told();
                known.no_tokens = None;
                self.tell(name, before.as_ref(), known.told().as_ref());
            }
            if known.pace.is_due(now)
                && let Some(provider) = serving.engine.provider(name)
            {
                known.pace.begin(now);
                due.push((provider.clone(), known.fingerprint));
            }
        }
        due
    }

    /// A provider was asked; what it was asked with may have changed meanwhile.
    fn note(&self, name: &str, fingerprint: [u8; 32], fares: Fares, spread: u8) {
        let mut all = self.locked();
        let Some(known) = all
            .by_name
            .get_mut(name)
            .filter(|known| known.fingerprint == fingerprint)
        else {
            return;
        };
        known.pace.end(fares.reason, spread, Instant::now());
        let before = known.told();
        known.fares = Some(fares);
        self.tell(name, before.as_ref(), known.told().as_ref());
    }

    /// Whoever runs authd is told of a change, in metric and log, and whoever waits for one.
    fn tell(&self, provider: &str, before: Option<&Fares>, now: Option<&Fares>) {
        let Some(fares) = now.filter(|_| now != before) else {
            return;
        };
        self.count_change();
        show(provider, if fares.reason.is_none() { 1.0 } else { 0.0 });
        match fares.reason {
            Some(reason) => {
                tracing::warn!(
                    provider,
                    reason = reason.name(),
                    error = fares.message,
                    "provider_unreachable"
                );
            }
            None if before.is_some_and(|before| before.reason.is_some()) => {
                tracing::info!(provider, "provider_reachable");
            }
            None => {}
        }
    }

    fn count_change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn locked(&self) -> MutexGuard<'_, All> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(provider: &str, value: f64) {
    metrics::gauge!("authd_provider_reachable", "provider" => provider.to_owned()).set(value);
}

/// Asks until the stop.
pub async fn follow(app: Arc<App>, stop: CancellationToken) {
    let asking = TaskTracker::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = app.health.doubted.notified() => {}
            _ = looks.tick() => {}
        }
        let Some(serving) = app.serving() else { continue };
        for (provider, fingerprint) in app.health.due(&serving, Instant::now()) {
            let (app, serving) = (Arc::clone(&app), Arc::clone(&serving));
            let (turns, stop) = (Arc::clone(&turns), stop.clone());
            asking.spawn(stop.run_until_cancelled_owned(async move {
                let _turn = turns.acquire().await;
                if let Some(fares) = probe::fares(&app, &serving, &provider).await {
                    let [spread] = app.random.bytes();
                    app.health.note(&provider.name, fingerprint, fares, spread);
                }
            }));
        }
    }
    asking.close();
    asking.wait().await;
}
