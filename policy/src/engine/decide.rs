//! May this principal reach this target? Cedar decides; any error is a refusal.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use cedar_policy::{
    Authorizer, Context as CedarContext, Entities, Entity, EntityUid, Policy, PolicySet, Request, Response,
    RestrictedExpression,
};
use crds::{Endpoint, Mode};
use serde::Serialize;
use serde_json::Value;

use super::{Engine, ReadyAccess, Slice};
use crate::cedar::{self, Draft, Effect, Type, Var, all, any, below, binary, text};
use crate::compile::rule_id;
use crate::principal::{Identity, KeyUse, Principal};
use crate::target::{Target, parent};

/// What else a decision may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The client's address, where the proxy says it.
    pub client_ip: Option<IpAddr>,
    /// Now, in epoch milliseconds.
    pub now: i64,
}

/// An answer, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The answer.
    pub outcome: Outcome,
    /// The AccessPolicy that governs the host, as `namespace/name`.
    pub policy: Option<String>,
    /// The policies that decided.
    pub determining: Vec<Determining>,
    /// What a policy in `Shadow` mode would have refused.
    pub shadow: Option<Denial>,
    /// What could not be evaluated.
    pub errors: Vec<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The request may pass.
    Permit,
    /// It may not.
    Deny(Denial),
}

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// No AccessPolicy governs the host.
    UnknownHost,
    /// The AccessPolicy that governs the host has problems.
    BrokenPolicy,
    /// No rule covers the path and method.
    NoRule,
    /// The rules that cover it do not allow this principal.
    NotAllowed,
    /// A policy forbids it.
    Forbidden,
    /// The key is not for this endpoint.
    KeyEndpoint,
    /// The account waits for an administrator.
    Pending,
    /// A policy could not be evaluated.
    EvaluationError,
}

impl Denial {
    /// The name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownHost => "unknown_host",
            Self::BrokenPolicy => "broken_policy",
            Self::NoRule => "no_rule",
            Self::NotAllowed => "not_allowed",
            Self::Forbidden => "forbidden",
            Self::KeyEndpoint => "key_endpoint",
            Self::Pending => "pending",
            Self::EvaluationError => "evaluation_error",
        }
    }
}

/// A policy that decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Determining {
    /// The resource, as `Kind/namespace/name`.
    pub source: String,
    /// The field, such as `spec.rules[1]`.
    pub rule: String,
}

/// The id of the policy that a key's restrictions stand for.
const KEY_POLICY: &str = "key";

impl Engine {
    /// Decides.
    #[must_use]
    pub fn decide(&self, principal: &Principal, target: &Target<'_>, context: &Context) -> Decision {
        self.decide_slice(&self.slice(target), principal, target, context)
    }

    /// Decides a question that was cut down before.
    #[must_use]
    pub fn decide_slice(
        &self,
        slice: &Slice<'_>,
        principal: &Principal,
        target: &Target<'_>,
        context: &Context,
    ) -> Decision {
        let Some((_, ready)) = slice.access else {
            return refused(None, Denial::UnknownHost, Vec::new());
        };
        let policy = Some(ready.access.name.clone());
        if ready.access.broken {
            return refused(policy, Denial::BrokenPolicy, Vec::new());
        }
        match ask(ready, slice.rules, principal, target, context) {
            Ok(response) => answer(ready, slice.rules, principal, &response),
            Err(error) => refused(policy, Denial::EvaluationError, vec![error]),
        }
    }
}

fn refused(policy: Option<String>, denial: Denial, errors: Vec<String>) -> Decision {
    Decision {
        outcome: Outcome::Deny(denial),
        policy,
        determining: Vec::new(),
        shadow: None,
        errors,
    }
}

