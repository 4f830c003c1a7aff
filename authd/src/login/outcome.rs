//! What is written down of each attempt to sign in, whichever the way: an audit line and a count.

use super::session::{Device, Token};
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::serving::Serving;
use crate::store::User;

/// How somebody comes to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They sign in.
    SignIn,
    /// A program exchanges a token for it.
    Exchange,
}

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
    /// Of which way.
    pub(super) way: Way,
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
    let (outcome, label) = match tried.failure {
        None => (Outcome::Success, "success"),
        Some(_) => (Outcome::Failure, "failure"),
    };
    let kind = match (tried.way, outcome) {
        (Way::SignIn, Outcome::Success) => Kind::SignIn,
        (Way::SignIn, Outcome::Failure) => Kind::SignInFailed,
        (Way::Exchange, Outcome::Success) => Kind::TokenExchanged,
        (Way::Exchange, Outcome::Failure) => Kind::TokenExchangeFailed,
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
