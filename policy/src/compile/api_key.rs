//! `ApiKey` to a digest, an owner and what the key may reach.

use std::collections::HashMap;

use crds::{ApiKey, Endpoint, Reason, ResourceExt, SecretKeyRef};
use sha2::{Digest as _, Sha256};

use super::scope::{Scope, by_age, full_name, is_granted, problem};
use crate::problem::Problem;
use crate::snapshot::{Key, KeyOwner, read_digest};
use crate::target;

/// The key inside the Secret that `secretName` names.
const SECRET_KEY: &str = "api-key";

/// The keys, by digest. Of two ApiKeys with one key, the older wins.
pub(super) fn compile(scope: &Scope<'_>, problems: &mut Vec<Problem>) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut owners: HashMap<[u8; 32], String> = HashMap::new();
    for resource in by_age(&scope.resources.api_keys) {
        match key(scope, resource) {
            Ok(key) => match owners.get(&key.digest) {
                None => {
                    owners.insert(key.digest, key.name.clone());
                    keys.push(key);
                }
                Some(owner) => {
                    let message = format!("ApiKey `{owner}` has the same key: give each its own");
                    problems.push(problem(resource, "spec", Reason::KeyConflict, message));
                }
            },
            Err(problem) => problems.push(problem),
        }
    }
    keys.sort_by_key(|key| key.digest);
    keys
}

fn key(scope: &Scope<'_>, resource: &ApiKey) -> Result<Key, Problem> {
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
        (None, user) => KeyOwner::User(user.clone().unwrap_or_default()),
    };
    Ok(Key {
        digest: digest(scope, resource)?,
        name: full_name(resource),
        owner,
        roles,
        restrictions: restrictions(scope, resource, granted)?,
        not_before: spec.not_before.as_ref().map(|time| time.0.as_second()),
        expires_at: spec.expires_at.as_ref().map(|time| time.0.as_second()),
        suspended: spec.suspended,
    })
}

fn digest(scope: &Scope<'_>, resource: &ApiKey) -> Result<[u8; 32], Problem> {
    if let Some(hash) = &resource.spec.hash {
        return hash.strip_prefix("sha256:").and_then(read_digest).ok_or_else(|| {
            problem(
                resource,
                "spec.hash",
                Reason::InvalidValue,
                "it is not `sha256:` and 64 hexadecimal digits",
            )
        });
    }
    let reference = SecretKeyRef {
        name: resource.spec.secret_name.clone().unwrap_or_default(),
        key: SECRET_KEY.to_owned(),
    };
    let value = scope.secret(resource, "spec.secretName", &reference)?;
    if !is_key(value) {
        let message = "the key is not `sk-` and 32 or more hexadecimal digits in lower case: make one with \
                       `printf sk-%s $(openssl rand -hex 20)`";
        return Err(problem(resource, "spec.secretName", Reason::WeakSecret, message));
    }
    Ok(Sha256::digest(value).into())
}

fn is_key(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"sk-").unwrap_or_default();
    let varied = digits.iter().collect::<std::collections::BTreeSet<_>>().len() >= 6;
    digits.len() >= 32
        && varied
        && digits.len() <= 256
        && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
