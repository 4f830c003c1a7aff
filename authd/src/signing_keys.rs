//! `authd signing-keys`: which keys sign session tokens here, and how is one that leaked taken away?
//!
//! It works on the folder, whether a server runs or not; a server looks at the folder by itself
//! ([`crate::token::KeyRing::look_again`]). Replicas that share a database each have a folder, and publish the public halves there:
//! what is revoked in the database is revoked on all of them ([`crate::public_halves`]).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::acts;
use crate::clock::Clock;
use crate::config::{KeyList, KeyRevocation, Output, SigningKeys};
use crate::data_folder;
use crate::print;
use crate::random::Random;
use crate::store::{PublicHalf, What};
use crate::token::keys::{Key, Schedule, State};
use crate::token::{KeyRing, Lifetime};

/// Lists the keys, or takes one away.
///
/// # Errors
/// There are no keys, none with the id, or they belong to another user or cannot be written.
pub fn run(keys: &SigningKeys) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    match keys {
        SigningKeys::List(list) if list.stored.postgres.is_some() => wait(print_published(list, now))?,
        SigningKeys::List(list) => print_all(list, now),
        SigningKeys::Revoke(revocation) if revocation.stored.postgres.is_some() => {
            wait(revoke_published(revocation, now))?
        }
        SigningKeys::Revoke(revocation) => revoke(revocation, now),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn wait<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

async fn print_published(list: &KeyList, now: Timestamp) -> anyhow::Result<()> {
    let store = data_folder::store(&list.stored).await?;
    let published = store.signing_keys(now).await?;
    store.close().await;
    let state = |half: &PublicHalf| {
        if half.revoked_at.is_some() {
            "Revoked"
        } else {
            "Published"
        }
    };
    match list.output {
        Output::Json => {
            let keys: Vec<Value> = published
                .iter()
                .map(|half| json!({"kid": half.kid, "state": state(half), "until": half.until, "revokedAt": half.revoked_at}))
                .collect();
            print::line(json!({"keys": keys}));
        }
        Output::Text => published.iter().for_each(|half| {
            let until = half
                .until
                .map_or("for ever".to_owned(), |until| format!("until {until}"));
            let said = match half.revoked_at {
                Some(at) => format!("revoked, {at}"),
                None => format!("verifies what it signed, {until}"),
            };
            print::line(format_args!("{}  {said}", half.kid));
        }),
    }
    Ok(())
}

async fn revoke_published(revocation: &KeyRevocation, now: Timestamp) -> anyhow::Result<()> {
    let KeyRevocation { kid, stored, output } = revocation;
    let store = data_folder::store(stored).await?;
    ensure!(
        store.revoke_signing_key(kid, now).await?,
        "no replica published a signing key `{kid}`, or it is revoked: `authd signing-keys list` shows those that there are. With HS256 \
         the Secret is changed, and in a cluster the operator's"
    );
    acts::note(&store, What::SigningKeyRevoked, kid.clone(), now).await?;
    store.close().await;
    match output {
        Output::Json => print::line(json!({"revoked": kid})),
        Output::Text => print::line(format_args!(
            "{kid} is revoked: no token that it signed is accepted any more. Servers on this database know within a second, and the one \
             that has it makes another."
        )),
    }
    Ok(())
}

fn print_all(list: &KeyList, now: Timestamp) -> anyhow::Result<()> {
    let ring = open(&list.stored.data, now)?;
    match list.output {
        Output::Json => print::line(json!({"keys": described(&ring, now)})),
        Output::Text => write(&ring, now),
    }
    Ok(())
}

fn revoke(revocation: &KeyRevocation, now: Timestamp) -> anyhow::Result<()> {
    let KeyRevocation { kid, stored, output } = revocation;
    let data = &stored.data;
    let ring = open(data, now)?;
    ensure!(
        ring.revoke(kid, now)?,
        "there is no signing key `{kid}` in `{}`: `authd signing-keys list` shows those that there are",
        folder(data).display()
    );
    match output {
        Output::Json => print::line(json!({"revoked": kid, "keys": described(&ring, now)})),
        Output::Text => {
            print::line(format_args!(
                "{kid} is revoked: no token that it signed is accepted any more. A server on this folder knows within a second.\n"
            ));
            write(&ring, now);
        }
    }
    Ok(())
}

fn folder(data: &Path) -> PathBuf {
    data.join("signing-keys")
}

/// The keys that are there. None are made, and files that a server must read are not left to another user.
fn open(data: &Path, now: Timestamp) -> anyhow::Result<KeyRing> {
    let folder = folder(data);
    if !folder.join("index.json").exists() {
        bail!(
            "`{}` holds no signing keys: name the `--data` of the server. With HS256 the Secret is changed, and in a cluster the \
             operator's",
            folder.display()
        );
    }
    data_folder::ours(&folder)?;
    // Nothing is due here but what a revocation needs.
    let schedule = Schedule {
        rotate_every: None,
        lifetime: Lifetime::Unlimited,
    };
    Ok(KeyRing::open(&folder, Random::System, schedule, now)?)
}

fn described(ring: &KeyRing, now: Timestamp) -> Vec<Value> {
    let describe = |key: &Key| match key.state() {
        State::Next { published_at } => json!({"kid": key.kid(), "state": "Next", "publishedAt": published_at}),
        State::Current { since } => json!({"kid": key.kid(), "state": "Current", "since": since}),
        State::Previous { retire_at } => json!({"kid": key.kid(), "state": "Previous", "retiresAt": retire_at}),
    };
    ring.load().published(now).map(describe).collect()
}

fn write(ring: &KeyRing, now: Timestamp) {
    for key in ring.load().published(now) {
        let (state, at) = match key.state() {
            State::Next { published_at } => ("signs next", format!("published {published_at}")),
            State::Current { since } => ("signs", format!("since {since}")),
            State::Previous { retire_at: Some(at) } => ("verifies what it signed", format!("until {at}")),
            State::Previous { retire_at: None } => ("verifies what it signed", "until it is revoked".to_owned()),
        };
        print::line(format_args!("{}  {state}, {at}", key.kid()));
    }
}
