//! Which pages say one thing: signed out, denied, pending, not found, error.

use askama::Template;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Page, Site};

/// Said after a sign-out. Status 200.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut<'a> {
    /// The instance.
    pub site: &'a Site,
    /// Where the provider ends its own session: the browser goes there at once.
    pub elsewhere: Option<&'a str>,
}

/// Said to somebody who is signed in and may not go where they wanted. Status 403.
#[derive(Debug, Template)]
#[template(path = "denied.html")]
pub struct Denied<'a> {
    /// The instance.
    pub site: &'a Site,
    /// The e-mail of the caller.
    pub email: &'a str,
    /// The host that they wanted.
    pub host: Option<&'a str>,
    /// The token for `csrf::Purpose::SignOut`.
    pub csrf: &'a str,
    /// Where signing in as somebody else leads: an address that `return_to::accept` has accepted.
    pub return_to: Option<&'a str>,
    /// Origins that a sign-out may end at, such as a provider's own.
    pub form_origins: &'a [url::Origin],
}

/// Said to somebody whose account waits for approval. Status 403.
#[derive(Debug, Template)]
#[template(path = "pending.html")]
pub struct Pending<'a> {
    /// The instance.
    pub site: &'a Site,
    /// The e-mail of the caller.
    pub email: &'a str,
    /// The e-mail address of somebody who can approve the account.
    pub contact: Option<&'a str>,
    /// The token for `csrf::Purpose::SignOut`.
    pub csrf: &'a str,
    /// Origins that a sign-out may end at, such as a provider's own.
    pub form_origins: &'a [url::Origin],
}

/// Said when something broke on our side; the log has the rest under the same reference.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct Error<'a> {
    /// The instance.
    pub site: &'a Site,
    /// The status, 500 or 503.
    pub status: StatusCode,
    /// The reference id that the log line carries.
    pub reference: &'a str,
}

/// Said where there is no page. Status 404.
#[derive(Debug, Template)]
#[template(path = "not_found.html")]
pub struct NotFound<'a> {
    /// The instance.
    pub site: &'a Site,
}

impl Page for SignedOut<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    /// Not by redirect: the form that was posted may end only where the page with the form knew that it would.
    fn extra_headers(&self, headers: &mut HeaderMap) {
        let to = self.elsewhere.map(|url| HeaderValue::try_from(format!("0; url={url}")));
        if let Some(Ok(to)) = to {
            headers.insert(header::REFRESH, to);
        }
    }
}

impl Page for Denied<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    fn form_origins(&self) -> &[url::Origin] {
        self.form_origins
    }
}

impl Page for Pending<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    fn form_origins(&self) -> &[url::Origin] {
        self.form_origins
    }
}

impl Page for Error<'_> {
    fn status(&self) -> StatusCode {
        self.status
    }
}

impl Page for NotFound<'_> {
    fn status(&self) -> StatusCode {
        StatusCode::NOT_FOUND
    }
}
