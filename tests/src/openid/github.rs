//! A double of GitHub, as an Enterprise server has it (`/login/oauth` and `/api/v3` on one host), with what its pages say: no ID
//! token, ids that are numbers, errors with status 200, forms where no JSON is asked for, addresses on a page of their own,
//! lists in pages, and no answer for programs that do not say who they are.

use std::sync::{Arc, Mutex};

use axum::extract::{RawQuery, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::Client;
use super::grants::{Grant, Grants, back, fields, locked};
use crate::peer::Peer;

/// How many entries a page has, unless more are asked for.
const PAGE: usize = 30;

/// A running double.
#[derive(Debug)]
pub struct GitHub {
    /// What it is and was asked; its `url` is the base of an Enterprise server.
    pub peer: Peer,
    double: Arc<Double>,
}

#[derive(Debug)]
struct Double {
    url: String,
    grants: Grants,
    person: Mutex<Person>,
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account's number, which never changes.
    pub id: u64,
    /// The account's name, which its owner may change and others may then take.
    pub login: String,
    /// What the profile shows, which may be nothing.
    pub public_email: Option<String>,
    /// Every address, each with `email`, `primary`, `verified` and `visibility`.
    pub emails: Vec<Value>,
    /// The names of organisations.
    pub organizations: Vec<String>,
    /// Teams, as organisation and name.
    pub teams: Vec<(String, String)>,
}

impl Person {
    /// Alice, with a verified address that her profile does not show.
    #[must_use]
    pub fn alice() -> Self {
        Self {
            id: 4_200_001,
            login: "alice".to_owned(),
            public_email: None,
            emails: vec![
                Self::email("alice@old.test", false, true),
                Self::email("alice@example.com", true, true),
            ],
            organizations: vec!["octo".to_owned()],
            teams: vec![("octo".to_owned(), "platform".to_owned())],
        }
    }

    /// An entry of the list of addresses.
    #[must_use]
    pub fn email(email: &str, primary: bool, verified: bool) -> Value {
        json!({"email": email, "primary": primary, "verified": verified, "visibility": if primary { json!("private") } else { json!(null) }})
    }
}

impl GitHub {
    /// Starts it for one client.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(client: Client) -> Self {
        let state = |url: &str| Double {
            url: url.to_owned(),
            grants: Grants::new(client),
            person: Mutex::new(Person::alice()),
        };
        let router = |double| {
            let api = Router::new()
                .route("/user", get(user))
                .route("/user/emails", get(emails))
                .route("/user/orgs", get(organizations))
                .route("/user/teams", get(teams))
                .layer(from_fn(says_who_it_is));
            Router::new()
                .route("/login/oauth/authorize", get(authorize))
                .route("/login/oauth/access_token", post(token))
                .nest("/api/v3", api)
                .with_state(double)
        };
        let (peer, double) = Peer::over(state, router).await;
        Self { peer, double }
    }

    /// Who is signed in there.
    pub fn is(&self, person: Person) {
        *locked(&self.double.person) = person;
    }
}

async fn authorize(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    let mut query = fields(&query.unwrap_or_default());
    // It has one response type, and need not be told.
    query.entry("response_type".to_owned()).or_insert("code".to_owned());
    let user = json!(locked(&double.person).id);
    match double.grants.authorize(&query, user) {
        Ok((redirect_uri, parameters)) => back(&redirect_uri, &parameters),
        Err(reason) => (StatusCode::NOT_FOUND, reason).into_response(),
    }
}

