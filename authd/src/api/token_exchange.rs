//! `POST /oauth/{provider}/token`: a program exchanges a token of the provider for a session token of ours, asked for and answered as
//! RFC 8693 has it. Who may is in [`crate::login::oidc::token_exchange`].

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::RawFormRejection;
use axum::extract::{Path, RawForm, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use url::form_urlencoded;

use super::caller::Origin;
use crate::app::App;
use crate::issuer::shown::Kind;
use crate::login::oidc::token_exchange::{self, Refused, Shown};
use crate::shared::Limited;

/// What is asked for (RFC 8693, section 2.1).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The types of tokens (section 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A session token (section 2.2.1).
#[derive(Debug, Serialize)]
pub struct Issued {
    access_token: String,
    issued_token_type: &'static str,
    token_type: &'static str,
    /// In so many seconds it expires; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
}

/// A refusal (section 2.2.2; RFC 6749, section 5.2).
#[derive(Debug, Serialize)]
pub struct Failure {
    error: &'static str,
    error_description: &'static str,
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Failure {
    const fn new(error: &'static str, error_description: &'static str) -> Self {
        Self {
            error,
            error_description,
            status: StatusCode::BAD_REQUEST,
            retry_after: None,
        }
    }

    const fn passing(status: StatusCode, error_description: &'static str, retry_after: u64) -> Self {
        Self {
            error: "temporarily_unavailable",
            error_description,
            status,
            retry_after: Some(retry_after),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limited(Limited { retry_after }) => Self::passing(
                StatusCode::TOO_MANY_REQUESTS,
                "too many attempts, try again later",
                retry_after,
            ),
            Refused::Token(error) if error.is_passing() => Self::passing(
                StatusCode::SERVICE_UNAVAILABLE,
                "this is not possible at the moment, try again shortly",
                5,
            ),
            // The same whatever is wrong with the token or the person: operators find it in the audit line.
            Refused::Token(_) => Self::new("invalid_request", "the subject token is not accepted"),
        }
    }
}

/// `POST /oauth/{provider}/token`.
///
/// # Errors
/// No token is given.
pub async fn exchange(
    State(app): State<Arc<App>>,
    origin: Origin,
    Path(name): Path<String>,
    form: Result<RawForm, RawFormRejection>,
) -> Result<Response, Failure> {
    let unavailable = "this is not possible at the moment, try again shortly";
    let serving = app
        .serving()
        .ok_or(Failure::passing(StatusCode::SERVICE_UNAVAILABLE, unavailable, 5))?;
    let provider = serving.engine.provider(&name);
    let Some((provider, allowed)) = provider.and_then(|found| Some((found, found.token_exchange.as_ref()?))) else {
        return Err(Failure {
            status: StatusCode::NOT_FOUND,
            ..Failure::new("invalid_request", "no tokens are exchanged here")
        });
    };
    let RawForm(form) = form.map_err(|rejection| Failure {
        status: rejection.status(),
        ..Failure::new(
            "invalid_request",
            "send a form, with `Content-Type: application/x-www-form-urlencoded`",
        )
    })?;
    let asked = Asked::read(&form, &serving.settings().public_url)?;
    let shown = Shown {
        token: asked.token.expose_secret(),
        kind: asked.kind,
        device: origin.device(),
    };
    let signed_in = token_exchange::exchange(&app, &serving, (provider, allowed), shown).await?;
    let issued = Issued {
        expires_in: signed_in.token.expires_at.map(|at| at - app.now().as_second()),
        access_token: signed_in.token.text,
        issued_token_type: asked.wanted,
        token_type: "Bearer",
    };
    let mut response = Json(issued).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What is asked for.
#[derive(Debug)]
struct Asked {
    token: SecretString,
    kind: Kind,
    /// The type of token that comes back.
    wanted: &'static str,
}

impl Asked {
    /// Reads the form (section 2.1). Of what RFC 8693 lets be given several times, all have to be us; everything else is given once.
    fn read(form: &[u8], ours: &str) -> Result<Self, Failure> {
        let [mut grant, mut token, mut kind, mut wanted, mut actor, mut scope] = [const { None }; 6];
        for (name, value) in form_urlencoded::parse(form) {
            let slot = match &*name {
                "grant_type" => &mut grant,
                "subject_token" => &mut token,
                "subject_token_type" => &mut kind,
                "requested_token_type" => &mut wanted,
                "actor_token" | "actor_token_type" => &mut actor,
                "scope" => &mut scope,
                "audience" | "resource" if value.trim_end_matches('/') != ours => {
                    return Err(Failure::new(
                        "invalid_target",
                        "tokens are for `publicUrl` of this instance alone",
                    ));
                }
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(Failure::new("invalid_request", "a parameter is given twice"));
            }
        }
        if grant.as_deref() != Some(GRANT) {
            return Err(Failure::new(
                "unsupported_grant_type",
                "`grant_type` must be that of RFC 8693",
            ));
        }
        if actor.is_some() {
            return Err(Failure::new(
                "invalid_request",
                "nobody acts for anybody here: leave `actor_token` out",
            ));
        }
        if scope.is_some_and(|scope| !scope.trim().is_empty()) {
            return Err(Failure::new(
                "invalid_scope",
                "a session has no scopes: leave `scope` out",
            ));
        }
        Ok(Self {
            token: token
                .filter(|token| !token.is_empty())
                .ok_or(Failure::new("invalid_request", "`subject_token` is missing"))?
                .into(),
            kind: shown(kind.as_deref())?,
            wanted: wanted_type(wanted.as_deref())?,
        })
    }
}

/// What a program says that it shows.
fn shown(named: Option<&str>) -> Result<Kind, Failure> {
    match named {
        Some(ID_TOKEN) => Ok(Kind::Identity),
        Some(ACCESS_TOKEN | JWT) => Ok(Kind::Access),
        _ => Err(Failure::new(
            "invalid_request",
            "`subject_token_type` must be `…:id_token`, `…:access_token` or `…:jwt`",
        )),
    }
}

/// What is to come back: a session token is both.
fn wanted_type(named: Option<&str>) -> Result<&'static str, Failure> {
    match named {
        None | Some(ACCESS_TOKEN) => Ok(ACCESS_TOKEN),
        Some(JWT) => Ok(JWT),
        Some(_) => Err(Failure::new(
            "invalid_request",
            "`requested_token_type` can be `…:access_token` or `…:jwt`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changed: &[(&str, &str)], more: &[(&str, &str)]) -> Result<(Kind, &'static str), &'static str> {
        let usual = [
            ("grant_type", GRANT),
            ("subject_token", "t"),
            ("subject_token_type", ID_TOKEN),
        ];
        let value = |name: &str, value: &str| {
            changed
                .iter()
                .find(|(changed, _)| *changed == name)
                .map_or(value.to_owned(), |(_, value)| (*value).to_owned())
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, usual) in usual {
            match value(name, usual) {
                absent if absent.is_empty() => {}
                value => drop(form.append_pair(name, &value)),
            }
        }
        form.extend_pairs(more);
        let asked = Asked::read(form.finish().as_bytes(), "https://auth.example.com");
        asked
            .map(|asked| (asked.kind, asked.wanted))
            .map_err(|failure| failure.error)
    }

    #[test]
    fn a_request_is_read_as_the_rfc_says() {
        let good = Ok((Kind::Identity, ACCESS_TOKEN));
        assert_eq!(read(&[], &[]), good);
        assert_eq!(
            read(&[("subject_token_type", ACCESS_TOKEN)], &[]),
            Ok((Kind::Access, ACCESS_TOKEN))
        );
        assert_eq!(
            read(&[("subject_token_type", JWT)], &[("requested_token_type", JWT)]),
            Ok((Kind::Access, JWT))
        );
        for more in [
            ("requested_token_type", ACCESS_TOKEN),
            ("audience", "https://auth.example.com"),
            ("resource", "https://auth.example.com/"),
            ("client_id", "cli"),
            ("scope", ""),
            ("something", "else"),
        ] {
            assert_eq!(read(&[], &[more]), good, "{more:?}");
        }
        for (changed, more, error) in [
            (("grant_type", ""), None, "unsupported_grant_type"),
            (("grant_type", "authorization_code"), None, "unsupported_grant_type"),
            (("subject_token", ""), None, "invalid_request"),
            (("subject_token_type", ""), None, "invalid_request"),
            (
                ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
                None,
                "invalid_request",
            ),
            (("", ""), Some(("requested_token_type", ID_TOKEN)), "invalid_request"),
            (("", ""), Some(("subject_token", "u")), "invalid_request"),
            (("", ""), Some(("grant_type", GRANT)), "invalid_request"),
            (("", ""), Some(("actor_token", "a")), "invalid_request"),
            (("", ""), Some(("scope", "admin")), "invalid_scope"),
            (
                ("", ""),
                Some(("audience", "https://other.example.com")),
                "invalid_target",
            ),
            (
                ("", ""),
                Some(("resource", "https://auth.example.com.evil")),
                "invalid_target",
            ),
        ] {
            let more: Vec<_> = more.into_iter().collect();
            assert_eq!(read(&[changed], &more), Err(error), "{changed:?} {more:?}");
        }
        let twice = [
            ("audience", "https://auth.example.com"),
            ("audience", "https://other.example.com"),
        ];
        assert_eq!(read(&[], &twice), Err("invalid_target"), "every one has to be us");
    }
}
