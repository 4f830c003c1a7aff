//! What is examined: the URL, what else is known of the host behind it, and the bytes of each request to it.

use anyhow::{Context as _, bail};
use policy::identity_headers::known;
use secrecy::{ExposeSecret, SecretString};

use super::checks::{Sent, Spelling, Who};

/// A header of the command line: `Name: value`. Its value is a secret.
#[derive(Clone, Debug)]
pub struct Header {
    name: String,
    value: SecretString,
}

impl std::str::FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || "expected `Name: value`, such as `Authorization: Bearer sk-...`".to_owned();
        let (name, value) = text.split_once(':').ok_or_else(wanted)?;
        let value = value.trim();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) || value.is_empty() || value.bytes().any(|byte| byte < b' ') {
            return Err(wanted());
        }
        Ok(Self {
            name: name.to_owned(),
            value: SecretString::from(value),
        })
    }
}

/// What is examined.
#[derive(Debug)]
pub struct Subject {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Its host, as it was written.
    pub host: String,
    /// Its port, where one was written.
    pub port: Option<u16>,
    /// The protected path.
    pub path: String,
    /// A path that everybody may read.
    pub public: Option<String>,
    /// What opens the protected path.
    pub headers: Vec<Header>,
    /// The name of the session's cookie.
    pub cookie: String,
    /// Further names that the application believes.
    pub names: Vec<String>,
    /// A word that nobody else says.
    pub mark: String,
}

impl Subject {
    /// The port that it is reached at.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// The host, and its port where it was written.
    #[must_use]
    pub fn authority(&self) -> String {
        self.port
            .map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The names of the identity's headers.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = known().collect();
        names.extend(self.names.iter().map(String::as_str));
        names
    }

    /// The path that it is about when this one asks, if there is one.
    fn path_of(&self, who: Who) -> Option<&str> {
        match who {
            Who::Stranger | Who::Caller => Some(&self.path),
            Who::Visitor => self.public.as_deref(),
        }
    }

