use std::collections::HashMap;

use axum::response::Response;
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use super::gallery::{origins, pages, sign_in, site};
use super::*;

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn html(name: &str) -> String {
    let (_, response) = pages().into_iter().find(|(page, _)| *page == name).unwrap();
    text(response).await
}

#[test]
fn each_page_has_the_status_that_goes_with_what_it_says() {
    let expected = HashMap::from([
        ("sign_in_wrong", 400),
        ("sign_in_provider", 400),
        ("sign_in_directories", 400),
        ("sign_in_wait", 429),
        ("sign_in_stale", 403),
        ("sign_in_unavailable", 503),
        ("denied", 403),
        ("pending", 403),
        ("pending_alone", 403),
        ("error", 500),
        ("not_found", 404),
        ("account_refused", 400),
        ("account_key_refused", 400),
        ("account_session_refused", 400),
    ]);
    for (name, response) in pages() {
        assert_eq!(
            response.status().as_u16(),
            expected.get(name).copied().unwrap_or(200),
            "{name}"
        );
        assert_eq!(
            response.headers().contains_key(header::RETRY_AFTER),
            name == "sign_in_wait",
            "{name}"
        );
    }
}

#[test]
fn every_page_carries_the_headers() {
    let expected = [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("vary", "Cookie"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ];
    for (page, response) in pages() {
        for (name, value) in expected {
            assert_eq!(response.headers().get(name).unwrap(), value, "{page} {name}");
        }
        let policy = policy(response.headers());
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self' data:;"),
            "{page} {policy}"
        );
        assert!(
            policy.contains("; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
            "{page} {policy}"
        );
    }
}

fn policy(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap()
}

#[test]
fn only_origins_that_a_policy_can_name_get_into_it() {
    for (address, expected) in [
        ("https://grafana.example.com/d/1?x", " https://grafana.example.com"),
        ("http://127.0.0.1:9000/", " http://127.0.0.1:9000"),
        ("https://b\u{fc}cher.example/", " https://xn--bcher-kva.example"),
        ("https://a;script-src/", ""),
        ("https://a,b/", ""),
        ("https://*/", ""),
        ("https://[::1]/", ""),
        ("ftp://example.com/", ""),
        ("data:text/html,x", ""),
    ] {
        let origin = url::Url::parse(address).unwrap().origin();
        let headers = headers(&[origin]);
        let (_, targets) = policy(&headers).split_once("form-action 'self'").unwrap();
        assert_eq!(targets, expected, "{address}");
    }
}

#[tokio::test]
async fn no_page_holds_a_script_or_a_style_of_its_own() {
    for (name, response) in pages() {
        let html = text(response).await;
        for banned in [
            "<script",
            "<style",
            " style=",
            "javascript:",
            " onclick",
            " onload",
            "http://",
            "{{",
            "{%",
        ] {
            let found = html.replace("xmlns='http://www.w3.org/2000/svg'", "");
            assert!(!found.contains(banned), "{name} holds {banned}");
        }
    }
}

#[tokio::test]
async fn every_page_can_be_read_out() {
    for (name, response) in pages() {
        let html = text(response).await;
        for needed in [
            "<html lang=\"en\">",
            "name=\"viewport\"",
            "<main>",
            "<header>",
            "<title>",
            stylesheet_path(),
        ] {
            assert_eq!(html.matches(needed).count(), 1, "{name} {needed}");
        }
        assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        assert!(
            html.matches(" autofocus").count() <= 1,
            "{name} has two focused elements"
        );
        let ids: Vec<&str> = attributes(&html, "id").collect();
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{name}: id `{id}` twice");
        }
        let pointers = ["for", "aria-describedby", "aria-labelledby"];
        for target in pointers
            .iter()
            .flat_map(|pointer| attributes(&html, pointer))
            .flat_map(str::split_whitespace)
        {
            assert!(ids.contains(&target), "{name} points to `{target}`");
        }
        for field in html
            .split("<input ")
            .skip(1)
            .filter(|field| !field.contains("type=\"hidden\"") && !field.contains(" hidden>"))
        {
            let id = attributes(&format!(" {field}"), "id").next().unwrap().to_owned();
            assert!(
                html.contains(&format!("<label for=\"{id}\">")),
                "{name}: `{id}` has no label"
            );
        }
        for form in html.split("<form ").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert!(
                form.contains("method=\"post\"") && form.contains("name=\"csrf\" value=\"csrf-token\""),
                "{name}"
            );
        }
    }
}

/// The values of an attribute, in the order of the page.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let start = format!(" {name}=\"");
    html.match_indices(&start)
        .map(|(at, _)| at + start.len())
        .collect::<Vec<_>>()
        .into_iter()
        .filter_map(|from| html[from..].split('"').next())
}

#[tokio::test]
async fn the_first_empty_field_has_the_focus_unless_there_is_nothing_to_do_but_wait() {
    for (name, focused) in [
        ("sign_in", "id=\"email\""),
        ("sign_in_stale", "id=\"email\""),
        ("sign_in_wrong", "id=\"password\""),
        ("sign_in_wait", "id=\"refusal\""),
        ("account_refused", "id=\"password\""),
        ("account_key_refused", "id=\"key-name\""),
        ("account_fresh_key", "id=\"fresh-key\""),
    ] {
        let html = html(name).await;
        let tag = html
            .split('<')
            .find(|tag| tag.split('>').next().unwrap().contains(" autofocus"))
            .unwrap();
        assert!(tag.contains(focused), "{name}: {tag}");
    }
}

