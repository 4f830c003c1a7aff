//! `/account`: sessions, API keys and the password of whoever is signed in.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::Instead;
use super::posted::Posted;
use super::sign_in::without_session;
use super::visitor::{Visitor, origins};
use super::ways;
use crate::api::caller::InSession;
use crate::app::App;
use crate::login::change_password::{self, Change};
use crate::login::devices;
use crate::login::own_keys::{self, Wanted};
use crate::login::sign_out::{By, Which, end};
use crate::pages::csrf::Purpose;
use crate::pages::{
    Account, Form as AccountForm, FreshKey, KeyRow, Notice, Page, PasswordRules, Place, Refused, SessionRow,
};
use crate::store::{Key, Session};

/// What the page is to say first.
#[derive(Debug, Default)]
pub(super) struct News<'a> {
    notice: Option<Notice>,
    refused: Option<Refused<'a>>,
    fresh: Option<FreshKey<'a>>,
}

impl<'a> News<'a> {
    /// That a form did nothing, and why.
    pub(super) fn refused(form: AccountForm, text: &'a str) -> Self {
        Self {
            refused: Some(Refused { form, text }),
            ..Self::default()
        }
    }
}

/// What a form did, on the way back to the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: Option<String>,
}

/// `GET /account`.
///
/// # Errors
/// The database does not answer.
pub async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    done: Result<Query<Done>, QueryRejection>,
) -> Result<Response, Instead> {
    let done = done.map(|Query(done)| done).unwrap_or_default();
    let notice = match done.done.as_deref() {
        Some("linked") => Some(Notice::Linked),
        Some("unlinked") => Some(Notice::Unlinked),
        Some("password") => Some(Notice::PasswordChanged),
        Some("session") => Some(Notice::SessionRevoked),
        Some("sessions") => Some(Notice::OtherSessionsRevoked),
        Some("key") => Some(Notice::KeyDeleted),
        _ => None,
    };
    let refused = (done.done.as_deref() == Some("not-linked")).then_some(Refused {
        form: AccountForm::Ways,
        text: "That sign-in belongs to another account, or is not admitted here. Nothing was linked.",
    });
    page(
        &app,
        &visitor,
        News {
            notice,
            refused,
            ..News::default()
        },
    )
    .await
}

/// Whoever posts a form of the account page, if it was posted from there.
pub(super) fn poster<'a>(visitor: &'a Visitor, csrf: &str) -> Result<&'a InSession, Instead> {
    let posted = |session: &&InSession| visitor.posted(Purpose::Account(session.claims.session), csrf);
    visitor
        .session
        .as_ref()
        .filter(posted)
        .ok_or(Instead::Elsewhere("/account"))
}

/// What the sessions form posts.
#[derive(Debug, Deserialize)]
pub struct EndSession {
    #[serde(default)]
    csrf: String,
    session: String,
}

