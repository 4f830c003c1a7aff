//! The one edge at which errors become answers of the JSON API: `detail` for people, `code` for programs.
//!
//! An error of ours is logged here, once, with a reference id; the caller sees only the id.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::login::hashing;
use crate::random::Random;
use crate::shared::Limited;
use crate::{identity, login, store};

/// Why a request to the JSON API is refused.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

impl ApiError {
    /// A refusal with its status, code and text.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// 400: what was sent is well formed and cannot be accepted.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 403: the caller is known and may not.
    #[must_use]
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 401: nobody is signed in.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first")
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 422: what was sent does not have the right form.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail)
    }

    /// 503: something that is needed does not answer.
    #[must_use]
    pub fn unavailable() -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "this is not possible at the moment, try again shortly",
        );
        error.retry_after = Some(5);
        error
    }

    /// 429: too many failures.
    #[must_use]
    pub fn limited(limited: Limited) -> Self {
        let detail = format!("too many attempts, try again in {} seconds", limited.retry_after);
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
        error.retry_after = Some(limited.retry_after);
        error
    }

    /// 500: logged with a reference; the caller sees only that.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        let reference = Random::System.hex(8);
        tracing::error!(error = %error, reference, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!("something went wrong, reference {reference}"),
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(json!({"detail": self.detail, "code": self.code}));
        let mut response = (self.status, body).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = if self.code == "unauthenticated" {
                "Bearer realm=\"authd\""
            } else {
                "Bearer realm=\"authd\", error=\"invalid_token\""
            };
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound => Self::not_found("there is no such thing"),
            store::Error::Conflict => Self::bad_request("taken", "already taken"),
            store::Error::LastAdmin => Self::forbidden("last_admin", "the last administrator must stay one"),
            store::Error::Unavailable(cause) => {
                tracing::error!(error = %cause, "the database does not answer");
                Self::unavailable()
            }
            other => Self::internal(&other),
        }
    }
}

impl From<identity::Error> for ApiError {
    fn from(error: identity::Error) -> Self {
        match error {
            identity::Error::Unavailable(error) => error.into(),
            identity::Error::KeyExpired => {
                Self::new(StatusCode::UNAUTHORIZED, "key_expired", "the API key has expired")
            }
            identity::Error::KeysDisabled => Self::forbidden("api_keys_disabled", "API keys are switched off"),
            _ => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "the session has ended or the token is not valid",
            ),
        }
    }
}

impl From<login::password::Error> for ApiError {
    fn from(error: login::password::Error) -> Self {
        use login::password::Error;
        match error {
            Error::Disabled => Self::forbidden(
                "password_sign_in_disabled",
                "signing in with a password is switched off",
            ),
            Error::Limited(limited) => Self::limited(limited),
            Error::Credentials => Self::bad_request("invalid_credentials", "the e-mail or the password is not right"),
            Error::NotAdmitted => Self::forbidden("not_admitted", "this account has no access here"),
            Error::Busy => Self::unavailable(),
            Error::Unavailable(error) => error.into(),
            Error::Broken(cause) => Self::internal(&cause),
        }
    }
}

impl From<login::session::Error> for ApiError {
    fn from(error: login::session::Error) -> Self {
        match error {
            login::session::Error::Store(error) => error.into(),
            login::session::Error::Token(error) => Self::internal(&error),
        }
    }
}

impl From<hashing::Error> for ApiError {
    fn from(error: hashing::Error) -> Self {
        match error {
            hashing::Error::Busy | hashing::Error::Stopped => Self::unavailable(),
            other => Self::bad_request("invalid_password", other.to_string()),
        }
    }
}
