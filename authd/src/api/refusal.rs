//! Who is kept out of a route of the JSON API, and how is that written down?

use axum::extract::MatchedPath;
use http::request::Parts;
use uuid::Uuid;

use super::caller::Origin;
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::error::ApiError;
use crate::identity::{Credential, key_name};
use crate::serving::Serving;

/// Why somebody who is known may not call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is a service's, and the route is for people.
    NotAPerson,
    /// A key was shown, and keys do not manage accounts.
    SessionNeeded,
    /// The account waits for an administrator.
    Pending,
    /// The route is for administrators.
    AdminOnly,
}

impl Refusal {
    /// The reason as audit lines name it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotAPerson => "NotAPerson",
            Self::SessionNeeded => "SessionNeeded",
            Self::Pending => "Pending",
            Self::AdminOnly => "AdminOnly",
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (code, detail) = match refusal {
            Refusal::NotAPerson => ("not_a_person", "this is for people, and the key is a service's"),
            Refusal::SessionNeeded => ("session_needed", "an API key cannot do this: sign in"),
            Refusal::Pending => ("pending", "the account waits for an administrator"),
            Refusal::AdminOnly => ("admin_only", "only an administrator may do this"),
        };
        Self::forbidden(code, detail)
    }
}

/// Writes down that a call was refused: why, whose it was where that is known, and which key was shown. The path is the route's.
///
/// Pages are for strangers too: who comes to one with a session that has ended is kept out of nothing.
pub(super) fn record(
    app: &App,
    serving: &Serving,
    parts: &Parts,
    from: &Origin,
    (reason, actor): (&'static str, Option<Uuid>),
) {
    let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    if !route.is_some_and(|route| route.starts_with("/api/")) {
        return;
    }
    let credential = Credential::read(&parts.headers, &serving.settings().cookie.name);
    let request_id = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok());
    app.audit.record(Event {
        reason: Some(reason),
        actor_id: actor,
        key_name: key_name(app, serving, credential),
        client_address: from.address,
        request_id: request_id.map(str::to_owned),
        target_path: route.map(str::to_owned),
        snapshot_digest: Some(serving.engine.digest().to_owned()),
        ..Event::new(app.now(), Kind::Refused, Outcome::Failure)
    });
}
