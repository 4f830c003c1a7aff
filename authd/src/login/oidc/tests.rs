//! The whole flow through the router, with a provider that does what it is told. The real provider and one that misbehaves in every
//! way are in `tests/it/openid`.

mod peer;
mod step_up;
mod token_exchange;

use std::collections::HashMap;

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

use crate::stand::{Answer, RESOURCES, Stand};
use peer::Peer;

/// A stand where the provider is declared, with these members of `oidc` beside what it needs.
async fn stand(peer: &Peer, more: &str) -> Stand {
    Stand::with(&format!("{RESOURCES}{}", provider("corporate", peer, more))).await
}

fn provider(name: &str, peer: &Peer, more: &str) -> String {
    format!(
        r#"
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: {name}}}
spec:
  oidc:
    issuer: {issuer}
    clientId: authd
    clientSecretRef: {{name: samples, key: password}}
    outbound: {{allowedNetworks: [127.0.0.0/8]}}
    {more}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: {name}}}
spec:
  providerRef: {{name: {name}}}
  roles: [{{role: user, whenAny: [{{claim: groups, equals: staff}}]}}]
"#,
        issuer = peer.issuer
    )
}

/// A browser at the sign-in page: it keeps cookies.
struct Browser<'a> {
    stand: &'a Stand,
    cookies: HashMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(stand: &'a Stand) -> Self {
        Self {
            stand,
            cookies: HashMap::new(),
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::get(path).header(header::HOST, "evil.example");
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let answer = self.stand.request(request, None, Body::empty()).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// To the provider: where the browser is sent, as its parameters.
    async fn leave(&mut self, provider: &str) -> HashMap<String, String> {
        let answer = self
            .get(&format!(
                "/oauth/{provider}/login?return_to=https://app.example.com/page"
            ))
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        let to = Url::parse(answer.header("location")).unwrap();
        to.query_pairs().into_owned().collect()
    }

    /// Back from the provider with what it would answer to these parameters.
    async fn come_back(&mut self, provider: &str, peer: &Peer, sent: &HashMap<String, String>) -> Answer {
        peer.script().claims["nonce"] = sent["nonce"].clone().into();
        self.get(&format!("/oauth/{provider}/callback?state={}&code=c-1", sent["state"]))
            .await
    }

    fn token(&self) -> Option<&str> {
        self.cookies.get("token").map(String::as_str)
    }
}

fn staff() -> Value {
    json!({"sub": "s-1", "email": "alice@example.com", "email_verified": true, "name": "Alice", "groups": ["staff"]})
}

/// The answer to somebody who goes there and comes back.
async fn round(stand: &Stand, peer: &Peer) -> (Answer, Option<String>) {
    let mut browser = Browser::new(stand);
    let sent = browser.leave("corporate").await;
    let answer = browser.come_back("corporate", peer, &sent).await;
    let token = browser.token().map(str::to_owned);
    (answer, token)
}

#[tokio::test]
async fn somebody_signs_in_and_is_sent_to_where_they_wanted_to_go() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    peer.script().claims = staff();
    let mut browser = Browser::new(&stand);
    let sent = browser.leave("corporate").await;
    assert_eq!(sent["response_type"], "code");
    assert_eq!(
        sent["redirect_uri"], "https://auth.example.com/oauth/corporate/callback",
        "B36"
    );
    assert_eq!(
        (sent["code_challenge_method"].as_str(), sent["code_challenge"].len()),
        ("S256", 43),
        "B05"
    );
    let answer = browser.come_back("corporate", &peer, &sent).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, "https://app.example.com/page")
    );
    assert_eq!(
        browser
            .cookies
            .keys()
            .collect::<Vec<_>>()
            .iter()
            .filter(|name| name.contains("attempt"))
            .count(),
        0
    );
    let page = stand.ask_with("/page", browser.token().unwrap()).await;
    assert_eq!(
        (page.status.as_u16(), page.header("x-auth-email")),
        (200, "alice@example.com")
    );
    let script = peer.script();
    assert_eq!(script.asked[0]["redirect_uri"], sent["redirect_uri"]);
    assert!((43..=128).contains(&script.asked[0]["code_verifier"].len()), "B05");
    assert!(script.authorization.starts_with("Basic "));
    assert!(!script.asked[0].contains_key("client_secret"), "B20");
}

