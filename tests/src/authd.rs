//! The program itself, as it is built by `cargo build --workspace`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use rustix::process::Signal;
use serde_json::Value;

use crate::clock::MovableClock;
use crate::process::Process;
use crate::wait;

/// A running authd.
#[derive(Debug)]
pub struct Authd {
    /// Where its pages and its API are.
    pub public: String,
    /// Where it answers proxies.
    pub verify: String,
    /// Where it answers Envoy over gRPC: an address and a port.
    pub grpc: String,
    /// Where it answers Apache over FastCGI: an address and a port; empty unless it was told to.
    pub fastcgi: String,
    /// Where its metrics are.
    pub admin: String,
    process: Process,
}

/// Where the program lies: beside the program that is running, or beside the folder of the test that is.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a program knows where it lies");
    let beside = test.with_file_name("authd");
    if beside.exists() {
        return beside;
    }
    let program = test.ancestors().nth(2).expect("tests lie in `deps`").join("authd");
    assert!(
        program.exists(),
        "{} is not built: run `cargo build --workspace` first, as `tests/run` does",
        program.display()
    );
    program
}

/// Runs it to its end.
///
/// # Panics
/// It cannot be started.
#[must_use]
pub fn run(arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .output()
        .expect("the program can be started")
}

/// What a command printed as JSON.
///
/// # Panics
/// It failed, or printed something else.
#[must_use]
#[track_caller]
pub fn printed(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What it says when it does not start with these resources and this data.
///
/// # Panics
/// It starts.
#[must_use]
pub fn refusal(resources: &Path, data: &Path, more: &[&str]) -> String {
    let mut command = Command::new(program());
    command
        .args(["serve", "--resources"])
        .arg(resources)
        .arg("--data")
        .arg(data);
    for listener in ["--public", "--verify", "--grpc", "--admin"] {
        command.args([listener, "127.0.0.1:0"]);
    }
    let ended = command.args(more).output().expect("the program can be started");
    assert!(!ended.status.success(), "it started");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

impl Authd {
    /// Starts it with a folder of resources and waits until it is ready.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(resources: &Path, data: &Path, more: &[&str]) -> Self {
        Self::of("--resources", resources, data, more).await
    }

    /// Starts it with a clock of its own.
    ///
    /// # Panics
    /// It does not start.
    pub async fn with_clock(resources: &Path, data: &Path, clock: &MovableClock) -> Self {
        let mut command = Command::new(program());
        command.envs(clock.environment());
        Self::start_command(command, ("--resources", resources), data, &[]).await
    }

    /// Starts it with the Secrets of an operator, as a folder of mounts, and waits until it is ready.
    ///
    /// # Panics
    /// It does not start.
    pub async fn replica(mount: &Path, data: &Path, more: &[&str]) -> Self {
        Self::of("--shards", mount, data, more).await
    }

    async fn of(source: &str, folder: &Path, data: &Path, more: &[&str]) -> Self {
        Self::start_command(Command::new(program()), (source, folder), data, more).await
    }

    /// Starts a command that is the program, or leads to it, with what it reads, and waits until it is ready.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_command(
        mut command: Command,
        (source, folder): (&str, &Path),
        data: &Path,
        more: &[&str],
    ) -> Self {
        command
            .args(["serve", "--output", "json", source])
            .arg(folder)
            .arg("--data")
            .arg(data);
        for listener in ["--public", "--verify", "--grpc", "--admin"] {
            if !more.contains(&listener) {
                command.args([listener, "127.0.0.1:0"]);
            }
        }
        let mut process = Process::start(command.args(more));
        let started = wait::until("authd is ready", || {
            let ended = process.ended();
            let first = process.output().into_iter().next();
            let said = format!("{ended:?} {:?}", process.errors());
            async move {
                first
                    .and_then(|line| serde_json::from_str::<Value>(&line).ok())
                    .ok_or(said)
            }
        })
        .await;
        let address = |name: &str| started.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            public: address("public"),
            verify: address("verify"),
            grpc: address("grpc"),
            fastcgi: address("fastcgi"),
            admin: address("admin"),
            process,
        }
    }

    /// Its log and audit lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.process.errors()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::TERM);
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Panics
    /// It does not.
    pub async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        wait::until("authd stops", || {
            let ended = self.process.ended();
            async move { ended.ok_or_else(|| "it runs".to_owned()) }
        })
        .await
    }
}
