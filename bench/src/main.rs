//! What `bench/run` needs beside authd itself: a bare server to compare with, an open-loop generator, and many keys.
//!
//! Nothing here measures authd's code directly: every figure is taken from outside, over HTTP.

mod bare;
mod cluster;
mod keys;
mod load;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

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
    /// Send requests at a fixed rate whether or not answers come, and print latencies as JSON.
    Load(load::Load),
    /// Measure the operator with a real API server: `tests/control-plane/install` first.
    Cluster(cluster::Settings),
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
        Verb::Load(load) => load::run(&load),
        Verb::Cluster(settings) => cluster::run(&settings),
        Verb::Keys { from, to, count } => keys::add(&from, &to, count),
    }
}
