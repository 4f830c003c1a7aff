//! A whole authd inside a test: the real store, router and gate, with a clock that stands still until it is told to go on.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::api::caller::Peer;
use crate::app::{App, Parts};
use crate::audit::{Audit, Keeping};
use crate::clock::Clock;
use crate::gate::facts::{Dialect, ENVOY};
use crate::gate::forward_auth;
use crate::listen::Connected;
use crate::own_secrets::OwnSecrets;
use crate::random::Random;
use crate::store::{NewUser, Role, Store};
use crate::{router, source};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// An instance, a password provider, two keys and a policy.
pub(crate) const RESOURCES: &str = r#"
apiVersion: authd.dev/v1alpha1
kind: Authd
metadata: {name: main}
spec:
  publicUrl: https://auth.example.com
  cookie: {domain: example.com}
  passwords: {bcryptCost: 10}
  sessions: {lifetime: 4d, idle: 2d}
  tokens: {lifetime: 12h}
  signup: {enabled: true}
  bootstrapAdmin: {email: admin@example.com, passwordSecretRef: {name: samples, key: password}}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: accounts}
spec: {password: {}}
---
apiVersion: authd.dev/v1alpha1
kind: ApiKey
metadata: {name: ci}
spec:
  owner: {service: ci}
  secretName: samples
  notBefore: 2026-01-01T12:00:00Z
  expiresAt: 2026-03-01T12:00:00Z
  allowedEndpoints: [{paths: [/v1/deploys]}]
---
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: app}
spec:
  hosts: [app.example.com]
  rules:
    - {paths: [/public], allow: {anyone: true}}
    - {paths: [/admin], allow: {roles: [admin]}}
    - {allow: {signedIn: true}}
---
apiVersion: v1
kind: Secret
metadata: {name: samples}
stringData: {password: correct horse battery, api-key: sk-0123456789abcdef0123456789abcdef}
"#;

/// A whole authd.
pub(crate) struct Stand {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Clock,
    data: tempfile::TempDir,
    audited: Written,
}

/// What was written to the audit sink.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of the session cookie that is set.
    pub(crate) fn cookie(&self) -> Option<String> {
        let value = self.header("set-cookie").strip_prefix("token=")?;
        Some(value.split(';').next().unwrap().to_owned())
    }
}

impl Stand {
    /// On 2026-01-01 at noon, UTC, with these resources.
    pub(crate) async fn with(resources: &str) -> Self {
        let stand = Self::empty().await;
        stand.serve(resources).await;
        stand
    }

    /// The same without a Snapshot.
    pub(crate) async fn empty() -> Self {
        let data = tempfile::tempdir().unwrap();
        let noon: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let clock = Clock::fixed(noon);
        let random = Random::seeded(7);
        let audited = Written::default();
        let parts = Parts {
            clock: clock.clone(),
            store: Store::open(data.path()).await.unwrap(),
            audit: Audit::start(audited.clone(), Keeping::Tried).unwrap(),
            data: data.path().to_owned(),
            secrets: OwnSecrets::open(data.path(), &random).unwrap(),
            random,
            redis: None,
        };
        Self {
            app: Arc::new(App::start(parts).await.unwrap()),
            clock,
            data,
            audited,
        }
    }

    pub(crate) async fn new() -> Self {
        Self::with(RESOURCES).await
    }

    /// Puts other resources to use.
    pub(crate) async fn serve(&self, resources: &str) {
        let folder = self.data.path().join("resources");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("all.yaml"), resources).unwrap();
        let outcome = source::folder(&folder, None).unwrap();
        let ready = outcome.ready.unwrap_or_else(|| panic!("{:#?}", outcome.problems));
        self.app.put_to_use(ready.engine().unwrap()).await.unwrap();
    }

    pub(crate) fn advance(&self, text: &str) {
        let milliseconds = crds::Duration::from(text).milliseconds().unwrap().unwrap();
        self.clock
            .advance(SignedDuration::from_millis(milliseconds.try_into().unwrap()));
    }

    /// The audit lines so far.
    pub(crate) fn audited(&self) -> Vec<Value> {
        assert!(self.app.audit.flush(Duration::from_secs(20)), "audit lines are stuck");
        let written = self.audited.0.lock().unwrap();
        written
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// An account with [`PASSWORD`].
    pub(crate) async fn account(&self, email: &str, role: Role) {
        let serving = self.app.serving().unwrap();
        let hash = serving.hashing.hash(PASSWORD.to_owned().into()).await.unwrap();
        let user = NewUser {
            id: self.app.random.id(self.app.now()),
            email: email.to_owned(),
            email_verified: true,
            name: email.to_owned(),
            role,
            password_hash: Some(hash.into()),
            profile_image_url: "/user.png".to_owned(),
            created_at: self.app.now(),
        };
        self.app.store.create_user(&user).await.unwrap();
    }

    /// The session token of somebody who signs in.
    pub(crate) async fn sign_in(&self, email: &str) -> String {
        let answer = self
            .post(
                "/api/v1/auths/signin",
                None,
                &json!({"email": email, "password": PASSWORD}),
            )
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.request(Request::get(path), token, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.request(request, token, Body::from(body.to_string())).await
    }

    pub(crate) async fn request(&self, request: http::request::Builder, token: Option<&str>, body: Body) -> Answer {
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(Peer(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        read(router::public(Arc::clone(&self.app)).oneshot(request).await.unwrap()).await
    }

    /// What a proxy is told about `GET https://app.example.com<uri>` with these headers.
    pub(crate) async fn ask(&self, uri: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask_in(Dialect::Forward, ("GET", uri), headers).await
    }

    /// What a proxy of this dialect is told about a request for `https://app.example.com<uri>` with these headers.
    pub(crate) async fn ask_in(
        &self,
        dialect: Dialect,
        (method, uri): (&str, &str),
        headers: &[(&str, &str)],
    ) -> Answer {
        let request = match dialect {
            Dialect::Nginx => Request::get("/verify/nginx")
                .header("x-original-method", method)
                .header("x-original-url", format!("https://app.example.com{uri}")),
            Dialect::Forward => Request::get("/verify/forward")
                .header("x-forwarded-method", method)
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-host", "app.example.com")
                .header("x-forwarded-uri", uri),
            // Over gRPC and FastCGI it is the same request, in a message.
            Dialect::Envoy | Dialect::Grpc | Dialect::FastCgi => Request::builder()
                .method(method)
                .uri(format!("{ENVOY}{uri}"))
                .header("host", "app.example.com"),
        };
        let mut request = request.header("x-forwarded-for", "203.0.113.9");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        read(
            forward_auth::serve(&self.app, &at(IpAddr::V4(Ipv4Addr::LOCALHOST)), request)
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn ask_with(&self, uri: &str, token: &str) -> Answer {
        self.ask(uri, &[("authorization", &format!("Bearer {token}"))]).await
    }

    pub(crate) async fn ask_with_cookie(&self, uri: &str, token: &str) -> Answer {
        self.ask(uri, &[("cookie", &format!("token={token}")), ("accept", "text/html")])
            .await
    }
}

/// Somebody who is connected from there.
pub(crate) fn at(address: IpAddr) -> Connected {
    Connected {
        address,
        certificate: None,
    }
}

async fn read<B>(response: http::Response<B>) -> Answer
where
    B: hyper::body::Body,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}
