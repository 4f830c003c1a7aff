//! `ApiKey` to a digest, an owner and what the key may reach.

use std::collections::{BTreeSet, HashMap};

use crds::published::{API_KEY_ENTRY, FOR_API_KEY, MADE_AT, PREVIOUS_API_KEY_ENTRY, PREVIOUS_UNTIL};
use crds::{ApiKey, Endpoint, Reason, ResourceExt, SecretKeyRef};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::scope::{Scope, by_age, finite, full_name, is_granted, problem};
use crate::problem::Problem;
use crate::resources::{Origin, Secret};
use crate::snapshot::keys::Keys;
use crate::snapshot::{Key, KeyOwner, read_digest};
use crate::target;

/// The keys, by digest. Of two ApiKeys with one key, the older wins.
pub(super) fn compile(scope: &Scope<'_>, problems: &mut Vec<Problem>) -> Keys {
    let mut keys = Vec::new();
    let mut owners: HashMap<[u8; 32], String> = HashMap::new();
    for resource in by_age(&scope.resources.api_keys) {
        if scope.is_elsewhere(resource) {
            continue;
        }
        match of_resource(scope, resource) {
            Ok(found) => {
                for key in found {
                    match owners.get(&key.digest) {
                        None => {
                            owners.insert(key.digest, key.name.clone());
                            keys.push(key);
                        }
                        Some(owner) => {
                            let message = format!("ApiKey `{owner}` has the same key: give each its own");
                            problems.push(problem(resource, "spec", Reason::KeyConflict, message));
                        }
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    keys.into_iter().collect()
}

/// The key, and the one before it while that is still valid.
fn of_resource(scope: &Scope<'_>, resource: &ApiKey) -> Result<Vec<Key>, Problem> {
    let spec = &resource.spec;
    let namespace = resource.namespace().unwrap_or_default();
    let granted = scope.granted_hosts(resource);
    if granted.is_some_and(<[_]>::is_empty) {
        let message = format!("namespace `{namespace}` is granted no hosts by `spec.tenants` of the Authd");
        return Err(problem(resource, "metadata.namespace", Reason::HostNotGranted, message));
    }
    let roles = spec.roles.clone().unwrap_or_default();
    if let (Some(_), Some(index)) = (granted, roles.iter().position(|role| role == "admin")) {
        let message = "only the namespace of the Authd may hand out `admin`";
        return Err(problem(
            resource,
            &format!("spec.roles[{index}]"),
            Reason::RoleNotGranted,
            message,
        ));
    }
    let owner = match (&spec.owner.service, &spec.owner.user) {
        (Some(service), _) => KeyOwner::Service(format!("{namespace}/{service}")),
        (None, Some(_)) if granted.is_some() => {
            let message = "only the namespace of the Authd may declare keys that act for people: use `service`";
            return Err(problem(resource, "spec.owner.user", Reason::RoleNotGranted, message));
        }
        (None, Some(user)) => KeyOwner::User(user.clone()),
        (None, None) => {
            let message = "it acts for nobody: give exactly one of `service` and `user`";
            return Err(problem(resource, "spec.owner", Reason::InvalidField, message));
        }
    };
    let made = made(scope, resource)?;
    let key = Key {
        digest: made.digest,
        name: full_name(resource),
        owner,
        roles,
        restrictions: restrictions(scope, resource, granted)?,
        not_before: spec.not_before.as_ref().map(|time| whole_second_after(time.0)),
        expires_at: made.expires_at,
        suspended: spec.suspended,
    };
    let previous = made.previous.map(|(digest, until)| Key {
        digest,
        expires_at: Some(key.expires_at.map_or(until, |expires_at| expires_at.min(until))),
        ..key.clone()
    });
    Ok(std::iter::once(key).chain(previous).collect())
}

/// Rounded up, so that a key is never valid too early.
fn whole_second_after(time: jiff::Timestamp) -> i64 {
    time.as_second() + i64::from(time.subsec_nanosecond() > 0)
}

/// What there is of a key: its digest, when it expires, and the digest of the one before with its end.
struct Made {
    digest: [u8; 32],
    expires_at: Option<i64>,
    previous: Option<([u8; 32], i64)>,
}

fn made(scope: &Scope<'_>, resource: &ApiKey) -> Result<Made, Problem> {
    let expires_at = resource.spec.expires_at.as_ref().map(|time| time.0.as_second());
    if let Some(hash) = &resource.spec.hash {
        let digest = hash.strip_prefix("sha256:").and_then(read_digest).ok_or_else(|| {
            let message = "it is not `sha256:` and 64 hexadecimal digits";
            problem(resource, "spec.hash", Reason::InvalidValue, message)
        })?;
        return Ok(Made {
            digest,
            expires_at,
            previous: None,
        });
    }
    let Some(name) = resource.spec.secret_name.clone() else {
        let message = "there is no key: give exactly one of `secretName` and `hash`";
        return Err(problem(resource, "spec", Reason::InvalidField, message));
    };
    let reference = SecretKeyRef {
        name,
        key: API_KEY_ENTRY.to_owned(),
    };
    let value = scope.secret(resource, "spec.secretName", &reference)?;
    let namespace = resource.namespace().unwrap_or_default();
    let secret = scope.secret_named(&namespace, &reference.name);
    if secret.is_some_and(|secret| is_foreign(scope, resource, secret)) {
        let message = format!(
            "Secret `{}` was not made for this ApiKey: choose another name, or let whoever owns the Secret annotate it with \
             `{FOR_API_KEY}: {}`",
            reference.name,
            resource.name_any()
        );
        return Err(problem(resource, "spec.secretName", Reason::SecretForeign, message));
    }
    if let Some(weakness) = weakness(value) {
        let message = format!("{weakness}: make one with `printf sk-%s $(openssl rand -hex 20)`");
        return Err(problem(resource, "spec.secretName", Reason::WeakSecret, message));
    }
    let noted = |name: &str| secret.and_then(|secret| secret.annotations.get(name)?.parse::<Timestamp>().ok());
    let previous = secret.and_then(|secret| secret.data.get(PREVIOUS_API_KEY_ENTRY));
    Ok(Made {
        digest: Sha256::digest(value).into(),
        expires_at: match &resource.spec.expires_after {
            Some(after) => Some(end(resource, after, noted(MADE_AT))?),
            None => expires_at,
        },
        previous: previous
            .zip(noted(PREVIOUS_UNTIL))
            .map(|(value, until)| (Sha256::digest(value).into(), until.as_second())),
    })
}

/// Whether the Secret belongs to somebody else, who did not say that this ApiKey may use it.
fn is_foreign(scope: &Scope<'_>, resource: &ApiKey, secret: &Secret) -> bool {
    let owned = secret.owner.is_some() && secret.owner == resource.uid();
    let offered = secret.annotations.get(FOR_API_KEY) == Some(&resource.name_any());
    scope.resources.origin == Origin::Cluster && !owned && !offered
}

fn end(resource: &ApiKey, after: &crds::Duration, made_at: Option<Timestamp>) -> Result<i64, Problem> {
    let seconds = finite(resource, "spec.expiresAfter", after)?;
    let made_at = made_at.ok_or_else(|| {
        let message = "it counts from when the operator made the key, which it did not: give `expiresAt`";
        problem(resource, "spec.expiresAfter", Reason::InvalidField, message)
    })?;
    Ok(made_at.as_second().saturating_add_unsigned(seconds))
}

fn weakness(value: &[u8]) -> Option<&'static str> {
    let digits = value.strip_prefix(b"sk-").unwrap_or_default();
    let hexadecimal = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if value.last().is_some_and(u8::is_ascii_whitespace) {
        Some("the key ends with a line break or a space, which no caller sends")
    } else if !hexadecimal || !(32..=256).contains(&digits.len()) {
        Some("the key is not `sk-` and 32 to 256 hexadecimal digits in lower case")
    } else if digits.iter().collect::<BTreeSet<_>>().len() < 6 {
        Some("the key repeats a few digits, so it can be guessed")
    } else {
        None
    }
}

/// Each list narrows: the key's own endpoints, or those of the instance; and what the tenant is granted.
fn restrictions(scope: &Scope<'_>, resource: &ApiKey, granted: Option<&[&str]>) -> Result<Vec<Vec<Endpoint>>, Problem> {
    let mut lists = Vec::new();
    if let Some(endpoints) = &resource.spec.allowed_endpoints {
        let read = |(index, endpoint)| canonical(resource, index, endpoint, granted);
        lists.push(endpoints.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?);
    } else if scope.authd.spec.api_keys.endpoint_restrictions {
        let paths = scope.authd.spec.api_keys.allowed_endpoints.iter();
        let paths: Vec<String> = paths.filter_map(|path| target::prefix(path).ok()).collect();
        lists.push(if paths.is_empty() {
            Vec::new()
        } else {
            vec![Endpoint {
                paths,
                ..Endpoint::default()
            }]
        });
    }
    if let Some(granted) = granted {
        let hosts = granted.iter().map(|host| (*host).to_owned()).collect();
        lists.push(vec![Endpoint {
            hosts,
            ..Endpoint::default()
        }]);
    }
    Ok(lists)
}

fn canonical(
    resource: &ApiKey,
    index: usize,
    endpoint: &Endpoint,
    granted: Option<&[&str]>,
) -> Result<Endpoint, Problem> {
    let field = format!("spec.allowedEndpoints[{index}]");
    for (at, host) in endpoint.hosts.iter().enumerate() {
        if granted.is_some_and(|granted| !is_granted(granted, host)) {
            let message = format!("`{host}` is not granted to this namespace by `spec.tenants` of the Authd");
            return Err(problem(
                resource,
                &format!("{field}.hosts[{at}]"),
                Reason::HostNotGranted,
                message,
            ));
        }
    }
    let read = |(at, path): (usize, &String)| {
        target::prefix(path).map_err(|error| {
            let message = format!("`{path}` can never be reached: {error}");
            problem(resource, &format!("{field}.paths[{at}]"), Reason::InvalidValue, message)
        })
    };
    let paths = endpoint.paths.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(Endpoint {
        hosts: endpoint.hosts.clone(),
        paths,
        methods: endpoint.methods.clone(),
    })
}
