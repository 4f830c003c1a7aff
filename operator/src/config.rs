//! The command line.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

/// Brings Authds, providers, mappings, keys and policies from a Kubernetes cluster to the replicas that enforce them.
#[derive(Parser, Debug)]
#[command(name = "authd-operator", version, about)]
pub struct Command {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Watch the cluster, publish what changes, and report what became of it.
    ///
    /// Example: authd-operator run --namespaces auth,payments --image ghcr.io/authd/authd:0.1.0
    Run(Run),
    /// Print the definitions of the five kinds, for `kubectl apply --server-side -f -`.
    ///
    /// Example: authd-operator crds | kubectl apply --server-side -f -
    Crds,
}

/// Settings of `run`.
#[derive(Args, Clone, Debug)]
pub struct Run {
    /// The namespaces whose Secrets it may read, with commas between: those of Authds, and of ApiKeys that name a Secret.
    #[arg(long, value_delimiter = ',', required = true, value_name = "NAMESPACE,...")]
    pub namespaces: Vec<String>,
    /// The image of replicas whose Authd names none.
    #[arg(long, default_value = concat!("ghcr.io/authd/authd:", env!("CARGO_PKG_VERSION")))]
    pub image: String,
    /// Its own namespace, where the Lease of the leader lies.
    #[arg(long, env = "POD_NAMESPACE", default_value = "authd-system")]
    pub namespace: String,
    /// Its own name among several operators. Absent: made of the process id.
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,
    /// Take no Lease: for when there is never a second operator.
    #[arg(long)]
    pub no_leader_election: bool,
    /// Where `/metrics`, `/livez` and `/readyz` are.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Seconds after which everything is listed anew, should a change have been missed.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub resync: u64,
    /// What is logged, as in `info,operator=debug`.
    #[arg(long, env = "AUTHD_OPERATOR_LOG", default_value = "info")]
    pub log: String,
}
