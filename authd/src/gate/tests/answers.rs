//! What proxies, clients and applications are told.

use policy::engine::Denial;
use policy::identity_headers::{IdentityHeaders, known};
use policy::snapshot::WantedSignIn;
use policy::{Target, target::Scheme};

use crate::gate::asker::Asker;
use crate::gate::facts::Dialect;
use crate::gate::{Verdict, answer};
use crate::identity;
use crate::shared::Limited;
use crate::stand::{Answer, RESOURCES, Stand};

const DIALECTS: [Dialect; 3] = [Dialect::Nginx, Dialect::Forward, Dialect::Envoy];

/// The usual resources, with more fields of the instance.
fn with(fields: &str) -> String {
    RESOURCES.replace(
        "  signup: {enabled: true}\n",
        &format!("  signup: {{enabled: true}}\n{fields}"),
    )
}

#[tokio::test]
async fn an_application_is_told_under_the_names_that_it_knows() {
    let stand = Stand::with(&with(
        "  identityHeaders: {preset: Remote, names: {roles: X-WEBAUTH-ROLE}}\n",
    ))
    .await;
    let token = stand.sign_in("admin@example.com").await;
    let answer = stand.ask_with("/", &token).await;
    for (name, value) in [
        ("remote-name", "Administrator"),
        ("remote-email", "admin@example.com"),
        ("remote-groups", ""),
        ("x-webauth-role", "admin"),
        ("x-auth-user", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("remote-user").len(), 36, "{answer:?}");
    let nobody = stand.ask("/public", &[]).await;
    for name in [
        "remote-user",
        "remote-email",
        "remote-name",
        "remote-groups",
        "x-webauth-role",
    ] {
        let values: Vec<_> = nobody.headers.get_all(name).iter().collect();
        assert_eq!(values, [""], "D01: {name}");
    }
    stand.serve(RESOURCES).await;
    let answer = stand.ask_with("/", &token).await;
    assert_eq!(
        (answer.header("x-auth-name"), answer.headers.get("remote-name")),
        ("Administrator", None),
        "the next request knows the new names"
    );
}

#[tokio::test]
async fn what_lets_a_request_pass_says_nothing_but_who_is_calling() {
    let stand = Stand::new().await;
    let token = stand.sign_in("admin@example.com").await;
    let usual = IdentityHeaders::default();
    let owned: Vec<&str> = usual.names().map(|(_, name)| name).collect();
    for answer in [stand.ask_with("/", &token).await, stand.ask("/public", &[]).await] {
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, ""));
        for name in answer.headers.keys().map(http::HeaderName::as_str) {
            let ours = owned.contains(&name) || known().any(|known| known == name);
            assert!(ours || name == "cache-control", "D32: {name}");
        }
    }
}

