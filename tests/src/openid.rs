//! Providers of identities: a real one here, and below it doubles of those that cannot be run here, and one that misbehaves.
//!
//! The real one is npm's `oidc-provider`, started by the script `openid.mjs` beside this file.

pub mod github;
pub mod google;
mod grants;
pub mod keys;
pub mod microsoft;
pub mod misbehaving;

pub use grants::Client;

use std::process::Command;

use http::Method;
use serde_json::{Value, json};

use crate::http::{Answer, Request, get};
use crate::process::Process;
use crate::window::Window;
use crate::{npm, repository, wait};

/// As `tests/run` has it.
const PACKAGE: &str = "oidc-provider@9.13.3";

/// A running provider.
#[derive(Debug)]
pub struct OpenId {
    /// Its issuer.
    pub issuer: String,
    process: Process,
}

impl OpenId {
    /// Starts one with the people [`OpenId::people`] and these clients, each as RFC 7591 writes it.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(name: &str, clients: &[Value]) -> Self {
        Self::with(name, clients, &json!({})).await
    }

    /// As [`OpenId::start`], with more that the script knows: `initialAccessToken`, `lifetimes` in seconds, and `tls` with `cert` and
    /// `key` in PEM.
    ///
    /// # Panics
    /// It does not start.
    pub async fn with(name: &str, clients: &[Value], more: &Value) -> Self {
        let mut story = json!({
            "modules": npm::package("openid", PACKAGE),
            "name": name,
            "users": Self::people(),
            "clients": clients,
        });
        if let (Some(story), Some(more)) = (story.as_object_mut(), more.as_object()) {
            story.extend(more.clone());
        }
        let mut command = Command::new("node");
        command
            .arg(repository().join("tests/src/openid.mjs"))
            .arg(story.to_string());
        let mut process = Process::start(&mut command);
        let issuer = wait::until("the provider has started", || {
            let said = format!("{:?} {:?}", process.ended(), process.errors());
            let issuer = process.output().first().and_then(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                line.get("issuer")?.as_str().map(str::to_owned)
            });
            async move { issuer.ok_or(said) }
        })
        .await;
        Self { issuer, process }
    }

    /// Who is there at first.
    #[must_use]
    pub fn people() -> Value {
        let person = |name: &str, groups: &[&str], roles: &[&str]| {
            json!({
                "name": name,
                "preferred_username": name.to_lowercase(),
                "email": format!("{}@example.com", name.to_lowercase()),
                "email_verified": true,
                "groups": groups,
                "roles": roles,
            })
        };
        json!({
            "alice": person("Alice", &["staff", "developers"], &["admin"]),
            "bob": person("Bob", &["staff"], &["user"]),
            "carol": person("Carol", &[], &[]),
        })
    }

    /// A confidential client that may come back to `redirect_uri`.
    #[must_use]
    pub fn client(id: &str, secret: &str, redirect_uri: &str) -> Value {
        json!({
            "client_id": id,
            "client_secret": secret,
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        })
    }

    /// Adds or changes somebody's claims, from now on.
    pub async fn put_user(&self, name: &str, claims: &Value) {
        self.control(Method::PUT, &format!("users/{name}"), claims).await;
    }

    /// Somebody is gone.
    pub async fn delete_user(&self, name: &str) {
        self.control(Method::DELETE, &format!("users/{name}"), &Value::Null)
            .await;
    }

    /// The next `times` requests for `path` are answered `status`, or late where it is 0, after so many milliseconds.
    pub async fn fail(&self, path: &str, status: u16, delay: u64, times: u32) {
        let fault = json!({"path": path, "status": status, "delay": delay, "left": times});
        self.control(Method::PUT, "fault", &fault).await;
    }

    /// New keys take the place of all old ones.
    pub async fn rotate_keys(&self) {
        self.control(Method::POST, "rotate", &Value::Null).await;
    }

    /// Forgets every client that registered itself.
    pub async fn forget_clients(&self) {
        self.control(Method::DELETE, "clients", &Value::Null).await;
    }

    /// Every request so far, as method and path.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn seen(&self) -> Vec<String> {
        let seen = get(format!("{}/_control/seen", self.issuer)).send().await;
        serde_json::from_str(&seen.body).expect("the provider lists what it saw")
    }

    /// Why its token endpoint gave no tokens, each time that it did not.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn refused(&self) -> Vec<String> {
        let refused = get(format!("{}/_control/refused", self.issuer)).send().await;
        serde_json::from_str(&refused.body).expect("the provider lists what it refused")
    }

    /// How often it was asked for `line`, such as `POST /token`.
    pub async fn count(&self, line: &str) -> usize {
        self.seen().await.iter().filter(|seen| *seen == line).count()
    }

    /// What it complained about.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.process.errors()
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// A window that is at its sign-in page goes on as somebody, until there is a page or an address that begins with `until`.
    pub async fn sign_in(window: &mut Window, user: &str, until: &str) -> Answer {
        window.submit(&[("user", user)], until).await
    }

    async fn control(&self, method: Method, path: &str, body: &Value) {
        Request::new(method, format!("{}/_control/{path}", self.issuer))
            .json(body)
            .send()
            .await
            .expect(path, 200);
    }
}