fn answer(ready: &ReadyAccess, rules: u64, principal: &Principal, response: &Response) -> Decision {
    let by_key = response
        .diagnostics()
        .reason()
        .any(|id| AsRef::<str>::as_ref(id) == KEY_POLICY);
    let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
    let determining = determining(principal, response);
    let denial = match response.decision() {
        _ if !errors.is_empty() => Some(Denial::EvaluationError),
        cedar_policy::Decision::Allow => None,
        cedar_policy::Decision::Deny if by_key => Some(Denial::KeyEndpoint),
        cedar_policy::Decision::Deny if !determining.is_empty() => Some(Denial::Forbidden),
        cedar_policy::Decision::Deny if principal.is_pending() => Some(Denial::Pending),
        cedar_policy::Decision::Deny if rules == 0 => Some(Denial::NoRule),
        cedar_policy::Decision::Deny => Some(Denial::NotAllowed),
    };
    let (outcome, shadow) = match (denial, ready.access.mode) {
        (None, _) => (Outcome::Permit, None),
        (Some(denial), Mode::Shadow) if !by_key => (Outcome::Permit, Some(denial)),
        (Some(denial), _) => (Outcome::Deny(denial), None),
    };
    Decision {
        outcome,
        policy: Some(ready.access.name.clone()),
        determining,
        shadow,
        errors,
    }
}

fn determining(principal: &Principal, response: &Response) -> Vec<Determining> {
    let mut determining: Vec<Determining> = response
        .diagnostics()
        .reason()
        .map(|id| match (AsRef::<str>::as_ref(id), principal.key()) {
            (KEY_POLICY, Some(key)) => Determining {
                source: key.source.clone(),
                rule: "spec.allowedEndpoints".to_owned(),
            },
            (id, _) => {
                let (source, rule) = id.split_once(' ').unwrap_or((id, ""));
                Determining {
                    source: source.to_owned(),
                    rule: rule.to_owned(),
                }
            }
        })
        .collect();
    determining.sort();
    determining
}

fn ask(
    ready: &ReadyAccess,
    rules: u64,
    principal: &Principal,
    target: &Target<'_>,
    context: &Context,
) -> Result<Response, String> {
    let mut policies = PolicySet::new();
    let fitting = ready
        .allows
        .iter()
        .enumerate()
        .filter(|(index, _)| rules & (1 << index) != 0)
        .map(|(_, policy)| policy);
    for policy in fitting.chain(&ready.cedar) {
        policies.add(policy.clone()).map_err(|error| error.to_string())?;
    }
    if let Some(policy) = principal.key().map(key_policy).transpose()?.flatten() {
        policies.add(policy).map_err(|error| error.to_string())?;
    }
    let who = principal_uid(principal)?;
    let what = Type::Target.uid("target")?;
    let entities = entities(ready, rules, principal, (&who, &what), target)?;
    let request = Request::new(who, Type::Action.uid("request")?, what, cedar_context(context)?, None)
        .map_err(|error| error.to_string())?;
    Ok(Authorizer::new().is_authorized(&request, &policies, &entities))
}

fn cedar_context(context: &Context) -> Result<CedarContext, String> {
    let now = jiff::Timestamp::from_millisecond(context.now).map_err(|error| error.to_string())?;
    let now = RestrictedExpression::new_datetime(format!("{now:.3}"));
    let client_ip = context.client_ip.map(|ip| {
        (
            "clientIp".to_owned(),
            RestrictedExpression::new_ip(ip.to_canonical().to_string()),
        )
    });
    CedarContext::from_pairs(client_ip.into_iter().chain([("now".to_owned(), now)])).map_err(|error| error.to_string())
}

fn principal_uid(principal: &Principal) -> Result<EntityUid, String> {
    match principal.identity() {
        Identity::Anonymous => Type::Anonymous.uid("anonymous"),
        Identity::User(user) => Type::User.uid(&user.id),
        Identity::Service(name) => Type::Service.uid(name),
    }
}