/// `POST /account/sessions/revoke`.
///
/// # Errors
/// The database does not answer.
pub async fn end_session(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Posted(form): Posted<EndSession>,
) -> Result<Response, Instead> {
    let session = poster(&visitor, &form.csrf)?;
    let (which, next) = match (form.session.as_str(), form.session.parse::<Uuid>()) {
        (_, Ok(id)) => (Which::One(id), "/account?done=session"),
        ("all", _) => (Which::All, "/signed-out"),
        _ => (Which::AllBut(session.claims.session), "/account?done=sessions"),
    };
    match end(&app, session.signed_in.id(), By::Owner, which).await {
        Ok(_) | Err(crate::store::Error::NotFound) => {
            let response = Redirect::to(next).into_response();
            let settings = visitor.serving.settings();
            Ok(if which == Which::All {
                without_session(settings, response)
            } else {
                response
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// What the form for a new key posts.
#[derive(Debug, Deserialize)]
pub struct MakeKey {
    #[serde(default)]
    csrf: String,
    name: String,
    #[serde(default)]
    expires: String,
}

/// `POST /account/keys`: the page, with the key this once.
///
/// # Errors
/// The database does not answer.
pub async fn make_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Posted(form): Posted<MakeKey>,
) -> Result<Response, Instead> {
    let session = poster(&visitor, &form.csrf)?;
    let refused = |text: &str| text.to_owned();
    let outcome = match expiry(&form.expires, app.now()) {
        _ if session.signed_in.caller.principal.is_pending() => {
            Err(refused("Your account waits for an administrator."))
        }
        Err(()) => Err(refused("That is not how long a key can last.")),
        Ok(expires_at) => {
            let wanted = Wanted {
                name: form.name.clone(),
                endpoints: None,
                expires_at,
            };
            match own_keys::make(&app, &visitor.serving, session.signed_in.id(), wanted).await {
                Ok(made) => Ok(made),
                Err(own_keys::Error::Store(error)) => return Err(error.into()),
                Err(error) => Err(sentence(&error.to_string())),
            }
        }
    };
    match outcome {
        Ok((key, row)) => {
            page(
                &app,
                &visitor,
                News {
                    fresh: Some(FreshKey {
                        name: &row.name,
                        key: &key,
                    }),
                    ..News::default()
                },
            )
            .await
        }
        Err(text) => {
            let refused = Some(Refused {
                form: AccountForm::Keys,
                text: &text,
            });
            page(
                &app,
                &visitor,
                News {
                    refused,
                    ..News::default()
                },
            )
            .await
        }
    }
}

/// What the form that deletes a key posts.
#[derive(Debug, Deserialize)]
pub struct DeleteKey {
    #[serde(default)]
    csrf: String,
    key: Uuid,
}

/// `POST /account/keys/delete`.
///
/// # Errors
/// The database does not answer.
pub async fn delete_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Posted(form): Posted<DeleteKey>,
) -> Result<Response, Instead> {
    let session = poster(&visitor, &form.csrf)?;
    match own_keys::delete(&app, session.signed_in.id(), form.key).await {
        Ok(()) | Err(crate::store::Error::NotFound) => Ok(Redirect::to("/account?done=key").into_response()),
        Err(error) => Err(error.into()),
    }
}

/// What the password form posts.
#[derive(Deserialize)]
pub struct ChangePassword {
    #[serde(default)]
    csrf: String,
    password: SecretString,
    new_password: SecretString,
}

/// `POST /account/password`.
///
/// # Errors
/// The database does not answer.
pub async fn change_password(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Posted(form): Posted<ChangePassword>,
) -> Result<Response, Instead> {
    let session = poster(&visitor, &form.csrf)?;
    let change = Change {
        user: &session.signed_in.user,
        session: session.claims.session,
        current: form.password,
        new: form.new_password,
        address: visitor.origin.address,
    };
    match change_password::change(&app, &visitor.serving, change).await {
        Ok(()) => Ok(Redirect::to("/account?done=password").into_response()),
        Err(change_password::Error::Store(error)) => Err(error.into()),
        Err(error) => {
            let text = sentence(&error.to_string());
            let refused = Some(Refused {
                form: AccountForm::Password,
                text: &text,
            });
            page(
                &app,
                &visitor,
                News {
                    refused,
                    ..News::default()
                },
            )
            .await
        }
    }
}

/// The page, with what is to be said first.
pub(super) async fn page(app: &App, visitor: &Visitor, news: News<'_>) -> Result<Response, Instead> {
    let Some(session) = &visitor.session else {
        return Ok(Redirect::to("/login?return_to=%2Faccount").into_response());
    };
    let InSession { signed_in, claims } = session;
    let sessions = devices::of(app, &visitor.serving, signed_in.id()).await?;
    let keys = app.store.keys_of(signed_in.id()).await?;
    let addresses: Vec<Option<&str>> = sessions
        .iter()
        .map(|session| Some(session.client_address.as_str()).filter(|address| !address.is_empty()))
        .collect();
    let session_rows: Vec<SessionRow<'_>> = sessions
        .iter()
        .zip(addresses)
        .map(|(session, address)| session_row(session, address, claims.session))
        .collect();
    let identities = app.store.identities_of(signed_in.id()).await?;
    let ways = ways::rows(visitor, &identities);
    let key_rows: Vec<KeyRow<'_>> = keys.iter().rev().map(key_row).collect();
    let settings = visitor.serving.settings();
    let page = Account {
        site: &visitor.serving.site,
        name: &signed_in.user.name,
        email: signed_in.user.address().unwrap_or("none that is verified"),
        role: signed_in.user.role.as_str(),
        sessions: &session_rows,
        keys: &key_rows,
        fresh_key: news.fresh,
        ways: &ways,
        password: signed_in.user.password_hash.as_ref().map(|_| PasswordRules {
            min_length: settings.passwords.min_length,
        }),
        notice: news.notice,
        refused: news.refused,
        csrf: &visitor.form_token(Purpose::Account(claims.session)),
        sign_out_csrf: &visitor.form_token(Purpose::SignOut(claims.session)),
        form_origins: &origins(settings.sign_out_redirect.as_deref()),
    };
    Ok(visitor.with_visit(page.respond()))
}

fn session_row<'a>(session: &'a Session, address: Option<&'a str>, here: Uuid) -> SessionRow<'a> {
    SessionRow {
        id: session.id,
        user_agent: &session.user_agent,
        address,
        since: session.created_at,
        seen: session.last_seen_at,
        place: if session.id == here {
            Place::Here
        } else {
            Place::Elsewhere
        },
    }
}

fn key_row(key: &Key) -> KeyRow<'_> {
    KeyRow {
        id: key.id,
        name: &key.name,
        prefix: &key.prefix,
        created: key.created_at,
        expires: key.expires_at,
        used: key.last_used_at,
    }
}

/// When a key ends that is to last `30d`, or never.
fn expiry(text: &str, now: jiff::Timestamp) -> Result<Option<jiff::Timestamp>, ()> {
    if text.is_empty() {
        return Ok(None);
    }
    let milliseconds = crds::Duration::from(text).milliseconds().map_err(|_| ())?.ok_or(())?;
    let length = jiff::SignedDuration::from_millis(i64::try_from(milliseconds).map_err(|_| ())?);
    now.checked_add(length).map(Some).map_err(|_| ())
}

/// A fragment as a sentence for people.
pub(super) fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
