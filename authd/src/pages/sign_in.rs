//! How does a person sign in: one form for a name and a password, wherever that is, and links to the other providers.

use askama::Template;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::{Page, Site};
use crate::login::again::Again;

/// The sign-in page. Status 200, or that of the [`Refusal`].
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn<'a> {
    /// The instance.
    pub site: &'a Site,
    /// The form for name and password, posted to `/login`; absent where no provider with passwords and no directory is declared.
    pub password: Option<PasswordForm<'a>>,
    /// The other ways in, in the order they are shown.
    pub providers: &'a [Provider<'a>],
    /// An address that `return_to::accept` has accepted.
    pub return_to: Option<&'a str>,
    /// How the person, who is signed in, has to sign in once more for what they want to open.
    pub again: Option<&'a Again>,
    /// Why the last attempt did not work.
    pub refusal: Option<Refusal>,
    /// Origins that a sign-in may return to.
    pub form_origins: &'a [url::Origin],
}

/// What fills the form for name and password.
#[derive(Debug)]
pub struct PasswordForm<'a> {
    /// The token for `csrf::Purpose::SignIn`.
    pub csrf: &'a str,
    /// What was typed before, or empty.
    pub email: &'a str,
    /// What people type as their name.
    pub names: Names,
    /// Where their password may be, where that is to be chosen.
    pub choices: &'a [Choice<'a>],
}

/// What people type as their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// An e-mail address.
    Email,
    /// A user name.
    Username,
    /// One or the other, by what they choose.
    Either,
}

/// A place where somebody's password may be.
#[derive(Debug)]
pub struct Choice<'a> {
    /// The name of the `AuthProvider`.
    pub name: &'a str,
    /// Its name for people.
    pub title: &'a str,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

impl PasswordForm<'_> {
    fn label(&self) -> &'static str {
        match self.names {
            Names::Email => "E-mail",
            Names::Username => "User name",
            Names::Either => "E-mail or user name",
        }
    }

    /// The kind of field: browsers accept nothing but an address in one of type `email`.
    fn kind(&self) -> &'static str {
        match self.names {
            Names::Email => "email",
            Names::Username | Names::Either => "text",
        }
    }
}

/// A link to another way in: `/oauth/{name}/login`.
#[derive(Debug)]
pub struct Provider<'a> {
    /// The name of the `AuthProvider`.
    pub name: &'a str,
    /// Its name for people.
    pub title: &'a str,
}

/// Why a person was not signed in, as far as they may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The e-mail, the password or both are wrong, or the account may not sign in.
    Credentials,
    /// A directory does not vouch for the person, or cannot.
    Directory,
    /// Too many failures.
    TooMany {
        /// Seconds until another attempt is looked at.
        retry_after: u64,
    },
    /// The form's token did not hold: the page was open too long, or the post came from elsewhere.
    StaleForm,
    /// Another provider said no, or its answer did not check out.
    Provider,
    /// Something that signing in needs is not there at the moment.
    Unavailable,
}

impl SignIn<'_> {
    /// The host that the person is on the way to, unless that is us.
    fn destination(&self) -> Option<String> {
        let url = self.return_to.and_then(|address| Url::parse(address).ok())?;
        url.host_str().map(str::to_owned)
    }

    fn provider_href(&self, provider: &Provider<'_>) -> String {
        let mut href = format!("/oauth/{}/login", utf8_percent_encode(provider.name, NON_ALPHANUMERIC));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.return_to.map(|address| ("return_to", address)));
        if let Some(again) = self.again {
            again.say(&mut query);
        }
        let query = query.finish();
        if !query.is_empty() {
            href.push('?');
            href.push_str(&query);
        }
        href
    }

    /// While attempts are not looked at, the message has the focus; otherwise the first empty field has it, and the message
    /// is read out as its description.
    fn must_wait(&self) -> bool {
        matches!(self.refusal, Some(Refusal::TooMany { .. } | Refusal::Unavailable)) || self.password.is_none()
    }

    fn fields_are_wrong(&self) -> bool {
        matches!(self.refusal, Some(Refusal::Credentials | Refusal::Directory))
    }
}

impl Page for SignIn<'_> {
    fn status(&self) -> StatusCode {
        self.refusal.map_or(StatusCode::OK, Refusal::status)
    }

    fn form_origins(&self) -> &[url::Origin] {
        self.form_origins
    }

    fn extra_headers(&self, headers: &mut HeaderMap) {
        if let Some(Refusal::TooMany { retry_after }) = self.refusal {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
    }
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Credentials | Self::Directory | Self::Provider => StatusCode::BAD_REQUEST,
            Self::StaleForm => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Credentials => "The e-mail or the password is not right.".to_owned(),
            Self::Directory => {
                "Signing in did not work. Check the user name and the password, or try again later.".to_owned()
            }
            Self::TooMany { retry_after } => {
                format!("Too many attempts. Try again in {}.", span(*retry_after))
            }
            Self::StaleForm => "This page was open for too long. Please sign in again.".to_owned(),
            Self::Provider => "That way of signing in did not work. Try again, or choose another.".to_owned(),
            Self::Unavailable => "Signing in is not possible at the moment. Please try again shortly.".to_owned(),
        }
    }
}

/// A waiting time as people say it, never shorter than it is.
fn span(seconds: u64) -> String {
    match seconds {
        0 | 1 => "1 second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}
