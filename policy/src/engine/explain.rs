//! Why may this principal reach this target, or why not? In words, naming the rule.

use serde::Serialize;

use super::slice::fit;
use super::{Context, Decision, Denial, Engine, Outcome};
use crate::compile::rule_field;
use crate::principal::{Identity, Principal};
use crate::snapshot::Place;
use crate::target::Target;

/// An answer in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The answer.
    pub decision: Decision,
    /// Who was meant, with their roles and groups.
    pub principal: String,
    /// What was to be reached, as policies see it.
    pub target: String,
    /// How the answer came about, a sentence each.
    pub steps: Vec<String>,
    /// The rules of the policy and whether they cover the target.
    pub rules: Vec<RuleFit>,
    /// The Snapshot that answered.
    pub snapshot: String,
}

/// A rule and whether it covers the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleFit {
    /// The field, such as `spec.rules[1]`.
    pub rule: String,
    /// Where it applies.
    pub place: String,
    /// Whether it covers the target.
    pub covers: bool,
    /// Whether it is among those that fit best, and so decides.
    pub decides: bool,
}

impl Engine {
    /// Explains the decision.
    #[must_use]
    pub fn explain(&self, principal: &Principal, target: &Target<'_>, context: &Context<'_>) -> Explanation {
        let slice = self.slice(target);
        let decision = self.decide_slice(&slice, principal, target, context);
        let places = slice.access.map_or(&[][..], |(_, ready)| &ready.access.rules);
        let rules: Vec<RuleFit> = places
            .iter()
            .enumerate()
            .map(|(index, place)| RuleFit {
                rule: rule_field(index),
                place: describe(place),
                covers: fit(place, target).is_some(),
                decides: slice.rules & (1 << index) != 0,
            })
            .collect();
        Explanation {
            principal: name(principal),
            target: format!(
                "{} {}://{}{}",
                target.method,
                target.scheme.name(),
                target.host,
                target.path
            ),
            steps: steps(&decision, target, &rules),
            rules,
            snapshot: self.digest().to_owned(),
            decision,
        }
    }
}

fn name(principal: &Principal) -> String {
    let list =
        |names: &std::collections::BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let who = match principal.identity() {
        Identity::Anonymous => "nobody in particular".to_owned(),
        Identity::User(user) if user.pending => format!("{} (pending)", user.email),
        Identity::User(user) => user.email.clone(),
        Identity::Service(service) => format!("service {service}"),
    };
    let key = principal
        .key()
        .map_or(String::new(), |key| format!(", with {}", key.source));
    format!(
        "{who}, roles [{}], groups [{}]{key}",
        list(principal.roles()),
        list(principal.groups())
    )
}

fn describe(place: &Place) -> String {
    let all = |list: &[String], every: &str| {
        if list.is_empty() {
            every.to_owned()
        } else {
            list.join(", ")
        }
    };
    let lately = place
        .sign_in
        .signed_in_within
        .map_or(String::new(), |seconds| format!(", signed in within {seconds} s"));
    let strongly = match place.sign_in.acr.as_slice() {
        [] => String::new(),
        classes => format!(", signed in as {}", classes.join(" or ")),
    };
    let age = place
        .max_connection_age
        .map_or(String::new(), |seconds| format!(", connections end after {seconds} s"));
    format!(
        "{} on {}{lately}{strongly}{age}",
        all(&place.methods, "every method"),
        all(&place.paths, "every path")
    )
}

fn steps(decision: &Decision, target: &Target<'_>, rules: &[RuleFit]) -> Vec<String> {
    let host = &target.host;
    let mut steps = match &decision.policy {
        Some(policy) => vec![format!("host `{host}` is governed by AccessPolicy {policy}")],
        None => vec![format!("no AccessPolicy has `{host}` among its hosts")],
    };
    let deciding: Vec<String> = rules
        .iter()
        .filter(|rule| rule.decides)
        .map(|rule| format!("{} ({})", rule.rule, rule.place))
        .collect();
    if !deciding.is_empty() {
        steps.push(format!("the path is covered best by {}", deciding.join(" and ")));
    }
    steps.extend(
        decision
            .determining
            .iter()
            .map(|one| format!("decided by {} of {}", one.rule, one.source)),
    );
    steps.extend(
        decision
            .errors
            .iter()
            .map(|error| format!("could not be evaluated: {error}")),
    );
    steps.push(match decision.outcome {
        Outcome::Permit => match decision.shadow {
            None => "so the request may pass".to_owned(),
            Some(denial) => format!(
                "{}; but the policy is in Shadow mode, so the request may pass",
                sentence(denial)
            ),
        },
        Outcome::Deny(denial) => format!("{}, so the request may not pass", sentence(denial)),
    });
    steps
}

fn sentence(denial: Denial) -> &'static str {
    match denial {
        Denial::UnknownHost => "what no policy governs is refused",
        Denial::BrokenPolicy => "the policy has problems and was left out",
        Denial::OtherPolicy => "the proxy names another policy than the one that governs the host",
        Denial::NoRule => "no rule covers the path and method",
        Denial::NotAllowed => "the rule does not allow this principal",
        Denial::SignedInTooLongAgo => "the rule allows this principal only soon after signing in",
        Denial::SignedInTooWeakly => "the rule allows this principal only after a sign-in of another class (`acr`)",
        Denial::Forbidden => "a policy forbids it",
        Denial::KeyEndpoint => "the key is not for this endpoint",
        Denial::Pending => "the account waits for an administrator",
        Denial::EvaluationError => "a policy could not be evaluated",
    }
}
