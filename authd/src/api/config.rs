//! What clients need to know before anybody signs in, and the settings in force for administrators to read.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use crds::DefaultRole;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::caller::Admin;
use super::{Answer, serving};
use crate::app::App;
use crate::error::ApiError;

/// `GET /api/config`: no count of users, no version.
///
/// # Errors
/// The database does not answer.
pub async fn public(State(app): State<Arc<App>>) -> Answer<Json<Value>> {
    let serving = serving(&app)?;
    let settings = serving.settings();
    let elsewhere = serving
        .engine
        .providers()
        .filter(|provider| provider.method.is_elsewhere());
    let elsewhere: Map<String, Value> = elsewhere
        .map(|provider| (provider.name.clone(), provider.display_name.clone().into()))
        .collect();
    let mut config = json!({
        "status": true,
        "name": settings.display_name,
        "oauth": {"providers": elsewhere},
        "features": {
            "auth": true,
            "auth_trusted_header": false,
            "enable_ldap": false,
            "enable_api_keys": settings.api_keys.enabled,
            "enable_signup": settings.signup.is_some(),
            "enable_login_form": serving.password_provider().is_some(),
        },
    });
    if app.store.count_users().await? == 0
        && let Some(config) = config.as_object_mut()
    {
        config.insert("onboarding".to_owned(), json!(true));
    }
    Ok(Json(config))
}

/// `GET /api/v1/auths/admin/config`: the settings in force. They come from the resources alone.
///
/// # Errors
/// The caller is no administrator.
pub async fn effective(Admin(admin): Admin) -> Answer<Json<Value>> {
    let settings = admin.signed_in.serving.settings();
    let role = match settings.signup {
        Some(DefaultRole::User) => "user",
        Some(DefaultRole::Pending) | None => "pending",
    };
    let lifetime = settings
        .tokens
        .lifetime
        .map_or("-1".to_owned(), |seconds| format!("{seconds}s"));
    let endpoints = settings.api_keys.allowed_endpoints.as_ref();
    Ok(Json(json!({
        "SHOW_ADMIN_DETAILS": settings.admin_contact.is_some(),
        "WEBUI_URL": settings.public_url,
        "ENABLE_SIGNUP": settings.signup.is_some(),
        "ENABLE_API_KEYS": settings.api_keys.enabled,
        "ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS": endpoints.is_some(),
        "API_KEYS_ALLOWED_ENDPOINTS": endpoints.map_or(String::new(), |paths| paths.join(",")),
        "DEFAULT_USER_ROLE": role,
        "JWT_EXPIRES_IN": lifetime,
        "instance": settings.instance,
        "snapshot": admin.signed_in.serving.engine.digest(),
        "read_only": true,
    })))
}

/// `POST /api/v1/auths/admin/config`: refused. The resources are the one source of settings.
pub async fn read_only(Admin(admin): Admin) -> Response {
    let instance = &admin.signed_in.serving.settings().instance;
    let detail = format!("settings come from the resource Authd {instance} alone: change it there");
    let mut response = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "read_only", detail).into_response();
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET"));
    response
}