    /// The request of a check, in bytes; none where it needs a public path that is not known.
    #[must_use]
    pub fn request(&self, who: Who, sent: Sent) -> Option<Vec<u8>> {
        let (mut method, mut target) = ("GET", self.path_of(who)?.as_bytes().to_vec());
        let (mut host, mut lines) = (self.authority().into_bytes(), Vec::new());
        match sent {
            Sent::Plain => {}
            Sent::Method(other) => method = other,
            Sent::Target(template) => target = self.fill(template)?,
            Sent::Host(template) => host = self.fill(template)?,
            Sent::Lines(template) => lines = self.fill(template)?,
            Sent::Identity(spelling) => lines = self.identity(spelling),
            Sent::Bytes(template) => return self.fill(template),
        }
        let mut request = [method.as_bytes(), b" ", &target, b" HTTP/1.1\r\nHost: ", &host].concat();
        if !lines
            .get(..11)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"connection:"))
        {
            request.extend_from_slice(b"\r\nConnection: close");
        }
        request.extend_from_slice(b"\r\nAccept: text/html\r\nUser-Agent: authd-doctor\r\nX-Doctor: ");
        request.extend_from_slice(self.mark.as_bytes());
        if who == Who::Caller {
            for header in &self.headers {
                request.extend_from_slice(format!("\r\n{}: {}", header.name, header.value.expose_secret()).as_bytes());
            }
        }
        if !lines.is_empty() {
            request.extend_from_slice(b"\r\n");
            request.extend_from_slice(&lines);
        }
        request.extend_from_slice(b"\r\n\r\n");
        Some(request)
    }

    /// What a header with this name says when it is a lie.
    #[must_use]
    pub fn lie(&self, name: &str) -> String {
        format!("lie-{}-{}.", self.mark, name.to_ascii_lowercase())
    }

    fn identity(&self, spelling: Spelling) -> Vec<u8> {
        let lines = |spelled: &dyn Fn(&str) -> String| -> Vec<u8> {
            let line = |name| format!("{}: {}", spelled(name), self.lie(name));
            self.names()
                .into_iter()
                .map(line)
                .collect::<Vec<_>>()
                .join("\r\n")
                .into_bytes()
        };
        match spelling {
            Spelling::Usual => lines(&str::to_owned),
            Spelling::Twice => [
                lines(&str::to_ascii_uppercase),
                b"\r\n".to_vec(),
                lines(&str::to_ascii_lowercase),
            ]
            .concat(),
            Spelling::Underscores => lines(&|name| name.replace('-', "_")),
            Spelling::Mixed => lines(&|name| {
                let (start, end) = name.rsplit_once('-').unwrap_or(("X", name));
                format!("{start}_{end}")
            }),
            Spelling::Dots => lines(&|name| name.replace('-', ".")),
            Spelling::Nominated => format!("Connection: close, {}", self.names().join(", ")).into_bytes(),
        }
    }

    /// A template with everything filled in; none where it needs a public path that is not known.
    #[must_use]
    pub fn fill(&self, template: &str) -> Option<Vec<u8>> {
        let mut filled = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.extend_from_slice(before.as_bytes());
            // A word may hold words of its own.
            let end = closing(after)?;
            let (word, after) = (after.get(..end)?, after.get(end + 1..)?);
            filled.extend(self.word(word)?);
            rest = after;
        }
        filled.extend_from_slice(rest.as_bytes());
        Some(filled)
    }

    fn word(&self, word: &str) -> Option<Vec<u8>> {
        let repeated = |count: usize, text: &str| Some(self.fill(text)?.repeat(count));
        if let Some((count, text)) = word.split_once('*') {
            return repeated(count.parse().ok()?, text);
        }
        if let Some(text) = word.strip_prefix("up ") {
            return repeated(depth(self.public.as_deref()?), text);
        }
        if let Some(text) = word.strip_prefix("back ") {
            return repeated(depth(&self.path), text);
        }
        let text = match word {
            "path" => self.path.clone(),
            "rest" => self.path.trim_start_matches('/').to_owned(),
            "public" => self.public.clone()?,
            "elsewhere" => self.public.clone().unwrap_or_else(|| format!("/{}", self.mark)),
            "mark" => self.mark.clone(),
            "host" => self.host.clone(),
            "HOST" => self.host.to_ascii_uppercase(),
            "port" => self.port().to_string(),
            "authority" => self.authority(),
            "scheme" => self.scheme().to_owned(),
            "otherscheme" => if self.tls { "http" } else { "https" }.to_owned(),
            "cookie" => self.cookie.clone(),
            "ff" => return Some(vec![0xFF]),
            _ => return None,
        };
        Some(text.into_bytes())
    }
}

/// Where the brace closes that was open before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_u32;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(place);
        }
    }
    None
}

/// How many segments a path has.
fn depth(path: &str) -> usize {
    path.split('/').filter(|segment| !segment.is_empty()).count()
}

/// Splits `scheme://host[:port]/path`; the query is left out.
///
/// # Errors
/// It is something else.
pub fn split(url: &str) -> anyhow::Result<(bool, String, Option<u16>, String)> {
    let wanted = || format!("`{url}` is not a URL such as https://app.example.com/reports");
    let (scheme, rest) = url.split_once("://").with_context(wanted)?;
    let tls = match scheme {
        "http" => false,
        "https" => true,
        _ => bail!(wanted()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok().with_context(wanted)?)),
        _ => (authority, None),
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    if host.is_empty() || !host.bytes().all(named) {
        bail!(wanted());
    }
    Ok((tls, host.to_owned(), port, plain_path(path)?))
}

