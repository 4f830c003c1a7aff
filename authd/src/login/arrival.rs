//! Somebody arrives from a provider outside, whichever its kind: who they are here, whether they may be, and their session.
//!
//! An identity is the provider's name and a subject that never changes there. An address links to an account only when it is
//! verified, linking is switched on, and the account is no administrator's. All is written at once, or nothing.

mod membership;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use policy::Said;
use policy::engine::Admission;
use policy::snapshot::Provider;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::outcome::{self, SignedIn, Tried, Way};
use super::session::{self, Device};
use super::sign_out;
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::identity::session::{admission, admitted};
use crate::seal;
use crate::serving::Serving;
use crate::store::{
    self, Account, Arrival, Arrived, ClaimsChange, FromProvider, Grant, Identity, NewSession, NewUser, Role, User,
};

pub(super) use membership::groups;

/// The longest subject, in bytes (OpenID Connect Core, section 2, allows 255 characters; directories have longer names).
const MAX_SUBJECT: usize = 1024;
/// The most that a provider may say of a person, in bytes of JSON.
const MAX_CLAIMS: usize = 64 * 1024;

/// Somebody of whom a provider vouches that they are there.
#[derive(Clone, Debug)]
pub struct Arriving<'a> {
    /// How they come.
    pub way: Way,
    /// The provider.
    pub provider: &'a Provider,
    /// The provider's id of the person, which never changes.
    pub subject: &'a str,
    /// When they proved who they are; `None`: the provider does not say.
    pub signed_in_at: Option<Timestamp>,
    /// In which class the provider puts that, where it says.
    pub acr: Option<String>,
    /// When their session ends at the latest; `None`: when sessions do.
    pub ends_at: Option<Timestamp>,
    /// What the provider says of them, a JSON object.
    pub claims: Value,
    /// From where they come.
    pub device: Device<'a>,
}

/// What a provider gave for the session.
#[derive(Clone)]
pub struct Given {
    /// Its own name of the session, where it has one.
    pub sid: Option<String>,
    /// Tokens, to be sealed.
    pub tokens: Zeroizing<Vec<u8>>,
    /// When to ask it again; `None`: it cannot be asked.
    pub due_at: Option<Timestamp>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given")
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The subject is empty or too long, or there are more claims than anybody needs.
    #[error("what the provider says of the person cannot be used")]
    Unusable,
    /// No verified address in an allowed domain.
    #[error("the person has no verified address in an allowed domain")]
    Domain,
    /// The account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// They are new, and new people get no account.
    #[error("the person has no account, and `accounts.create` is off")]
    NoAccount,
    /// Another account has their address.
    #[error("another account has the address")]
    EmailTaken,
    /// An administrator's account has their address: it is linked by hand only.
    #[error("an administrator's account has the address")]
    LinkToAdmin,
    /// The claim that groups come from is absent.
    #[error("the provider does not send the claim that groups come from")]
    ClaimAbsent,
    /// The mappings admit nobody like this.
    #[error("the person is not admitted")]
    NotAdmitted,
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable(#[source] store::Error),
    /// Something of ours is broken.
    #[error("no session could be begun: {0}")]
    Broken(String),
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unusable => "Unusable",
            Self::Domain => "Domain",
            Self::Disabled => "Disabled",
            Self::NoAccount => "NoAccount",
            Self::EmailTaken => "EmailTaken",
            Self::LinkToAdmin => "LinkToAdmin",
            Self::ClaimAbsent => "ClaimAbsent",
            Self::NotAdmitted => "NotAdmitted",
            Self::Unavailable(_) => "Unavailable",
            Self::Broken(_) => "Broken",
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict => Self::EmailTaken,
            store::Error::NotFound => Self::Disabled,
            error => Self::Unavailable(error),
        }
    }
}

/// Signs somebody in for whom a provider vouches.
///
/// # Errors
/// They are not signed in; nothing was written.
pub async fn arrive(app: &App, serving: &Serving, arriving: Arriving<'_>) -> Result<SignedIn, Error> {
    arrive_with(app, serving, arriving, None).await
}

