//! Which database is opened: what the command line names, else what the Authd names, else a file; and from then on, what other
//! replicas wrote in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use policy::snapshot::{self, Settings};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::acts;
use crate::app::App;
use crate::config::Database;
use crate::data_folder::{self, Held};
use crate::store::{self, Server, Store};
use crate::token::SKEW_SECONDS;

/// How often replicas ask what others wrote: what one revokes is refused by all within this and the time that an answer takes.
const EVERY: Duration = Duration::from_millis(500);

/// How often, in rounds, this machine's clock is compared with the database's.
const COMPARE_EVERY: u32 = 20;

/// Opens the database. A file is held until it is not used any more.
pub(super) async fn open(
    given: &Database,
    settings: Option<&Settings>,
    data: &Path,
) -> anyhow::Result<(Store, Option<Held>)> {
    let declared = settings.and_then(|settings| settings.database.as_ref());
    let server = match (&given.postgres, declared) {
        (Some(url), _) => data_folder::server(url, given.postgres_ca.as_deref())?,
        (None, Some(declared)) => server(declared)?,
        (None, None) => {
            let held = data_folder::serve(data)?;
            return Ok((Store::open(data).await?, Some(held)));
        }
    };
    Ok((Store::connect(&server).await?, None))
}

fn server(declared: &snapshot::Database) -> anyhow::Result<Server> {
    let url = std::str::from_utf8(policy::secret::expose(&declared.url))?;
    Ok(Server {
        url: url.into(),
        ca: declared.ca.as_ref().map(|ca| ca.clone().into_bytes()),
    })
}

/// What others wrote is known, and what was done with commands is told, up to this position. Whether there was anything new.
async fn catch_up(app: &App, told: &mut Option<i64>) -> Result<bool, store::Error> {
    let is_new = app.catch_up().await?;
    let position = Some(app.position());
    if *told != position {
        acts::tell(app).await?;
        *told = position;
    }
    Ok(is_new)
}

/// Puts into memory what other replicas and commands wrote, until the stop. A database that is away is asked again until it is back; what this
/// replica knows goes on to hold.
pub(super) async fn follow(app: Arc<App>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut away, mut told) = (false, None);
    let (mut clocks, mut round) = (Clocks::default(), 0_u32);
    loop {
        let told_by = tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => "round",
            () = app.hinted() => "hint",
        };
        if told_by == "round" {
            if app.store.is_shared() && round.is_multiple_of(COMPARE_EVERY) {
                clocks.compare(&app).await;
            }
            round = round.wrapping_add(1);
        }
        match catch_up(&app, &mut told).await {
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

/// How this machine's clock and the database's differ. Tokens of a replica whose clock differs too much count nowhere else, and those
/// of the others not there.
#[derive(Debug, Default)]
struct Clocks {
    differ: bool,
}

impl Clocks {
    /// Says it when they begin to differ by more than tokens may, and when they do not any more.
    async fn compare(&mut self, app: &App) {
        let Ok(theirs) = app.now_of_all().await else { return };
        let ahead = app.now().duration_since(theirs).as_secs_f64();
        metrics::gauge!("authd_clock_difference_seconds").set(ahead);
        let differ = ahead.abs() > SKEW_SECONDS as f64;
        if differ && !self.differ {
            tracing::error!(
                seconds = ahead,
                "this machine's clock is ahead of the database's, or behind it where that is negative: tokens of other replicas are \
                 refused here, or ours there, until the clocks agree"
            );
        } else if self.differ && !differ {
            tracing::info!("this machine's clock and the database's agree again");
        }
        self.differ = differ;
    }
}
