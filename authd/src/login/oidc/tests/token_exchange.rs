//! Programs exchange tokens of the provider, through the router.

use super::*;

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// A field of the AuthProvider itself.
const EXCHANGE: &str = "\n  accounts: {allowedDomains: [example.com]}\n  tokenExchange: {audiences: [cli]}";

/// Asks for a session with a token of this type.
async fn exchange(stand: &Stand, token: &str, kind: &str) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
        .append_pair("subject_token", token)
        .append_pair("subject_token_type", kind)
        .finish();
    let request =
        Request::post("/oauth/corporate/token").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    stand.request(request, None, Body::from(form)).await
}

fn cli() -> Value {
    let mut claims = staff();
    claims["aud"] = "cli".into();
    claims
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = cli();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn w04_a_token_becomes_a_session_of_its_person_which_ends_with_it() {
    let peer = Peer::start().await;
    let stand = stand(&peer, EXCHANGE).await;
    for (kind, typ) in [(ID_TOKEN, "JWT"), (ACCESS_TOKEN, "at+jwt")] {
        let answer = exchange(&stand, &peer.signed(&cli(), typ), kind).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (StatusCode::OK, "no-store"),
            "{answer:?}"
        );
        assert_eq!(answer.header("set-cookie"), "", "a program gets no cookie");
        let given = answer.json();
        assert_eq!(
            (&given["issued_token_type"], &given["token_type"], &given["expires_in"]),
            (&json!(ACCESS_TOKEN), &json!("Bearer"), &json!(300))
        );
        let page = stand.ask_with("/page", given["access_token"].as_str().unwrap()).await;
        assert_eq!(
            (page.status.as_u16(), page.header("x-auth-email")),
            (200, "alice@example.com")
        );
    }
    assert_eq!(
        stand
            .audited()
            .iter()
            .filter(|line| line["event"] == "TokenExchanged")
            .count(),
        2
    );
    assert_eq!(
        stand.app.store.count_users().await.unwrap(),
        2,
        "one account, beside the administrator's"
    );
    let token = exchange(&stand, &peer.signed(&cli(), "JWT"), ID_TOKEN).await.json();
    let token = token["access_token"].as_str().unwrap();
    stand.advance("4m");
    assert_eq!(stand.ask_with("/page", token).await.status, 200, "control");
    stand.advance("2m");
    assert_eq!(
        stand.ask_with("/page", token).await.status,
        401,
        "the session ends with the token"
    );
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, and a table is as long as its rows"
)]
async fn w04_whatever_is_wrong_with_a_token_no_session_comes_of_it_and_a_stranger_learns_nothing() {
    let peer = Peer::start().await;
    let roomy = "signup: {enabled: true}\n  rateLimits: {signIn: {limit: 100, window: 3m}}";
    let resources = RESOURCES.replace("signup: {enabled: true}", roomy);
    let stand = Stand::with(&format!("{resources}{}", provider("corporate", &peer, EXCHANGE))).await;
    let before = stand.app.store.count_users().await.unwrap();
    let id = |claims: &Value| (peer.signed(claims, "JWT"), ID_TOKEN);
    let access = |claims: &Value| (peer.signed(claims, "at+jwt"), ACCESS_TOKEN);
    let good = peer.signed(&cli(), "JWT");
    let spoilt = format!("{}A", &good[..good.len() - 1]);
    for (row, (token, kind), reason) in [
        ("aud of authd itself", id(&staff()), "WrongAudience"),
        ("another audience", id(&with("aud", json!("other"))), "WrongAudience"),
        ("another program's", id(&with("azp", json!("other"))), "WrongAudience"),
        (
            "another issuer",
            id(&with("iss", json!("https://other.example.com"))),
            "MissingClaim",
        ),
        (
            "A19",
            (
                if spoilt == good {
                    format!("{}B", &good[..good.len() - 1])
                } else {
                    spoilt
                },
                ID_TOKEN,
            ),
            "IdTokenSignature",
        ),
        (
            "A01",
            ("eyJhbGciOiJub25lIn0.e30.".to_owned(), ID_TOKEN),
            "IdTokenAlgorithm",
        ),
        (
            "opaque",
            ("0123456789abcdef".to_owned(), ACCESS_TOKEN),
            "IdTokenMalformed",
        ),
        ("A27", id(&with("exp", json!(peer::NOON - 61))), "Expired"),
        (
            "A32 access token as ID token",
            (peer.signed(&cli(), "at+jwt"), ID_TOKEN),
            "WrongType",
        ),
        (
            "A32 ID token as access token",
            access(&with("nonce", json!("n"))),
            "WrongType",
        ),
        ("A32 logout token", id(&with("events", json!({}))), "WrongType"),
        ("A42", access(&with("cnf", json!({"jkt": "x"}))), "WrongType"),
        ("no sub", id(&with("sub", json!(null))), "MissingClaim"),
        (
            "K02 unverified address",
            id(&with("email_verified", json!("true"))),
            "Domain",
        ),
        (
            "a domain that is not allowed",
            id(&with("email", json!("alice@evil.example"))),
            "Domain",
        ),
        ("no role", id(&with("groups", json!([]))), "NotAdmitted"),
    ] {
        let answer = exchange(&stand, &token, kind).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{row}: {answer:?}");
        let expected = json!({"error": "invalid_request", "error_description": "the subject token is not accepted"});
        assert_eq!(answer.json(), expected, "{row}");
        let lines = stand.audited();
        let last = lines
            .iter()
            .rfind(|line| line["event"] == "TokenExchangeFailed")
            .unwrap();
        assert_eq!(
            (&last["reason"], &last["method"]),
            (&json!(reason), &json!("corporate")),
            "{row}"
        );
    }
    let control = exchange(&stand, &good, ID_TOKEN).await;
    assert_eq!(control.status, 200, "control");
    assert_eq!(
        stand.app.store.count_users().await.unwrap(),
        before + 1,
        "the control alone made an account"
    );
}

