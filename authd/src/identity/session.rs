//! From a session token to the person: the token is ours, the session is live, the account is there, and the provider still
//! admits them.

use std::collections::BTreeMap;

use policy::Principal;
use policy::engine::{AccountRole, Admission, Claims as ProviderClaims};
use policy::principal::{KeyUse, User as Person};

use super::{Caller, Error, Means};
use crate::app::App;
use crate::serving::Serving;
use crate::store::Store;
use crate::store::{Role, User};

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
        ends_at: session.expires_at.map(|at| at.as_second()),
        idle,
    };
    let seen = session
        .last_seen_at
        .as_second()
        .max(app.uses.last_of_session(session.id).unwrap_or(i64::MIN));
    Ok(Caller::new(principal, means, (serving.generation, epoch), seen))
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
    let (pending, roles, mut groups) = match admission(serving, user, provider) {
        Admission::Admitted { roles, groups } => (false, roles, groups),
        Admission::Pending => (true, Default::default(), Default::default()),
        Admission::Refused => return Err(Error::NotAdmitted),
    };
    groups.extend(store.groups_of(user.id).await?);
    let person = Person {
        id: user.id.to_string(),
        name: user.name.clone(),
        email: user.email.clone(),
        email_verified: user.email_verified,
        provider: provider.to_owned(),
        pending,
    };
    Ok(Principal::user(person, roles, groups, key))
}

/// Whether the provider admits the account, and as what.
#[must_use]
pub fn admission(serving: &Serving, user: &User, provider: &str) -> Admission {
    serving.engine.admit(provider, &claims(user), account_role(user.role))
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
