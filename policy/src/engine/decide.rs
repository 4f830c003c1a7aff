//! May this principal reach this target? Cedar decides; any error is a refusal.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use cedar_policy::{
    AuthorizationError, Authorizer, Context as CedarContext, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet,
    Request, Response, RestrictedExpression,
};
use crds::{Endpoint, Mode};
use serde::Serialize;
use serde_json::Value;

use super::{Engine, ReadyAccess, Slice};
use crate::cedar::{self, Draft, Effect, Type, Var, all, any, below, binary, text};
use crate::compile::rule_id;
use crate::principal::{Identity, KeyUse, Principal};
use crate::snapshot::Access;
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
pub enum Denial {
    /// No AccessPolicy governs the host.
    UnknownHost,
    /// The AccessPolicy that governs the host has problems.
    BrokenPolicy,
    /// The AccessPolicy that governs the host is not the one that the proxy names.
    OtherPolicy,
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
            Self::UnknownHost => "UnknownHost",
            Self::BrokenPolicy => "BrokenPolicy",
            Self::OtherPolicy => "OtherPolicy",
            Self::NoRule => "NoRule",
            Self::NotAllowed => "NotAllowed",
            Self::Forbidden => "Forbidden",
            Self::KeyEndpoint => "KeyEndpoint",
            Self::Pending => "Pending",
            Self::EvaluationError => "EvaluationError",
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
/// The field that they come from.
const KEY_RULE: &str = "spec.allowedEndpoints";

/// What is asked, once the AccessPolicy and its best rules are found.
pub(super) struct Question<'a> {
    pub(super) ready: &'a ReadyAccess,
    /// The rules that fit best, one bit each.
    pub(super) rules: u64,
    pub(super) principal: &'a Principal,
    pub(super) target: &'a Target<'a>,
    pub(super) context: &'a Context,
}

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
        let question = Question {
            ready,
            rules: slice.rules,
            principal,
            target,
            context,
        };
        match question.ask(slice.rules) {
            Ok(response) => question.answer(&response),
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

impl Question<'_> {
    fn answer(&self, response: &Response) -> Decision {
        let by_key = response
            .diagnostics()
            .reason()
            .any(|id| AsRef::<str>::as_ref(id) == KEY_POLICY);
        let errors: Vec<String> = response.diagnostics().errors().map(in_words).collect();
        let determining = determining(self.principal, response);
        let denial = match response.decision() {
            _ if !errors.is_empty() => Some(Denial::EvaluationError),
            cedar_policy::Decision::Allow => None,
            cedar_policy::Decision::Deny if by_key => Some(Denial::KeyEndpoint),
            cedar_policy::Decision::Deny if !determining.is_empty() => Some(Denial::Forbidden),
            cedar_policy::Decision::Deny if self.principal.is_pending() => Some(Denial::Pending),
            cedar_policy::Decision::Deny if self.rules == 0 => Some(Denial::NoRule),
            cedar_policy::Decision::Deny => Some(Denial::NotAllowed),
        };
        let (outcome, shadow) = match (denial, self.ready.access.mode) {
            (None, _) => (Outcome::Permit, None),
            (Some(denial), Mode::Shadow) if !by_key => (Outcome::Permit, Some(denial)),
            (Some(denial), _) => (Outcome::Deny(denial), None),
        };
        Decision {
            outcome,
            policy: Some(self.ready.access.name.clone()),
            determining,
            shadow,
            errors,
        }
    }

    /// Asks Cedar, showing it the policies of these rules. Which ones does not change the answer, as a rule's policy speaks only of
    /// targets in the rule; only how long it takes.
    pub(super) fn ask(&self, shown: u64) -> Result<Response, String> {
        let mut policies = PolicySet::new();
        let shown = self
            .ready
            .allows
            .iter()
            .enumerate()
            .filter(|(index, _)| shown & (1 << index) != 0)
            .map(|(_, policy)| policy);
        for policy in shown.chain(&self.ready.cedar) {
            policies.add(policy.clone()).map_err(|error| error.to_string())?;
        }
        if let Some(policy) = self.principal.key().map(key_policy).transpose()?.flatten() {
            policies.add(policy).map_err(|error| error.to_string())?;
        }
        let who = principal_uid(self.principal)?;
        let what = Type::Target.uid("target")?;
        let entities = self.entities(&who, &what)?;
        let action = Type::Action.uid("request")?;
        let request =
            Request::new(who, action, what, cedar_context(self.context)?, None).map_err(|error| error.to_string())?;
        Ok(Authorizer::new().is_authorized(&request, &policies, &entities))
    }

    fn entities(&self, who: &EntityUid, what: &EntityUid) -> Result<Entities, String> {
        let mut parents = HashSet::new();
        for role in self.principal.roles() {
            parents.insert(Type::Role.uid(role)?);
        }
        for group in self.principal.groups() {
            parents.insert(Type::Group.uid(group)?);
        }
        let Access { name, allows, .. } = &self.ready.access;
        let mut places = HashSet::from([Type::Policy.uid(name)?]);
        for index in (0..allows.len()).filter(|index| self.rules & (1 << index) != 0) {
            places.insert(Type::Rule.uid(&rule_id(name, index))?);
        }
        let admin = Type::Role.uid("admin")?;
        let user = Type::Role.uid("user")?;
        let built = [
            Entity::new(admin, HashMap::new(), HashSet::from([user])),
            Entity::new(who.clone(), attributes(principal_attributes(self.principal)), parents),
            Entity::new(what.clone(), attributes(target_attributes(self.target)), places),
        ]
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
        cedar::entities(built)
    }
}

fn attributes(pairs: Vec<(&str, RestrictedExpression)>) -> HashMap<String, RestrictedExpression> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn in_words(error: &AuthorizationError) -> String {
    let AuthorizationError::PolicyEvaluationError(error) = error;
    let (source, rule) = parts(error.policy_id());
    format!("{rule} of {source}: {}", error.inner())
}

/// The resource and the field in the id of a policy.
fn parts(id: &PolicyId) -> (&str, &str) {
    let id: &str = id.as_ref();
    id.split_once(' ').unwrap_or((id, ""))
}

/// What could not be evaluated decides alone: it is why the rest does not count.
fn determining(principal: &Principal, response: &Response) -> Vec<Determining> {
    let erred = response.diagnostics().errors().map(|error| {
        let AuthorizationError::PolicyEvaluationError(error) = error;
        error.policy_id()
    });
    let mut ids: Vec<&PolicyId> = erred.collect();
    if ids.is_empty() {
        ids.extend(response.diagnostics().reason());
    }
    let mut determining: Vec<Determining> = ids
        .into_iter()
        .map(|id| match (parts(id), principal.key()) {
            ((KEY_POLICY, _), Some(key)) => Determining {
                source: key.source.clone(),
                rule: KEY_RULE.to_owned(),
            },
            ((source, rule), _) => Determining {
                source: source.to_owned(),
                rule: rule.to_owned(),
            },
        })
        .collect();
    determining.sort();
    determining
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
        rule: KEY_RULE,
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
