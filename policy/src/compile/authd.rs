//! `Authd` to the settings of the instance.

use crds::published::{SIGNING_KEYS_ENTRY, signing_keys_secret};
use crds::{Algorithm, Authd, Reason, ResourceExt};
use ipnet::IpNet;

use super::database::database;
use super::identity_headers;
use super::proxy_auth::proxy_auth;
use super::redis::redis;
use super::scope::{Scope, finite, full_name, problem, seconds};
use crate::problem::Problem;
use crate::secret::{Secret, secret};
use crate::snapshot::{ApiKeys, BootstrapAdmin, Cookie, Limit, Passwords, Sessions, Settings, SigningKey, Tokens};
use crate::target;

/// The settings; `None` when something that cannot be left out is wrong.
pub(super) fn compile(scope: &Scope<'_>, problems: &mut Vec<Problem>) -> Option<Settings> {
    let authd = scope.authd;
    let spec = &authd.spec;
    let mut take = Collector { problems };
    let tokens = take.or_problem(tokens(scope));
    let sessions = take.or_problem(sessions(authd));
    let bootstrap_admin = take.or_problem(bootstrap_admin(scope));
    let window = take.or_problem(finite(
        authd,
        "spec.rateLimits.signIn.window",
        &spec.rate_limits.sign_in.window,
    ));
    let trusted_proxies = take.or_problem(trusted_proxies(authd));
    let proxy_auth = take.or_problem(proxy_auth(scope));
    let api_keys = take.or_problem(api_keys(authd));
    let cookie = take.or_problem(cookie(authd));
    let encryption_keys = take.or_problem(encryption_keys(scope));
    let database = take.or_problem(database(scope));
    let redis = take.or_problem(redis(scope));
    let identity_headers = identity_headers::compile(authd, take.problems);
    let assertion_lifetime = take.or_problem(identity_headers::assertion_lifetime(authd));
    Some(Settings {
        instance: full_name(authd),
        public_url: spec.public_url.trim_end_matches('/').to_owned(),
        display_name: spec.display_name.clone().unwrap_or_else(|| "authd".to_owned()),
        cookie: cookie?,
        tokens: tokens?,
        sessions: sessions?,
        passwords: Passwords {
            min_length: spec.passwords.min_length,
            bcrypt_cost: spec.passwords.bcrypt_cost,
        },
        signup: spec.signup.enabled.then_some(spec.signup.default_role),
        bootstrap_admin: bootstrap_admin?,
        admin_contact: spec
            .admin_contact
            .as_ref()
            .map(|contact| (contact.name.clone(), contact.email.clone())),
        sign_out_redirect: spec.sign_out.as_ref().map(|sign_out| sign_out.redirect_url.clone()),
        encryption_keys: encryption_keys?,
        database: database?,
        redis: redis?,
        sign_in_limit: Limit {
            limit: spec.rate_limits.sign_in.limit,
            window: window?,
        },
        api_keys: api_keys?,
        identity_headers: identity_headers?,
        assertion_lifetime: assertion_lifetime?,
        trusted_proxies: trusted_proxies?,
        proxy_auth: proxy_auth?,
    })
}

/// Keeps going after a problem, so that all of them are said at once.
struct Collector<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Collector<'_> {
    fn or_problem<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }
}

fn cookie(authd: &Authd) -> Result<Cookie, Problem> {
    let cookie = &authd.spec.cookie;
    let host = authd.spec.public_url.split("://").nth(1).unwrap_or_default();
    let host = host.split([':', '/']).next().unwrap_or_default();
    if let Some(domain) = &cookie.domain
        && host != domain
        && !host.ends_with(&format!(".{domain}"))
    {
        let message =
            format!("the host of `publicUrl`, `{host}`, is not inside `{domain}`: browsers would refuse the cookie");
        return Err(problem(authd, "spec.cookie.domain", Reason::InvalidValue, message));
    }
    Ok(Cookie {
        name: cookie.name.clone(),
        domain: cookie.domain.clone(),
        same_site: cookie.same_site,
    })
}

fn tokens(scope: &Scope<'_>) -> Result<Tokens, Problem> {
    let authd = scope.authd;
    let tokens = &authd.spec.tokens;
    let lifetime = seconds(authd, "spec.tokens.lifetime", &tokens.lifetime)?;
    let secret = match (tokens.algorithm, &tokens.secret_ref) {
        (Algorithm::HS256, Some(reference)) => Some(shared_secret(scope, reference)?),
        (Algorithm::HS256, None) => {
            return Err(problem(
                authd,
                "spec.tokens",
                Reason::InvalidField,
                "`algorithm: HS256` needs `secretRef`",
            ));
        }
        (Algorithm::EdDSA, _) => None,
    };
    let rotate_every = finite(authd, "spec.tokens.rotateEvery", &tokens.rotate_every)?;
    if rotate_every < 3600 {
        let message =
            "a new signing key more than once an hour would outrun the caches of those who verify: use `1h` or more";
        return Err(problem(
            authd,
            "spec.tokens.rotateEvery",
            Reason::InvalidDuration,
            message,
        ));
    }
    Ok(Tokens {
        algorithm: tokens.algorithm,
        secret,
        signing_keys: signing_keys(scope)?,
        lifetime,
        rotate_every,
    })
}

