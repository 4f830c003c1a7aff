//! A changed folder becomes a new Snapshot; one with problems changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::load::Loaded;
use crate::load::watch::{Timing, Watch};
use crate::serving::Serving;
use crate::source::{self, Ready};

/// A folder that is watched from the moment it was read.
#[derive(Debug)]
pub(super) struct Watched {
    folder: PathBuf,
    watch: Watch,
}

/// Begins to watch the folder that was read, if there is one; `inputs` is the digest of what was in it then.
pub(super) fn watch(folder: Option<&Path>, inputs: Option<[u8; 32]>) -> std::io::Result<Option<Watched>> {
    let (Some(folder), Some(seen)) = (folder, inputs) else {
        return Ok(None);
    };
    Ok(Some(Watched {
        watch: Watch::begin(folder, seen, Timing::default())?,
        folder: folder.to_owned(),
    }))
}

/// Puts each good change to use until the stop.
pub(super) async fn run(app: Arc<App>, watched: Watched, instance: Option<String>, stop: CancellationToken) {
    let (to, mut changes) = mpsc::channel(1);
    let Watched { folder, watch } = watched;
    let watching = watch.run(folder.clone(), to);
    let applying = async {
        while let Some(loaded) = changes.recv().await {
            apply(&app, loaded, &folder, instance.as_deref()).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watching => {}
        () = applying => {}
    }
}

async fn apply(app: &App, loaded: Loaded, folder: &Path, instance: Option<&str>) {
    let problems = match source::compile(loaded, folder, instance) {
        Ok(source::Outcome { ready: Some(ready), .. }) => match put_to_use(app, ready).await {
            Ok(serving) => {
                tracing::info!(
                    snapshot.digest = serving.engine.digest(),
                    generation = serving.generation,
                    "config_loaded"
                );
                return;
            }
            Err(error) => vec![error.to_string()],
        },
        Ok(outcome) => outcome.problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    metrics::counter!("authd_snapshot_load_failures_total").increment(1);
    for problem in &problems {
        tracing::error!(problem, "config_refused");
    }
    let serving = app.serving();
    tracing::error!(
        problems = problems.len(),
        snapshot.digest = serving.as_ref().map(|serving| serving.engine.digest()),
        "config_refused: the old snapshot goes on serving"
    );
    app.audit.record(Event {
        reason: Some("Problems"),
        ..Event::new(app.now(), Kind::ConfigRefused, Outcome::Failure)
    });
}

async fn put_to_use(app: &App, ready: Ready) -> anyhow::Result<Arc<Serving>> {
    Ok(app.put_to_use(ready.engine()?).await?)
}
