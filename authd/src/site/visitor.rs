//! Who looks at a page: somebody with a session, or a stranger; and where they want to go next.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};

use super::Instead;
use crate::api;
use crate::api::caller::{InSession, Origin};
use crate::app::App;
use crate::pages::csrf::{Purpose, Visit};
use crate::pages::return_to;
use crate::serving::Serving;

/// Somebody who looks at a page.
#[derive(Debug)]
pub struct Visitor {
    /// What is served.
    pub serving: Arc<Serving>,
    /// Where they come from.
    pub origin: Origin,
    /// Their session, where they have one.
    pub session: Option<InSession>,
    /// The visit that their forms belong to.
    pub visit: Visit,
    /// The cookie of a visit that begins now.
    pub begun: Option<HeaderValue>,
    /// Their headers, for the checks of forms.
    pub headers: HeaderMap,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Instead;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Instead> {
        let serving = api::serving(app)?;
        let origin = Origin::from_request_parts(parts, app).await?;
        let session = InSession::from_request_parts(parts, app).await.ok();
        let known = serving.csrf.visit(&parts.headers);
        let (visit, begun) = match known {
            Some(visit) => (visit, None),
            None => {
                let visit = serving.csrf.begin(&app.random);
                let cookie = serving.csrf.set_cookie(&visit);
                (visit, cookie)
            }
        };
        Ok(Self {
            serving,
            origin,
            session,
            visit,
            begun,
            headers: parts.headers.clone(),
        })
    }
}

impl Visitor {
    /// The token of a form for this purpose.
    #[must_use]
    pub fn form_token(&self, purpose: Purpose) -> String {
        self.serving.csrf.token(&self.visit, purpose)
    }

    /// Whether a form for this purpose was posted from our own page.
    #[must_use]
    pub fn posted(&self, purpose: Purpose, token: &str) -> bool {
        self.serving
            .csrf
            .check(&self.headers, &self.serving.public_url.origin(), purpose, token)
            .is_ok()
    }

    /// Where they want to go, if they may be sent there.
    #[must_use]
    pub fn return_to(&self, raw: Option<&str>) -> Option<String> {
        return_to::accept(raw?, &|host| self.serving.may_return_to(host), &self.serving.public_url)
    }

    /// The response, with the cookie of a visit that begins now. A response has one `Set-Cookie` of ours at most otherwise.
    #[must_use]
    pub fn with_visit(&self, mut response: axum::response::Response) -> axum::response::Response {
        if let Some(cookie) = &self.begun {
            response.headers_mut().append(header::SET_COOKIE, cookie.clone());
        }
        response
    }
}

/// The origin of an address that was accepted, for `form-action`.
#[must_use]
pub fn origins(return_to: Option<&str>) -> Vec<url::Origin> {
    return_to
        .and_then(|address| url::Url::parse(address).ok())
        .map(|url| url.origin())
        .into_iter()
        .collect()
}
