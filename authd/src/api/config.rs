//! What clients need to know before anybody signs in, and the settings in force for administrators to read.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use crds::DefaultRole;
use http::{HeaderValue, StatusCode, header};
use policy::snapshot::Method;

use super::answers::{EffectiveConfig, Elsewhere, Features, PublicConfig};
use super::caller::Admin;
use super::{Answer, serving};
use crate::app::App;
use crate::error::ApiError;
use crate::serving::Serving;
use crate::store::Role;

/// `GET /api/config`: no count of users, no version.
///
/// # Errors
/// The database does not answer.
pub async fn public(State(app): State<Arc<App>>) -> Answer<Json<PublicConfig>> {
    let serving = serving(&app)?;
    let settings = serving.settings();
    let ldap = providers(&serving, |method| method.directory().is_some());
    let enable_ldap = !ldap.providers.is_empty();
    Ok(Json(PublicConfig {
        status: true,
        name: settings.display_name.clone(),
        oauth: providers(&serving, Method::is_elsewhere),
        ldap,
        features: Features {
            auth: true,
            auth_trusted_header: false,
            enable_ldap,
            enable_api_keys: settings.api_keys.enabled,
            enable_signup: settings.signup.is_some(),
            enable_login_form: serving.password_provider().is_some(),
        },
        onboarding: (app.store.count_users().await? == 0).then_some(true),
    }))
}

/// The providers whose method is such, by what people call them.
fn providers(serving: &Serving, is_such: impl Fn(&Method) -> bool) -> Elsewhere {
    let such = serving.engine.providers().filter(|provider| is_such(&provider.method));
    Elsewhere {
        providers: such
            .map(|provider| (provider.name.clone(), provider.display_name.clone()))
            .collect(),
    }
}

/// `GET /api/v1/auths/admin/config`: the settings in force. They come from the resources alone.
///
/// # Errors
/// The caller is no administrator.
pub async fn effective(Admin(admin): Admin) -> Answer<Json<EffectiveConfig>> {
    let settings = admin.signed_in.serving.settings();
    let endpoints = settings.api_keys.allowed_endpoints.as_ref();
    Ok(Json(EffectiveConfig {
        show_admin_details: settings.admin_contact.is_some(),
        webui_url: settings.public_url.clone(),
        enable_signup: settings.signup.is_some(),
        enable_api_keys: settings.api_keys.enabled,
        enable_api_keys_endpoint_restrictions: endpoints.is_some(),
        api_keys_allowed_endpoints: endpoints.map_or(String::new(), |paths| paths.join(",")),
        default_user_role: match settings.signup {
            Some(DefaultRole::User) => Role::User,
            Some(DefaultRole::Pending) | None => Role::Pending,
        },
        jwt_expires_in: settings
            .tokens
            .lifetime
            .map_or("-1".to_owned(), |seconds| format!("{seconds}s")),
        instance: settings.instance.clone(),
        snapshot: admin.signed_in.serving.engine.digest().to_owned(),
        read_only: true,
    }))
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
