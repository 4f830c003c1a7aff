//! Random resources, people and targets from an alphabet so small that they often meet.

use std::collections::BTreeSet;

use crds::{AccessPolicy, AccessPolicySpec, AccessRule, Allow, Endpoint, Mode, OnRevocationUnknown, RoleMapping};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::json;

use super::{account, target};
use crate::principal::{KeyUse, User};
use crate::{Principal, Target};

const HOSTS: [&str; 5] = ["a.x.test", "b.x.test", "*.x.test", "x.test", "a.b.x.test"];
const PATHS: [&str; 6] = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"];
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
const CLASSES: [&str; 2] = ["silver", "gold"];
const NAMES: [&str; 4] = ["user", "admin", "staff", "x"];

fn some(names: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    vec(select(names), 0..=most).prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn allow() -> impl Strategy<Value = Allow> {
    let list = |names| option::weighted(0.3, some(names, 2));
    let emails = &["alice@example.com", "bob@example.com"];
    let services = &["auth/robot", "shop/robot"];
    let yes = || option::weighted(0.15, Just(true));
    (yes(), yes(), list(&NAMES), list(&NAMES), list(emails), list(services)).prop_map(
        |(anyone, signed_in, roles, groups, users, services)| Allow {
            anyone,
            signed_in,
            roles,
            groups,
            users,
            services,
        },
    )
}

fn rule() -> impl Strategy<Value = AccessRule> {
    let within = option::weighted(0.3, select(&["1m", "1h"][..]).prop_map(crds::Duration::from));
    let age = option::weighted(0.3, select(&["90s", "8h"][..]).prop_map(crds::Duration::from));
    let parts = (
        some(&PATHS, 2),
        some(&METHODS, 2),
        allow(),
        within,
        some(&CLASSES, 1),
        age,
    );
    parts.prop_map(|(paths, methods, allow, within, acr, max_connection_age)| {
        let people = allow.anyone.is_none() && allow.services.is_none();
        AccessRule {
            paths,
            methods,
            signed_in_within: within.filter(|_| people),
            acr: if people { acr } else { Vec::new() },
            max_connection_age,
            allow,
        }
    })
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![6 => Just(Mode::Enforce), 1 => Just(Mode::Shadow)]
}

/// A resource of this spec.
pub(crate) fn policy(name: &str, spec: AccessPolicySpec) -> AccessPolicy {
    let mut policy = AccessPolicy::new(name, spec);
    policy.metadata.namespace = Some("auth".to_owned());
    policy
}

/// Policies of which no two claim one host and none is broken.
pub(crate) fn policies() -> impl Strategy<Value = Vec<AccessPolicySpec>> {
    let hosts = subsequence(HOSTS.to_vec(), 1..=HOSTS.len()).prop_shuffle();
    (hosts, vec((vec(rule(), 1..6), mode()), 1..4)).prop_map(|(hosts, specs)| {
        let many = specs.len();
        let spec = |(index, (rules, mode)): (usize, (Vec<AccessRule>, Mode))| {
            let hosts: Vec<String> = hosts
                .iter()
                .skip(index)
                .step_by(many)
                .map(|host| (*host).to_owned())
                .collect();
            AccessPolicySpec {
                mode,
                on_revocation_unknown: OnRevocationUnknown::default(),
                hosts,
                rules,
                cedar: None,
            }
        };
        specs
            .into_iter()
            .enumerate()
            .map(spec)
            .filter(|spec| !spec.hosts.is_empty())
            .collect()
    })
}

/// Hand-written Cedar that reads this and that.
pub(crate) fn cedar() -> impl Strategy<Value = Option<String>> {
    let parts = [
        "forbid (principal, action, resource) when { resource.path like \"*/b\" };",
        "forbid (principal, action, resource) when { resource.method == \"DELETE\" && !(principal in Role::\"admin\") };",
        "permit (principal, action, resource) when { resource.domain == \"x.test\" };",
        "forbid (principal, action, resource) when { context.clientIp.isLoopback() };",
        "permit (principal in Group::\"staff\", action, resource);",
        "forbid (principal is User, action, resource) unless { principal has email };",
        "forbid (principal, action, resource) unless { context has signedInAt && context.signedInAt > datetime(\"2026-06-01T11:59:00Z\") };",
    ];
    option::weighted(
        0.6,
        subsequence(parts.to_vec(), 1..=parts.len()).prop_map(|parts| parts.join("\n")),
    )
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (some(&HOSTS, 2), some(&PATHS, 2), some(&METHODS, 1)).prop_map(|(hosts, paths, methods)| Endpoint {
        hosts,
        paths,
        methods,
    })
}

fn key() -> impl Strategy<Value = KeyUse> {
    vec(vec(endpoint(), 0..3), 0..3).prop_map(|restrictions| KeyUse {
        source: "ApiKey/auth/key".to_owned(),
        restrictions,
    })
}

fn held() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(select(&NAMES[..]).prop_map(str::to_owned), 0..3)
}

