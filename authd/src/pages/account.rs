//! What can a person see and change about their own account: sessions, API keys, password.
//!
//! The forms post to `/account/sessions/revoke` (`session`, an id, `others` or `all`), `/account/keys` (`name`, `expires`),
//! `/account/keys/delete` (`key`), `/account/ways/unlink` (`provider`), `/account/password` (`password`, `new_password`) and `/logout`, each with `csrf`.

use askama::Template;
use http::StatusCode;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{Page, Site, browser};

/// The account page. Status 200, or 400 where a form was refused.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct Account<'a> {
    /// The instance.
    pub site: &'a Site,
    /// The person's name.
    pub name: &'a str,
    /// The person's e-mail.
    pub email: &'a str,
    /// The account's role.
    pub role: &'a str,
    /// The person's sessions, newest first.
    pub sessions: &'a [SessionRow<'a>],
    /// The person's keys, newest first.
    pub keys: &'a [KeyRow<'a>],
    /// A key that was made just now, which is shown this once.
    pub fresh_key: Option<FreshKey<'a>>,
    /// The ways to sign in that are linked, or can be.
    pub ways: &'a [WayRow<'a>],
    /// The password rules, where the person has a password to change.
    pub password: Option<PasswordRules>,
    /// What the last form did.
    pub notice: Option<Notice>,
    /// Why the last form did nothing.
    pub refused: Option<Refused<'a>>,
    /// The token for `csrf::Purpose::Account`.
    pub csrf: &'a str,
    /// The token for `csrf::Purpose::SignOut`.
    pub sign_out_csrf: &'a str,
    /// Origins that a sign-out may end at, such as a provider's own.
    pub form_origins: &'a [url::Origin],
}

/// A session in the list.
#[derive(Debug)]
pub struct SessionRow<'a> {
    /// The session's id.
    pub id: Uuid,
    /// The `User-Agent` that signed in.
    pub user_agent: &'a str,
    /// The address that signed in.
    pub address: Option<&'a str>,
    /// When it began.
    pub since: Timestamp,
    /// When it was last seen.
    pub seen: Timestamp,
    /// Whether it is the one that is looking.
    pub place: Place,
}

/// Where a session is, seen from the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The session that shows the page.
    Here,
    /// Another one.
    Elsewhere,
}

/// A provider outside, and whether the account is linked to it.
#[derive(Debug)]
pub struct WayRow<'a> {
    /// The name of the `AuthProvider`.
    pub name: &'a str,
    /// Its name for people.
    pub title: &'a str,
    /// Whether the account is linked.
    pub link: Link,
}

/// Whether an account is linked to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is.
    Linked,
    /// It is not, and can be.
    Possible,
}

impl WayRow<'_> {
    fn is_linked(&self) -> bool {
        self.link == Link::Linked
    }

    fn href(&self, csrf: &str) -> String {
        let name = utf8_percent_encode(self.name, NON_ALPHANUMERIC);
        format!(
            "/oauth/{name}/login?link={}",
            utf8_percent_encode(csrf, NON_ALPHANUMERIC)
        )
    }
}

/// A key in the list.
#[derive(Debug)]
pub struct KeyRow<'a> {
    /// The key's id.
    pub id: Uuid,
    /// The name that the person gave it.
    pub name: &'a str,
    /// The start of the key, by which it is recognised.
    pub prefix: &'a str,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends, if it does.
    pub expires: Option<Timestamp>,
    /// When it was last used.
    pub used: Option<Timestamp>,
}

/// A key that exists since this very answer.
#[derive(Debug)]
pub struct FreshKey<'a> {
    /// The name that the person gave it.
    pub name: &'a str,
    /// The whole key.
    pub key: &'a SecretString,
}

/// What a new password has to be.
#[derive(Debug, Clone, Copy)]
pub struct PasswordRules {
    /// Characters, at least.
    pub min_length: u32,
}

/// What a form did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A way to sign in is linked.
    Linked,
    /// A way to sign in is no longer linked.
    Unlinked,
    /// The password is another one, and the other sessions are over.
    PasswordChanged,
    /// One session is over.
    SessionRevoked,
    /// All sessions but this one are over.
    OtherSessionsRevoked,
    /// A key is no longer valid.
    KeyDeleted,
}

/// Why a form did nothing.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// The form.
    pub form: Form,
    /// A sentence for the person.
    pub text: &'a str,
}

/// The forms of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Linking and unlinking ways to sign in.
    Ways,
    /// Ending sessions.
    Sessions,
    /// Making and deleting keys.
    Keys,
    /// Changing the password.
    Password,
}

impl Account<'_> {
    fn refused(&self, form: Form) -> Option<&str> {
        self.refused
            .as_ref()
            .filter(|refused| refused.form == form)
            .map(|refused| refused.text)
    }

    fn has_other_sessions(&self) -> bool {
        self.sessions.iter().any(|session| session.place == Place::Elsewhere)
    }
}

impl Page for Account<'_> {
    fn status(&self) -> StatusCode {
        if self.refused.is_some() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        }
    }

    fn form_origins(&self) -> &[url::Origin] {
        self.form_origins
    }
}

impl SessionRow<'_> {
    fn program(&self) -> String {
        browser::name(self.user_agent)
    }

    fn is_here(&self) -> bool {
        self.place == Place::Here
    }
}

impl FreshKey<'_> {
    fn text(&self) -> &str {
        self.key.expose_secret()
    }
}

impl Notice {
    fn text(self) -> &'static str {
        match self {
            Self::Linked => "You can sign in that way from now on.",
            Self::Unlinked => "That way of signing in is gone, and so are the sessions that began there.",
            Self::PasswordChanged => "Your password is changed. Your other sessions were signed out.",
            Self::SessionRevoked => "The session was signed out.",
            Self::OtherSessionsRevoked => "All your other sessions were signed out.",
            Self::KeyDeleted => "The key was deleted. It stops working at once.",
        }
    }
}

/// A moment for a list, to the minute.
fn moment(time: &Timestamp) -> String {
    time.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// A day for a list.
fn day(time: &Timestamp) -> String {
    time.strftime("%-d %b %Y").to_string()
}
