//! May this principal reach this target? Cedar decides; any error is a refusal.

use std::net::IpAddr;

use cedar_policy::{AuthorizationError, PolicyId, Response};
use crds::{Mode, OnRevocationUnknown};
use serde::Serialize;

use super::{Engine, ReadyAccess, SignIn, Slice};
use crate::compile::rule_field;
use crate::principal::Principal;
use crate::snapshot::WantedSignIn;
use crate::target::Target;

/// What else a decision may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The client's address, where the proxy says it.
    pub client_ip: Option<IpAddr>,
    /// Now, in epoch milliseconds.
    pub now: i64,
    /// How the person signed in; `None` where there is no session.
    pub signed_in: Option<SignIn<'a>>,
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
    /// For somebody whose sign-in does not suffice: which one would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_again: Option<WantedSignIn>,
    /// For how many seconds a connection may stay open that the rules let open; `None`: they do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connection_age: Option<u64>,
    /// Whether it holds for people while it is not known what was revoked.
    #[serde(skip_serializing_if = "OnRevocationUnknown::is_allow")]
    pub on_revocation_unknown: OnRevocationUnknown,
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
    /// They would, had the person signed in more lately.
    SignedInTooLongAgo,
    /// They would, had the person signed in more strongly.
    SignedInTooWeakly,
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
            Self::SignedInTooLongAgo => "SignedInTooLongAgo",
            Self::SignedInTooWeakly => "SignedInTooWeakly",
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
pub(super) const KEY_POLICY: &str = "key";
/// The field that they come from.
pub(super) const KEY_RULE: &str = "spec.allowedEndpoints";

/// What is asked, once the AccessPolicy and its best rules are found.
pub(super) struct Question<'a> {
    pub(super) ready: &'a ReadyAccess,
    /// The rules that fit best, one bit each.
    pub(super) rules: u64,
    pub(super) principal: &'a Principal,
    pub(super) target: &'a Target<'a>,
    pub(super) context: &'a Context<'a>,
}

impl Engine {
    /// Decides.
    #[must_use]
    pub fn decide(&self, principal: &Principal, target: &Target<'_>, context: &Context<'_>) -> Decision {
        self.decide_slice(&self.slice(target), principal, target, context)
    }

    /// Decides a question that was cut down before.
    #[must_use]
    pub fn decide_slice(
        &self,
        slice: &Slice<'_>,
        principal: &Principal,
        target: &Target<'_>,
        context: &Context<'_>,
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
        sign_in_again: None,
        max_connection_age: None,
        on_revocation_unknown: OnRevocationUnknown::default(),
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
        let nobody_said_no = errors.is_empty() && determining.is_empty();
        let again = match response.decision() {
            cedar_policy::Decision::Deny if nobody_said_no => self.after_signing_in_again(),
            _ => None,
        };
        let (insufficient, sign_in_again) = again.unzip();
        let denial = match response.decision() {
            _ if !errors.is_empty() => Some(Denial::EvaluationError),
            cedar_policy::Decision::Allow => None,
            cedar_policy::Decision::Deny if by_key => Some(Denial::KeyEndpoint),
            cedar_policy::Decision::Deny if !determining.is_empty() => Some(Denial::Forbidden),
            cedar_policy::Decision::Deny if insufficient.is_some() => insufficient,
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
            max_connection_age: denial.map_or_else(|| self.max_connection_age(&determining), |_| None),
            determining,
            shadow,
            sign_in_again,
            on_revocation_unknown: self.ready.access.on_revocation_unknown,
            errors,
        }
    }

    /// What the most generous of those says that let the request pass, as they add up. One that says nothing is the most generous, and
    /// so is a policy that was written by hand.
    fn max_connection_age(&self, permitting: &[Determining]) -> Option<u64> {
        let rules = self.ready.access.rules.iter().enumerate();
        let ages = permitting.iter().map(|one| {
            let (_, place) = rules.clone().find(|(index, _)| one.rule == rule_field(*index))?;
            place.max_connection_age
        });
        ages.collect::<Option<Vec<u64>>>()?.into_iter().max()
    }
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
pub(super) fn determining(principal: &Principal, response: &Response) -> Vec<Determining> {
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