/// Signs somebody in for whom a provider vouches, and keeps what it gave for the session.
///
/// # Errors
/// They are not signed in; nothing was written.
pub async fn arrive_with(
    app: &App,
    serving: &Serving,
    arriving: Arriving<'_>,
    given: Option<Given>,
) -> Result<SignedIn, Error> {
    let (way, provider, device) = (arriving.way, arriving.provider, arriving.device);
    let outcome = attempt(app, serving, arriving, given).await;
    let failure = outcome.as_ref().err().map(Error::reason);
    let tried = Tried {
        way,
        provider: Some(&provider.name),
        label: &provider.name,
        device,
        user: outcome.as_ref().ok().map(|signed_in| &signed_in.user),
        failure,
    };
    outcome::write_down(app, serving, &tried);
    outcome
}

/// Somebody new may arrive twice at the same moment. Whoever comes second finds the address or the identity taken, and, when they look
/// again, that it is by themselves.
async fn attempt(
    app: &App,
    serving: &Serving,
    arriving: Arriving<'_>,
    given: Option<Given>,
) -> Result<SignedIn, Error> {
    match attempt_once(app, serving, arriving.clone(), given.clone()).await {
        Err(Error::EmailTaken) => attempt_once(app, serving, arriving, given).await,
        outcome => outcome,
    }
}

async fn attempt_once(
    app: &App,
    serving: &Serving,
    arriving: Arriving<'_>,
    given: Option<Given>,
) -> Result<SignedIn, Error> {
    let (provider, subject, device) = (arriving.provider, arriving.subject, arriving.device);
    let (signed_in_at, ends_at) = (arriving.signed_in_at, arriving.ends_at);
    let (acr, claims) = (arriving.acr, arriving.claims);
    if subject.is_empty() || subject.len() > MAX_SUBJECT || claims.to_string().len() > MAX_CLAIMS {
        return Err(Error::Unusable);
    }
    let said = Said::read(provider, &claims);
    if !provider.accounts.allows(said.email.as_deref()) {
        return Err(Error::Domain);
    }
    let (account, role) = account(app, serving, provider, subject, &said).await?;
    let user_id = account.id();
    if admitted(serving, provider, &said, role) == Admission::Refused {
        return Err(Error::NotAdmitted);
    }
    let is_new = matches!(account, Account::New(_));
    let session = session::new(app, serving, user_id, &provider.name, device);
    let session = NewSession {
        signed_in_at: signed_in_at.map(|at| at.min(app.now())),
        acr,
        expires_at: ends_at.into_iter().chain(session.expires_at).min(),
        ..session
    };
    let grant = given.map(|given| given.sealed(app, serving, (&provider.name, subject), session.id));
    let arrival = Arrival {
        groups: groups(app, provider, &said, user_id).await?,
        account,
        identity: Identity {
            provider: provider.name.clone(),
            subject: subject.to_owned(),
            user_id,
            claims,
            updated_at: app.now(),
            refused_at: None,
        },
        profile: FromProvider {
            email: said.email,
            name: said.name,
            picture: said.picture,
        },
        session,
        grant: grant.transpose()?,
        most_sessions: serving.settings().sessions.max_per_user,
        now: app.now(),
    };
    let arrived = app.store.arrive(&arrival).await?;
    if is_new {
        app.audit.record(Event {
            subject_id: Some(user_id.to_string()),
            method: Some(provider.name.clone()),
            ..Event::new(app.now(), Kind::UserCreated, Outcome::Success)
        });
    }
    signed_in(app, serving, arrived).await
}

impl Given {
    fn sealed(
        self,
        app: &App,
        serving: &Serving,
        (provider, subject): (&str, &str),
        session: Uuid,
    ) -> Result<Grant, Error> {
        let owner = session.to_string();
        let sealed = serving
            .sealing
            .seal(seal::Purpose::Grant, &owner, &self.tokens, &app.random);
        Ok(Grant {
            session,
            provider: provider.to_owned(),
            subject: subject.to_owned(),
            sid: self.sid,
            sealed: sealed.map_err(|error| Error::Broken(error.to_string()))?,
            due_at: self.due_at,
        })
    }
}