#[tokio::test]
async fn b01_b02_b04_an_answer_counts_once_in_the_browser_that_asked() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    peer.script().claims = staff();
    let mut browser = Browser::new(&stand);
    let sent = browser.leave("corporate").await;
    let kept = browser.cookies.clone();

    let mut victim = Browser::new(&stand);
    let answer = victim.come_back("corporate", &peer, &sent).await;
    assert_eq!((answer.status, victim.token()), (StatusCode::BAD_REQUEST, None), "B02");
    for path in [
        "/oauth/corporate/callback?code=c-1",
        "/oauth/corporate/callback?state=x&code=c-1",
        "/oauth/corporate/callback",
    ] {
        assert_eq!(browser.get(path).await.status, StatusCode::BAD_REQUEST, "B01 {path}");
    }
    assert!(peer.script().asked.is_empty(), "0 token requests");

    assert_eq!(
        browser.come_back("corporate", &peer, &sent).await.status,
        StatusCode::SEE_OTHER,
        "positive control"
    );
    browser.cookies = kept;
    let again = browser.come_back("corporate", &peer, &sent).await;
    assert_eq!((again.status, browser.token()), (StatusCode::BAD_REQUEST, None), "B04");
    assert_eq!(peer.script().asked.len(), 1);

    let sent = browser.leave("corporate").await;
    stand.advance("11m");
    assert_eq!(
        browser.come_back("corporate", &peer, &sent).await.status,
        StatusCode::BAD_REQUEST,
        "B04 too late"
    );
}

#[tokio::test]
async fn b09_an_answer_for_one_provider_is_none_for_another() {
    let (one, other) = (Peer::start().await, Peer::start().await);
    let resources = format!(
        "{RESOURCES}{}{}",
        provider("corporate", &one, ""),
        provider("other", &other, "")
    );
    let stand = Stand::with(&resources).await;
    one.script().claims = staff();
    other.script().claims = staff();
    let mut browser = Browser::new(&stand);
    let sent = browser.leave("corporate").await;
    let answer = browser.come_back("other", &other, &sent).await;
    assert_eq!((answer.status, browser.token()), (StatusCode::BAD_REQUEST, None), "B09");
    assert!(other.script().asked.is_empty());
    let sent = browser.leave("other").await;
    let path = format!(
        "/oauth/other/callback?state={}&code=c&iss={}",
        sent["state"], one.issuer
    );
    assert_eq!(
        browser.get(&path).await.status,
        StatusCode::BAD_REQUEST,
        "B09 iss of another"
    );
}

#[tokio::test]
async fn b40_every_check_that_fails_leaves_nothing_behind() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    let before = stand.app.store.count_users().await.unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = staff();
        claims[name] = value;
        claims
    };
    for (row, claims) in [
        ("B10", with("iss", json!("https://other.example.com"))),
        ("B11 sub", with("sub", json!(null))),
        ("B11 iat", with("iat", json!(null))),
        ("B11 aud", with("aud", json!(null))),
        ("B12", with("aud", json!("other"))),
        ("B16", with("at_hash", json!("AAAA"))),
        ("B17", with("sub", json!("s-2"))),
        ("not admitted", with("groups", json!([]))),
    ] {
        peer.script().claims = claims;
        let (answer, token) = round(&stand, &peer).await;
        assert_eq!((answer.status, token), (StatusCode::BAD_REQUEST, None), "{row}");
    }
    assert_eq!(stand.app.store.count_users().await.unwrap(), before, "B40");
    peer.script().claims = staff();
    assert!(round(&stand, &peer).await.1.is_some(), "positive control");
}

#[tokio::test]
async fn b07_a_nonce_of_another_attempt_is_refused() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    peer.script().claims = staff();
    for nonce in [json!(null), json!("other")] {
        let mut browser = Browser::new(&stand);
        let sent = browser.leave("corporate").await;
        peer.script().claims["nonce"] = nonce;
        let answer = browser
            .get(&format!("/oauth/corporate/callback?state={}&code=c", sent["state"]))
            .await;
        assert_eq!((answer.status, browser.token()), (StatusCode::BAD_REQUEST, None), "B07");
    }
}

#[tokio::test]
async fn b26_what_a_provider_says_in_an_error_is_not_repeated() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    let mut browser = Browser::new(&stand);
    let sent = browser.leave("corporate").await;
    let path = format!(
        "/oauth/corporate/callback?state={}&error=access_denied&error_description=<script>x</script>",
        sent["state"]
    );
    let answer = browser.get(&path.replace('<', "%3C").replace('>', "%3E")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "B26");
    assert!(
        !answer.body.contains("script>x") && !answer.body.contains("access_denied"),
        "B26"
    );
}

