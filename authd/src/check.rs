//! `authd check` and `authd compile`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use crate::config::{self, Output};
use crate::print;
use crate::source::{self, counted};

/// Prints every problem of a folder.
///
/// # Errors
/// The result cannot be printed.
pub fn run(check: &config::Check) -> anyhow::Result<ExitCode> {
    let outcome = source::folder(&check.resources, check.instance.as_deref())?;
    let digest = outcome.ready.as_ref().map(|ready| ready.digest.as_str());
    match check.output {
        Output::Json => {
            let problems: Vec<_> = outcome
                .problems
                .iter()
                .map(|problem| {
                    json!({
                        "file": problem.file, "line": problem.line, "column": problem.column, "resource": problem.resource,
                        "field": problem.field, "reason": problem.reason, "message": problem.message,
                    })
                })
                .collect();
            print::line(json!({"problems": problems, "snapshot": digest}));
        }
        Output::Text => {
            outcome.notes.iter().for_each(|note| eprintln!("{note}"));
            outcome.problems.iter().for_each(print::line);
            match digest {
                Some(digest) => print::line(format_args!("no problems; snapshot {digest}")),
                None => eprintln!("{} in `{}`", counted(outcome.problems.len()), check.resources.display()),
            }
        }
    }
    Ok(if outcome.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes a Snapshot file.
///
/// # Errors
/// There are problems, or the file cannot be written.
pub fn compile_to_file(compile: &config::Compile) -> anyhow::Result<ExitCode> {
    let source = config::Source {
        resources: Some(compile.resources.clone()),
        snapshot: None,
    };
    let ready = source::read(&source, compile.instance.as_deref())?;
    let path = &compile.snapshot;
    let partial = path.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&ready.snapshot.bytes().map_err(std::io::Error::other)?)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().with_context(|| format!("`{}`", path.display()))?;
    print::line(format_args!("{} {}", ready.digest, path.display()));
    Ok(ExitCode::SUCCESS)
}
