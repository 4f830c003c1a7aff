//! JSON bodies in: bounded, typed, and refused in words.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "send JSON, with `Content-Type: application/json`",
            )),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "the body is too large",
            )),
            // The parser's own words name members and positions, never values of the body.
            Err(JsonRejection::JsonDataError(error)) => Err(ApiError::invalid(described(&error.body_text()))),
            Err(_) => Err(ApiError::invalid("the body is not JSON")),
        }
    }
}

fn described(text: &str) -> String {
    let detail = text.rsplit(": ").next().unwrap_or_default();
    if detail.starts_with("missing field") || detail.starts_with("unknown") {
        detail.to_owned()
    } else {
        "a member has the wrong type".to_owned()
    }
}
