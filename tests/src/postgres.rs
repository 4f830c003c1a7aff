//! PostgreSQL in a temporary folder, on a port of its own, with a database for whoever asks.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::disk::SmallDisk;
use crate::ldap::Certificate;
use crate::port;
use crate::process::Process;
use crate::wait;

/// Its user, who may do everything there, and the password.
pub const USER: &str = "authd";
/// The user's password.
pub const PASSWORD: &str = "sample of the database";

/// A server.
#[derive(Debug)]
pub struct Postgres {
    /// Where it listens, on loopback.
    pub port: u16,
    folder: TempDir,
    settings: Vec<String>,
    process: Process,
}

impl Postgres {
    /// Starts one.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with these settings, as `name=value`.
    ///
    /// # Panics
    /// It does not start.
    pub async fn with(settings: &[&str]) -> Self {
        Self::made(temporary(), settings, &[]).await
    }

    /// Starts one that keeps everything on a disk with little space.
    ///
    /// # Panics
    /// It does not start.
    pub async fn on(disk: &SmallDisk) -> Self {
        let folder = tempfile::tempdir_in(disk.path()).expect("the disk can be written");
        let settings = ["min_wal_size=2MB", "max_wal_size=4MB", "wal_recycle=off"];
        Self::made(folder, &settings, &[]).await
    }

    /// Starts another that has what this one has. From then on this one acknowledges only what the other has, too.
    ///
    /// # Panics
    /// It does not start.
    pub async fn standby(&self) -> Self {
        let folder = temporary();
        give(folder.path());
        let copied = as_somebody("pg_basebackup")
            .env("PGPASSWORD", PASSWORD)
            .args(["--host=127.0.0.1", "--port", &self.port.to_string()])
            .args(["--username", USER, "--pgdata"])
            .arg(folder.path().join("rows"))
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .output()
            .expect("pg_basebackup can be started");
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let standby = Self::started(folder, &[]).await;
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        wait::until("the standby follows", || async {
            let state = self.sql("postgres", "SELECT sync_state FROM pg_stat_replication");
            if state == "sync" { Ok(()) } else { Err(state) }
        })
        .await;
        standby
    }

    /// Has a standby take the place of the one that it follows.
    pub fn promote(&self) {
        self.sql("postgres", "SELECT pg_promote()");
    }

    /// Starts one that speaks TLS and shows this certificate.
    pub async fn showing(certificate: &Certificate) -> Self {
        let files = [
            ("server.crt", certificate.chain.as_str()),
            ("server.key", certificate.key.as_str()),
        ];
        Self::made(temporary(), &["ssl=on"], &files).await
    }

    /// With these files among its rows.
    async fn made(folder: TempDir, settings: &[&str], files: &[(&str, &str)]) -> Self {
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("the folder can be written");
        give(folder.path());
        give(&password);
        let made = as_somebody("initdb")
            .arg("--pgdata")
            .arg(folder.path().join("rows"))
            .args([
                "--auth=scram-sha-256",
                "--username",
                USER,
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--wal-segsize=1",
            ])
            .arg("--pwfile")
            .arg(password)
            .output()
            .expect("initdb can be started");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for (name, text) in files {
            let path = folder.path().join("rows").join(name);
            std::fs::write(&path, text).expect("the folder can be written");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the file is ours");
            give(&path);
        }
        Self::started(folder, settings).await
    }

    /// On rows that are there.
    async fn started(folder: TempDir, settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let port = port::free();
        let mut server = Self {
            port,
            process: run(folder.path(), port, &settings),
            folder,
            settings,
        };
        server.ready().await;
        server
    }

    /// The URL of a database that nobody else has.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("story_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        // Whoever it belongs to may do nothing else.
        self.sql("postgres", &format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {name}"));
        self.url(&name).replacen(USER, &name, 1)
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.server())
    }

    /// The URL of the server.
    #[must_use]
    pub fn server(&self) -> String {
        format!(
            "postgres://{USER}:{}@127.0.0.1:{}",
            PASSWORD.replace(' ', "%20"),
            self.port
        )
    }

    /// What a database answers, a line for each row.
    ///
    /// # Panics
    /// It answers with an error.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let answer = Command::new(program("psql"))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--no-align",
                "--tuples-only",
                "--set=ON_ERROR_STOP=1",
                "--dbname",
            ])
            .arg(self.url(database))
            .args(["--command", statement])
            .output()
            .expect("psql can be started");
        let said = String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{statement}: {said}");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.process.errors()
    }

    /// Ends every connection to a database, so that the next ones meet what was changed.
    pub fn break_off(&self, database: &str) {
        let end = format!("SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}'");
        self.sql("postgres", &end);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop at once, and waits until it has.
    pub async fn stop(&mut self) {
        self.process.signal(Signal::INT);
        wait::until("PostgreSQL stops", || {
            let ended = self.process.ended();
            async move { ended.ok_or_else(|| "it runs".to_owned()) }
        })
        .await;
    }

    /// Starts it again on the same folder and port; it must have ended.
    pub async fn start_again(&mut self) {
        wait::until("PostgreSQL runs again", || {
            // What is left of a killed server holds the folder until it notices.
            if self.process.ended().is_some() {
                self.process = run(self.folder.path(), self.port, &self.settings);
            }
            let answers = self.answers();
            async move { answers }
        })
        .await;
    }

    async fn ready(&mut self) {
        wait::until("PostgreSQL answers", || {
            let ended = self
                .process
                .ended()
                .map(|status| format!("{status}: {:?}", self.process.errors()));
            let answers = self.answers().map_err(|said| ended.unwrap_or(said));
            async move { answers }
        })
        .await;
    }

    fn answers(&self) -> Result<(), String> {
        let asked = Command::new(program("pg_isready"))
            .args(["--quiet", "--host=127.0.0.1", "--port", &self.port.to_string()])
            .status()
            .map_err(|error| error.to_string())?;
        if asked.success() {
            Ok(())
        } else {
            Err(format!("{asked}"))
        }
    }
}

impl Drop for Postgres {
    /// Its own processes are in groups of their own: it ends them, where it is asked to end at once.
    fn drop(&mut self) {
        self.process.end(Signal::QUIT);
    }
}

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Nothing that a test does outlives the machine, so that the disk need not be waited for: what is acknowledged outlives the server.
fn run(folder: &Path, port: u16, settings: &[String]) -> Process {
    let mut command = as_somebody("postgres");
    command
        .arg("-D")
        .arg(folder.join("rows"))
        .args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"] {
        command.args(["-c", setting]);
    }
    for setting in settings {
        command.args(["-c", setting]);
    }
    Process::start(&mut command)
}

/// Where Debian keeps the newest of its programs.
fn program(name: &str) -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is not installed: `tests/run` installs it");
    let found = versions
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin").join(name));
    found
        .filter(|path| path.exists())
        .max()
        .expect("PostgreSQL is installed whole")
}

/// The server refuses to run as root: then it runs as the user that came with it.
fn as_somebody(name: &str) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program(name));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
    command.arg(program(name));
    command
}

fn give(path: &Path) {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let id = Command::new("id")
        .args(["-u", "postgres"])
        .output()
        .expect("id can be started");
    let id = String::from_utf8_lossy(&id.stdout)
        .trim()
        .parse()
        .expect("the user postgres came with the server");
    chown(path, Some(id), None).expect("the folder is ours");
}
