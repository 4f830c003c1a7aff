//! Signing keys that change while this server runs: those that `authd signing-keys revoke` takes away, and those of other replicas.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::serving::Serving;
use crate::store;

/// How often the index of keys is looked at, which costs one `stat`: what was revoked is refused within a second.
const EVERY: Duration = Duration::from_millis(400);
/// How long the other replicas take to read a key that is new.
const READ_WITHIN: Duration = Duration::from_millis(1500);

/// Learns the keys of the other replicas, and has them learn those of this one, before it signs anything.
pub(super) async fn introduce(app: &App) -> Result<(), store::Error> {
    let Some(serving) = app.serving() else {
        return Ok(());
    };
    // First: a key that was revoked while this server did not run is replaced by another.
    learn(app, &serving).await?;
    if app.public_halves.publish(app, &serving).await? > 0 {
        tokio::time::sleep(READ_WITHIN).await;
    }
    Ok(())
}

/// Takes over what was done to the folder and what other replicas published until the stop.
pub(super) async fn follow(app: Arc<App>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut said, mut learned) = (String::new(), None);
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
        // Of a database that is away somebody else complains.
        let written = Some((app.position(), serving.generation));
        if learned != written && learn(&app, &serving).await.is_ok() {
            learned = written;
        }
        let _ = app.public_halves.publish(&app, &serving).await;
    }
}

/// Takes over what other replicas published, and what was revoked in the database.
async fn learn(app: &App, serving: &Serving) -> Result<(), store::Error> {
    let read = app.public_halves.read(app, serving).await?;
    if !read.gone.is_empty() {
        app.accounts_changed();
    }
    read.revoked_here.iter().for_each(|kid| revoked(app, kid));
    Ok(())
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