#[tokio::test]
async fn keys_that_rotate_cost_nobody_a_sign_in_and_junk_costs_the_provider_nothing() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    peer.script().claims = staff();
    assert!(round(&stand, &peer).await.1.is_some());
    stand.advance("31s");
    peer.rotate();
    assert!(round(&stand, &peer).await.1.is_some(), "the new key is fetched");
    assert_eq!(peer.script().fetched, (1, 2));
    for _ in 0..5 {
        peer.rotate();
        assert!(round(&stand, &peer).await.1.is_none());
    }
    assert_eq!(peer.script().fetched, (1, 2), "at most once in thirty seconds");
}

#[tokio::test]
async fn b19_a_provider_that_says_it_is_another_is_not_used() {
    let peer = Peer::start().await;
    peer.script().metadata = json!({"issuer": format!("{}/", peer.issuer)});
    let stand = stand(&peer, "").await;
    let mut browser = Browser::new(&stand);
    let answer = browser.get("/oauth/corporate/login").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "B19");
    assert_eq!(browser.get("/oauth/nobody/login").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/oauth/accounts/login").await.status, StatusCode::NOT_FOUND);
    let page = browser.get("/login").await;
    assert!(page.body.contains("/oauth/corporate/login"), "the button is there");
}

#[tokio::test]
async fn b41_only_somebody_who_goes_there_is_sent_to_the_provider() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    for (mode, dest, expected) in [
        ("navigate", "document", StatusCode::SEE_OTHER),
        ("no-cors", "image", StatusCode::BAD_REQUEST),
        ("navigate", "iframe", StatusCode::BAD_REQUEST),
        ("cors", "empty", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::get("/oauth/corporate/login")
            .header("sec-fetch-mode", mode)
            .header("sec-fetch-dest", dest);
        let answer = stand.request(request, None, Body::empty()).await;
        assert_eq!(answer.status, expected, "B41 {dest}");
    }
}

/// Time goes on, here and at the provider, until sessions are due; and they are asked about.
async fn revalidated(stand: &Stand, peer: &Peer) -> usize {
    stand.advance("16m");
    peer.script().now += 16 * 60;
    let serving = stand.app.serving().unwrap();
    super::refresh::round(&stand.app, &serving, "corporate").await.unwrap()
}

async fn signed_in(stand: &Stand, peer: &Peer) -> String {
    peer.script().claims = staff();
    round(stand, peer).await.1.unwrap()
}

#[tokio::test]
async fn b24_what_a_provider_says_later_takes_the_place_of_what_it_said() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    let token = signed_in(&stand, &peer).await;
    assert_eq!(revalidated(&stand, &peer).await, 1);
    assert_eq!(stand.ask_with("/page", &token).await.status, 200, "positive control");
    let asked = peer.script().asked.last().unwrap().clone();
    assert_eq!(
        (asked["grant_type"].as_str(), asked["refresh_token"].as_str()),
        ("refresh_token", "refresh")
    );
    peer.script().claims["groups"] = json!([]);
    assert_eq!(revalidated(&stand, &peer).await, 1);
    assert_ne!(stand.ask_with("/page", &token).await.status, 200, "B24");
    peer.script().claims["groups"] = json!(["staff"]);
    assert_eq!(revalidated(&stand, &peer).await, 1);
    assert_eq!(
        stand.ask_with("/page", &token).await.status,
        200,
        "the session itself went on"
    );
}

