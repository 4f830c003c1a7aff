//! Redis in temporary folders, on ports of its own: one server, one that Sentinels watch, or a Cluster.
//!
//! authd comes as a user who may do what `docs/redis.md` says and nothing else; the stories look and meddle as the administrator.

pub mod cluster;
pub mod sentinel;

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

pub use cluster::Cluster;
pub use sentinel::Sentinels;

use crate::ldap::{Authority, Certificate};
use crate::port;
use crate::process::Process;
use crate::wait;

/// What authd's user may do, as the documents say it.
pub const RIGHTS: &str = "resetchannels resetkeys -@all ~authd:* &authd:* +eval +time +set +del +exists +hget +hset +pexpire \
                          +zadd +zrem +zremrangebyscore +zcard +zcount +publish +subscribe +ping";
/// The user's password.
pub const PASSWORD: &str = "sample-of-the-user";
/// The administrator's.
const ADMINISTRATOR: &str = "sample-of-the-administrator";

/// A server.
#[derive(Debug)]
pub struct Redis {
    /// Where it listens, on loopback.
    pub port: u16,
    folder: TempDir,
    kind: Kind,
    process: Process,
}

/// What the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Server,
    /// One that speaks TLS alone.
    Secured,
    Sentinel,
}

impl Redis {
    /// Starts one.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with these lines in its configuration.
    pub async fn with(settings: &[&str]) -> Self {
        let port = port::free();
        Self::of(Kind::Server, port, &server(port, settings), &[]).await
    }

    /// Starts one that speaks TLS alone, and shows this certificate.
    pub async fn showing(certificate: &Certificate, authority: &Authority) -> Self {
        let port = port::free();
        let tls = format!(
            "{}\nport 0\ntls-port {port}\ntls-cert-file server.crt\ntls-key-file server.key\ntls-ca-cert-file ca.crt\n\
             tls-auth-clients no\n",
            server(0, &[])
        );
        let files = [
            ("server.crt", certificate.chain.as_str()),
            ("server.key", certificate.key.as_str()),
            ("ca.crt", &authority.pem()),
        ];
        Self::of(Kind::Secured, port, &tls, &files).await
    }

    async fn of(kind: Kind, port: u16, configuration: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("the folder can be written");
        };
        write("redis.conf", configuration);
        files.iter().for_each(|(name, text)| write(name, text));
        let mut server = Self {
            port,
            process: run(folder.path(), kind),
            folder,
            kind,
        };
        server.ready().await;
        server
    }

    /// Where authd finds it, as its user.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.kind == Kind::Secured { "rediss" } else { "redis" };
        format!("{scheme}://authd:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// What it answers, also where that is an error.
    ///
    /// # Panics
    /// It cannot be asked.
    #[must_use]
    pub fn says(&self, command: &[&str]) -> String {
        let mut asking = Command::new("redis-cli");
        asking.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        match self.kind {
            Kind::Sentinel => {}
            Kind::Server => {
                asking.args(["--user", "default", "--pass", ADMINISTRATOR, "--no-auth-warning"]);
            }
            Kind::Secured => {
                asking.args([
                    "--user",
                    "default",
                    "--pass",
                    ADMINISTRATOR,
                    "--no-auth-warning",
                    "--tls",
                ]);
                asking.arg("--cacert").arg(self.folder.path().join("ca.crt"));
            }
        }
        let answer = asking.args(command).output().expect("redis-cli can be started");
        let said = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        let wrong = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        if wrong.is_empty() {
            said
        } else {
            format!("{said} {wrong}")
        }
    }

    /// What its configuration is changed to.
    ///
    /// # Panics
    /// It does not take it.
    pub fn set(&self, name: &str, value: &str) {
        assert_eq!(self.says(&["CONFIG", "SET", name, value]), "OK", "{name} {value}");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same folder and port; it must have ended. It kept nothing.
    pub async fn start_again(&mut self) {
        self.process = run(self.folder.path(), self.kind);
        self.ready().await;
    }

    async fn ready(&mut self) {
        wait::until("Redis answers", || {
            let ended = self
                .process
                .ended()
                .map(|status| format!("{status}: {:?}", self.process.output()));
            let said = self.says(&["PING"]);
            async move {
                if said == "PONG" {
                    Ok(())
                } else {
                    Err(ended.unwrap_or(said))
                }
            }
        })
        .await;
    }
}

/// The configuration of a server: nothing is kept on the disk.
fn server(port: u16, more: &[&str]) -> String {
    let mut lines = vec![
        format!("bind 127.0.0.1\nport {port}"),
        "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0".to_owned(),
        format!("user default on >{ADMINISTRATOR} ~* &* +@all"),
        format!("user authd on >{PASSWORD} {RIGHTS}"),
        format!("masteruser default\nmasterauth {ADMINISTRATOR}"),
    ];
    lines.extend(more.iter().map(|line| (*line).to_owned()));
    lines.join("\n")
}

fn run(folder: &Path, kind: Kind) -> Process {
    let mut command = Command::new("redis-server");
    command.current_dir(folder).arg(folder.join("redis.conf"));
    if kind == Kind::Sentinel {
        command.arg("--sentinel");
    }
    Process::start(&mut command)
}
