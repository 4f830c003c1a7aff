//! `authd signing-keys`: which keys sign session tokens here, and how is one that leaked taken away?
//!
//! It works on the folder, whether a server runs or not; a server looks at the folder by itself
//! ([`crate::token::KeyRing::look_again`]).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::{KeyList, KeyRevocation, Output, SigningKeys};
use crate::data_folder;
use crate::print;
use crate::random::Random;
use crate::token::keys::{Key, Schedule, State};
use crate::token::{KeyRing, Lifetime};

/// Lists the keys, or takes one away.
///
/// # Errors
/// There are no keys, none with the id, or they belong to another user or cannot be written.
pub fn run(keys: &SigningKeys) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    match keys {
        SigningKeys::List(list) => print_all(list, now),
        SigningKeys::Revoke(revocation) => revoke(revocation, now),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn print_all(list: &KeyList, now: Timestamp) -> anyhow::Result<()> {
    let ring = open(&list.data, now)?;
    match list.output {
        Output::Json => print::line(json!({"keys": described(&ring, now)})),
        Output::Text => write(&ring, now),
    }
    Ok(())
}

fn revoke(revocation: &KeyRevocation, now: Timestamp) -> anyhow::Result<()> {
    let KeyRevocation { kid, data, output } = revocation;
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
