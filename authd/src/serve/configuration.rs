//! Where does the configuration come from, at first and from then on? A folder, a file, or an operator.

use std::path::PathBuf;
use std::sync::Arc;

use policy::snapshot::Settings;

use super::reload::{self, Watched};
use super::replicate::{self, Replicating};
use super::{App, Tasks};
use crate::config::Serve;
use crate::source::{self, Ready};

/// What was given on the command line, read as far as it must be good before anything else begins.
#[derive(Debug)]
pub(super) enum Given {
    /// A folder or a file.
    Ready(Box<Ready>),
    /// Where an operator's Secrets are mounted.
    Published(PathBuf),
}

/// What changes the configuration from now on.
#[derive(Debug)]
pub(super) enum Changes {
    /// A file never changes.
    None,
    /// A folder does.
    Folder(Watched),
    /// An operator publishes.
    Published(Box<Replicating>),
}

/// Reads what was given.
pub(super) fn read(serve: &Serve) -> anyhow::Result<Given> {
    Ok(match &serve.replication.shards {
        Some(mount) => Given::Published(mount.clone()),
        None => Given::Ready(Box::new(source::read(&serve.source, serve.instance.as_deref())?)),
    })
}

impl Given {
    /// How the instance behaves, where that is known already.
    pub(super) fn settings(&self) -> Option<&Settings> {
        match self {
            Self::Ready(ready) => Some(&ready.snapshot.settings),
            Self::Published(_) => None,
        }
    }

    /// Puts it to use. What an operator publishes may not be there yet.
    pub(super) async fn put_to_use(self, app: &Arc<App>, serve: &Serve) -> anyhow::Result<Changes> {
        let ready = match self {
            Self::Published(mount) => {
                let replicating = replicate::begin(app, mount, serve).await?;
                return Ok(Changes::Published(Box::new(replicating)));
            }
            Self::Ready(ready) => ready,
        };
        let watched = reload::watch(serve.source.resources.as_deref(), ready.inputs)?;
        app.put_to_use(ready.engine()?).await?;
        Ok(watched.map_or(Changes::None, Changes::Folder))
    }
}

impl Changes {
    /// Returns when something serves.
    pub(super) fn serving(&self) -> impl Future<Output = ()> + 'static {
        let told = match self {
            Self::Published(replicating) => Some(replicating.told()),
            Self::None | Self::Folder(_) => None,
        };
        async move {
            if let Some(mut told) = told {
                let _ = told.wait_for(|told| told.serving.is_some()).await;
            }
        }
    }

    /// Puts each change to use until the stop.
    pub(super) fn follow(self, app: &Arc<App>, serve: &Serve, tasks: &Tasks) {
        match self {
            Self::None => {}
            Self::Folder(watched) => {
                let (instance, stop) = (serve.instance.clone(), tasks.stop.clone());
                tasks
                    .running
                    .spawn(reload::run(Arc::clone(app), watched, instance, stop));
            }
            Self::Published(replicating) => replicating.follow(app, tasks),
        }
    }
}
