//! A double of Microsoft's identity platform and Graph, with what their pages say: issuers that are templates for tenants, keys
//! without an algorithm, pairwise subjects, addresses that nobody verified, groups that are too many for a token, and no word of
//! PKCE in the metadata although it is demanded.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Client;
use super::grants::{Grants, back, fields, locked, put_all};
use super::keys::{Key, now, random};
use crate::peer::Peer;

/// More groups than this are not in a token.
const MAX_GROUPS: usize = 200;
/// How many groups Graph lists on a page.
const PAGE: usize = 100;

/// A running double.
#[derive(Debug)]
pub struct Microsoft {
    /// What it is and was asked: the login service, and Graph below `/v1.0`.
    pub peer: Peer,
    double: Arc<Double>,
}

#[derive(Debug)]
struct Double {
    url: String,
    grants: Grants,
    key: Key,
    person: Mutex<Person>,
}

/// Somebody in a tenant.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their tenant's id.
    pub tenant: String,
    /// Their object id; the subject is made of it and the client.
    pub object: String,
    /// An address that whoever runs the tenant chose.
    pub email: String,
    /// The ids of their groups.
    pub groups: Vec<String>,
    /// More claims, such as `xms_edov`; `null` takes one away.
    pub more: Value,
}

impl Microsoft {
    /// Starts it for one client.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(client: Client, person: Person) -> Self {
        let state = |url: &str| Double {
            url: url.to_owned(),
            grants: Grants::new(client),
            key: Key::rsa("microsoft-1"),
            person: Mutex::new(person),
        };
        let router = |double| {
            Router::new()
                .route("/{tenant}/v2.0/.well-known/openid-configuration", get(metadata))
                .route("/{tenant}/discovery/v2.0/keys", get(keys))
                .route("/{tenant}/oauth2/v2.0/authorize", get(authorize))
                .route("/{tenant}/oauth2/v2.0/token", post(token))
                .route("/oidc/userinfo", get(userinfo))
                .route("/v1.0/me/transitiveMemberOf", get(groups))
                .route("/v1.0/me/transitiveMemberOf/microsoft.graph.group", get(groups))
                .route("/v1.0/me/getMemberObjects", post(group_ids))
                .route("/v1.0/me/getMemberGroups", post(group_ids))
                .with_state(double)
        };
        let (peer, double) = Peer::over(state, router).await;
        Self { peer, double }
    }

    /// Who is signed in there.
    pub fn is(&self, person: Person) {
        *locked(&self.double.person) = person;
    }

    /// The issuer in tokens of a tenant.
    #[must_use]
    pub fn issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0", self.peer.url)
    }
}

impl Person {
    /// Alice, in a tenant.
    #[must_use]
    pub fn alice(tenant: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            object: "00000000-0000-0000-0000-0000000a11ce".to_owned(),
            email: "alice@contoso.test".to_owned(),
            groups: vec!["6f0d1b5c-0000-4000-8000-000000000001".to_owned()],
            more: json!({}),
        }
    }

    fn claims(&self, double: &Double) -> Value {
        let mut claims = json!({
            "ver": "2.0",
            "iss": format!("{}/{}/v2.0", double.url, self.tenant),
            "aud": double.grants.client.id,
            "iat": now(),
            "nbf": now(),
            "exp": now() + 3600,
            "sub": format!("{}-for-{}", self.object, double.grants.client.id),
            "oid": self.object,
            "tid": self.tenant,
            "name": "Alice",
            "preferred_username": self.email,
            "email": self.email,
            "rh": "0.A",
            "uti": random(),
        });
        let groups = match self.groups.len() {
            0 => json!({}),
            1..=MAX_GROUPS => json!({"groups": self.groups}),
            // The address is of a service that is no more.
            _ => json!({
                "_claim_names": {"groups": "src1"},
                "_claim_sources": {"src1": {
                    "endpoint": format!("https://graph.windows.net/{}/users/{}/getMemberObjects", self.tenant, self.object),
                }},
            }),
        };
        put_all(&mut claims, groups);
        put_all(&mut claims, self.more.clone());
        claims
    }
}

