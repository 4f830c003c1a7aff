//! What the doubles have in common: authorization codes, proofs of possession, and the client that redeems them.
//!
//! It is as strict as the services are: the redirect address is exact, a code is good once, a verifier has to fit its challenge.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::keys::{encoded, random};

/// Parameters of a query or form.
pub(super) type Fields = BTreeMap<String, String>;

pub(super) fn fields(text: &str) -> Fields {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a browser back with parameters; an array is a parameter several times.
pub(super) fn back(redirect_uri: &str, parameters: &Value) -> Response {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.as_object().into_iter().flatten() {
        for value in value.as_array().unwrap_or(&vec![value.clone()]) {
            query.append_pair(name, value.as_str().unwrap_or_default());
        }
    }
    Redirect::to(&format!("{redirect_uri}?{}", query.finish())).into_response()
}

/// Adds members to an object, and takes those away that are `null`.
pub(super) fn put_all(object: &mut Value, members: Value) {
    if let Value::Object(members) = members {
        for (name, value) in members {
            put(object, &name, value);
        }
    }
}

/// Adds a member to an object; `null` takes it away.
pub(super) fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        match value {
            Value::Null => object.remove(name),
            value => object.insert(name.to_owned(), value),
        };
    }
}

/// The one client that a double knows.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name.
    pub id: String,
    /// What it knows; a public client knows nothing.
    pub secret: Option<String>,
    /// Where people may be sent back to: addresses that begin so.
    pub redirect_uris: String,
}

/// What somebody granted, behind a code or a token.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    /// Who it was.
    pub(super) user: Value,
    pub(super) nonce: Option<String>,
    pub(super) scope: String,
    pub(super) session: String,
    redirect_uri: String,
    challenge: Option<String>,
}

/// What was granted so far.
#[derive(Debug)]
pub(super) struct Grants {
    pub(super) client: Client,
    codes: Mutex<HashMap<String, Grant>>,
    tokens: Mutex<HashMap<String, Grant>>,
}

/// An error as RFC 6749 section 5.2 names it.
pub(super) type Refused = &'static str;

impl Grants {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            codes: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// Answers an authorization request of somebody: the address to go back to, and the parameters for it.
    pub(super) fn authorize(&self, query: &Fields, user: Value) -> Result<(String, Value), String> {
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        let redirect_uri = text("redirect_uri");
        if text("client_id") != self.client.id || !redirect_uri.starts_with(&self.client.redirect_uris) {
            return Err("the client or the redirect address is not registered".to_owned());
        }
        if text("response_type") != "code" {
            return Err("only `code` is a response type".to_owned());
        }
        let challenge = query.get("code_challenge").cloned();
        if challenge.is_some() && text("code_challenge_method") != "S256" {
            return Err("only `S256` is a challenge method".to_owned());
        }
        let grant = Grant {
            user,
            nonce: query.get("nonce").cloned(),
            scope: text("scope"),
            session: random(),
            redirect_uri: redirect_uri.clone(),
            challenge,
        };
        let code = random();
        locked(&self.codes).insert(code.clone(), grant);
        let mut parameters = json!({"code": code});
        put_all(&mut parameters, json!({"state": query.get("state")}));
        Ok((redirect_uri, parameters))
    }

    /// Redeems a code or a refresh token, either once.
    pub(super) fn redeem(&self, headers: &HeaderMap, form: &Fields) -> Result<Grant, Refused> {
        self.authenticate(headers, form)?;
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if text("grant_type") == "refresh_token" {
            return locked(&self.tokens)
                .remove(text("refresh_token"))
                .ok_or("invalid_grant");
        }
        let grant = locked(&self.codes).remove(text("code")).ok_or("invalid_grant")?;
        let hash = digest::digest(&digest::SHA256, text("code_verifier").as_bytes());
        let proven = grant
            .challenge
            .as_ref()
            .is_none_or(|challenge| *challenge == encoded(hash));
        if proven && text("redirect_uri") == grant.redirect_uri {
            Ok(grant)
        } else {
            Err("invalid_grant")
        }
    }

    /// A new token that stands for a grant.
    pub(super) fn token(&self, grant: &Grant) -> String {
        let token = random();
        locked(&self.tokens).insert(token.clone(), grant.clone());
        token
    }

    /// A token that was redeemed stays good.
    pub(super) fn keep(&self, token: &str, grant: Grant) {
        locked(&self.tokens).insert(token.to_owned(), grant);
    }

    /// What was granted is somebody else's from now on, or theirs with other claims.
    pub(super) fn are_of(&self, user: &Value) {
        for grant in locked(&self.tokens).values_mut() {
            grant.user = user.clone();
        }
    }

    /// No token counts any more.
    pub(super) fn forget(&self) {
        locked(&self.tokens).clear();
    }

    /// What a token of the `Authorization` header stands for.
    pub(super) fn of_bearer(&self, headers: &HeaderMap) -> Option<Grant> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
        locked(&self.tokens).get(token).filter(|_| known).cloned()
    }

    /// RFC 6749 section 2.3.1: in the header, form-encoded, or in the body.
    fn authenticate(&self, headers: &HeaderMap, form: &Fields) -> Result<(), Refused> {
        let shown =
            basic(headers).or_else(|| Some((form.get("client_id")?.clone(), form.get("client_secret").cloned())));
        let wanted = (self.client.id.clone(), self.client.secret.clone());
        if shown == Some(wanted) {
            Ok(())
        } else {
            Err("invalid_client")
        }
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, Option<String>)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let text = String::from_utf8(BASE64_STANDARD.decode(value.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    // Both halves are single names of a form, and so decoded as one.
    let decoded = |text: &str| fields(text).into_keys().next().unwrap_or_default();
    Some((decoded(id), Some(decoded(secret))))
}
