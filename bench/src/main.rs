//! What `bench/run` needs beside authd itself: a bare server to compare with, an open-loop generator, and many keys.
//!
//! Nothing here measures authd's code directly: every figure is taken from outside, over HTTP.

mod bare;
mod bare_grpc;
mod cluster;
mod directory;
mod keys;
mod load;
mod rows;
mod shared_peers;
mod sign_ins;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

// The same as in `authd`, so that the two differ by what they do and not by how they allocate.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Answer 200 with given headers to everything: axum with one route, on one thread.
    Bare {
        /// Where to listen.
        listen: SocketAddr,
        /// JSON: an object of header names and values.
        headers: String,
    },
    /// Say OK with given headers to every check over gRPC: tonic, on one thread.
    BareGrpc {
        /// Where to listen.
        listen: SocketAddr,
        /// JSON: an object of header names and values.
        headers: String,
    },
    /// Send requests at a fixed rate whether or not answers come, and print latencies as JSON.
    Load(load::Load),
    /// Measure the operator with a real API server: `tests/control-plane/install` first.
    Cluster(cluster::Settings),
    /// Measure signing in with a provider outside, and what many sign-ins in flight do to the checks.
    SignIns(sign_ins::Settings),
    /// Measure sign-ins, checks and starts with few rows in PostgreSQL, and with very many.
    Rows(rows::Settings),
    /// Measure sign-ins with a directory, beside one that hangs.
    Directory(directory::Settings),
    /// Start what replicas share, PostgreSQL and Redis, until standard input ends.
    SharedPeers,
    /// Add keys to a Snapshot file.
    Keys {
        /// The Snapshot to begin with.
        from: PathBuf,
        /// The Snapshot to write.
        to: PathBuf,
        /// How many keys.
        count: u32,
    },
}

fn main() -> anyhow::Result<()> {
    match Command::parse().verb {
        Verb::Bare { listen, headers } => bare::serve(listen, &headers),
        Verb::BareGrpc { listen, headers } => bare_grpc::serve(listen, &headers),
        Verb::Load(load) => load::run(&load),
        Verb::Cluster(settings) => cluster::run(&settings),
        Verb::SignIns(settings) => sign_ins::run(&settings),
        Verb::Rows(settings) => rows::run(&settings),
        Verb::Directory(settings) => directory::run(&settings),
        Verb::SharedPeers => shared_peers::serve(),
        Verb::Keys { from, to, count } => keys::add(&from, &to, count),
    }
}

/// A program of this build.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    Ok(here.parent().context("a program lies in a folder")?.join(name))
}

/// In milliseconds.
fn percentiles(mut times: Vec<Duration>) -> Value {
    times.sort();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let milliseconds = |share: usize| at(share).map(|time| time.as_secs_f64() * 1000.0);
    json!({ "p50": milliseconds(50), "p90": milliseconds(90), "p99": milliseconds(99), "most": milliseconds(100) })
}
