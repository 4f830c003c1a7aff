//! A double of Google's accounts, with what its pages on OpenID Connect say:
//! `iss` with or without a scheme, `hd` for people of an organisation alone, a refresh token only with `access_type=offline` and
//! the first consent, no scope `offline_access`, no sign-out, and parameters of its own on the way back.

use std::sync::{Arc, Mutex};

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Client;
use super::grants::{Grants, back, fields, locked, put_all};
use super::keys::{Key, half_hash, now};
use crate::peer::Peer;

/// A running double.
#[derive(Debug)]
pub struct Google {
    /// What it is and was asked; its `url` is the issuer.
    pub peer: Peer,
    double: Arc<Double>,
}

#[derive(Debug)]
struct Double {
    url: String,
    grants: Grants,
    keys: [Key; 2],
    user: Mutex<Value>,
    bare_issuer: Mutex<bool>,
}

impl Google {
    /// Starts it for one client.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(client: Client) -> Self {
        let state = |url: &str| Double {
            url: url.to_owned(),
            grants: Grants::new(client),
            keys: [Key::rsa("google-1"), Key::rsa("google-2")],
            user: Mutex::new(Self::person("1001", "alice@gmail.test")),
            bare_issuer: Mutex::new(false),
        };
        let router = |double| {
            Router::new()
                .route("/.well-known/openid-configuration", get(metadata))
                .route("/oauth2/v3/certs", get(keys))
                .route("/o/oauth2/v2/auth", get(authorize))
                .route("/token", post(token))
                .route("/v1/userinfo", get(userinfo))
                .with_state(double)
        };
        let (peer, double) = Peer::over(state, router).await;
        Self { peer, double }
    }

    /// Somebody with an account of their own.
    #[must_use]
    pub fn person(id: &str, email: &str) -> Value {
        json!({
            "sub": id,
            "email": email,
            "email_verified": true,
            "name": "Alice",
            "given_name": "Alice",
            "picture": "https://lh3.googleusercontent.test/a/alice=s96-c",
        })
    }

    /// Somebody whose account belongs to an organisation.
    #[must_use]
    pub fn member(id: &str, email: &str, domain: &str) -> Value {
        let mut person = Self::person(id, email);
        put_all(&mut person, json!({"hd": domain}));
        person
    }

    /// Who is signed in there.
    pub fn is(&self, user: Value) {
        *locked(&self.double.user) = user;
    }

    /// Whether `iss` comes without its scheme, as it may.
    pub fn has_bare_issuer(&self, bare: bool) {
        *locked(&self.double.bare_issuer) = bare;
    }
}

async fn metadata(State(double): State<Arc<Double>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", double.url);
    Json(json!({
        "issuer": double.url,
        "authorization_endpoint": at("/o/oauth2/v2/auth"),
        "device_authorization_endpoint": at("/device/code"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/v1/userinfo"),
        "revocation_endpoint": at("/revoke"),
        "jwks_uri": at("/oauth2/v3/certs"),
        "response_types_supported": ["code", "token", "id_token", "code token", "code id_token", "token id_token", "code token id_token", "none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "picture", "sub"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    }))
}

async fn keys(State(double): State<Arc<Double>>) -> Json<Value> {
    Json(json!({"keys": double.keys.each_ref().map(Key::jwk)}))
}

async fn authorize(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    let mut query = fields(&query.unwrap_or_default());
    let scope = query.get("scope").cloned().unwrap_or_default();
    if scope
        .split(' ')
        .any(|scope| !["openid", "email", "profile"].contains(&scope))
    {
        return (StatusCode::BAD_REQUEST, "Error 400: invalid_scope").into_response();
    }
    let is = |name: &str, value: &str| query.get(name).is_some_and(|given| given == value);
    let offline = is("access_type", "offline") && is("prompt", "consent");
    query.insert(
        "scope".to_owned(),
        if offline { format!("{scope} offline") } else { scope },
    );
    let user = locked(&double.user).clone();
    let domain = user.get("hd").cloned();
    match double.grants.authorize(&query, user) {
        Ok((redirect_uri, mut parameters)) => {
            put_all(
                &mut parameters,
                json!({"scope": "email profile openid", "authuser": "0", "prompt": "none", "hd": domain}),
            );
            back(&redirect_uri, &parameters)
        }
        Err(reason) => (
            StatusCode::BAD_REQUEST,
            format!("Error 400: redirect_uri_mismatch: {reason}"),
        )
            .into_response(),
    }
}

async fn token(State(double): State<Arc<Double>>, headers: HeaderMap, body: String) -> Response {
    let form = fields(&body);
    let grant = match double.grants.redeem(&headers, &form) {
        Ok(grant) => grant,
        Err("invalid_client") => {
            let error =
                json!({"error": "invalid_client", "error_description": "The provided client secret is invalid."});
            return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
        }
        Err(error) => {
            let error = json!({"error": error, "error_description": "Bad Request"});
            return (StatusCode::BAD_REQUEST, Json(error)).into_response();
        }
    };
    let access_token = double.grants.token(&grant);
    let [key, _] = &double.keys;
    let issuer = match *locked(&double.bare_issuer) {
        true => double.url.trim_start_matches("http://"),
        false => &double.url,
    };
    let mut claims = json!({
        "iss": issuer,
        "aud": double.grants.client.id,
        "azp": double.grants.client.id,
        "iat": now(),
        "exp": now() + 3600,
        "at_hash": half_hash(&access_token),
    });
    put_all(&mut claims, grant.user.clone());
    put_all(&mut claims, json!({"nonce": grant.nonce}));
    let mut answer = json!({
        "access_token": access_token,
        "expires_in": 3599,
        "scope": "openid email profile",
        "token_type": "Bearer",
        "id_token": key.sign(&key.header(), &claims),
    });
    if grant.scope.ends_with(" offline") {
        match form.get("refresh_token") {
            // A refresh gives none: the one that was redeemed stays good.
            Some(redeemed) => double.grants.keep(redeemed, grant),
            None => put_all(&mut answer, json!({"refresh_token": double.grants.token(&grant)})),
        }
    }
    Json(answer).into_response()
}

async fn userinfo(State(double): State<Arc<Double>>, headers: HeaderMap) -> Response {
    match double.grants.of_bearer(&headers) {
        Some(grant) => Json(grant.user).into_response(),
        None => (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_request"}))).into_response(),
    }
}
