//! May this request pass? The one gate that every dialect asks.
//!
//! Only [`Verdict::Allow`] lets a request through, and only an explicit permit makes one.

pub mod answer;
pub mod asked;
pub mod asker;
pub mod counts;
pub mod ext_authz;
pub mod facts;
pub mod fastcgi;
mod form;
pub mod forward_auth;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use policy::Target;
use policy::engine::{Context, Decision, Denial, Outcome};
use policy::snapshot::WantedSignIn;

use crate::app::App;
use crate::audit::{self, Event, Kind};
use crate::identity::{self, Caller, Credential, count_guess, identify, key_name};
use crate::serving::Serving;
use crate::shared::Limited;
use crate::telemetry::with_causes;

/// A question.
#[derive(Debug)]
pub struct Check<'a> {
    /// What is to be reached.
    pub target: &'a Target<'a>,
    /// What the caller showed.
    pub credential: Credential<'a>,
    /// The client's address, where it is known.
    pub client_ip: Option<IpAddr>,
    /// The AccessPolicy that has to govern the host, where the proxy names one, as `namespace/name`. It chooses nothing: another
    /// one that governs the host refuses.
    pub policy: Option<&'a str>,
    /// The proxy's name for the request.
    pub request_id: Option<&'a str>,
}

/// An answer.
#[derive(Debug)]
pub enum Verdict {
    /// The request may pass, as this caller. A connection that it opens may stay open for so many seconds, where that is bounded.
    Allow(Arc<Caller>, Option<u64>),
    /// Nobody is signed in, and somebody must be. The reason says what was wrong with what was shown, if anything.
    SignIn(Option<identity::Error>),
    /// The person signed in too long ago or too weakly for this: such a sign-in would do.
    SignInAgain(WantedSignIn),
    /// The caller is known and may not.
    Forbid(Denial),
    /// Too many wrong keys came from this address.
    Limited(Limited),
    /// It cannot be said now.
    Unavailable,
}

/// Answers a question.
pub async fn check(app: &App, serving: &Serving, check: &Check<'_>) -> Verdict {
    let (caller, fault) = match identify(app, serving, credential(serving, check)).await {
        Ok(caller) => (caller, None),
        Err(identity::Error::Unavailable(error)) => {
            tracing::error!(
                error = with_causes(&error),
                "the database does not answer: the request is refused"
            );
            return Verdict::Unavailable;
        }
        // A browser sends its cookie by itself: a stale one must not keep anybody from a public page.
        Err(error) if check.credential.is_cookie() => (serving.anonymous(), Some(error)),
        Err(error) => {
            refused(app, serving, check, None, (Some(&error), None));
            return match count_guess(app, serving, check.client_ip, &error) {
                Err(limited) => Verdict::Limited(limited),
                Ok(()) => Verdict::SignIn(Some(error)),
            };
        }
    };
    let context = Context {
        client_ip: check.client_ip,
        now: app.now().as_millisecond(),
        signed_in: caller.signed_in(),
    };
    let decision = serving.decide(&caller.principal, check.target, &context);
    if let Some(denial) = decision.shadow {
        tracing::info!(
            policy.name = decision.policy.as_deref(),
            target.host = %check.target.host,
            target.path = %check.target.path,
            reason = denial.name(),
            "a policy in Shadow mode would have refused the request"
        );
    }
    match outcome(check, &decision) {
        Outcome::Permit if !is_believed(app, &caller, &decision) => as_a_stranger(serving, check, context),
        Outcome::Permit => {
            let age = may_last(app, &caller, check, &decision);
            Verdict::Allow(caller, age)
        }
        Outcome::Deny(denial) => {
            refused(
                app,
                serving,
                check,
                Some(&caller),
                (fault.as_ref(), Some((denial, &decision))),
            );
            let nobody_could = matches!(denial, Denial::UnknownHost | Denial::BrokenPolicy | Denial::OtherPolicy);
            match (denial, &decision.sign_in_again) {
                _ if caller.principal.is_anonymous() && !nobody_could => Verdict::SignIn(fault),
                (Denial::SignedInTooLongAgo | Denial::SignedInTooWeakly, Some(wanted)) => {
                    Verdict::SignInAgain(wanted.clone())
                }
                _ => Verdict::Forbid(denial),
            }
        }
    }
}

/// For how many seconds a connection that opens now may stay open.
fn may_last(app: &App, caller: &Caller, check: &Check<'_>, decision: &Decision) -> Option<u64> {
    let until = caller.good_until(check.credential);
    let left = until.map(|at| at.saturating_sub(app.now().as_second()).max(1).unsigned_abs());
    [left, decision.max_connection_age].into_iter().flatten().min()
}

/// The answer to whoever cannot be believed now: what is open to everybody is open to them.
fn as_a_stranger(serving: &Serving, check: &Check<'_>, context: Context<'_>) -> Verdict {
    let context = Context {
        signed_in: None,
        ..context
    };
    let stranger = serving.anonymous();
    let decision = serving.decide(&stranger.principal, check.target, &context);
    match outcome(check, &decision) {
        Outcome::Permit => Verdict::Allow(stranger, decision.max_connection_age),
        Outcome::Deny(_) => Verdict::Unavailable,
    }
}

/// Whether the caller counts: a policy may say that people do not while it is not known what was revoked, and nobody does while there is
/// no record, where one is required.
fn is_believed(app: &App, caller: &Caller, decision: &Decision) -> bool {
    let is_known = decision.on_revocation_unknown.is_allow() || !caller.is_revocable() || !app.may_be_behind();
    is_known && app.audit.is_kept()
}

/// What was decided, unless the proxy meant another policy than the one that decided.
fn outcome(check: &Check<'_>, decision: &Decision) -> Outcome {
    match (check.policy, decision.policy.as_deref()) {
        (Some(meant), Some(governing)) if meant != governing => Outcome::Deny(Denial::OtherPolicy),
        _ => decision.outcome,
    }
}

/// What the caller showed. A cookie that browsers do not send to this host was carried here by somebody.
fn credential<'a>(serving: &Serving, check: &Check<'a>) -> Credential<'a> {
    match check.credential {
        Credential::Cookie(_) if !serving.shares_cookie(&check.target.host) => Credential::None,
        credential => credential,
    }
}

fn refused(
    app: &App,
    serving: &Serving,
    check: &Check<'_>,
    caller: Option<&Caller>,
    (fault, denied): (Option<&identity::Error>, Option<(Denial, &Decision)>),
) {
    if let Some(identity::Error::Token(error)) = fault {
        metrics::counter!("authd_tokens_refused_total", "reason" => error.reason()).increment(1);
    }
    let reason = fault
        .map(identity::Error::reason)
        .or(denied.map(|(denial, _)| denial.name()));
    let decided = denied.and_then(|(_, decision)| decision.determining.first());
    app.audit.record(Event {
        reason,
        actor_id: caller.and_then(Caller::account),
        key_name: key_name(app, serving, check.credential),
        client_address: check.client_ip,
        request_id: check.request_id.map(str::to_owned),
        target_host: Some(check.target.host.to_string()),
        target_path: Some(check.target.path.to_string()),
        snapshot_digest: Some(serving.engine.digest().to_owned()),
        policy_name: denied.and_then(|(_, decision)| decision.policy.clone()),
        policy_rule: decided.map(|decided| decided.rule.clone()),
        ..Event::new(app.now(), Kind::Refused, audit::Outcome::Failure)
    });
}
