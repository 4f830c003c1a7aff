//! What does a person see: one struct for each page, rendered by the server, with no JavaScript at all.
//!
//! A page answers with its status and the [`headers()`] that keep it from being framed, cached or scripted. The pages belong to
//! the public listener: their links and forms are paths on `publicUrl`. Deliberately not here: routes, sessions, and deciding
//! anything; a page is told what to show. `Strict-Transport-Security` is added by whoever knows that `publicUrl` is https.

mod account;
mod browser;
pub mod csrf;
mod headers;
mod notice;
pub mod return_to;
mod sign_in;
mod style;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod tests;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

pub use account::{Account, Form, FreshKey, KeyRow, Link, Notice, PasswordRules, Place, Refused, SessionRow, WayRow};
pub use headers::headers;
pub use notice::{Denied, Error, NotFound, Pending, SignedOut};
pub use sign_in::{Choice, Names, PasswordForm, Provider, Refusal, SignIn};
pub use style::{stylesheet, stylesheet_path};

/// What every page says about the instance that serves it.
#[derive(Debug, Clone)]
pub struct Site {
    /// The name that people know the instance by, as plain text.
    pub name: String,
}

impl Site {
    fn stylesheet(&self) -> &'static str {
        stylesheet_path()
    }
}

/// A page that can be answered.
pub trait Page: askama::Template {
    /// The status that goes with what the page says.
    fn status(&self) -> StatusCode;

    /// Origins other than ours that a form on the page may end at, by redirect, after it was posted to us.
    fn form_origins(&self) -> &[url::Origin] {
        &[]
    }

    /// Headers that this page alone needs.
    fn extra_headers(&self, _headers: &mut HeaderMap) {}

    /// The whole answer: status, headers, HTML.
    fn respond(&self) -> Response {
        let (status, html) = match self.render() {
            Ok(html) => (self.status(), html),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        };
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = status;
        *response.headers_mut() = headers(self.form_origins());
        self.extra_headers(response.headers_mut());
        response
    }
}
