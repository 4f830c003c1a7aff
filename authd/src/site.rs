//! The pages' routes: what a person opens, and the forms that they post.

pub mod account;
pub mod notices;
pub mod oauth;
pub mod posted;
pub mod sign_in;
pub mod visitor;
pub mod ways;

use axum::response::{IntoResponse, Redirect, Response};

use crate::error::ApiError;
use crate::pages::{Page, Site};
use crate::random::Random;

/// What is shown instead of what was asked for.
#[derive(Debug)]
pub enum Instead {
    /// Another page of ours.
    Elsewhere(&'static str),
    /// That something went wrong.
    Broken(ApiError),
}

impl<E: Into<ApiError>> From<E> for Instead {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

impl IntoResponse for Instead {
    /// People see a page where programs would see JSON.
    fn into_response(self) -> Response {
        let error = match self {
            Self::Elsewhere(path) => return Redirect::to(path).into_response(),
            Self::Broken(error) => error,
        };
        let status = error.into_response().status();
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
