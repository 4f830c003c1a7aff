//! nginx in front of authd, with the configuration of the quickstart on ports of its own.

use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::upstream::{Upstream, free_port};
use crate::{http, repository, wait};

/// A running nginx and the application behind it.
#[derive(Debug)]
pub struct Nginx {
    /// The one port that everything is reached through.
    pub port: u16,
    _folder: TempDir,
    process: Process,
    _upstream: Upstream,
}

impl Nginx {
    /// Starts it on `port`, asking authd's listeners at these ports, for hosts below `domain`.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(port: u16, (public, verify): (&str, &str), domain: &str) -> Self {
        let upstream = Upstream::start().await;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let text = std::fs::read_to_string(repository().join("examples/quickstart/nginx.conf"));
        let text = text
            .expect("the quickstart has a configuration")
            .replace("127.0.0.1:8000", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:8080", public.trim_start_matches("http://"))
            .replace("127.0.0.1:8081", verify.trim_start_matches("http://"))
            .replace("127.0.0.1:8090", &format!("127.0.0.1:{}", upstream.port))
            .replace("demo.localhost", domain);
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text).expect("the folder can be written");
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"]);
        let mut process = Process::start(&mut command);
        let address = format!("http://127.0.0.1:{port}/");
        wait::until("nginx answers", || {
            let ended = process
                .ended()
                .map(|status| format!("{status}: {:?}", process.errors()));
            let asked = http::get(&address).attempt();
            async move {
                if let Some(ended) = ended {
                    Err(ended)
                } else {
                    asked.await
                }
            }
        })
        .await;
        Self {
            port,
            _folder: folder,
            process,
            _upstream: upstream,
        }
    }

    /// A port for it, known before it starts: authd's `publicUrl` names it.
    #[must_use]
    pub fn port() -> u16 {
        free_port()
    }

    /// What it complained about.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.process.errors()
    }
}