/// A path that everybody reads in one way, without its query and without a slash at its end.
///
/// # Errors
/// It is another.
pub fn plain_path(path: &str) -> anyhow::Result<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let odd = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    let inner = path.trim_start_matches('/').trim_end_matches('/');
    let starts = path.is_empty() || path.starts_with('/');
    if !starts || !path.bytes().all(plain) || (!inner.is_empty() && inner.split('/').any(odd)) {
        bail!("`{path}` is not a plain path such as /reports/7, of letters, digits, `-`, `_`, `.` and `~`");
    }
    Ok(format!("/{inner}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::checks::{GROUPS, WHILE_DOWN};
    use super::*;

    pub(crate) fn subject() -> Subject {
        Subject {
            tls: false,
            host: "app.test".to_owned(),
            port: Some(8000),
            path: "/reports/7".to_owned(),
            public: Some("/public".to_owned()),
            headers: vec!["Authorization: Bearer sk-x".parse().unwrap()],
            cookie: "token".to_owned(),
            names: Vec::new(),
            mark: "mark".to_owned(),
        }
    }

    #[test]
    fn templates_are_filled_in() {
        for (template, expected) in [
            ("{path}", "/reports/7"),
            ("{public}{up /..}{path}", "/public/../reports/7"),
            ("{path}{back %2f..}{public}", "/reports/7%2f..%2f../public"),
            ("{3*a{mark}}", "amarkamarkamark"),
            ("{HOST}:{port}", "APP.TEST:8000"),
            ("{otherscheme}://{authority}/{rest}", "https://app.test:8000/reports/7"),
        ] {
            let filled = subject().fill(template).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(filled.as_deref(), Some(expected), "{template}");
        }
        assert_eq!(subject().fill("{ff}"), Some(vec![0xFF]));
        let without = Subject {
            public: None,
            ..subject()
        };
        assert_eq!(without.fill("{public}x"), None);
        assert_eq!(without.fill("{elsewhere}"), Some(b"/mark".to_vec()));
        assert_eq!(subject().fill("{nonsense}"), None);
    }

    #[test]
    fn every_request_of_the_list_can_be_made() {
        for group in GROUPS.iter().chain(WHILE_DOWN) {
            for sent in group.sent {
                let request = subject().request(group.who, *sent);
                let request = request.unwrap_or_else(|| panic!("{sent:?}"));
                assert!(request.len() < 100 * 1024, "{sent:?}: {}", request.len());
            }
        }
    }

    #[test]
    fn a_request_is_written_out() {
        let lines = Sent::Lines("Connection: close, Cookie");
        let request = String::from_utf8(subject().request(Who::Caller, lines).unwrap()).unwrap();
        assert_eq!(
            request,
            "GET /reports/7 HTTP/1.1\r\nHost: app.test:8000\r\nAccept: text/html\r\nUser-Agent: authd-doctor\r\n\
             X-Doctor: mark\r\nAuthorization: Bearer sk-x\r\nConnection: close, Cookie\r\n\r\n"
        );
        let spoofed = subject()
            .request(Who::Visitor, Sent::Identity(Spelling::Mixed))
            .unwrap();
        let spoofed = String::from_utf8(spoofed).unwrap();
        assert!(spoofed.starts_with("GET /public HTTP/1.1\r\n"), "{spoofed}");
        assert!(
            spoofed.contains("\r\nx-auth_user: lie-mark-x-auth-user.\r\n"),
            "{spoofed}"
        );
        assert!(!spoofed.contains("sk-x"), "{spoofed}");
    }

    #[test]
    fn urls_are_split_without_being_changed() {
        let host = |text: &str| text.to_owned();
        for (url, expected) in [
            (
                "http://App.test:8000/a/b?c=d",
                Some((false, host("App.test"), Some(8000), host("/a/b"))),
            ),
            ("https://app.test", Some((true, host("app.test"), None, host("/")))),
            (
                "https://[::1]:8443/a/",
                Some((true, host("[::1]"), Some(8443), host("/a"))),
            ),
            ("https://[::1]/", Some((true, host("[::1]"), None, host("/")))),
            ("app.test/a", None),
            ("ftp://app.test/", None),
            ("http:///a", None),
            ("http://app.test:http/", None),
            ("http://u@app.test/", None),
            ("http://app.test/a/../b", None),
            ("http://app.test/a//b", None),
            ("http://app.test/%61", None),
        ] {
            assert_eq!(split(url).ok(), expected, "{url}");
        }
    }

    #[test]
    fn a_header_needs_a_name_and_a_value_and_its_value_is_a_secret() {
        for text in ["Authorization", "Authorization:", ": x", "A b: x", "A: b\r\nC: d"] {
            assert!(text.parse::<Header>().is_err(), "{text:?}");
        }
        assert!(!format!("{:?}", subject()).contains("sk-x"));
    }
}
