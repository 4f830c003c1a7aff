//! `authd check` and `authd compile`.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::{self, Output};
use crate::login::oidc::probe::{self, Probe};
use crate::login::oidc::{Error, Relying};
use crate::print;
use crate::probe::Finding;
use crate::source::{self, counted};
use crate::whole_file;

/// Prints every problem of a folder.
///
/// # Errors
/// The result cannot be printed.
pub fn run(check: &config::Check) -> anyhow::Result<ExitCode> {
    let mut outcome = source::folder(&check.resources, check.instance.as_deref())?;
    let findings = match &outcome.ready {
        Some(ready) if check.probe => asked(ready, check.probe_user.as_deref())?,
        _ => Vec::new(),
    };
    let ready = outcome.ready.take();
    let digest = ready.as_ref().map(|ready| ready.digest.clone());
    let probes = match ready.filter(|_| check.probe) {
        Some(ready) => probed(ready)?,
        None => Vec::new(),
    };
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
            let mut said = json!({"problems": problems, "snapshot": digest});
            if let Some(said) = said.as_object_mut().filter(|_| check.probe) {
                said.insert("probes".to_owned(), probes.iter().map(as_json).collect());
                said.insert("directories".to_owned(), json!(findings));
            }
            print::line(said);
        }
        Output::Text => {
            outcome.notes.iter().for_each(|note| eprintln!("{note}"));
            outcome.problems.iter().for_each(print::line);
            match digest {
                Some(digest) => print::line(format_args!("no problems; snapshot {digest}")),
                None => eprintln!("{} in `{}`", counted(outcome.problems.len()), check.resources.display()),
            }
            probes.iter().for_each(write);
            findings.iter().for_each(print::line);
        }
    }
    let works = findings.iter().all(|finding| finding.reason.is_none());
    let reached = works && probes.iter().all(|probe| probe.failure.is_none());
    Ok(if outcome.problems.is_empty() && reached {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tries every provider that says something of itself, or has keys.
fn probed(ready: source::Ready) -> anyhow::Result<Vec<Probe>> {
    let engine = ready.engine()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let relying = Relying::default();
    Ok(runtime.block_on(async {
        let mut probes = Vec::new();
        for provider in engine.providers() {
            probes.extend(probe::probe(&relying, engine.settings(), provider).await);
        }
        probes
    }))
}

fn as_json(probe: &Probe) -> Value {
    json!({
        "provider": probe.provider, "redirectUri": probe.redirect_uri, "issuer": probe.issuer, "reachable": probe.failure.is_none(),
        "reason": probe.failure.as_ref().map(Error::reason),
        "message": probe.failure.as_ref().map(ToString::to_string),
    })
}

fn write(probe: &Probe) {
    let Probe {
        provider,
        redirect_uri,
        failure,
        ..
    } = probe;
    match (failure, redirect_uri) {
        (None, Some(redirect_uri)) => print::line(format_args!(
            "AuthProvider {provider}: reachable; register the redirect URI {redirect_uri}"
        )),
        (None, None) => print::line(format_args!("AuthProvider {provider}: reachable")),
        (Some(error), _) => print::line(format_args!("AuthProvider {provider}: {}: {error}", error.reason())),
    }
}

/// Asks the servers of every directory.
fn asked(ready: &source::Ready, user: Option<&str>) -> anyhow::Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(crate::probe::run(&ready.snapshot, user, Clock::system().now())))
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
    let bytes = ready.snapshot.bytes()?;
    whole_file::replace(path, &bytes).with_context(|| format!("`{}`", path.display()))?;
    print::line(format_args!("{} {}", ready.digest, path.display()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use crate::source;

    #[test]
    fn the_example_of_openid_providers_is_right_as_it_stands() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/openid");
        let outcome = source::folder(&folder, None).unwrap();
        assert!(outcome.problems.is_empty(), "{:#?}", outcome.problems);
        let engine = outcome.ready.unwrap().engine().unwrap();
        let names: Vec<&str> = engine.providers().map(|provider| provider.name.as_str()).collect();
        assert_eq!(names, ["corporate", "github", "google", "microsoft"]);
        assert!(engine.providers().all(|provider| provider.method.is_elsewhere()));
    }
}