#[tokio::test]
async fn w04_it_is_off_unless_the_resource_says_otherwise() {
    let peer = Peer::start().await;
    let stand = stand(&peer, "").await;
    for path in ["/oauth/corporate/token", "/oauth/accounts/token", "/oauth/nobody/token"] {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = stand.request(request, None, Body::from("grant_type=x")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "W-4 {path}");
    }
}

#[tokio::test]
async fn w20_an_address_that_guesses_is_held_up() {
    let peer = Peer::start().await;
    let stand = stand(&peer, EXCHANGE).await;
    let mut last = StatusCode::OK;
    for _ in 0..16 {
        last = exchange(&stand, "x.y.z", ID_TOKEN).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "W-20");
    let answer = exchange(&stand, &peer.signed(&cli(), "JWT"), ID_TOKEN).await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (StatusCode::TOO_MANY_REQUESTS, Some("temporarily_unavailable"))
    );
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    stand.advance("10m");
    peer.script().now += 600;
    assert_eq!(
        exchange(&stand, &peer.signed(&cli(), "JWT"), ID_TOKEN).await.status,
        200,
        "control"
    );
}

#[tokio::test]
async fn c01_the_provider_ends_sessions_that_were_exchanged_too() {
    let peer = Peer::start().await;
    let stand = stand(&peer, EXCHANGE).await;
    let given = exchange(&stand, &peer.signed(&cli(), "JWT"), ID_TOKEN).await.json();
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(stand.ask_with("/page", token).await.status, 200, "control");
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let logout = peer.signed(&json!({"events": event, "jti": "j", "sub": "s-1"}), "logout+jwt");
    assert_eq!(log_out(&stand, &logout).await, StatusCode::OK);
    assert_eq!(stand.ask_with("/page", token).await.status, 401, "C01");
}
