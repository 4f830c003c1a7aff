//! When are providers asked again about whoever is signed in? Each on its own, so that one that hangs holds up no other.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::login::revalidate::{self, Ended};

/// How often it is looked who is due: nobody is asked about much later than they should be.
const EVERY: Duration = Duration::from_millis(500);

/// How long a provider that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(15);

/// Asks until the stop.
pub(super) async fn run(app: Arc<App>, stop: CancellationToken) {
    let rounds = TaskTracker::new();
    let under_way = Arc::new(Mutex::new(HashSet::new()));
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let Some(serving) = app.serving() else { continue };
        let Some(every) = serving.settings().sessions.revalidate else {
            continue;
        };
        let every = SignedDuration::from_secs(i64::try_from(every).unwrap_or(i64::MAX));
        for provider in serving.engine.providers() {
            let is_new =
                revalidate::can_be_asked(&serving, provider) && locked(&under_way).insert(provider.name.clone());
            if !is_new {
                continue;
            }
            let (app, serving, provider) = (Arc::clone(&app), Arc::clone(&serving), provider.clone());
            let (under_way, stop) = (Arc::clone(&under_way), stop.clone());
            rounds.spawn(async move {
                let round = async {
                    if revalidate::round(&app, &serving, &provider, every).await == Ended::GivenUp {
                        tokio::time::sleep(PAUSE.min(every.unsigned_abs())).await;
                    }
                };
                stop.run_until_cancelled(round).await;
                locked(&under_way).remove(&provider.name);
            });
        }
    }
    rounds.close();
    rounds.wait().await;
}

fn locked(names: &Mutex<HashSet<String>>) -> std::sync::MutexGuard<'_, HashSet<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}
