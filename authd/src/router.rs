//! Every route of the public and the admin listener, on one screen. The verify listener has none: see [`crate::gate`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::admin::{self, Admin};
use crate::api::{config, keys, ldap, profile, sessions, sign_in, token_exchange, users, well_known};
use crate::app::App;
use crate::error::ApiError;
use crate::pages::csrf::same_origin;
use crate::{openapi, pages, site};

/// The largest body, in bytes.
const MAX_BODY: usize = 128 * 1024;
/// How long a request may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What people and programs reach.
pub fn public(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/auths/", get(profile::me))
        .nest("/api/v1/auths", auths())
        .route("/api/v1/users/", get(users::list))
        .route("/api/v1/users/{id}/update", post(users::update))
        .route("/api/v1/users/{id}", delete(users::delete))
        .route(
            "/api/v1/users/{id}/sessions",
            get(sessions::list_of).delete(sessions::end_all_of),
        )
        .route("/api/v1/users/{id}/sessions/{session}", delete(sessions::end_one_of))
        .route("/api/v1/providers/{name}/sessions", delete(sessions::end_all_through))
        .route("/api/config", get(config::public))
        .route("/api/{*rest}", axum::routing::any(no_such_route))
        .route("/.well-known/jwks.json", get(well_known::key_set))
        .route("/.well-known/openid-configuration", get(well_known::discovery))
        .route("/openapi.json", get(openapi::document))
        .route("/", get(site::start))
        .route("/login", get(site::sign_in::show).post(site::sign_in::post))
        .route("/logout", post(site::sign_in::leave))
        .route("/oauth/{provider}/login", get(site::oauth::login))
        .route("/oauth/{provider}/callback", get(site::oauth::callback))
        .route(
            "/oauth/{provider}/backchannel-logout",
            post(site::oauth::backchannel_logout),
        )
        .route("/oauth/{provider}/token", post(token_exchange::exchange))
        .route("/oauth/{provider}/login/callback", get(site::oauth::callback))
        .route("/signed-out", get(site::notices::signed_out))
        .route("/denied", get(site::notices::denied))
        .route("/pending", get(site::notices::pending))
        .route("/account", get(site::account::show))
        .route("/account/sessions/revoke", post(site::account::end_session))
        .route("/account/keys", post(site::account::make_key))
        .route("/account/keys/delete", post(site::account::delete_key))
        .route("/account/ways/unlink", post(site::ways::unlink))
        .route("/account/password", post(site::account::change_password))
        .route(
            "/assets/{*file}",
            get(|uri: http::Uri| async move { pages::stylesheet(uri.path()) }),
        )
        .fallback(site::notices::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(json_errors))
        .layer(from_fn_with_state(Arc::clone(&app), on_record))
        .layer(from_fn_with_state(Arc::clone(&app), same_site_only))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            DEADLINE,
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), safe_headers))
        .with_state(app)
}

/// What people do about their own accounts, below `/api/v1/auths`.
fn auths() -> Router<Arc<App>> {
    Router::new()
        .route("/signin", post(sign_in::sign_in))
        .route("/ldap", post(ldap::sign_in))
        .route("/signup", post(sign_in::sign_up))
        .route("/signout", post(sign_in::sign_out))
        .route("/add", post(sign_in::add))
        .route("/update/profile", post(profile::update))
        .route("/update/password", post(profile::update_password))
        .route("/api_key", post(keys::create).get(keys::list).delete(keys::delete_all))
        .route("/api_key/{id}", delete(keys::delete))
        .route("/sessions", get(sessions::list).delete(sessions::end_own))
        .route("/sessions/{id}", delete(sessions::end_one))
        .route("/token/revoke", post(sessions::revoke_token))
        .route("/admin/details", get(profile::admin_details))
        .route("/admin/config", get(config::effective).post(config::read_only))
}

/// What operators reach.
pub fn admin(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(admin::metrics))
        .route("/livez", get(admin::live))
        .route("/readyz", get(admin::ready))
        .route("/snapshot", get(admin::snapshot))
        .route("/providers", get(admin::providers))
        .layer(from_fn(nosniff))
        .with_state(admin)
}

async fn no_such_route() -> ApiError {
    ApiError::not_found("there is no such route")
}

/// Refusals of the framework itself, in the form of all others.
async fn json_errors(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let (code, detail) = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "the route has no such method"),
        StatusCode::NOT_FOUND => ("not_found", "there is no such route"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is too large"),
        status if status.is_client_error() => ("bad_request", "the request cannot be read"),
        _ => return response,
    };
    if !is_api || is_json {
        return response;
    }
    let mut answer = ApiError::new(response.status(), code, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

/// What changes something comes from our own pages, or from a program that is no browser.
async fn same_site_only(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let changes = !is_read(request.method());
    let headers = request.headers();
    let browser = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    if changes && browser {
        let own = app
            .serving()
            .is_some_and(|serving| same_origin(headers, &serving.public_url.origin()));
        if !own {
            return ApiError::forbidden("cross_site", "the request comes from another site").into_response();
        }
    }
    next.run(request).await
}

/// What changes something or signs somebody in leaves an audit line, and waits while none can be written where they are required.
async fn on_record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if app.audit.is_kept() || (is_read(request.method()) && !path.starts_with("/oauth/")) {
        return next.run(request).await;
    }
    let refusal = ApiError::unavailable();
    if path.starts_with("/api/") {
        refusal.into_response()
    } else {
        site::Instead::from(refusal).into_response()
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Headers that every answer carries, also a refusal. Pages have set their own before.
async fn safe_headers(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    const DEFAULTS: [(HeaderName, &str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ];
    let mut response = next.run(request).await;
    let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if unavailable {
        headers
            .entry(header::RETRY_AFTER)
            .or_insert(HeaderValue::from_static("5"));
    }
    headers
        .entry(header::VARY)
        .or_insert(HeaderValue::from_static("Cookie"));
    if app.serving().is_some_and(|serving| serving.settings().is_secure()) {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

async fn nosniff(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::internal(&"a handler panicked").into_response()
}
