//! A provider that does what a story tells it to do wrong, and everything else right.
//!
//! One server is any number of issuers, each named by the first segment of its path, with keys and faults of its own: so the
//! rows of a table do not meet in anybody's cache.

mod fault;

pub use fault::{Draft, Fault, Trouble};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::Client;
use super::grants::{Fields, Grant, Grants, back, fields, locked, put_all};
use super::keys::{Key, half_hash, now, random};
use crate::peer::{Peer, Seen};

/// A running server of misbehaving issuers.
#[derive(Debug)]
pub struct Misbehaving {
    peer: Peer,
    issuers: Arc<Issuers>,
}

#[derive(Debug)]
struct Issuers {
    url: String,
    client: Client,
    by_name: Mutex<BTreeMap<String, Arc<Issuer>>>,
}

#[derive(Debug)]
struct Issuer {
    url: String,
    grants: Grants,
    keys: Mutex<Vec<Key>>,
    user: Mutex<Value>,
    fault: Mutex<Fault>,
    session: Mutex<String>,
    given: Mutex<Vec<String>>,
}

impl Misbehaving {
    /// Starts it, for one client, with an `alice` at each issuer.
    pub async fn start(client: Client) -> Self {
        let state = |url: &str| Issuers {
            url: url.to_owned(),
            client,
            by_name: Mutex::default(),
        };
        let router = |issuers| Router::new().fallback(answer).with_state(issuers);
        let (peer, issuers) = Peer::over(state, router).await;
        Self { peer, issuers }
    }

    /// The issuer of this name.
    #[must_use]
    pub fn issuer(&self, name: &str) -> String {
        self.issuers.of(name).url.clone()
    }

    /// What an issuer does wrong from now on.
    pub fn does(&self, name: &str, fault: Fault) {
        *locked(&self.issuers.of(name).fault) = fault;
    }

    /// Who is signed in at an issuer, as claims.
    pub fn is(&self, name: &str, user: Value) {
        *locked(&self.issuers.of(name).user) = user;
    }

    /// Whoever is signed in at an issuer has other claims from now on, also where they signed in before.
    pub fn is_now(&self, name: &str, user: &Value) {
        self.is(name, user.clone());
        self.issuers.of(name).grants.are_of(user);
    }

    /// No token that an issuer gave counts any more.
    pub fn forgets(&self, name: &str) {
        self.issuers.of(name).grants.forget();
    }

    /// An issuer signs with other keys from now on: the first signs, all are listed.
    pub fn has_keys(&self, name: &str, keys: Vec<Key>) {
        *locked(&self.issuers.of(name).keys) = keys;
    }

    /// What an issuer was asked, by what follows its name, such as `POST /token`.
    #[must_use]
    pub fn seen(&self, name: &str, line: &str) -> Vec<Seen> {
        let (method, path) = line.split_once(' ').unwrap_or((line, ""));
        self.peer.seen_at(&format!("{method} /{name}{path}"))
    }

    /// How often an issuer was asked for anything.
    #[must_use]
    pub fn requests(&self, name: &str) -> usize {
        let start = format!("/{name}/");
        let is = |seen: &Seen| {
            seen.line
                .split_once(' ')
                .is_some_and(|(_, path)| path.starts_with(&start))
        };
        self.peer.seen().iter().filter(|seen| is(seen)).count()
    }

    /// How long everything took that was asked so far.
    #[must_use]
    pub fn busy(&self) -> Duration {
        self.peer.busy()
    }

    /// The `sid` of the last sign-in at an issuer.
    #[must_use]
    pub fn session(&self, name: &str) -> String {
        locked(&self.issuers.of(name).session).clone()
    }

    /// Every token that an issuer gave with its last answer.
    #[must_use]
    pub fn given(&self, name: &str) -> Vec<String> {
        locked(&self.issuers.of(name).given).clone()
    }

    /// An ID token that the issuer would give to whoever is signed in there.
    #[must_use]
    pub fn id_token(&self, name: &str, change: impl FnOnce(&mut Draft)) -> String {
        let issuer = self.issuers.of(name);
        let claims = issuer.claims(&locked(&issuer.user), None);
        issuer.sign(claims, change)
    }

    /// A logout token (OpenID Connect Back-Channel Logout 2.4) of the last session, changed as a story wants it.
    #[must_use]
    pub fn logout_token(&self, name: &str, change: impl FnOnce(&mut Draft)) -> String {
        let issuer = self.issuers.of(name);
        let claims = json!({
            "iss": issuer.url,
            "aud": issuer.grants.client.id,
            "iat": now(),
            "exp": now() + 120,
            "jti": random(),
            "sub": locked(&issuer.user).get("sub"),
            "sid": *locked(&issuer.session),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        issuer.sign(claims, |draft| {
            draft.header("typ", json!("logout+jwt"));
            change(draft);
        })
    }
}

impl Issuers {
    fn of(&self, name: &str) -> Arc<Issuer> {
        let mut by_name = locked(&self.by_name);
        let issuer = by_name.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Issuer {
                url: format!("{}/{name}", self.url),
                grants: Grants::new(self.client.clone()),
                keys: Mutex::new(vec![Key::p256(&format!("{name}-1"))]),
                user: Mutex::new(json!({
                    "sub": "alice",
                    "name": "Alice",
                    "email": format!("alice@{name}.test"),
                    "email_verified": true,
                    "groups": ["staff"],
                })),
                fault: Mutex::new(Fault::None),
                session: Mutex::default(),
                given: Mutex::default(),
            })
        });
        Arc::clone(issuer)
    }
}

