//! The pages' routes: what a person opens, and the forms that they post.

pub mod account;
pub mod notices;
pub mod posted;
pub mod sign_in;
pub mod visitor;

use axum::response::{IntoResponse, Redirect, Response};

use crate::error::ApiError;
use crate::pages::{Page, Site};
use crate::random::Random;

/// A page could not be shown.
#[derive(Debug)]
pub struct Broken(pub ApiError);

impl<E: Into<ApiError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Broken {
    /// People see a page where programs would see JSON.
    fn into_response(self) -> Response {
        let status = self.0.into_response().status();
        let (site, reference) = (
            Site {
                name: "authd".to_owned(),
            },
            Random::System.hex(8),
        );
        tracing::warn!(status = status.as_u16(), reference, "a page could not be shown");
        crate::pages::Error {
            site: &site,
            status,
            reference: &reference,
        }
        .respond()
    }
}

/// `GET /`: the account page, or from there the sign-in page.
pub async fn start() -> Redirect {
    Redirect::to("/account")
}
