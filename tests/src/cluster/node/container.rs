//! One container of a Pod: a process of this machine, started again when it ends.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container as Spec, Pod};
use rustix::process::Signal;

use super::environment::{Variables, expand};
use super::probe::{Found, Probing};
use super::status::now;
use super::volume::place;
use crate::cluster::forever::mortal;
use crate::process::Process;

/// How often readiness is looked at, whatever the Pod says.
const OFTEN: Duration = Duration::from_millis(200);

/// The longest pause before one that keeps ending is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a container does right now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// It is not started, for a reason and with a message.
    Waiting(&'static str, String),
    /// It runs since then.
    Running(Timestamp),
    /// It ended, and will not be started again.
    Ended(i32),
}

/// A container and all that became of it.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) spec: Spec,
    pub(super) state: State,
    pub(super) restarts: u32,
    pub(super) is_ready: bool,
    pub(super) last_end: Option<i32>,
    pub(super) readiness: Option<Probing>,
    pub(super) liveness: Option<Probing>,
    address: Ipv4Addr,
    folder: PathBuf,
    process: Option<Process>,
    next_start: Instant,
    past: Vec<String>,
}

impl Container {
    /// One that is not started yet, of a Pod with this address and this folder.
    pub(super) fn new(spec: Spec, address: Ipv4Addr, folder: &Path) -> Self {
        Self {
            spec,
            state: State::Waiting("ContainerCreating", String::new()),
            restarts: 0,
            is_ready: false,
            last_end: None,
            readiness: None,
            liveness: None,
            address,
            folder: folder.to_owned(),
            process: None,
            next_start: Instant::now(),
            past: Vec::new(),
        }
    }

    /// Whether it is to be started now.
    pub(super) fn is_due(&self) -> bool {
        self.process.is_none() && !matches!(self.state, State::Ended(_)) && Instant::now() >= self.next_start
    }

    /// What cannot be started yet, and why.
    pub(super) fn wait(&mut self, reason: &'static str, message: String) {
        self.next_start = Instant::now() + OFTEN;
        self.state = State::Waiting(reason, message);
    }

    /// Runs `words` in the Pod's files. It runs as the user of the test, whatever the Pod says.
    pub(super) fn start(&mut self, pod: &Pod, words: &[String], variables: &Variables) {
        let probing = |probe: &Option<_>, every| {
            let probe = probe.as_ref();
            probe
                .map(|probe| Probing::new(probe, &self.spec, self.address, every))
                .transpose()
        };
        let probes = probing(&self.spec.readiness_probe, Some(OFTEN))
            .and_then(|readiness| Ok((readiness, probing(&self.spec.liveness_probe, None)?)));
        let ((readiness, liveness), mut command) = match (probes, enter(pod, &self.spec, &self.folder)) {
            (Ok(probes), Ok(command)) => (probes, command),
            (Err(why), _) | (_, Err(why)) => return self.wait("CreateContainerError", why),
        };
        command.arg("--").args(words.iter().map(|word| expand(word, variables)));
        command.env_clear().envs(variables);
        match Process::attempt(&mut command) {
            Ok(process) => self.process = Some(process),
            Err(error) => return self.wait("RunContainerError", error.to_string()),
        }
        self.is_ready = readiness.is_none();
        (self.readiness, self.liveness) = (readiness, liveness);
        self.state = State::Running(now());
    }

    /// Sees whether it ended, and when it is to be started again.
    pub(super) fn look(&mut self, policy: &str) {
        let Some(ended) = self.process.as_mut().and_then(Process::ended) else {
            return;
        };
        let code = code(ended);
        self.keep_log();
        self.is_ready = false;
        self.last_end = Some(code);
        if policy == "Never" || policy == "OnFailure" && code == 0 {
            self.state = State::Ended(code);
            return;
        }
        let pause = OFTEN * 2_u32.saturating_pow(self.restarts.min(10));
        self.restarts += 1;
        self.next_start = Instant::now() + pause.min(LONGEST_PAUSE);
        let last = self.past.last().cloned().unwrap_or_default();
        self.state = State::Waiting("CrashLoopBackOff", format!("ended with {code}: {last}"));
    }

    fn keep_log(&mut self) {
        if let Some(process) = self.process.take() {
            self.past.extend(process.output());
            self.past.extend(process.errors());
        }
    }

    /// What its readiness probe found.
    pub(super) fn found_ready(&mut self, probe: Probing, found: Found) {
        if self.process.is_some() {
            self.readiness = Some(probe);
            self.is_ready = found == Found::Well || self.is_ready && found == Found::Unsure;
        }
    }

    /// What its liveness probe found: one that is not alive is ended, and so started again.
    pub(super) fn found_alive(&mut self, probe: Probing, found: Found) {
        if self.process.is_some() {
            self.liveness = Some(probe);
            if found == Found::Ill {
                self.signal(Signal::KILL);
            }
        }
    }

    /// Sends a signal to it.
    pub(super) fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// Its process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// What it wrote so far, since it was started first.
    pub(super) fn log(&self) -> Vec<String> {
        let mut log = self.past.clone();
        if let Some(process) = &self.process {
            log.extend(process.output());
            log.extend(process.errors());
        }
        log
    }

    /// Ends it at once.
    pub(super) fn end(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
        self.keep_log();
    }
}

fn code(ended: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    ended
        .code()
        .or_else(|| ended.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

/// The command that enters the Pod's files; what is to be run there is to follow.
fn enter(pod: &Pod, spec: &Spec, folder: &Path) -> Result<Command, String> {
    let top = folder.join("containers").join(&spec.name);
    std::fs::create_dir_all(&top).map_err(|error| error.to_string())?;
    let mut command = mortal(Path::new("unshare"));
    command.args(["--mount", "--propagation", "private"]);
    command.args(["sh", "-c", include_str!("enter.sh"), "sh"]).arg(top);
    command.arg(spec.working_dir.as_deref().unwrap_or("/"));
    for mount in spec.volume_mounts.iter().flatten() {
        let source = source(pod, folder, &mount.name)?;
        let source = mount.sub_path.as_ref().map_or(source.clone(), |path| source.join(path));
        let access = if mount.read_only == Some(true) { "ro" } else { "rw" };
        command.arg(source).args([&mount.mount_path, access]);
    }
    // Where it lies need not be on the same disk as everything else.
    if let Ok(test) = std::env::current_exe()
        && let Some(programs) = test.ancestors().nth(2)
    {
        command.args([programs, programs]).arg("rw");
    }
    Ok(command)
}

fn source(pod: &Pod, folder: &Path, name: &str) -> Result<PathBuf, String> {
    let mut volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let volume = volumes.find(|volume| volume.name == name);
    Ok(place(
        folder,
        pod,
        volume.ok_or_else(|| format!("no volume is named `{name}`"))?,
    ))
}