async fn metadata(State(double): State<Arc<Double>>, Path(tenant): Path<String>) -> Json<Value> {
    let at = |path: &str| format!("{}/{tenant}{path}", double.url);
    let named = match &*tenant {
        "common" | "organizations" | "consumers" => "{tenantid}",
        tenant => tenant,
    };
    Json(json!({
        "issuer": format!("{}/{named}/v2.0", double.url),
        "authorization_endpoint": at("/oauth2/v2.0/authorize"),
        "token_endpoint": at("/oauth2/v2.0/token"),
        "userinfo_endpoint": format!("{}/oidc/userinfo", double.url),
        "jwks_uri": at("/discovery/v2.0/keys"),
        "end_session_endpoint": at("/oauth2/v2.0/logout"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "request_uri_parameter_supported": false,
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "tenant_region_scope": null,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": double.url.trim_start_matches("http://"),
        "rbac_url": "https://pas.windows.net",
    }))
}

async fn keys(State(double): State<Arc<Double>>) -> Json<Value> {
    let mut key = double.key.jwk();
    put_all(
        &mut key,
        json!({"alg": null, "x5t": double.key.id, "issuer": format!("{}/{{tenantid}}/v2.0", double.url)}),
    );
    Json(json!({"keys": [key]}))
}

fn refused(error: &str, code: &str) -> Response {
    let description = format!("{code}: The request was refused. Trace ID: 0 Correlation ID: 0");
    let body = json!({"error": error, "error_description": description, "error_codes": [50000]});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

async fn authorize(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    let user = json!(locked(&double.person).object);
    match double.grants.authorize(&fields(&query.unwrap_or_default()), user) {
        Ok((redirect_uri, mut parameters)) => {
            put_all(&mut parameters, json!({"session_state": random()}));
            back(&redirect_uri, &parameters)
        }
        Err(_) => refused("invalid_request", "AADSTS50011"),
    }
}

async fn token(State(double): State<Arc<Double>>, headers: HeaderMap, body: String) -> Response {
    let grant = match double.grants.redeem(&headers, &fields(&body)) {
        Ok(grant) => grant,
        Err("invalid_client") => return refused("invalid_client", "AADSTS7000215"),
        Err(error) => return refused(error, "AADSTS70008"),
    };
    let mut claims = locked(&double.person).claims(&double);
    put_all(&mut claims, json!({"nonce": grant.nonce}));
    let mut answer = json!({
        "token_type": "Bearer",
        "scope": grant.scope,
        "expires_in": 3600,
        "ext_expires_in": 3600,
        "access_token": double.grants.token(&grant),
        "id_token": double.key.sign(&double.key.header(), &claims),
    });
    if grant.scope.split(' ').any(|scope| scope == "offline_access") {
        put_all(&mut answer, json!({"refresh_token": double.grants.token(&grant)}));
    }
    Json(answer).into_response()
}

async fn userinfo(State(double): State<Arc<Double>>, headers: HeaderMap) -> Response {
    if double.grants.of_bearer(&headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let person = locked(&double.person);
    let claims = person.claims(&double);
    Json(json!({
        "sub": claims.get("sub"),
        "name": claims.get("name"),
        "email": claims.get("email"),
        "picture": format!("{}/v1.0/me/photo/$value", double.url),
    }))
    .into_response()
}

fn unauthorized() -> Response {
    let error = json!({"error": {"code": "InvalidAuthenticationToken", "message": "Access token is empty."}});
    (StatusCode::UNAUTHORIZED, Json(error)).into_response()
}

/// Page by page.
async fn groups(State(double): State<Arc<Double>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if double.grants.of_bearer(&headers).is_none() {
        return unauthorized();
    }
    let skip: usize = fields(&query.unwrap_or_default())
        .get("$skiptoken")
        .and_then(|skip| skip.parse().ok())
        .unwrap_or_default();
    let groups = &locked(&double.person).groups;
    let page: Vec<Value> = groups
        .iter()
        .skip(skip)
        .take(PAGE)
        .map(|id| json!({"@odata.type": "#microsoft.graph.group", "id": id}))
        .collect();
    let mut answer = json!({"value": page});
    if groups.len() > skip + PAGE {
        let next = format!("{}/v1.0/me/transitiveMemberOf?$skiptoken={}", double.url, skip + PAGE);
        put_all(&mut answer, json!({"@odata.nextLink": next}));
    }
    Json(answer).into_response()
}

/// All at once.
async fn group_ids(State(double): State<Arc<Double>>, headers: HeaderMap) -> Response {
    if double.grants.of_bearer(&headers).is_none() {
        return unauthorized();
    }
    Json(json!({"value": locked(&double.person).groups})).into_response()
}
