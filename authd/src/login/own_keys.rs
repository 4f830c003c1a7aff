//! API keys that people make for themselves: many, named, shown once.

use crds::Endpoint;
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::serving::Serving;
use crate::store::{self, ActiveKey, Ended, Key, NewKey};

/// Random bytes of a key: 160 bits, 40 hexadecimal digits.
const KEY_BYTES: usize = 20;

/// A key to be made.
#[derive(Debug)]
pub struct Wanted {
    /// What its owner calls it.
    pub name: String,
    /// The only endpoints that it opens; `None`: all that its owner may reach.
    pub endpoints: Option<Vec<Endpoint>>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Keys are switched off.
    #[error("API keys are switched off")]
    Disabled,
    /// The person has as many keys as are allowed.
    #[error("there are {0} keys already: delete one first")]
    TooMany(u32),
    /// The name is empty, too long, or has invisible characters.
    #[error("the name must have 1 to 64 characters and none that is invisible")]
    Name,
    /// An endpoint is not a path prefix, a host name or a method.
    #[error("`{0}` can never be reached")]
    Endpoint(String),
    /// The end lies in the past.
    #[error("the key would have expired already")]
    Past,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Makes a key. The text is nowhere else: it is to be shown now, once.
///
/// # Errors
/// No key was made.
pub async fn make(app: &App, serving: &Serving, owner: Uuid, wanted: Wanted) -> Result<(SecretString, Key), Error> {
    let settings = &serving.settings().api_keys;
    if !settings.enabled {
        return Err(Error::Disabled);
    }
    let name = wanted.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(Error::Name);
    }
    let now = app.now();
    if wanted.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::Past);
    }
    let endpoints = wanted.endpoints.map(canonical).transpose()?;
    let held = app.store.keys_of(owner).await?.len();
    if held >= usize::try_from(settings.max_per_user).unwrap_or(usize::MAX) {
        return Err(Error::TooMany(settings.max_per_user));
    }
    let text = format!("sk-{}", app.random.hex(KEY_BYTES));
    let hash = app.personal_keys.hash(&Sha256::digest(&text).into());
    let new = NewKey {
        id: app.random.id(now),
        user_id: owner,
        name,
        prefix: text.chars().take(7).collect(),
        hash,
        endpoints: endpoints
            .as_ref()
            .and_then(|endpoints| serde_json::to_string(endpoints).ok()),
        created_at: now,
        expires_at: wanted.expires_at,
    };
    let key = app.store.create_key(&new).await?;
    let active = ActiveKey {
        id: key.id,
        user_id: owner,
        hash,
        expires_at: new.expires_at,
        endpoints: new.endpoints.map(Into::into),
    };
    app.personal_keys.learn(active);
    record(app, owner, key.id, Kind::KeyCreated);
    Ok((text.into(), key))
}

/// Deletes a key of the owner's: it opens nothing from now on.
///
/// # Errors
/// There is no such key of theirs.
pub async fn delete(app: &App, owner: Uuid, key: Uuid) -> Result<(), store::Error> {
    let hash = app.store.delete_key(owner, key).await?;
    let ended = Ended {
        revocations: Vec::new(),
        keys: vec![hash],
    };
    app.end(owner, &ended);
    record(app, owner, key, Kind::KeyDeleted);
    Ok(())
}

fn record(app: &App, owner: Uuid, key: Uuid, kind: Kind) {
    app.audit.record(Event {
        actor_id: Some(owner),
        subject_id: Some(key.to_string()),
        ..Event::new(app.now(), kind, Outcome::Success)
    });
}

fn canonical(endpoints: Vec<Endpoint>) -> Result<Vec<Endpoint>, Error> {
    let path = |path: String| policy::target::prefix(&path).map_err(|_| Error::Endpoint(path));
    endpoints
        .into_iter()
        .map(|endpoint| {
            let paths = endpoint.paths.into_iter().map(path).collect::<Result<_, _>>()?;
            Ok(Endpoint {
                hosts: endpoint.hosts,
                paths,
                methods: endpoint.methods,
            })
        })
        .collect()
}
