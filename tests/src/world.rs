//! One authd with its folder, and the people in it.

use std::path::Path;
use std::sync::{Arc, Weak};

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::authd::Authd;
use crate::http::{Answer, Request, get, post};
use crate::resources::{ADMIN_PASSWORD, Folder, HOST, ROOMY};

/// A running authd, what it reads, and where it writes.
#[derive(Debug)]
pub struct World {
    /// The program.
    pub authd: Authd,
    /// Its resources.
    pub folder: Folder,
    /// Its data.
    pub data: TempDir,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account's id.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// The token of the session.
    pub token: String,
}

/// A world that the tests of a module share for as long as one of them runs.
#[derive(Debug)]
pub struct Shared(Mutex<Weak<World>>);

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    /// Nothing runs yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::const_new(Weak::new()))
    }

    /// The world, started if need be.
    pub async fn world(&self) -> Arc<World> {
        let mut shared = self.0.lock().await;
        if let Some(world) = shared.upgrade() {
            return world;
        }
        let world = Arc::new(World::usual().await);
        *shared = Arc::downgrade(&world);
        world
    }
}

/// A password that is good enough, and the same for everybody but the administrator.
pub const PASSWORD: &str = "correct horse battery";

impl World {
    /// The usual resources and no limits.
    pub async fn usual() -> Self {
        Self::with(ROOMY).await
    }

    /// The usual resources with more fields of the instance.
    pub async fn with(instance: &str) -> Self {
        Self::of(Folder::usual(instance)).await
    }

    /// These resources.
    ///
    /// # Panics
    /// There is no place for temporary files.
    pub async fn of(folder: Folder) -> Self {
        Self::of_data(folder, tempfile::tempdir().expect("a temporary folder can be made")).await
    }

    /// These resources, with a data folder in which something is already.
    pub async fn of_data(folder: Folder, data: TempDir) -> Self {
        let authd = Authd::start(folder.path(), data.path(), &[]).await;
        Self { authd, folder, data }
    }

    /// Where the data is.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Starts the program again on the same folders; it must have ended.
    pub async fn start_again(&mut self) {
        self.authd = Authd::start(self.folder.path(), self.data.path(), &[]).await;
    }

    /// An address on the public listener.
    #[must_use]
    pub fn public(&self, path: &str) -> String {
        format!("{}{path}", self.authd.public)
    }

    /// An address of the sign-in API.
    #[must_use]
    pub fn auths(&self, path: &str) -> String {
        format!("{}/api/v1/auths/{path}", self.authd.public)
    }

    /// What nginx asks about a request for `url`.
    #[must_use]
    pub fn nginx(&self, method: &str, url: &str) -> Request {
        get(format!("{}/verify/nginx", self.authd.verify))
            .header("x-original-method", method)
            .header("x-original-url", url)
    }

    /// What other proxies ask about a request for a path of the application.
    #[must_use]
    pub fn forward(&self, method: &str, uri: &str) -> Request {
        self.forward_to(method, HOST, uri)
    }

    /// What other proxies ask about a request.
    #[must_use]
    pub fn forward_to(&self, method: &str, host: &str, uri: &str) -> Request {
        get(format!("{}/verify/forward", self.authd.verify))
            .header("x-forwarded-method", method)
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-host", host)
            .header("x-forwarded-uri", uri)
    }

    /// What Envoy asks about a request for a path of the application.
    #[must_use]
    pub fn envoy(&self, method: &str, uri: &str) -> Request {
        let method = method.parse().unwrap_or_default();
        Request::new(method, format!("{}/verify/envoy{uri}", self.authd.verify))
            .header("host", HOST)
            .header("x-forwarded-proto", "http")
    }

    /// An attempt to sign in.
    pub async fn try_password(&self, email: &str, password: &str) -> Answer {
        post(self.auths("signin"))
            .json(&json!({"email": email, "password": password}))
            .send()
            .await
    }

    /// An attempt to sign in that comes through the proxy from an address.
    pub async fn try_password_from(&self, address: &str, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        let attempt = post(self.auths("signin")).header("x-forwarded-for", address);
        attempt.json(&body).send().await
    }

    /// Signs somebody in.
    pub async fn sign_in(&self, email: &str, password: &str) -> Person {
        let answer = self.try_password(email, password).await.expect("sign in", 200);
        Person {
            id: answer.text("id"),
            email: email.to_owned(),
            token: answer.text("token"),
        }
    }

    /// The administrator.
    pub async fn admin(&self) -> Person {
        self.sign_in("admin@example.com", ADMIN_PASSWORD).await
    }

    /// An attempt to make an account.
    pub async fn add(&self, admin: &Person, email: &str, role: &str) -> Answer {
        let body = json!({"name": "Somebody", "email": email, "password": PASSWORD, "role": role});
        post(self.auths("add")).bearer(&admin.token).json(&body).send().await
    }

    /// A new account, signed in.
    pub async fn person(&self, name: &str, role: &str) -> Person {
        let email = format!("{name}@example.com");
        self.add(&self.admin().await, &email, role).await.expect("add", 200);
        self.sign_in(&email, PASSWORD).await
    }

    /// A key that somebody makes for themselves.
    pub async fn key_of(&self, person: &Person) -> String {
        post(self.auths("api_key"))
            .bearer(&person.token)
            .send()
            .await
            .expect("make a key", 200)
            .text("api_key")
    }

    /// Status of `GET /api/v1/auths/` with a token.
    pub async fn me(&self, token: &str) -> u16 {
        get(self.auths("")).bearer(token).send().await.status
    }
}