#[tokio::test]
async fn b22_only_a_provider_that_says_no_ends_a_session() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    let token = signed_in(&stand, &peer).await;
    for status in [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::TOO_MANY_REQUESTS,
    ] {
        peer.script().refusal = Some((status, json!({})));
        assert_eq!(revalidated(&stand, &peer).await, 1, "B22 it is asked again");
        assert_eq!(stand.ask_with("/page", &token).await.status, 200, "B22 {status}");
    }
    peer.script().refusal = Some((StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"})));
    assert_eq!(revalidated(&stand, &peer).await, 1);
    assert_ne!(stand.ask_with("/page", &token).await.status, 200, "B22");
    assert_eq!(revalidated(&stand, &peer).await, 0, "nothing is left to ask about");
}

#[tokio::test]
async fn b21_a_refreshed_token_of_somebody_else_ends_the_session() {
    for (name, value) in [("iss", json!("https://other.example.com")), ("sub", json!("s-2"))] {
        let peer = Peer::start().await;
        let stand = stand(&peer, "").await;
        let token = signed_in(&stand, &peer).await;
        peer.script().claims[name] = value;
        revalidated(&stand, &peer).await;
        assert_ne!(stand.ask_with("/page", &token).await.status, 200, "B21 {name}");
    }
}

async fn log_out(stand: &Stand, token: &str) -> StatusCode {
    let request = Request::post("/oauth/corporate/backchannel-logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = stand
        .request(request, None, Body::from(format!("logout_token={token}")))
        .await;
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.status
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, and a table is as long as its rows"
)]
async fn c01_the_provider_ends_a_session_by_its_sid_and_all_by_their_subject() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let mut tokens = Vec::new();
    for sid in ["sid-1", "sid-2", "sid-3"] {
        peer.script().claims = staff();
        peer.script().claims["sid"] = sid.into();
        tokens.push(round(&stand, &peer).await.1.unwrap());
    }
    let token = |more: Value| {
        let mut claims = json!({"events": event, "jti": more.to_string()});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    for (row, token) in [
        ("C02", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
        (
            "C04",
            peer.signed(&token(json!({"sid": "sid-1", "nonce": "n"})), "logout+jwt"),
        ),
        (
            "C05 aud",
            peer.signed(&token(json!({"sid": "sid-1", "aud": "other"})), "logout+jwt"),
        ),
        (
            "C05 iss",
            peer.signed(
                &token(json!({"sid": "sid-1", "iss": "https://x.example"})),
                "logout+jwt",
            ),
        ),
        ("C06", peer.signed(&token(json!({"sid": "sid-1"})), "JWT")),
        ("C07", peer.signed(&token(json!({})), "logout+jwt")),
        ("C09", peer.signed(&staff(), "JWT")),
    ] {
        assert_eq!(log_out(&stand, &token).await, StatusCode::BAD_REQUEST, "{row}");
    }
    for token in &tokens {
        assert_eq!(stand.ask_with("/page", token).await.status, 200, "every session lives");
    }
    let one = peer.signed(&token(json!({"sid": "sid-1"})), "logout+jwt");
    assert_eq!(log_out(&stand, &one).await, StatusCode::OK, "C01 sid");
    assert_eq!(log_out(&stand, &one).await, StatusCode::BAD_REQUEST, "once");
    assert_ne!(stand.ask_with("/page", &tokens[0]).await.status, 200, "C01 sid");
    assert_eq!(stand.ask_with("/page", &tokens[1]).await.status, 200, "C01 sid");
    let all = peer.signed(&token(json!({"sub": "s-1"})), "logout+jwt");
    assert_eq!(log_out(&stand, &all).await, StatusCode::OK, "C01 sub");
    for token in &tokens {
        assert_ne!(stand.ask_with("/page", token).await.status, 200, "C01 sub");
    }
    let request = Request::post("/oauth/corporate/backchannel-logout").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(
        stand.request(request, None, Body::from("{}")).await.status,
        StatusCode::BAD_REQUEST,
        "C12"
    );
    let request = Request::get("/oauth/corporate/backchannel-logout");
    assert_eq!(
        stand.request(request, None, Body::empty()).await.status,
        StatusCode::METHOD_NOT_ALLOWED,
        "C12"
    );
}

#[tokio::test]
async fn b39_signing_out_here_leads_on_to_the_provider_and_is_done_whatever_it_says() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    let token = signed_in(&stand, &peer).await;
    let answer = stand.post("/api/v1/auths/signout", Some(&token), &json!({})).await;
    let to = Url::parse(answer.json()["redirect_url"].as_str().unwrap()).unwrap();
    let asked: HashMap<String, String> = to.query_pairs().into_owned().collect();
    assert_eq!(asked["client_id"], "authd");
    assert_eq!(asked["post_logout_redirect_uri"], "https://auth.example.com/signed-out");
    assert_eq!(asked["id_token_hint"].split('.').count(), 3);
    assert!(asked["state"].len() >= 32, "B39");
    assert_ne!(
        stand.ask_with("/page", &token).await.status,
        200,
        "B39 over here already"
    );
    let back = stand
        .get(
            "/signed-out?state=other&post_logout_redirect_uri=https://evil.example",
            None,
        )
        .await;
    assert_eq!(
        (back.status, back.header("refresh")),
        (StatusCode::OK, ""),
        "B39 nothing follows from what comes back"
    );
}

#[tokio::test]
async fn b37_no_token_of_the_provider_is_readable_in_the_database() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    signed_in(&stand, &peer).await;
    let session = stand
        .app
        .store
        .sessions_at("corporate", crate::store::Named::Subject("s-1"))
        .await
        .unwrap()[0];
    let grant = stand.app.store.grant_of(session).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&grant.sealed).into_owned();
    for secret in ["refresh", "access", "eyJ"] {
        assert!(!text.contains(secret), "B37 {secret}");
    }
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, and a table is as long as its rows"
)]
async fn somebody_who_is_signed_in_links_and_unlinks_a_provider() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    stand.account("bob@example.com", crate::store::Role::User).await;
    let bob = stand.sign_in("bob@example.com").await;
    let mut browser = Browser::new(&stand);
    browser.cookies.insert("token".to_owned(), bob.clone());
    let page = browser.get("/account").await;
    let href = page
        .body
        .split("href=\"/oauth/corporate/login?link=")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        browser
            .get("/oauth/corporate/login?link=forged")
            .await
            .header("location"),
        "/account",
        "not asked for"
    );

    let answer = browser.get(&format!("/oauth/corporate/login?link={href}")).await;
    let to = Url::parse(answer.header("location")).unwrap();
    let sent: HashMap<String, String> = to.query_pairs().into_owned().collect();
    peer.script().claims = staff();
    let mut stranger = Browser::new(&stand);
    stranger.cookies = browser.cookies.clone();
    stranger.cookies.remove("token");
    assert_eq!(
        stranger.come_back("corporate", &peer, &sent).await.status,
        StatusCode::BAD_REQUEST,
        "no longer signed in"
    );

    let answer = browser.get(&format!("/oauth/corporate/login?link={href}")).await;
    let to = Url::parse(answer.header("location")).unwrap();
    let sent: HashMap<String, String> = to.query_pairs().into_owned().collect();
    let answer = browser.come_back("corporate", &peer, &sent).await;
    assert_eq!(answer.header("location"), "/account?done=linked");
    let here = stand
        .app
        .store
        .find_identity("corporate", "s-1")
        .await
        .unwrap()
        .unwrap();
    let bobs = stand.app.store.user_by_email("bob@example.com").await.unwrap().unwrap();
    assert_eq!(here.user_id, bobs.id);
    let token = round(&stand, &peer).await.1.unwrap();
    assert_eq!(
        stand.ask_with("/page", &token).await.header("x-auth-email"),
        "bob@example.com",
        "it signs in to the same account"
    );

    let user = stand.app.store.user_by_id(bobs.id).await.unwrap().unwrap();
    crate::login::linking::unlink(&stand.app, &user, "corporate")
        .await
        .unwrap();
    assert_ne!(stand.ask_with("/page", &token).await.status, 200, "its sessions ended");
    assert_eq!(stand.ask_with("/page", &bob).await.status, 200, "the others did not");
}

