//! Ways to sign in, on the account page of whoever is signed in: which are linked, and unlinking one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Instead;
use super::account::{News, page, poster, sentence};
use super::posted::Posted;
use super::visitor::Visitor;
use crate::app::App;
use crate::login::linking;
use crate::pages::{Form, Link, WayRow};
use crate::store::Identity;

/// The providers whose pages people sign in on, and whether the account is linked to them.
pub(super) fn rows<'a>(visitor: &'a Visitor, identities: &[Identity]) -> Vec<WayRow<'a>> {
    let is_linked = |name: &str| identities.iter().any(|identity| identity.provider == name);
    let outside = visitor
        .serving
        .engine
        .providers()
        .filter(|provider| provider.method.is_elsewhere());
    outside
        .map(|provider| WayRow {
            name: &provider.name,
            title: &provider.display_name,
            link: if is_linked(&provider.name) {
                Link::Linked
            } else {
                Link::Possible
            },
        })
        .collect()
}

/// What the form that unlinks posts.
#[derive(Debug, Deserialize)]
pub struct Unlink {
    #[serde(default)]
    csrf: String,
    provider: String,
}

/// `POST /account/ways/unlink`.
///
/// # Errors
/// The database does not answer.
pub async fn unlink(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Posted(form): Posted<Unlink>,
) -> Result<Response, Instead> {
    let session = poster(&visitor, &form.csrf)?;
    match linking::unlink(&app, &session.signed_in.user, &form.provider).await {
        Ok(()) | Err(linking::Error::Store(crate::store::Error::NotFound)) => {
            Ok(Redirect::to("/account?done=unlinked").into_response())
        }
        Err(linking::Error::Store(error)) => Err(error.into()),
        Err(error) => {
            let text = sentence(&error.to_string());
            page(&app, &visitor, News::refused(Form::Ways, &text)).await
        }
    }
}
