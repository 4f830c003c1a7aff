//! From a session token to the person: the token is ours, the session is live, the account is there, and the provider still
//! admits them.

use std::collections::BTreeMap;

use policy::engine::{AccountRole, Admission, Claims as ProviderClaims};
use policy::principal::{KeyUse, User as Person};
use policy::snapshot::Provider;
use policy::{Principal, Said};

use super::{Caller, Error, Means};
use crate::app::App;
use crate::serving::Serving;
use crate::store::{self, Role, Store, User};

/// Who has this session token.
pub(super) async fn identify(app: &App, serving: &Serving, token: &str, epoch: u64) -> Result<Caller, Error> {
    let claims = serving.tokens.verify(token, app.now())?;
    if app.revocations.is_revoked(claims.session, claims.token) {
        return Err(Error::Revoked);
    }
    let session = app.store.session_by_id(claims.session).await?.ok_or(Error::Revoked)?;
    if session.user_id != claims.account {
        return Err(Error::Revoked);
    }
    let user = app.store.user_by_id(claims.account).await?.ok_or(Error::NoAccount)?;
    let principal = principal(&app.store, serving, &user, &session.provider, None).await?;
    let idle = serving
        .settings()
        .sessions
        .idle
        .and_then(|idle| i64::try_from(idle).ok());
    let means = Means::Session {
        claims,
        // Long ago, where nobody can tell.
        signed_in_at: session.signed_in_at.map_or(0, |at| at.as_millisecond()),
        acr: session.acr,
        ends_at: session.expires_at.map(|at| at.as_second()),
        idle,
    };
    let seen = session
        .last_seen_at
        .as_second()
        .max(app.uses.last_of_session(session.id).unwrap_or(i64::MIN));
    Ok(serving.caller(principal, means, epoch, seen))
}

/// The principal of an account that signed in with a provider.
///
/// # Errors
/// The account is disabled, the provider does not admit it, or the database does not answer.
pub async fn principal(
    store: &Store,
    serving: &Serving,
    user: &User,
    provider: &str,
    key: Option<KeyUse>,
) -> Result<Principal, Error> {
    if user.disabled {
        return Err(Error::NoAccount);
    }
    let (pending, roles, mut groups) = match admission(store, serving, user, provider).await? {
        Admission::Admitted { roles, groups } => (false, roles, groups),
        Admission::Pending => (true, Default::default(), Default::default()),
        Admission::Refused => return Err(Error::NotAdmitted),
    };
    groups.extend(store.groups_of(user.id, provider).await?);
    let person = Person {
        id: user.id.to_string(),
        name: user.name.clone(),
        email: user.address().unwrap_or_default().to_owned(),
        email_verified: user.email_verified,
        provider: provider.to_owned(),
        pending,
    };
    Ok(Principal::user(person, roles, groups, key))
}

/// Whether the provider admits the account, and as what: by what the account itself says where authd keeps the password, otherwise by
/// what the provider said last.
///
/// # Errors
/// The database does not answer.
pub async fn admission(
    store: &Store,
    serving: &Serving,
    user: &User,
    provider: &str,
) -> Result<Admission, store::Error> {
    let Some(provider) = serving.engine.provider(provider) else {
        return Ok(Admission::Refused);
    };
    if provider.method.is_password() {
        return Ok(serving
            .engine
            .admit(&provider.name, &claims(user), account_role(user.role)));
    }
    let identity = store.identity_of(user.id, &provider.name).await?;
    let vouched_for = identity.filter(|identity| identity.refused_at.is_none());
    Ok(vouched_for.map_or(Admission::Refused, |identity| {
        let said = Said::read(provider, &identity.claims);
        admitted(serving, provider, &said, user.role)
    }))
}

/// Whether a provider outside admits somebody of whom it says this, and as what.
#[must_use]
pub fn admitted(serving: &Serving, provider: &Provider, said: &Said, role: Role) -> Admission {
    if !provider.accounts.allows(said.email.as_deref()) {
        return Admission::Refused;
    }
    serving.engine.admit(&provider.name, &said.claims, account_role(role))
}

/// The provider through which a key acts for its owner: that of the password where there is one, otherwise of those that still let
/// them in the one that spoke of them last.
///
/// # Errors
/// The database does not answer.
pub async fn home(store: &Store, serving: &Serving, user: &User) -> Result<Option<String>, store::Error> {
    if user.password_hash.is_some() {
        return Ok(serving.password_provider().map(str::to_owned));
    }
    let identities = store.identities_of(user.id).await?;
    let vouching = identities.into_iter().filter(|identity| {
        let is_declared = serving.engine.provider(&identity.provider).is_some();
        is_declared && identity.refused_at.is_none()
    });
    Ok(vouching
        .max_by_key(|identity| identity.updated_at)
        .map(|identity| identity.provider))
}

/// What the password provider says of an account. An address that nobody proved is no claim.
pub fn claims(user: &User) -> ProviderClaims {
    let mut claims = BTreeMap::from([
        ("name".to_owned(), vec![user.name.clone()]),
        ("role".to_owned(), vec![user.role.as_str().to_owned()]),
        ("email_verified".to_owned(), vec![user.email_verified.to_string()]),
    ]);
    if user.email_verified {
        claims.insert("email".to_owned(), vec![user.email.clone()]);
    }
    ProviderClaims(claims)
}

/// The role of an account, as admission sees it.
#[must_use]
pub fn account_role(role: Role) -> AccountRole {
    match role {
        Role::Pending => AccountRole::Pending,
        Role::User => AccountRole::User,
        Role::Admin => AccountRole::Admin,
    }
}
