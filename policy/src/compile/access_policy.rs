//! `AccessPolicy` to rules with their places, and the Cedar policies that they stand for.

use std::collections::BTreeMap;

use crds::{AccessPolicy, AccessRule, Allow, Reason};
use serde_json::Value;

use super::cedar_text;
use super::scope::{Scope, by_age, finite, full_name, is_granted, problem};
use crate::cedar::{Draft, Effect, Type, Var, all, any, binary, call, entity, has, is, not, set, text};
use crate::problem::Problem;
use crate::snapshot::{Access, CedarPolicy, MOST_RULES, Place, Tree, WantedSignIn};
use crate::target;

/// The policies, by name. A host belongs to the oldest policy that claims it; hosts of a broken policy are refused.
pub(super) fn compile(scope: &Scope<'_>, problems: &mut Vec<Problem>) -> Vec<Access> {
    let mut claimed: BTreeMap<&str, String> = BTreeMap::new();
    let mut compiled = Vec::new();
    for resource in by_age(&scope.resources.access_policies) {
        if scope.is_elsewhere(resource) {
            continue;
        }
        let name = full_name(resource);
        let hosts = hosts(scope, resource, &name, &mut claimed, problems);
        if hosts.is_empty() {
            continue;
        }
        let access = access(resource, &name, hosts.clone()).unwrap_or_else(|found| {
            problems.extend(found);
            let mode = resource.spec.mode;
            Access {
                name,
                mode,
                on_revocation_unknown: resource.spec.on_revocation_unknown,
                hosts,
                broken: true,
                rules: Vec::new(),
                allows: Vec::new(),
                cedar: Vec::new(),
            }
        });
        compiled.push(access);
    }
    compiled.sort_by(|left, right| left.name.cmp(&right.name));
    compiled
}

