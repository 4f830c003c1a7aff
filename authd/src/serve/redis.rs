//! By what this replica hears of others at once: what the command line names, else what the Authd names, else nothing.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use policy::redis::Address;
use policy::snapshot::Settings;
use secrecy::ExposeSecret as _;

use super::Tasks;
use crate::app::App;
use crate::config;
use crate::data_folder::read;
use crate::random::Random;
use crate::shared::Redis;
use crate::shared::redis::{BUDGET, Reckoning, Usage};
use crate::store::Store;

/// The Redis, if one is named. It need not answer.
pub(super) fn named(
    given: &config::Redis,
    settings: Option<&Settings>,
    store: &Store,
    random: &Random,
) -> anyhow::Result<Option<Redis>> {
    let declared = settings.and_then(|settings| settings.redis.as_ref());
    let (url, ca, prefix) = match (&given.url, declared) {
        (Some(url), _) => (
            url.expose_secret().as_bytes(),
            given.ca.as_deref().map(read).transpose()?,
            &given.prefix,
        ),
        (None, Some(declared)) => (
            policy::secret::expose(&declared.url),
            declared.ca.as_ref().map(|ca| ca.clone().into_bytes()),
            &declared.key_prefix,
        ),
        (None, None) => return Ok(None),
    };
    ensure!(
        store.is_shared(),
        "a Redis is named and no PostgreSQL database: replicas that keep accounts apart have nothing to tell each other"
    );
    let address = Address::read(std::str::from_utf8(url)?).context("the URL of the Redis")?;
    let usage = Usage {
        prefix: prefix.clone(),
        reckoning: Reckoning::Redis,
        budget: BUDGET,
    };
    let redis = Redis::new(address, ca.as_deref(), usage, random);
    Ok(Some(redis.map_err(|error| anyhow!("the Redis: {error}"))?))
}

/// Stays connected, and hears hints, until the stop.
pub(super) fn follow(app: &Arc<App>, tasks: &Tasks) {
    let Some(redis) = &app.redis else { return };
    let (keeping, stop) = (redis.clone(), tasks.stop.clone());
    tasks.running.spawn(async move { keeping.keep(stop).await });
    let (listening, stop) = (redis.clone(), tasks.stop.clone());
    tasks.running.spawn(async move { listening.listen(stop).await });
}
