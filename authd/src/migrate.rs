//! `authd migrate`: from the file of one machine to a PostgreSQL database that replicas share. Nobody has to sign in again.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::config::{Migrate, Output};
use crate::data_folder;
use crate::own_secrets::OwnSecrets;
use crate::print;
use crate::random::Random;
use crate::store::Store;

/// Copies everything.
///
/// # Errors
/// There is no file, a server runs on it, the database cannot be used or has accounts already, or something cannot be read or written: then nothing is
/// copied.
pub fn run(migrate: &Migrate) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let copied = runtime.block_on(all(migrate))?;
    match migrate.output {
        Output::Json => {
            let rows: Map<String, Value> = copied
                .iter()
                .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
                .collect();
            print::line(json!({ "copied": rows }));
        }
        Output::Text => {
            for (table, rows) in &copied {
                print::line(format_args!("{rows:>10}  {table}"));
            }
            print::line(format_args!(
                "\nEverybody stays signed in, as long as tokens are signed with the same keys. Where no `encryptionKeys` were declared, make \
                 `{}` the value of one, so that what providers gave can be read.",
                migrate.data.join("sealing.secret").display()
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(migrate: &Migrate) -> anyhow::Result<Vec<(&'static str, u64)>> {
    let data = &migrate.data;
    anyhow::ensure!(
        data.join(Store::FILE).exists(),
        "there is no database in `{}`: name the data folder of `authd serve`",
        data.display()
    );
    let server = data_folder::server(&migrate.to, migrate.postgres_ca.as_deref())?;
    let _held = data_folder::alone(data)?;
    let from = Store::open(data).await?;
    let to = Store::connect(&server).await?;
    let copied = from.copy_into(&to).await?;
    OwnSecrets::open(data, &Random::System)?.agreed(&to).await?;
    from.close().await;
    to.close().await;
    Ok(copied)
}
