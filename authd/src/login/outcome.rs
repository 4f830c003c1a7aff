//! What is written down of each attempt to sign in, whichever the way: an audit line and a count.

use super::session::{Device, Token};
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::serving::Serving;
use crate::store::User;

/// Somebody who signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// The session's first token.
    pub token: Token,
}

/// An attempt to sign in.
#[derive(Debug)]
pub(super) struct Tried<'a> {
    /// The AuthProvider; absent where none is declared.
    pub(super) provider: Option<&'a str>,
    /// What metrics call it.
    pub(super) label: &'a str,
    /// From where.
    pub(super) device: Device<'a>,
    /// Whose account it is, as far as it is known.
    pub(super) user: Option<&'a User>,
    /// Why it failed; `None`: it did not.
    pub(super) failure: Option<&'static str>,
}

/// Writes it down.
pub(super) fn write_down(app: &App, serving: &Serving, tried: &Tried<'_>) {
    let (kind, outcome, label) = match tried.failure {
        None => (Kind::SignIn, Outcome::Success, "success"),
        Some(_) => (Kind::SignInFailed, Outcome::Failure, "failure"),
    };
    app.audit.record(Event {
        reason: tried.failure,
        actor_id: tried.user.map(|user| user.id),
        actor_email: tried.user.map(|user| user.email.clone()),
        method: tried.provider.map(str::to_owned),
        client_address: tried.device.address,
        snapshot_digest: Some(serving.engine.digest().to_owned()),
        ..Event::new(app.now(), kind, outcome)
    });
    metrics::counter!(
        "authd_sign_ins_total",
        "provider" => tried.label.to_owned(), "outcome" => label, "reason" => tried.failure.unwrap_or("")
    )
    .increment(1);
}
