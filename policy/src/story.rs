//! Resources told as YAML, and the people in them, for tests.

pub(crate) mod random;

use std::collections::{BTreeMap, BTreeSet};

use crds::ObjectMeta;
use serde_json::Value;

use crate::engine::{Context, Decision, Denial, Outcome};
use crate::principal::{KeyUse, User};
use crate::resources::{ConfigMap, Namespace, Secret};
use crate::target::Scheme;
use crate::{Compiled, Engine, Principal, Resources, Target, compile, snapshot};

/// Noon of the first of June 2026, in epoch milliseconds.
pub(crate) const NOON: i64 = 1_780_315_200_000;

/// Reads documents separated by `---`. Without an `apiVersion`, and in the namespace `auth` unless they name another.
#[track_caller]
pub(crate) fn resources(yaml: &str) -> Resources {
    let mut resources = Resources::default();
    for document in yaml.split("\n---\n") {
        let value: Value = serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{error}\n{document}"));
        if value.is_object() {
            add(&mut resources, value);
        }
    }
    resources
}

#[track_caller]
fn add(resources: &mut Resources, mut value: Value) {
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    value["apiVersion"] = "authd.dev/v1alpha1".into();
    if value["metadata"]["namespace"].is_null() {
        value["metadata"]["namespace"] = "auth".into();
    }
    let text = value.to_string();
    match kind.as_str() {
        "Authd" => resources.authds.push(serde_json::from_value(value).expect(&text)),
        "AuthProvider" => resources.providers.push(serde_json::from_value(value).expect(&text)),
        "RoleMapping" => resources
            .role_mappings
            .push(serde_json::from_value(value).expect(&text)),
        "ApiKey" => resources.api_keys.push(serde_json::from_value(value).expect(&text)),
        "AccessPolicy" => resources
            .access_policies
            .push(serde_json::from_value(value).expect(&text)),
        "Secret" => {
            let data: BTreeMap<String, String> = serde_json::from_value(value["stringData"].take()).unwrap_or_default();
            let metadata: ObjectMeta = serde_json::from_value(value["metadata"].take()).expect(&text);
            resources.secrets.push(Secret {
                namespace: metadata.namespace.unwrap_or_default(),
                name: metadata.name.unwrap_or_default(),
                data: data.into_iter().map(|(key, value)| (key, value.into_bytes())).collect(),
                owner: metadata
                    .owner_references
                    .and_then(|owners| Some(owners.into_iter().next()?.uid)),
                annotations: metadata.annotations.unwrap_or_default(),
            });
        }
        "ConfigMap" => {
            let data: BTreeMap<String, String> = serde_json::from_value(value["data"].take()).unwrap_or_default();
            let metadata: ObjectMeta = serde_json::from_value(value["metadata"].take()).expect(&text);
            resources.config_maps.push(ConfigMap {
                namespace: metadata.namespace.unwrap_or_default(),
                name: metadata.name.unwrap_or_default(),
                data: data.into_iter().map(|(key, value)| (key, value.into_bytes())).collect(),
            });
        }
        "Namespace" => {
            let metadata: ObjectMeta = serde_json::from_value(value["metadata"].take()).expect(&text);
            resources.namespaces.push(Namespace {
                name: metadata.name.unwrap_or_default(),
                labels: metadata.labels.unwrap_or_default(),
            });
        }
        _ => panic!("no such kind: {text}"),
    }
}

/// The smallest instance, and a way to sign in.
pub(crate) const INSTANCE: &str = "
kind: Authd
metadata: {name: main}
spec: {publicUrl: https://auth.example.com}
---
kind: AuthProvider
metadata: {name: local}
spec: {password: {}}
";

/// The Engine of these documents beside the smallest instance, whatever is wrong with some of them.
#[track_caller]
pub(crate) fn engine(yaml: &str) -> Engine {
    ready(compile(&resources(&format!("{INSTANCE}\n---\n{yaml}")), None))
}

#[track_caller]
pub(crate) fn ready(compiled: Compiled) -> Engine {
    let problems = compiled.problems;
    let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{problems:?}"));
    let bytes = snapshot.bytes().expect("every part can be written");
    let digest = snapshot::digest(&bytes);
    let read = crate::Snapshot::read(&bytes).expect("it was just written");
    Engine::new(read, digest).expect("it was just compiled")
}

pub(crate) fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A person `name@example.com` with a verified address.
pub(crate) fn account(name: &str) -> User {
    User {
        id: format!("id-{name}"),
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        email_verified: true,
        provider: "local".to_owned(),
        pending: false,
    }
}

pub(crate) fn person(name: &str, roles: &[&str], groups: &[&str]) -> Principal {
    Principal::user(account(name), names(roles), names(groups), None)
}

/// Everybody whom the tables speak of.
#[track_caller]
pub(crate) fn who(name: &str) -> Principal {
    let key = |restrictions| KeyUse {
        source: "ApiKey/auth/key".to_owned(),
        restrictions,
    };
    match name {
        "nobody" => Principal::anonymous(),
        "alice" => person("alice", &["user"], &["payments"]),
        "alice's key" => Principal::user(
            account("alice"),
            names(&["user"]),
            names(&["payments"]),
            Some(key(Vec::new())),
        ),
        "bob" => person("bob", &["user"], &[]),
        "root" => person("root", &["admin"], &[]),
        "comma" => person("comma", &["user,admin"], &["payments,admins"]),
        "unverified" => {
            let user = User {
                email_verified: false,
                email: "alice@example.com".to_owned(),
                ..account("mallory")
            };
            Principal::user(user, names(&["user"]), names(&[]), None)
        }
        "pending" => {
            let user = User {
                pending: true,
                email: "alice@example.com".to_owned(),
                ..account("pending")
            };
            Principal::user(user, names(&["user", "admin"]), names(&["payments"]), None)
        }
        "robot" => Principal::service("auth/robot".to_owned(), names(&["deployer"]), key(Vec::new())),
        "other robot" => Principal::service("shop/robot".to_owned(), names(&[]), key(Vec::new())),
        _ => panic!("who is {name}?"),
    }
}

/// Reads `METHOD host/path`.
#[track_caller]
pub(crate) fn target(text: &str) -> Target<'static> {
    read_target(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn read_target(text: &str) -> Result<Target<'static>, crate::target::Ambiguous> {
    let (method, rest) = text.split_once(' ').expect("METHOD host/path");
    let (host, uri) = rest.split_at(rest.find('/').expect("a path"));
    Target::read(method.as_bytes(), Scheme::Https, host.as_bytes(), uri.as_bytes()).map(Target::into_owned)
}

/// The moment of the tests, and the address of the client.
#[track_caller]
pub(crate) fn context(client_ip: Option<&str>) -> Context<'static> {
    Context {
        client_ip: client_ip.map(|ip| ip.parse().expect("an address")),
        now: NOON,
        signed_in: None,
    }
}

/// `permit` or the name of the denial.
pub(crate) fn word(decision: &Decision) -> &'static str {
    match decision.outcome {
        Outcome::Permit => "permit",
        Outcome::Deny(denial) => Denial::name(denial),
    }
}