/// Status, whether there is a way to the sign-in page, the challenge, `grpc-status`.
fn told(answer: &Answer) -> (u16, bool, &str, &str) {
    (
        answer.status.as_u16(),
        !answer.header("location").is_empty(),
        answer.header("www-authenticate"),
        answer.header("grpc-status"),
    )
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table is as long as its rows")]
async fn each_client_is_refused_in_its_own_way() {
    const BEARER: &str = "Bearer realm=\"authd\"";
    let html = ("accept", "text/html,application/xhtml+xml");
    let websocket = ("upgrade", "websocket");
    let asks = ("access-control-request-method", "PUT");
    let origin = ("origin", "https://elsewhere.example.com");
    let program = (401, false, BEARER, "");
    let stand = Stand::new().await;
    for (case, method, headers, expected) in [
        ("a navigation", "GET", &[html][..], (302, true, "", "")),
        ("D36: fetch", "GET", &[html, ("sec-fetch-mode", "cors")], program),
        (
            "D36: XHR",
            "GET",
            &[html, ("x-requested-with", "XMLHttpRequest")],
            program,
        ),
        ("D36: JSON", "GET", &[("accept", "application/json")], program),
        ("D35: a form", "POST", &[html, ("sec-fetch-mode", "navigate")], program),
        (
            "D26: a WebSocket",
            "GET",
            &[html, websocket, ("sec-fetch-mode", "websocket")],
            program,
        ),
        ("D26: a WebSocket of an old browser", "GET", &[html, websocket], program),
        (
            "D26: a preflight",
            "OPTIONS",
            &[html, asks, origin, ("sec-fetch-mode", "cors")],
            program,
        ),
        (
            "D26: a preflight that lies",
            "OPTIONS",
            &[html, asks, origin, ("sec-fetch-mode", "navigate")],
            program,
        ),
        ("D26: TRACE", "TRACE", &[html], program),
        (
            "curl",
            "GET",
            &[("accept", "*/*"), ("user-agent", "curl/8.5.0")],
            program,
        ),
        (
            "git",
            "GET",
            &[("accept", "*/*"), ("user-agent", "git/2.46.0")],
            program,
        ),
        ("docker", "GET", &[("user-agent", "docker/27.0 go/go1.22")], program),
        (
            "gRPC",
            "POST",
            &[("content-type", "application/grpc")],
            (401, false, BEARER, "16"),
        ),
        (
            "gRPC with Protobuf",
            "POST",
            &[("content-type", "application/grpc+proto")],
            (401, false, BEARER, "16"),
        ),
        ("not gRPC", "POST", &[("content-type", "application/graphql")], program),
    ] {
        for dialect in DIALECTS {
            let answer = stand.ask_in(dialect, (method, "/a"), headers).await;
            let expected = match (dialect, expected) {
                (Dialect::Nginx, (302, location, challenge, grpc)) => (401, location, challenge, grpc),
                (_, expected) => expected,
            };
            assert_eq!(told(&answer), expected, "{case}: {dialect:?}");
        }
    }
    let open = stand
        .ask_in(Dialect::Forward, ("OPTIONS", "/public"), &[asks, origin])
        .await;
    assert_eq!(told(&open), (200, false, "", ""), "D26 control: a rule lets anyone");
}

#[tokio::test]
async fn a_grpc_client_reads_why_it_is_refused() {
    let stand = Stand::new().await;
    stand.account("ann@example.com", crate::store::Role::User).await;
    let ann = format!("Bearer {}", stand.sign_in("ann@example.com").await);
    let headers = [("content-type", "application/grpc"), ("authorization", &ann)];
    let answer = stand.ask_in(Dialect::Envoy, ("POST", "/admin"), &headers).await;
    assert_eq!(told(&answer), (403, false, "", "7"));
    assert_eq!(answer.header("grpc-message"), "you may not do this");
    assert_eq!((answer.header("content-type"), &*answer.body), ("application/grpc", ""));
    let answer = stand.ask_in(Dialect::Envoy, ("POST", "/a"), &headers).await;
    assert_eq!(answer.status, 200, "control");
}

#[tokio::test]
async fn no_refusal_is_a_permit_to_any_proxy_and_none_sets_two_cookies() {
    let stand = Stand::new().await;
    let serving = stand.app.serving().unwrap();
    let target = Target::read(b"GET", Scheme::Https, b"app.example.com", b"/a").unwrap();
    let denials = [
        Denial::UnknownHost,
        Denial::NoRule,
        Denial::Pending,
        Denial::KeyEndpoint,
        Denial::EvaluationError,
    ];
    let mut verdicts: Vec<Verdict> = denials.into_iter().map(Verdict::Forbid).collect();
    verdicts.extend([
        Verdict::SignIn(None),
        Verdict::SignIn(Some(identity::Error::Revoked)),
        Verdict::SignInAgain(WantedSignIn {
            signed_in_within: Some(900),
            acr: vec!["phr".to_owned()],
        }),
        Verdict::Limited(Limited { retry_after: 7 }),
        Verdict::Unavailable,
    ]);
    for dialect in DIALECTS {
        for asker in [Asker::Navigation, Asker::Program, Asker::Grpc] {
            for verdict in &verdicts {
                let answer = answer::refuse(verdict, dialect, asker, &target, &serving);
                let case = format!("{verdict:?} {dialect:?} {asker:?}");
                assert!(answer.status().as_u16() >= 300, "D19: {case}");
                assert_eq!(
                    answer.headers().contains_key("grpc-status"),
                    asker == Asker::Grpc,
                    "{case}"
                );
                assert!(answer.headers().get_all("set-cookie").iter().count() <= 1, "{case}");
                assert_eq!(answer.headers()["cache-control"], "no-store", "E17: {case}");
                let understood = [401, 403, 503].contains(&answer.status().as_u16());
                assert!(dialect != Dialect::Nginx || understood, "{case}: nginx makes 500 of it");
            }
        }
    }
}

/// What is for those who signed in within a quarter of an hour.
fn careful() -> String {
    RESOURCES.replace(
        "{paths: [/admin], allow: {roles: [admin]}}",
        "{paths: [/admin], allow: {roles: [admin]}, signedInWithin: 15m}",
    )
}

#[tokio::test]
async fn b25_a_rule_that_asks_for_a_recent_sign_in_sends_people_to_sign_in_again() {
    let stand = Stand::with(&careful()).await;
    let token = stand.sign_in("admin@example.com").await;
    assert_eq!(
        stand.ask_with("/admin", &token).await.status,
        200,
        "B25 control: just now"
    );
    stand.advance("15m");
    assert_eq!(
        stand.ask_with("/admin", &token).await.status,
        200,
        "B25 control: 15 m ago"
    );
    stand.advance("1ms");
    let browser = stand.ask_with_cookie("/admin", &token).await;
    let location = "https://auth.example.com/login?prompt=login&return_to=https%3A%2F%2Fapp.example.com%2Fadmin";
    assert_eq!(
        (browser.status.as_u16(), browser.header("location")),
        (302, location),
        "B25"
    );
    let program = stand.ask_with("/admin", &token).await;
    let challenge = "Bearer realm=\"authd\", error=\"insufficient_user_authentication\", \
                     error_description=\"a more recent sign-in is needed\", max_age=\"900\"";
    assert_eq!(told(&program), (401, false, challenge, ""), "B25: RFC 9470 section 3");
    assert_eq!(program.json()["code"], "insufficient_user_authentication");
    assert_eq!(
        stand.ask_with("/", &token).await.status,
        200,
        "B25 control: another rule"
    );

    stand.account("ann@example.com", crate::store::Role::User).await;
    let ann = stand.sign_in("ann@example.com").await;
    stand.advance("1h");
    assert_eq!(
        stand.ask_with("/admin", &ann).await.status,
        403,
        "B25: signing in again would not help"
    );
    let made = stand
        .post("/api/v1/auths/api_key", Some(&token), &serde_json::json!({}))
        .await;
    let key = made.json()["api_key"].as_str().unwrap().to_owned();
    assert_eq!(
        stand.ask_with("/admin", &key).await.status,
        403,
        "B25: nobody signs in with a key"
    );
    assert_eq!(stand.ask_with("/", &key).await.status, 200, "B25 control: the key");
    assert_eq!(
        stand.ask("/admin", &[]).await.status,
        401,
        "B25: a stranger signs in for the first time"
    );
}

#[tokio::test]
async fn b25_a_rule_that_asks_for_a_strong_sign_in_says_which() {
    let strong = "{paths: [/admin], allow: {roles: [admin]}, acr: [phr, phrh], signedInWithin: 15m}";
    let resources = RESOURCES.replace("{paths: [/admin], allow: {roles: [admin]}}", strong);
    let stand = Stand::with(&resources).await;
    let token = stand.sign_in("admin@example.com").await;
    assert_eq!(
        stand.ask_with("/", &token).await.status,
        200,
        "B25 control: another rule"
    );
    let browser = stand.ask_with_cookie("/admin", &token).await;
    let location = "https://auth.example.com/login?prompt=login&acr_values=phr+phrh\
                    &return_to=https%3A%2F%2Fapp.example.com%2Fadmin";
    assert_eq!(
        (browser.status.as_u16(), browser.header("location")),
        (302, location),
        "B25"
    );
    let program = stand.ask_with("/admin", &token).await;
    let challenge = "Bearer realm=\"authd\", error=\"insufficient_user_authentication\", \
                     error_description=\"a stronger sign-in is needed\", acr_values=\"phr phrh\", max_age=\"900\"";
    assert_eq!(told(&program), (401, false, challenge, ""), "B25: RFC 9470 section 3");

    let page = async |query: &str| stand.get(&format!("/login?{query}"), Some(&token)).await.body;
    let password = "name=\"password\"";
    assert!(page("prompt=login").await.contains(password), "B25 control");
    let asked = page("prompt=login&acr_values=phr").await;
    assert!(
        asked.contains("None of the ways to sign in here can do that"),
        "B25: {asked}"
    );
    assert!(!asked.contains(password), "B25: a password is of no class");
    assert!(
        page("prompt=login&acr_values=weak").await.contains(password),
        "B25: what no rule asks for is not asked for"
    );
}

#[tokio::test]
async fn e01_signing_in_again_is_really_asked_for_and_begins_another_session() {
    let stand = Stand::with(&careful()).await;
    let before = stand.sign_in("admin@example.com").await;
    stand.advance("1h");
    let on = "return_to=https%3A%2F%2Fapp.example.com%2Fadmin";
    let straight = stand.get(&format!("/login?{on}"), Some(&before)).await;
    assert_eq!(
        straight.status, 303,
        "E01 control: somebody who is signed in goes on at once"
    );
    let page = stand.get(&format!("/login?prompt=login&{on}"), Some(&before)).await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("Sign in again") && page.body.contains("app.example.com"),
        "{}",
        page.body
    );

    let field = |name: &str| {
        let start = format!("name=\"{name}\" value=\"");
        let rest = page.body.split_once(&start).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("email", "admin@example.com"),
            ("password", crate::stand::PASSWORD),
            ("csrf", &field("csrf")),
            ("return_to", &field("return_to")),
            ("prompt", &field("prompt")),
        ])
        .finish();
    let visit = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let request = http::Request::post("/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://auth.example.com")
        .header("cookie", format!("{visit}; token={before}"));
    let came = stand.request(request, None, axum::body::Body::from(form)).await;
    assert_eq!(
        (came.status.as_u16(), came.header("location")),
        (303, "https://app.example.com/admin")
    );
    let after = came.cookie().unwrap();
    assert_eq!(stand.ask_with_cookie("/admin", &after).await.status, 200, "E01");
    assert_eq!(
        stand.ask_with_cookie("/", &before).await.status,
        302,
        "E01: the old session is dead"
    );
}
