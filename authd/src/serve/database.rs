//! Which database is opened: what the command line names, else what the Authd names, else a file; and from then on, what other
//! replicas wrote in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use policy::snapshot::{self, Settings};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Database;
use crate::store::{Server, Store};

/// How often replicas ask what others wrote: what one revokes is refused by all within this and the time that an answer takes.
const EVERY: Duration = Duration::from_millis(500);

/// Opens the database.
pub(super) async fn open(given: &Database, settings: Option<&Settings>, data: &Path) -> anyhow::Result<Store> {
    let declared = settings.and_then(|settings| settings.database.as_ref());
    let server = match (&given.postgres, declared) {
        (Some(url), _) => Some(Server {
            url: url.clone(),
            ca: given.postgres_ca.as_deref().map(read).transpose()?,
        }),
        (None, Some(declared)) => Some(server(declared)?),
        (None, None) => None,
    };
    Ok(match server {
        Some(server) => Store::connect(&server).await?,
        None => Store::open(data).await?,
    })
}

pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("`{}`", path.display()))
}

fn server(declared: &snapshot::Database) -> anyhow::Result<Server> {
    let url = std::str::from_utf8(policy::secret::expose(&declared.url))?;
    Ok(Server {
        url: url.into(),
        ca: declared.ca.as_ref().map(|ca| ca.clone().into_bytes()),
    })
}

/// Puts into memory what other replicas and commands wrote, until the stop. A database that is away is asked again until it is back; what this
/// replica knows goes on to hold.
pub(super) async fn follow(app: Arc<App>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        let told_by = tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => "round",
            () = app.hinted() => "hint",
        };
        match app.catch_up().await {
            Ok(_) if away => {
                away = false;
                tracing::info!("the database answers again: what other replicas wrote meanwhile is known");
            }
            Ok(true) => metrics::counter!("authd_changes_heard_total", "told_by" => told_by).increment(1),
            Ok(false) => {}
            Err(error) if !away => {
                away = true;
                let error = anyhow::Error::from(error);
                tracing::error!(
                    error = format!("{error:#}"),
                    "the database does not answer: who is known stays let in, nobody signs in or out"
                );
            }
            Err(_) => {}
        }
    }
}
