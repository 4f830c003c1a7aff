//! A program that a test started: what it says is kept, and it ends with the test.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// A running program, in a process group of its own.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: Lines,
    errors: Lines,
}

/// Lines that arrive while the program runs.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn follow(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let kept = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                kept.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        lines
    }

    /// All lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self::attempt(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Starts a program that may not be there.
    ///
    /// # Errors
    /// It cannot be started.
    ///
    /// # Panics
    /// Never: the streams are pipes.
    pub fn attempt(command: &mut Command) -> std::io::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn()?;
        let output = Lines::follow(child.stdout.take().expect("stdout is a pipe"));
        let errors = Lines::follow(child.stderr.take().expect("stderr is a pipe"));
        Ok(Self { child, output, errors })
    }

    /// What it wrote to standard output.
    #[must_use]
    pub fn output(&self) -> Vec<String> {
        self.output.all()
    }

    /// What it wrote to standard error.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.errors.all()
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The ids of its own children.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        let id = self.child.id();
        let listed = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        listed.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Sends a signal to it and its own children.
    pub fn signal(&mut self, signal: Signal) {
        // Not after it was waited for: its id may belong to somebody else by then.
        if self.ended().is_none()
            && let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process_group(group, signal);
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Sends a signal that it ends by, and waits until it is gone.
    pub fn end(&mut self, signal: Signal) {
        self.signal(signal);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