/// What is written is put into memory, and the session gets its first token.
async fn signed_in(app: &App, serving: &Serving, arrived: Arrived) -> Result<SignedIn, Error> {
    app.revoke(&arrived.ended);
    if arrived.change == ClaimsChange::Changed {
        app.account_changed(arrived.user.id);
    }
    match session::first_token(app, serving, &arrived.session) {
        Ok(token) => Ok(SignedIn {
            user: arrived.user,
            token,
        }),
        Err(error) => {
            let _ = sign_out::end_session(app, arrived.user.id, arrived.session.id).await;
            Err(Error::Broken(error.to_string()))
        }
    }
}

/// Takes over what a provider says now of somebody who is signed in.
///
/// # Errors
/// It says nothing that can be used, or nothing could be written; or they are not admitted any more, which is written all the same.
pub async fn again(
    app: &App,
    serving: &Serving,
    provider: &Provider,
    known: &Identity,
    claims: Value,
) -> Result<(), Error> {
    if claims.to_string().len() > MAX_CLAIMS {
        return Err(Error::Unusable);
    }
    let user = app.store.user_by_id(known.user_id).await?.ok_or(Error::Disabled)?;
    let said = Said::read(provider, &claims);
    let groups = groups(app, provider, &said, user.id).await?;
    let identity = Identity {
        claims,
        updated_at: app.now(),
        refused_at: None,
        ..known.clone()
    };
    if app.store.note_again(&identity, groups.as_deref()).await? == ClaimsChange::Changed {
        app.account_changed(user.id);
    }
    if !provider.accounts.allows(said.email.as_deref()) {
        return Err(Error::Domain);
    }
    match admitted(serving, provider, &said, user.role) {
        Admission::Refused => Err(Error::NotAdmitted),
        Admission::Admitted { .. } | Admission::Pending => Ok(()),
    }
}

/// Whose account it is, and the role that an administrator gave it.
async fn account(
    app: &App,
    serving: &Serving,
    provider: &Provider,
    subject: &str,
    said: &Said,
) -> Result<(Account, Role), Error> {
    if let Some(identity) = app.store.find_identity(&provider.name, subject).await? {
        let user = app.store.user_by_id(identity.user_id).await?;
        let user = user.filter(|user| !user.disabled).ok_or(Error::Disabled)?;
        return Ok((Account::Known(user.id), user.role));
    }
    if let Some(email) = &said.email
        && let Some(user) = app.store.user_by_email(email).await?
    {
        link(app, serving, provider, &user).await?;
        return Ok((Account::Known(user.id), user.role));
    }
    if !provider.accounts.create {
        return Err(Error::NoAccount);
    }
    let id = app.random.id(app.now());
    let user = NewUser {
        id,
        email: said.email.clone().unwrap_or_else(|| NewUser::no_address(id)),
        email_verified: said.email.is_some(),
        name: said
            .name
            .clone()
            .or_else(|| said.email.clone())
            .unwrap_or_else(|| provider.display_name.clone()),
        role: Role::Pending,
        password_hash: None,
        profile_image_url: said.picture.clone().unwrap_or_else(|| "/user.png".to_owned()),
        created_at: app.now(),
    };
    Ok((Account::New(user), Role::Pending))
}

/// Whether somebody who is new may have this account, which has their verified address. The account's owner must have proved the
/// address too: otherwise whoever claimed it first would get in with the person.
async fn link(app: &App, serving: &Serving, provider: &Provider, user: &User) -> Result<(), Error> {
    if !provider.accounts.link_verified_email || !user.email_verified {
        return Err(Error::EmailTaken);
    }
    if user.disabled {
        return Err(Error::Disabled);
    }
    let identities = app.store.identities_of(user.id).await?;
    if identities.iter().any(|identity| identity.provider == provider.name) {
        return Err(Error::EmailTaken);
    }
    let ways = identities.iter().map(|identity| identity.provider.as_str());
    for way in ways.chain(serving.password_provider()) {
        let admission = admission(&app.store, serving, user, way).await?;
        if matches!(admission, Admission::Admitted { roles, .. } if roles.contains("admin")) {
            return Err(Error::LinkToAdmin);
        }
    }
    if user.role == Role::Admin {
        return Err(Error::LinkToAdmin);
    }
    Ok(())
}