/// Anybody.
pub(crate) fn principal() -> impl Strategy<Value = Principal> {
    let person = (select(&["alice", "bob"][..]), any::<bool>(), prop::bool::weighted(0.2));
    let user = (person, held(), held(), option::weighted(0.3, key())).prop_map(
        |((name, email_verified, pending), roles, groups, key)| {
            Principal::user(
                User {
                    email_verified,
                    pending,
                    ..account(name)
                },
                roles,
                groups,
                key,
            )
        },
    );
    let service = (select(&["auth/robot", "shop/robot"][..]), held(), key())
        .prop_map(|(name, roles, key)| Principal::service(name.to_owned(), roles, key));
    prop_oneof![1 => Just(Principal::anonymous()), 6 => user, 3 => service]
}

/// How many seconds ago somebody signed in, about where rules draw the line, and in which class.
pub(crate) fn signed_in() -> impl Strategy<Value = Option<(i64, Option<&'static str>)>> {
    let ago = select(&[0, 59, 60, 61, 3599, 3600, 3601][..]);
    option::weighted(0.8, (ago, option::of(select(&CLASSES[..]))))
}

/// Anywhere.
pub(crate) fn anywhere() -> impl Strategy<Value = Target<'static>> {
    let hosts = ["a.x.test", "b.x.test", "c.x.test", "x.test", "a.b.x.test", "y.test"];
    let paths = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/A", "/a/c?q=/a/b"];
    (select(METHODS.to_vec()), select(hosts.to_vec()), select(paths.to_vec()))
        .prop_map(|(method, host, path)| target(&format!("{method} {host}{path}")))
}

/// The `onNoMatch` of a mapping, and its grants: a role, a value, and whether the value is meant exactly.
pub(crate) type Mapping = (&'static str, Vec<(&'static str, &'static str, bool)>);

/// A mapping of the provider `local`.
pub(crate) fn mapping(name: &str, (word, grants): &Mapping) -> RoleMapping {
    let roles: Vec<_> = grants
        .iter()
        .map(|(role, value, exact)| {
            let test = if *exact { "equals" } else { "glob" };
            json!({"role": role, "whenAny": [{"claim": "c", test: value}]})
        })
        .collect();
    let mut mapping: RoleMapping = serde_json::from_value(json!({
        "apiVersion": "authd.dev/v1alpha1", "kind": "RoleMapping", "metadata": {"name": name, "namespace": "auth"},
        "spec": {"providerRef": {"name": "local"}, "onNoMatch": word},
    }))
    .expect("a mapping");
    mapping.spec.roles = serde_json::from_value(json!(roles)).expect("grants");
    mapping
}

/// What mappings may be made of.
pub(crate) fn mappings() -> impl Strategy<Value = Vec<Mapping>> {
    let grant = (select(NAMES.to_vec()), select(vec!["a", "b", "a*", "*"]), any::<bool>());
    vec((select(vec!["Deny", "Pending", "Keep"]), vec(grant, 1..4)), 1..4)
}

/// The items in another order.
pub(crate) fn reordered<T: Clone>(items: &[T], order: &[Index]) -> Vec<T> {
    let mut rest = items.to_vec();
    let mut turned = Vec::new();
    for index in order.iter().cycle() {
        if rest.is_empty() || order.is_empty() {
            break;
        }
        turned.push(rest.swap_remove(index.index(rest.len())));
    }
    turned.extend(rest);
    turned
}
