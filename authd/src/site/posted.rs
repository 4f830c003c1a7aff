//! What a page is asked with, and what a form posts. What cannot be read is taken for nothing: people see a page, not an error.

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Redirect;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// Where a person wants to go: `return_to`, or `rd` as oauth2-proxy and ingress-nginx say; and whether they have to sign in although
/// they are signed in (`prompt=login`, as OpenID Connect says it).
#[derive(Debug, Default)]
pub struct Asked {
    address: Option<String>,
    again: bool,
}

impl Asked {
    /// The address as it was given, decoded once. Given twice, it is none.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Whether they have to sign in again. It only ever asks for more, so that anybody may say so.
    #[must_use]
    pub fn again(&self) -> bool {
        self.again
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = || url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let mut given = query().filter(|(name, _)| matches!(&**name, "return_to" | "rd"));
        let address = match (given.next(), given.next()) {
            (Some((_, address)), None) => Some(address.into_owned()),
            _ => None,
        };
        let again = query().any(|(name, value)| name == "prompt" && value == "login");
        Ok(Self { address, again })
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
