//! `authd import`: accounts of another program, taken over in one transaction; at first only tried.

mod accounts;
mod open_webui;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use sha2::{Digest as _, Sha256};

use crate::acts;
use crate::clock::Clock;
use crate::config::{Import, OpenWebUi, Output};
use crate::data_folder;
use crate::identity::api_key::PersonalKeys;
use crate::own_secrets::OwnSecrets;
use crate::print;
use crate::random::Random;
use crate::store::{Server, Store, What, Writing};
use accounts::Means;
use report::Report;

/// Takes over what can be, and says what cannot.
///
/// # Errors
/// The database there cannot be read, or the one here cannot be written.
pub fn run(import: &Import) -> anyhow::Result<ExitCode> {
    let Import::OpenWebUi(wanted) = import;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(from_open_webui(wanted))?;
    match wanted.output {
        Output::Json => print::line(report.json()),
        Output::Text => report.lines().iter().for_each(print::line),
    }
    Ok(ExitCode::SUCCESS)
}

async fn from_open_webui(wanted: &OpenWebUi) -> anyhow::Result<Report> {
    let (now, random) = (Clock::system().now(), Random::System);
    let found = open_webui::read(&wanted.database).await?;
    let place = Place::of(wanted, &random).await?;
    let writing = if wanted.apply { Writing::Done } else { Writing::Tried };
    let (store, secrets) = place.open(writing, &random).await?;
    let known = PersonalKeys::new(&secrets.key_hash, Vec::new());
    let renamed = wanted.provider.iter();
    let providers: BTreeMap<String, String> = renamed.map(|one| (one.there.clone(), one.here.clone())).collect();
    let means = Means {
        providers: &providers,
        hash: &|key| known.hash(&Sha256::digest(key).into()),
        random: &random,
        now,
    };
    let (accounts, remarks) = accounts::translated(&found, &means);
    let outcomes = store.import(&accounts, writing, now).await?;
    let report = Report::new(writing, &accounts, &outcomes, (remarks, found.left));
    if writing == Writing::Done {
        acts::note(&store, What::AccountsImported, report.summary(), now).await?;
    }
    store.close().await;
    Ok(report)
}

/// Where accounts are written. What is only tried leaves no database behind where there was none.
#[derive(Debug)]
enum Place {
    /// The folder of a server, which has a database or gets one.
    Folder(PathBuf),
    /// A database on a PostgreSQL server.
    Server(Server),
    /// A folder that is deleted afterwards.
    Scratch(PathBuf),
}

impl Place {
    async fn of(wanted: &OpenWebUi, random: &Random) -> anyhow::Result<Self> {
        let data = &wanted.stored.data;
        let server = wanted.stored.server()?;
        let is_there = match &server {
            Some(server) => Store::is_made(server).await?,
            None => data.join(data_folder::DATABASE).exists(),
        };
        if !is_there && !wanted.apply {
            let name = format!("authd-import-{}", random.hex(16));
            return Ok(Self::Scratch(std::env::temp_dir().join(name)));
        }
        Ok(server.map_or_else(|| Self::Folder(data.clone()), Self::Server))
    }

    async fn open(&self, writing: Writing, random: &Random) -> anyhow::Result<(Store, OwnSecrets)> {
        let path = match self {
            Self::Folder(path) | Self::Scratch(path) => path,
            Self::Server(server) => {
                let store = Store::connect(server).await?;
                let secrets = OwnSecrets::new(random);
                let secrets = match writing {
                    Writing::Done => secrets.agreed(&store).await?,
                    Writing::Tried => secrets.known(&store).await?,
                };
                return Ok((store, secrets));
            }
        };
        if path.join(data_folder::DATABASE).exists() {
            data_folder::ours(&path.join(data_folder::DATABASE))?;
        }
        let store = Store::open(path).await?;
        Ok((store, OwnSecrets::open(path, random)?))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Scratch(path) = self {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}
