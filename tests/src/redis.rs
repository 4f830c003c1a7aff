//! Redis in temporary folders, on ports of its own: one server, one that Sentinels watch, or a Cluster.
//!
//! authd comes as a user who may do what `docs/redis.md` says and nothing else; the stories look and meddle as the administrator.

pub mod cluster;
pub mod sentinel;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

pub use cluster::Cluster;
pub use sentinel::Sentinels;

use crate::ldap::Authority;
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
    speaks: Speaks,
    process: Process,
}

/// What the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Server,
    Sentinel,
}

/// What servers speak, with clients and with each other.
#[derive(Clone, Debug)]
pub enum Speaks {
    /// Redis's protocol as it is.
    Plainly,
    /// TLS alone, with certificates of this authority.
    Tls(Arc<Authority>),
}

impl Redis {
    /// Starts one.
    pub async fn start() -> Self {
        Self::with(&Speaks::Plainly, &[]).await
    }

    /// Starts one that speaks this, with these lines in its configuration.
    pub async fn with(speaks: &Speaks, settings: &[&str]) -> Self {
        Self::of(Kind::Server, speaks, &server(settings)).await
    }

    async fn of(kind: Kind, speaks: &Speaks, configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = port::free();
        let listens = speaks.listens(port, folder.path());
        std::fs::write(folder.path().join("redis.conf"), format!("{listens}\n{configuration}"))
            .expect("the folder can be written");
        let mut server = Self {
            port,
            process: run(folder.path(), kind),
            folder,
            kind,
            speaks: speaks.clone(),
        };
        server.ready().await;
        server
    }

    /// Where authd finds it, as its user.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "{}://authd:{PASSWORD}@127.0.0.1:{}",
            self.speaks.scheme("redis"),
            self.port
        )
    }

    /// What it answers, also where that is an error.
    ///
    /// # Panics
    /// It cannot be asked.
    #[must_use]
    pub fn says(&self, command: &[&str]) -> String {
        let mut asking = Command::new("redis-cli");
        asking.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if self.kind == Kind::Server {
            asking.args(["--user", "default", "--pass", ADMINISTRATOR, "--no-auth-warning"]);
        }
        if let Speaks::Tls(_) = self.speaks {
            asking
                .arg("--tls")
                .arg("--cacert")
                .arg(self.folder.path().join("ca.crt"));
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

impl Speaks {
    /// The lines of a configuration that say where and how to listen; what they name is written into the folder.
    fn listens(&self, port: u16, folder: &Path) -> String {
        let Self::Tls(authority) = self else {
            return format!("bind 127.0.0.1\nport {port}");
        };
        let certificate = authority.server(&["redis.example.test"]);
        // Nodes of a Cluster have to show each other who connects.
        let own = authority.client("redis.example.test");
        for (name, text) in [
            ("server.crt", &certificate.chain),
            ("server.key", &certificate.key),
            ("client.crt", &own.chain),
            ("client.key", &own.key),
            ("ca.crt", &authority.pem()),
        ] {
            std::fs::write(folder.join(name), text).expect("the folder can be written");
        }
        format!(
            "bind 127.0.0.1\nport 0\ntls-port {port}\ntls-cert-file server.crt\ntls-key-file server.key\n\
             tls-client-cert-file client.crt\ntls-client-key-file client.key\ntls-ca-cert-file ca.crt\n\
             tls-auth-clients no\ntls-replication yes"
        )
    }

    /// The scheme of an address.
    fn scheme(&self, plainly: &str) -> String {
        match self {
            Self::Plainly => plainly.to_owned(),
            Self::Tls(_) => plainly.replacen("redis", "rediss", 1),
        }
    }
}

/// The configuration of a server: nothing is kept on the disk.
fn server(more: &[&str]) -> String {
    let mut lines = vec![
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
