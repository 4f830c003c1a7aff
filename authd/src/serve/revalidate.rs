//! Asking providers again about sessions that are due.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::login::oidc::refresh;

/// How often it is looked for sessions that are due.
const EVERY: Duration = Duration::from_secs(5);

/// Asks until the stop.
pub(super) async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        if let Some(serving) = app.serving()
            && let Err(error) = refresh::round(&app, &serving).await
        {
            tracing::warn!(error = %error, "providers were not asked about sessions");
        }
    }
}
