//! What every dialect does with its facts once it has read them: it asks the gate, in time, and has the verdict put into words.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::Full;
use policy::Target;

use super::answer;
use super::asker::Asker;
use super::counts::Outcome;
use super::facts::{Dialect, Refused};
use super::{Check, Verdict, check};
use crate::app::App;
use crate::cookie;
use crate::identity::assertion::assertion;
use crate::identity::{Caller, Credential};
use crate::login::session;
use crate::serving::Serving;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A check that takes longer is refused, before any proxy gives up.
const DEADLINE: Duration = Duration::from_millis(2500);

/// A request that a proxy asks about.
#[derive(Debug)]
pub struct Asked<'a> {
    /// How the proxy asks.
    pub dialect: Dialect,
    /// What is to be reached.
    pub target: Target<'a>,
    /// The request's own headers.
    pub headers: &'a HeaderMap,
    /// The client's address, where it is known.
    pub client_ip: Option<IpAddr>,
    /// The AccessPolicy that has to govern the host, where the proxy names one, as `namespace/name`.
    pub policy: Option<&'a str>,
}

/// An answer in the words of HTTP, whatever the proxy speaks.
#[derive(Debug)]
pub struct Answered {
    /// What became of the check.
    pub outcome: Outcome,
    /// Who may pass; nobody, unless the gate lets the request through.
    pub caller: Option<Arc<Caller>>,
    /// Status, headers and body: what the application learns of the caller, or what the client is told.
    pub response: Response<Full<Bytes>>,
}

impl Answered {
    /// The request may not pass.
    #[must_use]
    pub fn refused(outcome: Outcome, response: Response<Full<Bytes>>) -> Self {
        Self {
            outcome,
            caller: None,
            response,
        }
    }

    /// Not a question that is answered here.
    #[must_use]
    pub fn not_here() -> Self {
        Self::refused(Outcome::NotHere, answer::not_here())
    }

    /// What the proxy says cannot be read in one way.
    #[must_use]
    pub fn malformed(dialect: Dialect, refused: Refused) -> Self {
        Self::refused(Outcome::Malformed, answer::malformed(dialect, refused))
    }

    /// Nothing can be decided now.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::refused(Outcome::Unavailable, answer::unavailable())
    }
}

/// Waits for an answer in the words of a proxy, and counts it. One that does not come in time, or never, is a refusal.
pub async fn in_time<T>(
    app: &App,
    dialect: Dialect,
    answer: impl Future<Output = (Outcome, T)>,
    unavailable: impl FnOnce() -> T,
) -> T {
    let begun = Instant::now();
    let answered = tokio::time::timeout(DEADLINE, AssertUnwindSafe(answer).catch_unwind()).await;
    let (outcome, answer) = match answered {
        Ok(Ok(answered)) => answered,
        Ok(Err(_)) | Err(_) => (Outcome::Unavailable, unavailable()),
    };
    app.checks.count(Some(dialect), outcome, begun.elapsed());
    answer
}

/// Asks the gate.
pub async fn ask(app: &App, serving: &Serving, asked: &Asked<'_>) -> Answered {
    let question = Check {
        target: &asked.target,
        credential: Credential::read(asked.headers, &serving.settings().cookie.name),
        client_ip: asked.client_ip,
        policy: asked.policy,
        request_id: asked.headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()),
    };
    match check(app, serving, &question).await {
        Verdict::Allow(caller, age) => {
            let assertion = assertion(app, serving, &caller, &asked.target);
            let cookie = renewed(app, serving, &caller, question.credential);
            Answered {
                outcome: Outcome::Allow,
                response: answer::allow(&caller, assertion, age, cookie),
                caller: Some(caller),
            }
        }
        refused => {
            let asker = Asker::of(&asked.target, asked.headers);
            Answered::refused(
                outcome(&refused),
                answer::refuse(&refused, asked.dialect, asker, &asked.target, serving),
            )
        }
    }
}

fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Allow(..) => Outcome::Allow,
        Verdict::SignIn(_) | Verdict::SignInAgain(_) => Outcome::SignIn,
        Verdict::Forbid(_) => Outcome::Forbid,
        Verdict::Limited(_) => Outcome::Limited,
        Verdict::Unavailable => Outcome::Unavailable,
    }
}

/// A fresh token for a browser whose token is past its half, so that people who are busy are not signed out.
fn renewed(app: &App, serving: &Serving, caller: &Caller, credential: Credential<'_>) -> Option<HeaderValue> {
    let claims = caller.session().filter(|_| credential.is_cookie())?;
    let token = session::renew(app, serving, caller, claims)?;
    cookie::set(serving.settings(), &token.text, token.expires_at)
}