fn hosts<'a>(
    scope: &Scope<'a>,
    resource: &'a AccessPolicy,
    name: &str,
    claimed: &mut BTreeMap<&'a str, String>,
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    let granted = scope.granted_hosts(resource);
    let mut hosts = Vec::new();
    for (index, host) in resource.spec.hosts.iter().enumerate() {
        let field = format!("spec.hosts[{index}]");
        if granted.is_some_and(|granted| !is_granted(granted, host)) {
            let message = format!("`{host}` is not granted to this namespace by `spec.tenants` of the Authd");
            problems.push(problem(resource, &field, Reason::HostNotGranted, message));
        } else if let Some(owner) = claimed.get(host.as_str()).filter(|owner| *owner != name) {
            let message = format!("`{host}` already belongs to AccessPolicy `{owner}`: a host has one policy");
            problems.push(problem(resource, &field, Reason::HostConflict, message));
        } else {
            claimed.insert(host, name.to_owned());
            hosts.push(host.clone());
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

fn access(resource: &AccessPolicy, name: &str, hosts: Vec<String>) -> Result<Access, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut access = Access {
        name: name.to_owned(),
        mode: resource.spec.mode,
        on_revocation_unknown: resource.spec.on_revocation_unknown,
        hosts,
        broken: false,
        rules: Vec::new(),
        allows: Vec::new(),
        cedar: Vec::new(),
    };
    for (index, rule) in resource.spec.rules.iter().enumerate() {
        match place(resource, index, rule) {
            Ok(place) => {
                access.allows.push(allow(name, index, &rule.allow, &place.sign_in));
                access.rules.push(place);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if resource.spec.rules.len() > MOST_RULES {
        let message = format!("it has {} rules, {MOST_RULES} are the most", resource.spec.rules.len());
        problems.push(problem(resource, "spec.rules", Reason::InvalidField, message));
    }
    if let Some(text) = &resource.spec.cedar {
        match cedar_text::read(text, name) {
            Ok(policies) => access.cedar = policies,
            Err(message) => problems.push(problem(resource, "spec.cedar", Reason::InvalidCedar, message)),
        }
    }
    if resource.spec.rules.is_empty() && resource.spec.cedar.is_none() {
        problems.push(problem(
            resource,
            "spec",
            Reason::InvalidField,
            "it allows nothing: add `rules` or `cedar`",
        ));
    }
    if problems.is_empty() { Ok(access) } else { Err(problems) }
}

fn place(resource: &AccessPolicy, index: usize, rule: &AccessRule) -> Result<Place, Problem> {
    let read = |(at, path): (usize, &String)| {
        target::prefix(path).map_err(|error| {
            let message = format!("`{path}` can never be reached: {error}");
            problem(
                resource,
                &format!("spec.rules[{index}].paths[{at}]"),
                Reason::InvalidValue,
                message,
            )
        })
    };
    let paths = rule.paths.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(Place {
        paths,
        methods: rule.methods.clone(),
        sign_in: WantedSignIn {
            signed_in_within: signed_in_within(resource, index, rule)?,
            acr: rule.acr.clone(),
        },
        max_connection_age: max_connection_age(resource, index, rule)?,
    })
}

/// Shorter times would pass while somebody signs in, so that they would be asked again and again.
const SHORTEST: u64 = 60;

fn signed_in_within(resource: &AccessPolicy, index: usize, rule: &AccessRule) -> Result<Option<u64>, Problem> {
    let Some(within) = &rule.signed_in_within else {
        return Ok(None);
    };
    let field = format!("spec.rules[{index}].signedInWithin");
    let seconds = finite(resource, &field, within)?;
    if seconds < SHORTEST {
        let message = format!(
            "`{}` passes while somebody signs in, who would be asked again and again: use `1m` or more",
            within.0
        );
        return Err(problem(resource, &field, Reason::InvalidDuration, message));
    }
    Ok(Some(seconds))
}

/// The longest that a rule may let a connection stay open, in seconds: nobody asks again while it is, and proxies count no further
/// than weeks.
const OLDEST: u64 = 7 * 24 * 60 * 60;

fn max_connection_age(resource: &AccessPolicy, index: usize, rule: &AccessRule) -> Result<Option<u64>, Problem> {
    let Some(age) = &rule.max_connection_age else {
        return Ok(None);
    };
    let field = format!("spec.rules[{index}].maxConnectionAge");
    let seconds = finite(resource, &field, age)?;
    if seconds > OLDEST {
        let message = format!(
            "`{}` is too long for a connection, about which nobody asks again while it is open: use `7d` or less",
            age.0
        );
        return Err(problem(resource, &field, Reason::InvalidDuration, message));
    }
    Ok(Some(seconds))
}

/// The field that a rule stands in.
pub(crate) fn rule_field(index: usize) -> String {
    format!("spec.rules[{index}]")
}

/// The name of a rule as a Cedar entity.
pub(crate) fn rule_id(policy: &str, index: usize) -> String {
    format!("{policy}#{index}")
}

fn allow(name: &str, index: usize, allow: &Allow, wanted: &WantedSignIn) -> CedarPolicy {
    let source = format!("AccessPolicy/{name}");
    let rule = rule_field(index);
    let draft = Draft {
        effect: Effect::Permit,
        source: &source,
        rule: &rule,
        resource_in: Some((Type::Rule, rule_id(name, index))),
        when: (allow.anyone != Some(true)).then(|| {
            let lately = wanted.signed_in_within.map(signed_in_lately);
            let strongly = (!wanted.acr.is_empty()).then(|| signed_in_as(&wanted.acr));
            all([who(allow)].into_iter().chain(lately).chain(strongly).collect())
        }),
        unless: None,
    };
    let tree = Tree::from(&draft.tree());
    CedarPolicy { source, rule, tree }
}

/// Whether the session began so many seconds ago, or later. What has no session has no such moment.
fn signed_in_lately(seconds: u64) -> Value {
    let ago = call(
        "durationSince",
        vec![Var::Context.attribute("now"), Var::Context.attribute("signedInAt")],
    );
    let within = call("duration", vec![text(&format!("{seconds}s"))]);
    all(vec![
        has(Var::Context.expression(), "signedInAt"),
        binary("<=", ago, within),
    ])
}

/// Whether the provider put the sign-in in one of these classes.
fn signed_in_as(classes: &[String]) -> Value {
    let wanted = set(classes.iter().map(|class| text(class)));
    let is_one = binary("contains", wanted, Var::Context.attribute("acr"));
    all(vec![has(Var::Context.expression(), "acr"), is_one])
}

fn who(allow: &Allow) -> Value {
    let principal = || Var::Principal.expression();
    let person = || {
        all(vec![
            is(principal(), Type::User),
            not(Var::Principal.attribute("pending")),
        ])
    };
    let among =
        |kind: Type, names: &[String]| binary("in", principal(), set(names.iter().map(|name| entity(kind, name))));
    let mut ways = Vec::new();
    if allow.signed_in == Some(true) {
        ways.extend([person(), is(principal(), Type::Service)]);
    }
    ways.extend(allow.roles.iter().map(|roles| among(Type::Role, roles)));
    ways.extend(allow.groups.iter().map(|groups| among(Type::Group, groups)));
    ways.extend(allow.services.iter().map(|services| among(Type::Service, services)));
    if let Some(users) = &allow.users {
        let addresses = set(users.iter().map(|user| text(user)));
        let email = Var::Principal.attribute("email");
        ways.push(all(vec![
            person(),
            has(principal(), "email"),
            binary("contains", addresses, email),
        ]));
    }
    any(ways)
}
