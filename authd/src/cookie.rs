//! The session cookie on its way to a browser.

use crds::SameSite;
use http::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use policy::snapshot::Settings;

/// The cookie that carries a session's token, until it expires; without a time it lasts as long as the browser does.
#[must_use]
pub fn set(settings: &Settings, token: &str, expires_at: Option<i64>) -> Option<HeaderValue> {
    let expires = expires_at
        .and_then(|at| Timestamp::from_second(at).ok())
        .and_then(|at| DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok());
    let expires = expires.map_or(String::new(), |at| format!("; Expires={at}"));
    let value = format!("{}={token}{expires}{}", settings.cookie.name, attributes(settings));
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    // Browsers drop what is longer, and with it the sign-in.
    (value.len() <= 4096).then_some(value)
}

/// How long the value of `Set-Cookie` is at most, in bytes, for tokens of so many bytes.
#[must_use]
pub fn longest(settings: &Settings, token: usize) -> usize {
    let expires = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT".len();
    settings.cookie.name.len() + "=".len() + token + expires + attributes(settings).len()
}

/// Takes the cookie away.
#[must_use]
pub fn clear(settings: &Settings) -> HeaderValue {
    let value = format!("{}=; Max-Age=0{}", settings.cookie.name, attributes(settings));
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

fn attributes(settings: &Settings) -> String {
    let domain = settings
        .cookie
        .domain
        .as_ref()
        .map_or(String::new(), |domain| format!("; Domain={domain}"));
    let same_site = match settings.cookie.same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
    };
    let secure = if settings.is_secure() { "; Secure" } else { "" };
    format!("; Path=/{domain}; HttpOnly; SameSite={same_site}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand::{RESOURCES, Stand};

    /// The session cookie that somebody is given, whole.
    async fn given(resources: &str) -> (String, usize) {
        let stand = Stand::with(resources).await;
        let body = serde_json::json!({"email": "admin@example.com", "password": crate::stand::PASSWORD});
        let answer = stand.post("/api/v1/auths/signin", None, &body).await;
        let serving = stand.app.serving().unwrap();
        let longest = longest(serving.settings(), serving.tokens.longest());
        (answer.header("set-cookie").to_owned(), longest)
    }

    #[tokio::test]
    async fn e16_no_cookie_is_longer_than_browsers_take() {
        // As long as they can be: 509 characters, under a domain of 253.
        let domain = format!(
            "{}.example",
            ["d".repeat(60), "d".repeat(60), "d".repeat(60), "d".repeat(62)].join(".")
        );
        let host = ["h".repeat(62), "h".repeat(62), "h".repeat(62), "h".repeat(58)].join(".");
        let url = format!("https://{host}.{domain}");
        let long = RESOURCES.replace("https://auth.example.com", &url).replace(
            "cookie: {domain: example.com}",
            &format!(
                "cookie: {{domain: {domain}, name: {}, sameSite: Strict}}",
                "n".repeat(64)
            ),
        );
        for (case, resources) in [("control", RESOURCES), ("long", &*long)] {
            let (cookie, longest) = given(resources).await;
            assert!(cookie.contains("; Expires="), "E16: {case}: {cookie}");
            assert_eq!(cookie.len(), longest, "E16: {case}: the length is known beforehand");
            assert!(longest <= 4096, "E16: {case}: {longest}");
        }
        let stand = Stand::new().await;
        let serving = stand.app.serving().unwrap();
        let set = |length: usize| set(serving.settings(), &"t".repeat(length), None);
        assert!(set(3000).is_some() && set(4096).is_none(), "E16");
    }

    #[tokio::test]
    async fn a_cookie_of_a_single_host_names_no_domain() {
        let single = RESOURCES
            .replace("https://auth.example.com", "https://app.example.com")
            .replace("cookie: {domain: example.com}", "cookie: {name: __Host-authd}");
        let (cookie, _) = given(&single).await;
        let attributes: Vec<&str> = cookie
            .split("; ")
            .skip(1)
            .filter(|part| !part.starts_with("Expires"))
            .collect();
        assert!(cookie.starts_with("__Host-authd="), "E04: {cookie}");
        assert_eq!(
            attributes,
            ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"],
            "E04: {cookie}"
        );

        let stand = Stand::with(&single).await;
        let token = stand.sign_in("admin@example.com").await;
        let ask = async |name: &str| {
            let cookie = format!("{name}={token}");
            stand.ask("/", &[("cookie", &cookie)]).await.status.as_u16()
        };
        assert_eq!(ask("__Host-authd").await, 200, "E04 control");
        assert_eq!((ask("__host-authd").await, ask("token").await), (401, 401), "E04");
        let page = stand
            .get("/login?return_to=https%3A%2F%2Fapp.example.com%2Fa", Some(&token))
            .await;
        assert_eq!(page.header("location"), "https://app.example.com/a");
    }
}
