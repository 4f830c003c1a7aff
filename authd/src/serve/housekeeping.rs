//! What is done every now and then: writing down last uses, rotating signing keys, looking at certificates, forgetting what has expired.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::renewal::Renewal;
use crate::app::App;
use crate::store;
use crate::telemetry::{Metrics, with_causes};

/// How often.
const EVERY: Duration = Duration::from_secs(20);
/// How often durations that were recorded are put into their buckets: each waits in memory until then.
const UPKEEP_EVERY: Duration = Duration::from_secs(2);
/// Every how many rounds expired rows are deleted.
const PURGE_EVERY: u32 = 30;

/// Keeps house until the stop.
pub(super) async fn run(app: Arc<App>, metrics: Metrics, stop: CancellationToken) {
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewal = Renewal::default();
    let mut round: u32 = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = upkeep.tick() => {
                metrics.keep();
                continue;
            }
            _ = rounds.tick() => {}
        }
        if let Err(error) = app.uses.write_down(&app.store).await {
            tracing::warn!(error = with_causes(&error), "last uses were not written down");
        }
        // What is written here is of people who did not wait for their answer.
        if let Err(error) = app.guesses.write_down(&app.store).await {
            tracing::warn!(error = with_causes(&error), "failed guesses were not written down");
        }
        if let Some(serving) = app.serving() {
            if let Err(error) = serving.key_ring.rotate_if_due(app.now()) {
                tracing::error!(error = %error, "signing keys were not rotated: the old ones go on");
            }
            let secured = serving.secured.as_ref();
            renewal.look(secured.and_then(|secured| secured.validity), app.now());
        }
        if round.is_multiple_of(PURGE_EVERY)
            && let Err(error) = purge(&app).await
        {
            tracing::warn!(error = with_causes(&error), "expired rows were not deleted");
        }
        round = round.wrapping_add(1);
    }
}

async fn purge(app: &App) -> Result<(), store::Error> {
    app.revocations.forget_expired(app.now());
    let now = app.now_of_all().await?;
    app.store.purge_expired_sessions(now).await?;
    app.store.purge_expired_revocations(now).await?;
    app.store.purge_changes().await?;
    app.store.purge_signing_keys(now).await?;
    app.store.purge_spent(now).await?;
    app.store.purge_expired_guesses(now).await?;
    Ok(())
}

/// Writes down what would be lost, and ends.
pub(super) async fn last_words(app: &App) {
    let _ = app.uses.write_down(&app.store).await;
    let _ = app.guesses.write_down(&app.store).await;
    app.audit.flush(Duration::from_secs(2));
    app.store.close().await;
}
