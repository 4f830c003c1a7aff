//! `authd check --probe`: do the servers of the providers answer as the resources expect?

use jiff::Timestamp;
use policy::Snapshot;
use serde::Serialize;

use crate::login::directory::Directory;

/// Something that was tried, and what came of it.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// The AuthProvider.
    pub provider: String,
    /// The server.
    pub server: String,
    /// What was tried.
    pub what: &'static str,
    /// Why it did not work, as audit lines name it; absent: it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What was found, or what is wrong.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            provider,
            server,
            what,
            message,
            ..
        } = self;
        match self.reason {
            None => write!(f, "{provider}: {server}: {what}: {message}"),
            Some(reason) => write!(f, "{provider}: {server}: {what}: {reason}: {message}"),
        }
    }
}

/// Asks every server of every provider, and looks up one person where a name is given.
pub async fn run(snapshot: &Snapshot, user: Option<&str>, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for provider in &snapshot.providers {
        let Some(settings) = provider.method.directory() else {
            continue;
        };
        for step in Directory::new(settings).probe(user, now).await {
            let (reason, message) = match step.outcome {
                Ok(found) => (None, found),
                Err(failure) => (Some(failure.reason()), failure.to_string()),
            };
            findings.push(Finding {
                provider: provider.name.clone(),
                server: step.server,
                what: step.what,
                reason,
                message,
            });
        }
    }
    findings
}