#[tokio::test]
async fn what_comes_from_outside_is_escaped() {
    let nasty = "\"><script>alert('x')</script>&";
    let (site, origins) = (Site { name: nasty.to_owned() }, origins());
    let providers = [Provider {
        name: "a/../b?c",
        title: nasty,
    }];
    let choices = [Choice {
        name: nasty,
        title: nasty,
        is_chosen: true,
    }];
    let page = SignIn {
        password: Some(PasswordForm {
            csrf: nasty,
            email: nasty,
            names: Names::Either,
            choices: &choices,
        }),
        return_to: Some(nasty),
        providers: &providers,
        ..sign_in(&site, &origins)
    };
    let html = text(page.respond()).await;
    assert!(!html.contains("<script") && !html.contains("alert('x')"), "{html}");
    assert!(
        html.contains("/oauth/a%2F%2E%2E%2Fb%3Fc/login?return_to=%22%3E%3Cscript"),
        "{html}"
    );
}

#[tokio::test]
async fn the_page_says_where_a_sign_in_leads_and_how_long_to_wait() {
    assert!(
        html("sign_in")
            .await
            .contains("to continue to <strong>grafana.example.com</strong>")
    );
    assert!(!html("sign_in_alone").await.contains("to continue to"));
    assert!(html("sign_in_wait").await.contains("Try again in 3 minutes."));
    let site = site();
    for (retry_after, expected) in [
        (1, "1 second."),
        (30, "30 seconds."),
        (90, "90 seconds."),
        (91, "2 minutes."),
        (180, "3 minutes."),
    ] {
        let page = SignIn {
            refusal: Some(Refusal::TooMany { retry_after }),
            ..sign_in(&site, &[])
        }
        .respond();
        assert_eq!(
            page.headers().get(header::RETRY_AFTER).unwrap(),
            &retry_after.to_string()
        );
        assert!(
            text(page).await.contains(&format!("Try again in {expected}")),
            "{retry_after}"
        );
    }
}

#[tokio::test]
async fn a_key_is_on_the_page_only_where_it_was_made() {
    for (name, response) in pages() {
        let shown = text(response).await.contains("sk-0123456789abcdef0123456789abcdef");
        assert_eq!(shown, name == "account_fresh_key", "{name}");
    }
}

#[test]
fn programs_are_called_what_people_call_them() {
    for (user_agent, expected) in [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "Unknown program"),
        ("<b>", "<b>"),
    ] {
        assert_eq!(browser::name(user_agent), expected);
    }
    assert_eq!(browser::name(&"x".repeat(500)).len(), 40);
}

#[tokio::test]
async fn the_stylesheet_is_kept_for_a_year_under_its_exact_name_alone() {
    for (path, status, cache) in [
        (stylesheet_path(), 200, Some("public, max-age=31536000, immutable")),
        ("/assets/authd-0000000000000000.css", 200, Some("no-store")),
        ("/assets/other.css", 404, None),
        ("/assets/", 404, None),
    ] {
        let response = stylesheet(path);
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(
            response
                .headers()
                .get(header::CACHE_CONTROL)
                .map(|value| value.to_str().unwrap()),
            cache,
            "{path}"
        );
    }
    assert!(!text(stylesheet(stylesheet_path())).await.contains("http://127"));
}

/// Contrast by WCAG 2.2, 1.4.3 (4.5 for text) and 1.4.11 (3 for edges of controls and for the focus ring).
#[test]
fn colours_have_the_contrast_of_level_aa() {
    let css = include_str!("authd.css");
    let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
    let dark = rest.split("* {").next().unwrap();
    for (scheme, css) in [("light", light), ("dark", dark)] {
        let colours = colours(css);
        for (front, back, least) in [
            ("ink", "ground", 4.5),
            ("ink", "card", 4.5),
            ("quiet", "card", 4.5),
            ("quiet", "ground", 4.5),
            ("link", "card", 4.5),
            ("on-accent", "accent", 4.5),
            ("on-accent", "accent-hover", 4.5),
            ("bad", "bad-ground", 4.5),
            ("bad", "card", 4.5),
            ("good", "good-ground", 4.5),
            ("edge", "card", 3.0),
            ("edge", "ground", 3.0),
            ("accent", "card", 3.0),
            ("link", "ground", 3.0),
        ] {
            let (one, two) = (colours[front] + 0.05, colours[back] + 0.05);
            let contrast = one.max(two) / one.min(two);
            assert!(contrast >= least, "{scheme}: {front} on {back} is {contrast:.2}");
        }
    }
}

/// Relative luminance by the name of the custom property.
fn colours(css: &str) -> HashMap<&str, f64> {
    let channel = |hex: &str| {
        let value = f64::from(u8::from_str_radix(hex, 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    css.lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #"))
        .map(|(name, hex)| {
            (
                name,
                0.2126 * channel(&hex[..2]) + 0.7152 * channel(&hex[2..4]) + 0.0722 * channel(&hex[4..]),
            )
        })
        .collect()
}

/// Writes the pages and the stylesheet to a folder to look at: `PAGES=/tmp/pages cargo test --workspace --lib pages::`.
#[tokio::test]
async fn the_pages_are_written_where_they_are_asked_for() {
    let Some(folder) = std::env::var_os("PAGES").map(std::path::PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("authd.css"), text(stylesheet(stylesheet_path())).await).unwrap();
    for (name, response) in pages() {
        let html = text(response).await.replace(stylesheet_path(), "authd.css");
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}
