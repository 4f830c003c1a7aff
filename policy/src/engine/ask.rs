//! How a question is put to Cedar: the policies that it is shown, the entities, the context.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context as CedarContext, Entities, Entity, EntityUid, Policy, PolicySet, Request, Response,
    RestrictedExpression,
};
use crds::Endpoint;
use serde_json::Value;

use super::Context;
use super::decide::{KEY_POLICY, KEY_RULE, Question};
use crate::cedar::{self, Draft, Effect, Type, Var, all, any, below, binary, text};
use crate::compile::rule_id;
use crate::principal::{Identity, KeyUse, Principal};
use crate::snapshot::Access;
use crate::target::{Target, parent};

impl Question<'_> {
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

fn cedar_context(context: &Context<'_>) -> Result<CedarContext, String> {
    let moment = |milliseconds: i64| {
        let at = jiff::Timestamp::from_millisecond(milliseconds).map_err(|error| error.to_string())?;
        Ok::<_, String>(RestrictedExpression::new_datetime(format!("{at:.3}")))
    };
    let now = ("now".to_owned(), moment(context.now)?);
    let signed_in_at = context.signed_in.map(|signed_in| moment(signed_in.at)).transpose()?;
    let signed_in_at = signed_in_at.map(|at| ("signedInAt".to_owned(), at));
    let acr = context.signed_in.and_then(|signed_in| signed_in.acr);
    let acr = acr.map(|acr| ("acr".to_owned(), RestrictedExpression::new_string(acr.to_owned())));
    let client_ip = context.client_ip.map(|ip| {
        (
            "clientIp".to_owned(),
            RestrictedExpression::new_ip(ip.to_canonical().to_string()),
        )
    });
    let sign_in = signed_in_at.into_iter().chain(acr);
    CedarContext::from_pairs(client_ip.into_iter().chain(sign_in).chain([now])).map_err(|error| error.to_string())
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
