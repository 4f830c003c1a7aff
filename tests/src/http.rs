//! Requests as a well-behaved client sends them. Redirects are not followed: where they lead is what tests ask.

use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::Value;

/// One for all, as what it needs for TLS takes long to make. It keeps no connection: each test has a runtime of its own, and
/// a connection ends with the runtime that opened it.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client without certificates of its own can be made")
});

/// A request that is being put together.
#[derive(Debug)]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// Whether a well-behaved client sends a path as it is, and does not resolve or encode anything in it.
#[must_use]
pub fn keeps(path: &str) -> bool {
    let url = reqwest::Url::parse(&format!("http://localhost{path}"));
    url.is_ok_and(|url| url.fragment().is_none() && url.as_str().strip_prefix("http://localhost") == Some(path))
}

/// Text as it stands in a form or a query.
#[must_use]
pub fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// `GET url`.
#[must_use]
pub fn get(url: impl Into<String>) -> Request {
    Request::new(Method::GET, url)
}

/// `POST url`.
#[must_use]
pub fn post(url: impl Into<String>) -> Request {
    Request::new(Method::POST, url)
}

/// `DELETE url`.
#[must_use]
pub fn delete(url: impl Into<String>) -> Request {
    Request::new(Method::DELETE, url)
}

impl Request {
    /// A request with any method.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Adds a header; one that is there already stays.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The session cookie.
    #[must_use]
    pub fn cookie(self, token: &str) -> Self {
        self.header("cookie", format!("token={token}"))
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// A form.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        self.body("application/x-www-form-urlencoded", pairs.join("&"))
    }

    /// Any body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: String) -> Self {
        self.body = Some(body);
        self.header("content-type", content_type)
    }

    /// Sends it.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn attempt(self) -> Result<Answer, String> {
        let mut request = CLIENT.request(self.method, &self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| format!("{}: {error:?}", self.url))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.map_err(|error| error.to_string())?;
        Ok(Answer { status, headers, body })
    }

    /// Sends it.
    ///
    /// # Panics
    /// There was no answer.
    pub async fn send(self) -> Answer {
        self.attempt()
            .await
            .unwrap_or_else(|error| panic!("no answer: {error}"))
    }
}

impl Answer {
    /// A header's value; empty where it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// All values of a header.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect()
    }

    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// A text member of the body.
    #[must_use]
    pub fn text(&self, member: &str) -> String {
        self.json()
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// The value of a cookie that is set here.
    #[must_use]
    pub fn set_cookie(&self, name: &str) -> Option<String> {
        let start = format!("{name}=");
        let line = self
            .all("set-cookie")
            .into_iter()
            .find(|line| line.starts_with(&start))?;
        line.strip_prefix(&start)
            .and_then(|rest| rest.split(';').next())
            .map(str::to_owned)
    }

    /// The value of a hidden field of a page.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let start = format!("name=\"{name}\" value=\"");
        self.body
            .split_once(&start)
            .and_then(|(_, rest)| rest.split('"').next())
            .map(str::to_owned)
    }

    /// Fails the test unless the status is the expected one.
    ///
    /// # Panics
    /// It is another.
    #[track_caller]
    pub fn expect(self, case: &str, status: u16) -> Self {
        assert_eq!(self.status, status, "{case}: {} {:?}", self.body, self.headers);
        self
    }
}
