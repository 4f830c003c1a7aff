//! Signing in with an e-mail address and a password. All failures look alike outside, in text and in work, and differ inside.

use std::net::{IpAddr, Ipv4Addr};

use policy::engine::Admission;
use secrecy::{ExposeSecret, SecretString};

use super::hashing;
use super::outcome::{self, SignedIn, Tried, Way};
use super::session::{self, Device};
use super::sign_out;
use crate::app::App;
use crate::identity;
use crate::serving::Serving;
use crate::shared::{Attempt, Limited, Purpose};
use crate::store::{self, User};
use crate::telemetry::with_causes;

/// Longer passwords are refused before anything is looked up, in bytes.
const MAX_PASSWORD: usize = 1024;

/// What somebody typed.
#[derive(Debug)]
pub struct Typed<'a> {
    /// The address.
    pub email: &'a str,
    /// The password.
    pub password: SecretString,
}

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No provider with passwords is declared.
    #[error("signing in with a password is switched off")]
    Disabled,
    /// Too many failures.
    #[error("too many attempts")]
    Limited(Limited),
    /// The address, the password or both are wrong, or the account is disabled.
    #[error("the e-mail or the password is not right")]
    Credentials,
    /// The password is right and the mappings admit nobody like this.
    #[error("the account is not admitted")]
    NotAdmitted,
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked")]
    Busy,
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable(#[source] store::Error),
    /// Something of ours is broken.
    #[error("no session could be begun: {0}")]
    Broken(String),
}

impl Error {
    fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Limited(_) => "Limited",
            Self::Credentials => "Credentials",
            Self::NotAdmitted => "NotAdmitted",
            Self::Busy => "Busy",
            Self::Unavailable(_) => "Unavailable",
            Self::Broken(_) => "Broken",
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// Signs somebody in.
///
/// # Errors
/// They are not signed in; nothing was begun.
pub async fn sign_in(app: &App, serving: &Serving, typed: Typed<'_>, device: Device<'_>) -> Result<SignedIn, Error> {
    let email = typed.email.trim().to_lowercase();
    let outcome = attempt(app, serving, &email, typed.password, device).await;
    let (failure, user) = match &outcome {
        Ok(signed_in) => (None, Some(&signed_in.user)),
        Err((error, user)) => (Some(error.reason()), user.as_ref()),
    };
    let tried = Tried {
        way: Way::SignIn,
        provider: serving.password_provider(),
        label: "password",
        device,
        user,
        failure,
    };
    outcome::write_down(app, serving, &tried);
    outcome.map_err(|(error, _)| error)
}

type Failed = (Error, Option<User>);

async fn attempt(
    app: &App,
    serving: &Serving,
    email: &str,
    password: SecretString,
    device: Device<'_>,
) -> Result<SignedIn, Failed> {
    let alone = |error: Error| (error, None);
    let provider = serving.password_provider().ok_or(alone(Error::Disabled))?;
    if email.len() > 254 || password.expose_secret().len() > MAX_PASSWORD {
        return Err(alone(Error::Credentials));
    }
    let address = device.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let tried = Attempt {
        purpose: Purpose::SignIn,
        account: Some(email),
        address,
    };
    let reservation = serving
        .limits
        .reserve(tried, app.now())
        .await
        .map_err(|limited| alone(Error::Limited(limited)))?;
    let user = match app.store.user_by_email(email).await {
        Ok(user) => user,
        Err(error) => {
            reservation.withdrawn();
            return Err(alone(error.into()));
        }
    };
    // A disabled account does the same work as one that does not exist.
    let stored = user
        .as_ref()
        .filter(|user| !user.disabled)
        .and_then(|user| user.password_hash.as_ref());
    let stored = stored.map(|hash| hash.expose_secret().to_owned());
    let verified = match serving.hashing.verify(password.clone(), stored).await {
        Ok(verified) => verified,
        Err(hashing::Error::Busy | hashing::Error::Stopped) => {
            reservation.withdrawn();
            return Err((Error::Busy, user));
        }
        Err(_) => {
            app.failed(reservation).await;
            return Err((Error::Credentials, user));
        }
    };
    let Some(user) = user.filter(|_| verified.matches) else {
        app.failed(reservation).await;
        return Err(alone(Error::Credentials));
    };
    reservation.succeeded();
    let signed_in = admit(app, serving, user, provider, device).await?;
    if verified.needs_rehash {
        rehash(app, serving, &signed_in.user, password).await;
    }
    Ok(signed_in)
}

async fn admit(
    app: &App,
    serving: &Serving,
    user: User,
    provider: &str,
    device: Device<'_>,
) -> Result<SignedIn, Failed> {
    match identity::session::admission(&app.store, serving, &user, provider).await {
        Ok(Admission::Admitted { .. } | Admission::Pending) => {}
        Ok(Admission::Refused) => return Err((Error::NotAdmitted, Some(user))),
        Err(error) => return Err((error.into(), Some(user))),
    }
    match session::begin(app, serving, &user, provider, device).await {
        Ok(token) => {
            if changed_meanwhile(app, &user)
                .await
                .map_err(|error| (error.into(), Some(user.clone())))?
            {
                let _ = sign_out::end_session(app, user.id, token.session).await;
                return Err((Error::Credentials, Some(user)));
            }
            if let Err(error) = app.store.record_sign_in(user.id, app.now()).await {
                tracing::warn!(
                    error = with_causes(&error),
                    "the time of a sign-in was not written down"
                );
            }
            Ok(SignedIn { user, token })
        }
        Err(session::Error::Store(store::Error::NotFound)) => Err((Error::Credentials, Some(user))),
        Err(session::Error::Store(error)) => Err((error.into(), Some(user))),
        Err(session::Error::Token(error)) => Err((Error::Broken(error.to_string()), Some(user))),
    }
}

/// Whether the password was changed while it was being checked: the sessions that ended then would not include this one.
async fn changed_meanwhile(app: &App, user: &User) -> Result<bool, store::Error> {
    let stored = |user: &User| user.password_hash.as_ref().map(|hash| hash.expose_secret().to_owned());
    Ok(app.store.user_by_id(user.id).await?.as_ref().and_then(stored) != stored(user))
}

/// Brings an old hash up to the cost that is configured now. Not doing so is no reason to refuse.
async fn rehash(app: &App, serving: &Serving, user: &User, password: SecretString) {
    let Some(old) = &user.password_hash else { return };
    if let Ok(hash) = serving.hashing.hash(password).await
        && let Err(error) = app.store.renew_password_hash(user.id, old, &hash.into()).await
    {
        tracing::warn!(error = with_causes(&error), "a password hash was not renewed");
    }
}
