//! What a page is asked with, and what a form posts. What cannot be read is taken for nothing: people see a page, not an error.

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Redirect;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::login::again::Again;
use crate::serving::Serving;

/// As many as a rule may name.
const MOST_CLASSES: usize = 16;

/// Where a person wants to go: `return_to`, or `rd` as oauth2-proxy and ingress-nginx say; and whether they have to sign in although
/// they are signed in (`prompt=login`), and how strongly (`acr_values`), as OpenID Connect says it.
#[derive(Debug, Default)]
pub struct Asked {
    address: Option<String>,
    again: Option<Again>,
}

impl Asked {
    /// The address as it was given, decoded once. Given twice, it is none.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// How they have to sign in again, if they have to. Anybody may say so: what no rule asks for is left out, so that nobody is led to
    /// a weaker sign-in than the usual one.
    #[must_use]
    pub fn again(&self, serving: &Serving) -> Option<Again> {
        let mut again = self.again.clone()?;
        again.acr.retain(|class| serving.engine.asks_for_class(class));
        Some(again)
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
        let classes = query().find_map(|(name, value)| (name == "acr_values").then_some(value));
        let classes = classes.iter().flat_map(|classes| classes.split(' '));
        let again = again.then(|| Again {
            acr: classes.take(MOST_CLASSES).map(str::to_owned).collect(),
        });
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