/// The keys in the Secret that the operator keeps; in a folder there is none.
fn signing_keys(scope: &Scope<'_>) -> Result<Vec<SigningKey>, Problem> {
    let authd = scope.authd;
    if authd.spec.tokens.algorithm != Algorithm::EdDSA {
        return Ok(Vec::new());
    }
    let (namespace, name) = (
        authd.namespace().unwrap_or_default(),
        signing_keys_secret(&authd.name_any()),
    );
    let Some(kept) = scope.resources.secret(&namespace, &name) else {
        return Ok(Vec::new());
    };
    let text = kept.data.get(SIGNING_KEYS_ENTRY).map_or(&b"[]"[..], Vec::as_slice);
    serde_json::from_slice(text).map_err(|_| {
        let message =
            format!("Secret `{name}` does not hold the keys that the operator made: delete it, and new ones are made");
        problem(authd, "spec.tokens", Reason::SecretUnusable, message)
    })
}

fn encryption_keys(scope: &Scope<'_>) -> Result<Vec<Secret>, Problem> {
    let read = |(index, reference): (usize, &crds::SecretKeyRef)| {
        let field = format!("spec.encryptionKeys[{index}]");
        let value = scope.secret(scope.authd, &field, reference)?;
        if value.len() < 32 {
            let message = format!(
                "the key has {} bytes and must have 32 or more: make one with `openssl rand -base64 48`",
                value.len()
            );
            return Err(problem(scope.authd, &field, Reason::WeakSecret, message));
        }
        Ok(secret(value))
    };
    scope.authd.spec.encryption_keys.iter().enumerate().map(read).collect()
}

fn shared_secret(scope: &Scope<'_>, reference: &crds::SecretKeyRef) -> Result<Secret, Problem> {
    let field = "spec.tokens.secretRef";
    let value = scope.secret(scope.authd, field, reference)?;
    if value.len() < 32 {
        let message = format!(
            "the secret has {} bytes, HS256 needs 32 or more: make one with `openssl rand -base64 48`",
            value.len()
        );
        return Err(problem(scope.authd, field, Reason::WeakSecret, message));
    }
    Ok(secret(value))
}

fn sessions(authd: &Authd) -> Result<Sessions, Problem> {
    let sessions = &authd.spec.sessions;
    Ok(Sessions {
        lifetime: seconds(authd, "spec.sessions.lifetime", &sessions.lifetime)?,
        idle: seconds(authd, "spec.sessions.idle", &sessions.idle)?,
        max_per_user: sessions.max_per_user,
        revalidate: revalidate(authd)?,
    })
}

fn revalidate(authd: &Authd) -> Result<Option<u64>, Problem> {
    let field = "spec.sessions.revalidate";
    let every = seconds(authd, field, &authd.spec.sessions.revalidate)?;
    if every == Some(0) {
        let message = "providers cannot be asked all the time: use `1s` or more, such as `15m`, or `-1` for never";
        return Err(problem(authd, field, Reason::InvalidDuration, message));
    }
    Ok(every)
}

fn bootstrap_admin(scope: &Scope<'_>) -> Result<Option<BootstrapAdmin>, Problem> {
    let authd = scope.authd;
    let Some(admin) = &authd.spec.bootstrap_admin else {
        return Ok(None);
    };
    let field = "spec.bootstrapAdmin.passwordSecretRef";
    let reference = &admin.password_secret_ref;
    let password = scope.secret(authd, field, reference)?;
    let text = std::str::from_utf8(password).ok().filter(|text| !text.contains('\0'));
    if text.is_none() || password.len() > 72 {
        let message = "the password is not text of at most 72 bytes, which is what bcrypt reads";
        return Err(problem(authd, field, Reason::SecretUnusable, message));
    }
    if text.is_some_and(|text| text.chars().count() < authd.spec.passwords.min_length as usize) {
        let message = format!(
            "the password has fewer than {} characters",
            authd.spec.passwords.min_length
        );
        return Err(problem(authd, field, Reason::WeakSecret, message));
    }
    let namespace = authd.namespace().unwrap_or_default();
    Ok(Some(BootstrapAdmin {
        email: admin.email.clone(),
        name: admin.name.clone().unwrap_or_else(|| "Administrator".to_owned()),
        password: secret(password),
        password_source: format!("Secret {namespace}/{}, key `{}`", reference.name, reference.key),
    }))
}

fn trusted_proxies(authd: &Authd) -> Result<Vec<IpNet>, Problem> {
    let read = |(index, text): (usize, &String)| {
        text.parse::<IpNet>().map_err(|_| {
            let message =
                format!("`{text}` is not a network: write an address and a prefix length, such as `10.0.0.0/8`");
            problem(
                authd,
                &format!("spec.trustedProxies[{index}]"),
                Reason::InvalidValue,
                message,
            )
        })
    };
    authd.spec.trusted_proxies.iter().enumerate().map(read).collect()
}

fn api_keys(authd: &Authd) -> Result<ApiKeys, Problem> {
    let keys = &authd.spec.api_keys;
    let read = |(index, path): (usize, &String)| {
        target::prefix(path).map_err(|error| {
            let message = format!("`{path}` can never be reached: {error}");
            problem(
                authd,
                &format!("spec.apiKeys.allowedEndpoints[{index}]"),
                Reason::InvalidValue,
                message,
            )
        })
    };
    let paths: Vec<String> = keys
        .allowed_endpoints
        .iter()
        .enumerate()
        .map(read)
        .collect::<Result<_, _>>()?;
    Ok(ApiKeys {
        enabled: keys.enabled,
        allowed_endpoints: keys.endpoint_restrictions.then_some(paths),
        max_per_user: keys.max_per_user,
    })
}
