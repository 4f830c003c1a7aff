//! A signing key that `authd signing-keys revoke` takes away while this server runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};

/// How often the index of keys is looked at, which costs one `stat`: what was revoked is refused within a second.
const EVERY: Duration = Duration::from_millis(400);

/// Takes over what was done to the folder until the stop.
pub(super) async fn follow(app: Arc<App>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        let Some(serving) = app.serving() else { continue };
        match serving.key_ring.look_again(app.now()) {
            Ok(gone) => {
                said.clear();
                gone.iter().for_each(|kid| revoked(&app, kid));
            }
            Err(error) => {
                let error = error.to_string();
                if error != said {
                    tracing::error!(
                        error,
                        "signing keys were changed and cannot be read: the old ones go on"
                    );
                    said = error;
                }
            }
        }
    }
}

fn revoked(app: &App, kid: &str) {
    app.accounts_changed();
    tracing::warn!(
        kid,
        "a signing key was revoked: whoever shows a token of it has to sign in again"
    );
    app.audit.record(Event {
        subject_id: Some(kid.to_owned()),
        ..Event::new(app.now(), Kind::SigningKeyRevoked, Outcome::Success)
    });
}
