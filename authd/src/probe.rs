//! Do the servers of a provider answer as the resource expects? For `authd check --probe`, and for [`crate::health`].

use crds::Reason;
use crds::published::Fares;
use jiff::Timestamp;
use policy::Snapshot;
use policy::snapshot::Provider;
use serde::Serialize;

use crate::app::App;
use crate::login::directory::{Directory, Step};
use crate::login::oidc::probe;
use crate::serving::Serving;

/// The longest message and issuer, in bytes.
const LONGEST: usize = 512;

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

/// Asks every server of every directory, and looks up one person where a name is given.
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

/// How a provider fares; `None` where authd keeps the accounts itself. It holds no secret, nothing of a person, and no word of a server.
pub async fn fares(app: &App, serving: &Serving, provider: &Provider) -> Option<Fares> {
    if let Some(directory) = serving.directories.get(&provider.name) {
        return Some(of_directory(&directory.probe(None, app.now()).await));
    }
    let probe = probe::probe(&app.relying, serving.settings(), provider).await?;
    let failure = probe.failure.as_ref();
    Some(Fares {
        reason: failure.map(|error| reason(error.reason())),
        message: cut(failure.map(ToString::to_string).unwrap_or_default()),
        issuer: probe.issuer.map(cut),
    })
}

/// One server that works is enough; what is wrong with others is said all the same.
fn of_directory(steps: &[Step]) -> Fares {
    let failed = |step: &&Step| step.outcome.is_err();
    let works = steps
        .iter()
        .any(|step| !steps.iter().filter(failed).any(|failed| failed.server == step.server));
    let failures = steps
        .iter()
        .filter_map(|step| Some((step, step.outcome.as_ref().err()?)));
    let first = failures.clone().next().map(|(_, failure)| failure);
    let messages: Vec<String> = failures
        .map(|(step, failure)| {
            let message = failure.in_our_words();
            let server = format!("`{}`", step.server);
            if message.contains(&server) {
                message
            } else {
                format!("{server}: {message}")
            }
        })
        .collect();
    Fares {
        reason: first.filter(|_| !works).map(|failure| reason(failure.reason())),
        message: cut(messages.join("; ")),
        issuer: None,
    }
}

/// The reason as conditions have it.
fn reason(name: &str) -> Reason {
    Reason::named(name).unwrap_or(Reason::ServerUnreachable)
}

fn cut(mut text: String) -> String {
    text.retain(|c| !c.is_control());
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::{discovery, keys};
    use crate::login::directory::Failure;
    use crate::outbound;

    fn step(server: &str, outcome: Result<(), Failure>) -> Step {
        Step {
            server: server.to_owned(),
            what: "connect and bind",
            outcome: outcome.map(|()| String::new()),
        }
    }

    fn away(server: &str) -> Failure {
        Failure::ServerUnreachable {
            server: server.to_owned(),
            what: "connection refused".to_owned(),
        }
    }

    #[test]
    fn one_server_of_a_directory_that_works_is_enough() {
        let refused = || Failure::ApplicationBindRefused("result 49: their own words".to_owned());
        for (steps, reason, message) in [
            (vec![step("a", Ok(())), step("a", Ok(()))], None, ""),
            (
                vec![step("a", Err(away("a"))), step("b", Ok(())), step("b", Ok(()))],
                None,
                "`a` cannot be reached: connection refused",
            ),
            (
                vec![step("a", Err(away("a"))), step("b", Err(refused()))],
                Some(Reason::ServerUnreachable),
                "`a` cannot be reached: connection refused; `b`: the directory refuses the application's own name or password \
                 (`spec.ldap.bind`): result 49",
            ),
            (
                vec![
                    step("a", Ok(())),
                    step("a", Err(Failure::SearchBaseMissing("dc=x".to_owned()))),
                ],
                Some(Reason::SearchBaseMissing),
                "`a`: the search base `dc=x` does not exist, or the application may not see it",
            ),
        ] {
            let fares = of_directory(&steps);
            assert_eq!((fares.reason, &*fares.message), (reason, message), "{steps:?}");
        }
    }

    #[test]
    fn whatever_a_probe_finds_wrong_is_a_reason_of_conditions() {
        let text = || "x".to_owned();
        let failures = [
            away("x"),
            Failure::CertificateInvalid {
                server: text(),
                what: text(),
            },
            Failure::TlsRefused {
                server: text(),
                what: text(),
            },
            Failure::TlsUnusable(text()),
            Failure::TimedOut,
            Failure::Nonsense { server: text() },
            Failure::ApplicationBindRefused(text()),
            Failure::SearchBaseMissing(text()),
            Failure::SearchRefused(text()),
        ]
        .map(|failure| failure.reason());
        let address = std::net::IpAddr::from([127, 0, 0, 1]);
        let outbound = [
            outbound::Error::Url(text()),
            outbound::Error::Forbidden { host: text(), address },
            outbound::Error::NoAddress(text()),
            outbound::Error::Unreachable(text()),
            outbound::Error::Certificate(text()),
            outbound::Error::Slow(text()),
            outbound::Error::TooLarge(text()),
            outbound::Error::Authorities,
        ]
        .map(|error| error.reason());
        let documents = [
            discovery::Error::NoDocument { status: 500 }.reason(),
            discovery::Error::Malformed.reason(),
            discovery::Error::IssuerMismatch(text()).reason(),
            discovery::Error::Endpoint("jwks_uri").reason(),
            keys::Error::Status {
                host: text(),
                status: 500,
            }
            .reason(),
            keys::Error::Malformed.reason(),
        ];
        for name in failures.into_iter().chain(outbound).chain(documents) {
            assert_eq!(Reason::named(name).map(Reason::name), Some(name));
        }
    }
}
