//! What did a command say? kubectl and helm, run to their end beside the tests.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a command said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The command's line.
    pub command: String,
    /// Whether it ended well.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Said {
    /// What it wrote, having ended well.
    ///
    /// # Panics
    /// It did not end well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.success, "{self:#?}");
        self.stdout
    }

    /// Why it was refused.
    ///
    /// # Panics
    /// It was not.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.success, "{self:#?}");
        self.stderr
    }

    /// The JSON that it wrote, having ended well.
    ///
    /// # Panics
    /// It did not end well, or wrote something else.
    #[track_caller]
    pub fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The same as a condition that may become true.
    ///
    /// # Errors
    /// It did not end well: what it said.
    pub fn attempt(self) -> Result<String, String> {
        if self.success {
            Ok(self.stdout)
        } else {
            Err(self.stderr)
        }
    }
}

/// Runs a command to its end without holding anybody up.
pub(super) async fn run(command: Command, input: String) -> Said {
    tokio::task::spawn_blocking(move || to_the_end(command, &input))
        .await
        .expect("the command was waited for")
}

fn to_the_end(mut command: Command, input: &str) -> Said {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // One that does not want to read it has its reasons, and says them.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    Said {
        command: format!("{command:?}"),
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
