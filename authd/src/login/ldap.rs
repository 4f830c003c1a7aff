//! Signing in with a user name and a password that a directory keeps. All failures look alike outside, and differ inside.

use std::net::{IpAddr, Ipv4Addr};

use policy::snapshot::Provider;
use secrecy::SecretString;
use serde_json::json;

use super::arrival::{self, Arriving};
use super::directory::{Failure, Person};
use super::outcome::{self, SignedIn, Tried, Way};
use super::session::Device;
use crate::app::App;
use crate::health::Heard;
use crate::serving::Serving;
use crate::shared::{Attempt, Limited, Purpose};
use crate::store;

/// What somebody typed.
#[derive(Debug)]
pub struct Typed<'a> {
    /// The AuthProvider that they chose; `None`: the only one there is.
    pub provider: Option<&'a str>,
    /// The user name.
    pub username: &'a str,
    /// The password.
    pub password: SecretString,
}

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No directory of that name is declared, or several are and none was chosen.
    #[error("no directory was chosen")]
    NoDirectory,
    /// Too many failures.
    #[error("too many attempts")]
    Limited(Limited),
    /// The directory does not vouch for them, or whom it vouches for is not let in.
    #[error("signing in did not work")]
    Refused,
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable(#[source] store::Error),
    /// Something of ours is broken.
    #[error("no session could be begun: {0}")]
    Broken(String),
}

impl From<arrival::Error> for Error {
    fn from(error: arrival::Error) -> Self {
        match error {
            arrival::Error::Unavailable(error) => Self::Unavailable(error),
            arrival::Error::Broken(what) => Self::Broken(what),
            _ => Self::Refused,
        }
    }
}

/// Signs somebody in.
///
/// # Errors
/// They are not signed in; nothing was begun.
pub async fn sign_in(app: &App, serving: &Serving, typed: Typed<'_>, device: Device<'_>) -> Result<SignedIn, Error> {
    let (provider, person) = match vouched_for(app, serving, typed, device).await {
        Ok(vouched_for) => vouched_for,
        Err((error, provider, reason)) => {
            let tried = Tried {
                way: Way::SignIn,
                provider,
                label: provider.unwrap_or("ldap"),
                device,
                user: None,
                failure: Some(reason),
            };
            outcome::write_down(app, serving, &tried);
            return Err(error);
        }
    };
    let arriving = Arriving {
        way: Way::SignIn,
        provider,
        subject: &person.subject,
        signed_in_at: Some(app.now()),
        acr: None,
        ends_at: None,
        claims: json!(person.claims),
        device,
    };
    Ok(arrival::arrive(app, serving, arriving).await?)
}

/// What the person is told, and for operators which provider it was and the reason.
type Failed<'a> = (Error, Option<&'a str>, &'static str);

/// Whoever the directory says that it is.
async fn vouched_for<'a>(
    app: &App,
    serving: &'a Serving,
    typed: Typed<'_>,
    device: Device<'_>,
) -> Result<(&'a Provider, Person), Failed<'a>> {
    let provider = chosen(serving, typed.provider).ok_or((Error::NoDirectory, None, "NoDirectory"))?;
    let name = Some(provider.name.as_str());
    let directory = serving
        .directories
        .get(&provider.name)
        .ok_or((Error::NoDirectory, name, "NoDirectory"))?;
    // Cut, so that nobody fills the memory with long names.
    let username: String = typed
        .username
        .trim()
        .chars()
        .take(256)
        .flat_map(char::to_lowercase)
        .collect();
    let tried = Attempt {
        purpose: Purpose::SignIn,
        account: Some(&format!("{}/{username}", provider.name)),
        address: device.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    };
    let reservation = serving.limits.reserve(tried, app.now()).await;
    let reservation = reservation.map_err(|limited| (Error::Limited(limited), name, "Limited"))?;
    match directory
        .sign_in(typed.username.trim(), &typed.password, app.now())
        .await
    {
        Ok(person) => {
            reservation.succeeded();
            app.health.heard(&provider.name, Heard::Works);
            Ok((provider, person))
        }
        Err(failure) => {
            if failure.is_of_the_directory() {
                reservation.withdrawn();
                app.health.heard(&provider.name, Heard::Fails);
                complain(&provider.name, &failure);
            } else {
                reservation.failed();
            }
            Err((Error::Refused, name, failure.reason()))
        }
    }
}

/// The directory that was chosen, or the only one.
fn chosen<'a>(serving: &'a Serving, name: Option<&str>) -> Option<&'a Provider> {
    let mut directories = serving
        .engine
        .providers()
        .filter(|provider| provider.method.directory().is_some());
    match name {
        Some(name) => directories.find(|provider| provider.name == name),
        None => directories.next().filter(|_| directories.next().is_none()),
    }
}

/// Tells whoever runs the instance what is wrong with a directory. What is wrong with a person is in the audit line alone.
pub(super) fn complain(provider: &str, failure: &Failure) {
    tracing::warn!(provider, reason = failure.reason(), error = %failure, "a directory vouches for nobody");
}