#[tokio::test]
async fn the_only_way_to_sign_in_stays_linked() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    signed_in(&stand, &peer).await;
    let identity = stand
        .app
        .store
        .find_identity("corporate", "s-1")
        .await
        .unwrap()
        .unwrap();
    let user = stand.app.store.user_by_id(identity.user_id).await.unwrap().unwrap();
    let refused = crate::login::linking::unlink(&stand.app, &user, "corporate").await;
    assert!(matches!(refused, Err(crate::login::linking::Error::LastWay)));
}

#[tokio::test]
async fn authd_registers_itself_once_and_again_when_it_is_forgotten() {
    let peer = Peer::start().await;
    let declared = provider(
        "corporate",
        &peer,
        "dynamicRegistration: {initialAccessTokenRef: {name: samples, key: password}}",
    )
    .replace(
        "    clientId: authd\n    clientSecretRef: {name: samples, key: password}\n",
        "",
    );
    let stand = Stand::with(&format!("{RESOURCES}{declared}")).await;
    peer.script().claims = staff();
    peer.script().claims["aud"] = "client-1".into();
    assert!(round(&stand, &peer).await.1.is_some());
    assert!(round(&stand, &peer).await.1.is_some());
    {
        let script = peer.script();
        assert_eq!(script.registered.len(), 1, "once");
        let wanted = &script.registered[0];
        assert_eq!(
            wanted["redirect_uris"],
            json!(["https://auth.example.com/oauth/corporate/callback"])
        );
        assert!(script.authorization.starts_with("Basic "));
    }
    let sealed = stand.app.store.registration("corporate").await.unwrap().unwrap();
    assert!(
        !String::from_utf8_lossy(&sealed).contains("made"),
        "the secret is sealed"
    );
    // Somebody else registers, and the provider knows only the newest.
    peer.script().registered.push(json!({}));
    peer.script().claims["aud"] = "client-3".into();
    assert!(round(&stand, &peer).await.1.is_some(), "it registers again");
    assert_eq!(peer.script().registered.len(), 3);
}
