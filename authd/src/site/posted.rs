//! What a page is asked with, and what a form posts. What cannot be read is taken for nothing: people see a page, not an error.

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Redirect;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// Where a person wants to go: `return_to`, or `rd` as oauth2-proxy and ingress-nginx say.
#[derive(Debug, Default)]
pub struct Asked(Option<String>);

impl Asked {
    /// The address as it was given, decoded once. Given twice, it is none.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let mut given = url::form_urlencoded::parse(query).filter(|(name, _)| matches!(&**name, "return_to" | "rd"));
        Ok(match (given.next(), given.next()) {
            (Some((_, address)), None) => Self(Some(address.into_owned())),
            _ => Self(None),
        })
    }
}

/// A form. One that cannot be read leads back to the account page, and from there to the sign-in page.
#[derive(Debug)]
pub struct Posted<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Posted<T> {
    type Rejection = Redirect;

    async fn from_request(request: Request, state: &S) -> Result<Self, Redirect> {
        match Form::<T>::from_request(request, state).await {
            Ok(Form(form)) => Ok(Self(form)),
            Err(_) => Err(Redirect::to("/account")),
        }
    }
}