fn entities(
    ready: &ReadyAccess,
    rules: u64,
    principal: &Principal,
    (who, what): (&EntityUid, &EntityUid),
    target: &Target<'_>,
) -> Result<Entities, String> {
    let mut parents = HashSet::new();
    for role in principal.roles() {
        parents.insert(Type::Role.uid(role)?);
    }
    for group in principal.groups() {
        parents.insert(Type::Group.uid(group)?);
    }
    let policy = Type::Policy.uid(&ready.access.name)?;
    let mut places = HashSet::from([policy]);
    for index in (0..ready.allows.len()).filter(|index| rules & (1 << index) != 0) {
        places.insert(Type::Rule.uid(&rule_id(&ready.access.name, index))?);
    }
    let attributes = |pairs: Vec<(&str, RestrictedExpression)>| -> HashMap<String, RestrictedExpression> {
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    };
    let admin = Entity::new(
        Type::Role.uid("admin")?,
        HashMap::new(),
        HashSet::from([Type::Role.uid("user")?]),
    );
    let who = Entity::new(who.clone(), attributes(principal_attributes(principal)), parents);
    let what = Entity::new(what.clone(), attributes(target_attributes(target)), places);
    let built = [admin, who, what]
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    cedar::entities(built)
}

fn principal_attributes(principal: &Principal) -> Vec<(&'static str, RestrictedExpression)> {
    let string = |value: &str| RestrictedExpression::new_string(value.to_owned());
    match principal.identity() {
        Identity::Anonymous => Vec::new(),
        Identity::User(user) => {
            let mut attributes = vec![
                ("id", string(&user.id)),
                ("name", string(&user.name)),
                ("provider", string(&user.provider)),
                ("pending", RestrictedExpression::new_bool(user.pending)),
            ];
            attributes.extend(user.email_verified.then(|| ("email", string(&user.email))));
            attributes
        }
        Identity::Service(name) => {
            let (namespace, service) = name.split_once('/').unwrap_or(("", name));
            vec![("namespace", string(namespace)), ("name", string(service))]
        }
    }
}

fn target_attributes(target: &Target<'_>) -> Vec<(&'static str, RestrictedExpression)> {
    let string = |value: &str| RestrictedExpression::new_string(value.to_owned());
    vec![
        ("host", string(&target.host)),
        ("domain", string(parent(&target.host).unwrap_or_default())),
        ("path", string(&target.path)),
        ("method", string(&target.method)),
        ("scheme", string(target.scheme.name())),
    ]
}

/// What a key may not reach, as a policy; `None` for a key without restrictions.
fn key_policy(key: &KeyUse) -> Result<Option<Policy>, String> {
    if key.restrictions.is_empty() {
        return Ok(None);
    }
    let fits = all(key
        .restrictions
        .iter()
        .map(|list| any(list.iter().map(endpoint).collect()))
        .collect());
    let draft = Draft {
        effect: Effect::Forbid,
        source: &key.source,
        rule: "spec.allowedEndpoints",
        resource_in: None,
        when: None,
        unless: Some(fits),
    };
    cedar::policy(KEY_POLICY, draft.tree()).map(Some)
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let host = |host: &String| match host.strip_prefix("*.") {
        Some(domain) => binary("==", Var::Resource.attribute("domain"), text(domain)),
        None => binary("==", Var::Resource.attribute("host"), text(host)),
    };
    let path = |prefix: &String| {
        let prefix = prefix.trim_end_matches('/');
        let path = || Var::Resource.attribute("path");
        any(vec![binary("==", path(), text(prefix)), below(path(), prefix)])
    };
    let method = |method: &String| binary("==", Var::Resource.attribute("method"), text(method));
    let mut parts = Vec::new();
    if !endpoint.hosts.is_empty() {
        parts.push(any(endpoint.hosts.iter().map(host).collect()));
    }
    if !endpoint.paths.is_empty() {
        parts.push(any(endpoint.paths.iter().map(path).collect()));
    }
    if !endpoint.methods.is_empty() {
        parts.push(any(endpoint.methods.iter().map(method).collect()));
    }
    all(parts)
}
