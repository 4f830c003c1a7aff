//! An OpenID provider of two hundred lines: it does what a test tells it, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Noon of the first of January 2026, when every stand begins.
pub(super) const NOON: i64 = 1_767_268_800;

/// What the provider does and was asked.
pub(super) struct Script {
    /// Members of the metadata that are other than they should be.
    pub(super) metadata: Value,
    /// Claims of the next ID token, beside those that it must have.
    pub(super) claims: Value,
    /// What userinfo says.
    pub(super) userinfo: Value,
    /// What the token endpoint answers, instead of tokens.
    pub(super) refusal: Option<(StatusCode, Value)>,
    /// The forms that the token endpoint was posted, oldest first.
    pub(super) asked: Vec<HashMap<String, String>>,
    /// The last `Authorization` that the token endpoint saw.
    pub(super) authorization: String,
    /// How often the metadata and the keys were fetched.
    pub(super) fetched: (u32, u32),
    /// The clients that registered themselves, of which the last is known.
    pub(super) registered: Vec<Value>,
    /// What time it is there, in epoch seconds.
    pub(super) now: i64,
    key: Ed25519KeyPair,
    kid: u32,
}

#[derive(Clone)]
pub(super) struct Peer {
    pub(super) issuer: String,
    script: Arc<Mutex<Script>>,
}

fn fresh_key() -> Ed25519KeyPair {
    Ed25519KeyPair::generate().unwrap()
}

impl Peer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(Script {
                metadata: json!({}),
                claims: json!({"sub": "s-1"}),
                userinfo: json!({"sub": "s-1"}),
                refusal: None,
                asked: Vec::new(),
                authorization: String::new(),
                fetched: (0, 0),
                registered: Vec::new(),
                now: NOON,
                key: fresh_key(),
                kid: 1,
            })),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/auth", get(authorize))
            .route("/register", post(register))
            .with_state(peer.clone());
        tokio_util::task::TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        peer
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// From now on it signs with another key, under another name.
    pub(super) fn rotate(&self) {
        let mut script = self.script();
        script.key = fresh_key();
        script.kid += 1;
    }

    /// A token with these claims, and an issuer, an audience and times unless they say otherwise.
    pub(super) fn signed(&self, claims: &Value, typ: &str) -> String {
        let script = self.script();
        let header = json!({"alg": "EdDSA", "kid": script.kid.to_string(), "typ": typ});
        let mut all = json!({"iss": self.issuer, "aud": "authd", "iat": script.now, "exp": script.now + 300});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&all));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(script.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

async fn metadata(State(peer): State<Peer>) -> Json<Value> {
    let mut script = peer.script();
    script.fetched.0 += 1;
    let at = |path: &str| format!("{}{path}", peer.issuer);
    let mut document = json!({
        "issuer": peer.issuer, "authorization_endpoint": at("/auth"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "userinfo_endpoint": at("/userinfo"), "end_session_endpoint": at("/end"),
        "registration_endpoint": at("/register"),
    });
    for (name, value) in script.metadata.as_object().unwrap() {
        document[name] = value.clone();
    }
    Json(document)
}

async fn keys(State(peer): State<Peer>) -> Json<Value> {
    let mut script = peer.script();
    script.fetched.1 += 1;
    let x = BASE64_URL_SAFE_NO_PAD.encode(script.key.public_key().as_ref());
    Json(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": script.kid.to_string(), "x": x}]}))
}

async fn token(State(peer): State<Peer>, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Response {
    let (claims, refusal) = {
        let mut script = peer.script();
        script.asked.push(form);
        let authorization = headers.get("authorization").map(|value| value.to_str().unwrap());
        script.authorization = authorization.unwrap_or_default().to_owned();
        (script.claims.clone(), script.refusal.clone())
    };
    match refusal {
        Some((status, body)) => (status, Json(body)).into_response(),
        None => Json(json!({
            "access_token": "access", "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh",
            "id_token": peer.signed(&claims, "JWT"),
        }))
        .into_response(),
    }
}

/// Whether it knows the client that somebody is sent there for.
async fn authorize(State(peer): State<Peer>, Query(query): Query<HashMap<String, String>>) -> StatusCode {
    let known = format!("client-{}", peer.script().registered.len());
    if query["client_id"] == known {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    }
}

async fn register(State(peer): State<Peer>, headers: HeaderMap, Json(wanted): Json<Value>) -> Response {
    if headers
        .get("authorization")
        .is_none_or(|value| value != "Bearer correct horse battery")
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut script = peer.script();
    script.registered.push(wanted);
    let made = json!({"client_id": format!("client-{}", script.registered.len()), "client_secret": "made"});
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn userinfo(State(peer): State<Peer>, headers: HeaderMap) -> Response {
    if headers
        .get("authorization")
        .is_none_or(|value| value != "Bearer access")
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(peer.script().userinfo.clone()).into_response()
}
