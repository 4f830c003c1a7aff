//! A service of gRPC and its clients, made with grpcio, which shares no code with what authd is made of.

use std::process::Command;

use serde_json::Value;

use crate::process::Process;
use crate::{cache, port, repository, wait};

/// A running service.
#[derive(Debug)]
pub struct Orders {
    /// Its port.
    pub port: u16,
    _process: Process,
}

fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new(cache().join("grpc/bin/python"));
    command
        .arg(repository().join("tests/src/orders.py"))
        .args(arguments)
        .env("GRPC_VERBOSITY", "ERROR");
    command
}

impl Orders {
    /// Starts it.
    pub async fn start() -> Self {
        let port = port::free();
        let process = Process::start(&mut python(&["serve", &port.to_string()]));
        wait::until("the service of gRPC is ready", || {
            let (output, errors) = (process.output(), process.errors());
            async move {
                if output.is_empty() {
                    Err(errors.join("\n"))
                } else {
                    Ok(())
                }
            }
        })
        .await;
        Self {
            port,
            _process: process,
        }
    }
}

/// What a client is told that calls a method of `host`, with metadata, each as `name=value`: `code` and `details`, the `messages`, and
/// the metadata before them (`initial`) and behind them (`trailing`).
///
/// # Panics
/// The client does not run.
pub async fn call(address: &str, host: &str, method: &str, metadata: &[&str]) -> Value {
    let mut command = python(&[&["call", address, host, method], metadata].concat());
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    let done = done.expect("it is waited for").expect("the client can be started");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said} {}", String::from_utf8_lossy(&done.stderr)))
}
