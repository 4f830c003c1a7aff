//! A browser's window without a face: it keeps cookies, and goes where it is sent. Quick, where a story needs no Chromium.

use std::collections::BTreeMap;

use url::Url;

use crate::http::{Answer, Request, get, post};

/// Further redirects are a loop.
const MAX_REDIRECTS: usize = 12;

/// A window, with what it remembers.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// What address the page has.
    pub here: Option<Url>,
    /// The cookies, by host; ports do not tell cookies apart.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// Origins that are really reached elsewhere.
    elsewhere: BTreeMap<String, String>,
}

impl Window {
    /// One that reaches `origin` at `address`, both without a slash at the end.
    #[must_use]
    pub fn new(origin: &str, address: &str) -> Self {
        Self {
            elsewhere: BTreeMap::from([(origin.to_owned(), address.to_owned())]),
            ..Self::default()
        }
    }

    /// A cookie that it has.
    #[must_use]
    pub fn cookie(&self, host: &str, name: &str) -> Option<&str> {
        self.cookies.get(host)?.get(name).map(String::as_str)
    }

    /// Every cookie that it has for a host.
    #[must_use]
    pub fn cookies(&self, host: &str) -> BTreeMap<String, String> {
        self.cookies.get(host).cloned().unwrap_or_default()
    }

    /// Forgets the cookies of a host.
    pub fn forget(&mut self, host: &str) {
        self.cookies.remove(host);
    }

    /// Opens an address, and stays wherever it leads; nothing is followed.
    ///
    /// # Panics
    /// It is no address, or nobody answers.
    pub async fn open(&mut self, url: &str) -> Answer {
        let url = self.resolve(url);
        self.ask(url, get).await
    }

    /// Opens an address, and follows redirects until there is a page, or an address that begins with `until`.
    ///
    /// # Panics
    /// It is no address, nobody answers, or the redirects have no end.
    pub async fn follow(&mut self, url: &str, until: &str) -> Answer {
        let answer = self.open(url).await;
        self.go_on(answer, until).await
    }

    /// Sends the form of the page, as browsers do, and follows redirects as [`Window::follow`] does.
    ///
    /// # Panics
    /// As [`Window::follow`].
    pub async fn submit(&mut self, fields: &[(&str, &str)], until: &str) -> Answer {
        let here = self.here.clone().expect("there is a page");
        let origin = here.origin().ascii_serialization();
        let answer = self
            .ask(here, |url| post(url).header("origin", origin.clone()).form(fields))
            .await;
        self.go_on(answer, until).await
    }

    async fn go_on(&mut self, mut answer: Answer, until: &str) -> Answer {
        for _ in 0..MAX_REDIRECTS {
            let location = answer.header("location");
            if location.is_empty() {
                return answer;
            }
            let next = self.resolve(location);
            if !until.is_empty() && next.as_str().starts_with(until) {
                self.here = Some(next);
                return answer;
            }
            answer = self.ask(next, get).await;
        }
        panic!("redirects without an end, the last to {:?}", self.here);
    }

    fn resolve(&self, url: &str) -> Url {
        let resolved = match &self.here {
            Some(here) => here.join(url),
            None => Url::parse(url),
        };
        resolved.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    async fn ask(&mut self, url: Url, request: impl FnOnce(String) -> Request) -> Answer {
        let origin = url.origin().ascii_serialization();
        let host = url.host_str().unwrap_or_default().to_owned();
        let path = url.as_str().strip_prefix(&origin).unwrap_or_default();
        let address = self.elsewhere.get(&origin).unwrap_or(&origin);
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        let mut request = request(format!("{address}{path}")).header("host", authority);
        if let Some(cookies) = self.cookies.get(&host).filter(|cookies| !cookies.is_empty()) {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let answer = request.send().await;
        self.keep(&host, &answer);
        self.here = Some(url);
        answer
    }

    fn keep(&mut self, host: &str, answer: &Answer) {
        let cookies = self.cookies.entry(host.to_owned()).or_default();
        for line in answer.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let attributes = attributes.to_ascii_lowercase();
            if value.is_empty() || attributes.contains("max-age=0") || attributes.contains("1970") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