impl Issuer {
    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.url);
        json!({
            "issuer": self.url,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/keys"),
            "end_session_endpoint": at("/end"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
            "authorization_response_iss_parameter_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
        })
    }

    fn claims(&self, user: &Value, grant: Option<&Grant>) -> Value {
        let mut claims = json!({
            "iss": self.url,
            "aud": self.grants.client.id,
            "iat": now(),
            "exp": now() + 300,
            "auth_time": now(),
        });
        put_all(&mut claims, user.clone());
        if let Some(grant) = grant {
            put_all(&mut claims, json!({"sid": grant.session, "nonce": grant.nonce}));
        }
        claims
    }

    fn sign(&self, claims: Value, change: impl FnOnce(&mut Draft)) -> String {
        let keys = locked(&self.keys);
        let key = keys.first().expect("an issuer has keys");
        let mut draft = Draft::new(key.header(), claims);
        change(&mut draft);
        draft.signed(key)
    }

    fn authorize(&self, query: &Fields) -> Response {
        let user = locked(&self.user).clone();
        let (redirect_uri, mut parameters) = match self.grants.authorize(query, user) {
            Ok(granted) => granted,
            Err(reason) => return (StatusCode::BAD_REQUEST, reason).into_response(),
        };
        put_all(&mut parameters, json!({"iss": self.url}));
        locked(&self.fault).redirect(&mut parameters);
        back(&redirect_uri, &parameters)
    }

    fn token(&self, headers: &http::HeaderMap, form: &Fields) -> Response {
        let grant = match self.grants.redeem(headers, form) {
            Ok(grant) => grant,
            Err(error) => return (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response(),
        };
        locked(&self.session).clone_from(&grant.session);
        let refreshes = form.get("grant_type").is_some_and(|kind| kind == "refresh_token");
        let fault = locked(&self.fault);
        let access_token = self.grants.token(&grant);
        let mut claims = self.claims(&grant.user, Some(&grant));
        put_all(&mut claims, json!({"at_hash": half_hash(&access_token)}));
        let id_token = self.sign(claims, |draft| fault.id_token_of(draft, refreshes));
        let mut answer = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_token": self.grants.token(&grant),
            "id_token": id_token,
        });
        let tokens = ["access_token", "refresh_token", "id_token"];
        let tokens = tokens.iter().filter_map(|name| answer.get(name)?.as_str());
        *locked(&self.given) = tokens.map(str::to_owned).collect();
        fault.answer(&mut answer);
        Json(answer).into_response()
    }

    fn userinfo(&self, headers: &http::HeaderMap) -> Response {
        let Some(grant) = self.grants.of_bearer(headers) else {
            return StatusCode::UNAUTHORIZED.into_response();
        };
        let mut claims = grant.user;
        locked(&self.fault).userinfo(&mut claims);
        Json(claims).into_response()
    }
}

/// Every request: `/ISSUER/...`.
async fn answer(State(issuers): State<Arc<Issuers>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_else(|_| Bytes::new());
    let path = parts.uri.path().trim_start_matches('/');
    let (name, path) = path.split_at(path.find('/').unwrap_or(path.len()));
    let issuer = issuers.of(name);
    let delay = locked(&issuer.fault).delay(path);
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    let trouble = locked(&issuer.fault).trouble(path);
    if let Some(trouble) = trouble {
        return trouble.answer();
    }
    let query = fields(parts.uri.query().unwrap_or_default());
    match path {
        "/.well-known/openid-configuration" => {
            let mut metadata = issuer.metadata();
            locked(&issuer.fault).metadata(&mut metadata);
            Json(metadata).into_response()
        }
        "/keys" => {
            let mut keys = json!({"keys": locked(&issuer.keys).iter().map(Key::jwk).collect::<Vec<_>>()});
            locked(&issuer.fault).keys(&mut keys);
            Json(keys).into_response()
        }
        "/authorize" => issuer.authorize(&query),
        "/token" => issuer.token(&parts.headers, &fields(&String::from_utf8_lossy(&body))),
        "/userinfo" => issuer.userinfo(&parts.headers),
        "/end" => match query.get("post_logout_redirect_uri") {
            Some(uri) => Redirect::to(uri).into_response(),
            None => "signed out".into_response(),
        },
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