async fn token(State(double): State<Arc<Double>>, headers: HeaderMap, body: String) -> Response {
    let mut form = fields(&body);
    form.entry("grant_type".to_owned())
        .or_insert("authorization_code".to_owned());
    let answer = match double.grants.redeem(&headers, &form) {
        Ok(grant) => {
            // Scopes that it does not know are left out without a word.
            let scopes: Vec<&str> = grant
                .scope
                .split([' ', ','])
                .filter(|scope| ["user", "user:email", "read:user", "read:org"].contains(scope))
                .collect();
            json!({"access_token": double.grants.token(&grant), "scope": scopes.join(","), "token_type": "bearer"})
        }
        Err("invalid_client") => json!({
            "error": "incorrect_client_credentials",
            "error_description": "The client_id and/or client_secret passed are incorrect.",
        }),
        Err(_) => json!({
            "error": "bad_verification_code",
            "error_description": "The code passed is incorrect or expired.",
        }),
    };
    let wants_json = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("json")));
    if wants_json {
        return Json(answer).into_response();
    }
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        text.append_pair(name, value.as_str().unwrap_or_default());
    }
    let kind = [(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")];
    (kind, text.finish()).into_response()
}

/// Programs without a name get no answer.
async fn says_who_it_is(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::USER_AGENT) {
        return next.run(request).await;
    }
    let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// What the caller may see with one of these scopes.
fn granted(double: &Double, headers: &HeaderMap, scopes: &[&str]) -> Result<Grant, Response> {
    let message = |status, text| (status, Json(json!({"message": text, "status": "401"}))).into_response();
    let grant = double
        .grants
        .of_bearer(headers)
        .ok_or_else(|| message(StatusCode::UNAUTHORIZED, "Bad credentials"))?;
    let has = |scope: &str| scopes.is_empty() || scopes.contains(&scope);
    if grant.scope.split([' ', ',']).any(has) {
        Ok(grant)
    } else {
        Err(message(StatusCode::NOT_FOUND, "Not Found"))
    }
}

async fn user(State(double): State<Arc<Double>>, headers: HeaderMap) -> Response {
    if let Err(refused) = granted(&double, &headers, &[]) {
        return refused;
    }
    let person = locked(&double.person);
    Json(json!({
        "login": person.login,
        "id": person.id,
        "node_id": "MDQ6VXNlcjE=",
        "avatar_url": format!("{}/avatars/u/{}", double.url, person.id),
        "type": "User",
        "name": null,
        "email": person.public_email,
    }))
    .into_response()
}

/// One page of a list, with a link to the next.
fn page(double: &Double, path: &str, query: Option<String>, all: &[Value]) -> Response {
    let query = fields(&query.unwrap_or_default());
    let number = |name: &str, otherwise: usize| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (size, page) = (number("per_page", PAGE).min(100), number("page", 1).max(1));
    let entries: Vec<Value> = all.iter().skip((page - 1) * size).take(size).cloned().collect();
    let mut response = Json(entries).into_response();
    if all.len() > page * size {
        let link = format!(
            "<{}/api/v3{path}?per_page={size}&page={}>; rel=\"next\"",
            double.url,
            page + 1
        );
        let link = link.parse().expect("a link is a header's value");
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

async fn emails(State(double): State<Arc<Double>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    match granted(&double, &headers, &["user:email", "user"]) {
        Ok(_) => page(&double, "/user/emails", query, &locked(&double.person).emails),
        Err(refused) => refused,
    }
}

async fn organizations(State(double): State<Arc<Double>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if let Err(refused) = granted(&double, &headers, &["read:org", "user"]) {
        return refused;
    }
    let all: Vec<Value> = locked(&double.person)
        .organizations
        .iter()
        .zip(1..)
        .map(|(login, id)| json!({"login": login, "id": id}))
        .collect();
    page(&double, "/user/orgs", query, &all)
}

async fn teams(State(double): State<Arc<Double>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if let Err(refused) = granted(&double, &headers, &["read:org"]) {
        return refused;
    }
    let all: Vec<Value> = locked(&double.person)
        .teams
        .iter()
        .zip(1..)
        .map(|((organization, slug), id)| {
            json!({"id": id, "name": slug, "slug": slug, "organization": {"login": organization, "id": 1}})
        })
        .collect();
    page(&double, "/user/teams", query, &all)
}
