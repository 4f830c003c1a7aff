//! The application behind the proxy: the one of the quickstart, which reports what reached it.

use std::process::Command;

use crate::process::Process;
use crate::{http, port, repository, wait};

/// A running application.
#[derive(Debug)]
pub struct Upstream {
    /// Its port.
    pub port: u16,
    _process: Process,
}

impl Upstream {
    /// Starts it and waits until it answers.
    pub async fn start() -> Self {
        let port = port::free();
        let program = repository().join("examples/quickstart/upstream.py");
        let process = Process::start(Command::new("python3").arg(program).arg(port.to_string()));
        wait::until("the application answers", || {
            http::get(format!("http://127.0.0.1:{port}/")).attempt()
        })
        .await;
        Self {
            port,
            _process: process,
        }
    }
}
