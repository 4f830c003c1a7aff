//! Somebody has to sign in again at the provider, and did so only if the provider says when. Row B25.

use super::*;

/// A stand where `/careful` asks for a sign-in of the last quarter of an hour.
async fn careful(peer: &Peer) -> Stand {
    let rule = "- {allow: {signedIn: true}}";
    let careful = format!("- {{paths: [/careful], allow: {{signedIn: true}}, signedInWithin: 15m}}\n    {rule}");
    let google = r#"
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: google}
spec: {google: {clientId: g, clientSecretRef: {name: samples, key: password}}}
"#;
    Stand::with(&format!(
        "{}{}{google}",
        RESOURCES.replacen(rule, &careful, 1),
        provider("corporate", peer, "")
    ))
    .await
}

impl Browser<'_> {
    /// To the provider, from a page that asks for more, and back with what it says of when it asked.
    async fn again(&mut self, peer: &Peer, auth_time: Value) -> StatusCode {
        let answer = self.get("/oauth/corporate/login?prompt=login").await;
        let to = Url::parse(answer.header("location")).unwrap();
        let sent: HashMap<String, String> = to.query_pairs().into_owned().collect();
        assert_eq!(
            (sent["prompt"].as_str(), sent["max_age"].as_str()),
            ("login", "0"),
            "B25"
        );
        peer.script().claims["auth_time"] = auth_time;
        self.come_back("corporate", peer, &sent).await.status
    }

    async fn opens(&self, path: &str) -> u16 {
        self.stand
            .ask_with(path, self.token().unwrap_or("x.y.z"))
            .await
            .status
            .as_u16()
    }
}

#[tokio::test]
async fn b25_signing_in_again_counts_only_if_the_provider_says_that_it_asked() {
    let peer = Peer::start().await;
    let stand = careful(&peer).await;
    peer.script().claims = staff();
    let mut browser = Browser::new(&stand);
    let sent = browser.leave("corporate").await;
    assert!(
        !sent.contains_key("max_age") && !sent.contains_key("prompt"),
        "control: {sent:?}"
    );
    browser.come_back("corporate", &peer, &sent).await;
    assert_eq!(browser.opens("/page").await, 200, "control");
    assert_eq!(
        browser.opens("/careful").await,
        401,
        "B25: it does not say when it asked"
    );

    for (row, auth_time) in [
        ("absent", json!(null)),
        ("long ago", json!(peer::NOON - 3600)),
        ("text", json!("now")),
        ("ahead", json!(peer::NOON + 3600)),
    ] {
        assert_eq!(
            browser.again(&peer, auth_time).await,
            StatusCode::BAD_REQUEST,
            "B25 {row}"
        );
        assert_eq!(browser.opens("/careful").await, 401, "B25 {row}");
        assert_eq!(
            browser.opens("/page").await,
            200,
            "B25 {row}: the session from before goes on"
        );
    }
    assert_eq!(
        browser.again(&peer, json!(peer::NOON)).await,
        StatusCode::SEE_OTHER,
        "B25"
    );
    assert_eq!(browser.opens("/careful").await, 200, "B25");
    stand.advance("16m");
    assert_eq!(browser.opens("/careful").await, 401, "B25: it is over after a while");
}

#[tokio::test]
async fn b25_a_session_is_as_old_as_what_the_provider_asked() {
    let peer = Peer::start().await;
    let stand = careful(&peer).await;
    for (ago, expected) in [(0, 200), (14 * 60, 200), (16 * 60, 401)] {
        peer.script().claims = staff();
        peer.script().claims["auth_time"] = json!(peer::NOON - ago);
        let token = round(&stand, &peer).await.1.unwrap();
        assert_eq!(stand.ask_with("/page", &token).await.status, 200, "control");
        assert_eq!(
            stand.ask_with("/careful", &token).await.status.as_u16(),
            expected,
            "B25 {ago} s ago"
        );
    }
}

#[tokio::test]
async fn b25_a_provider_that_asks_nobody_again_is_no_way_to_sign_in_again() {
    let peer = Peer::start().await;
    let stand = careful(&peer).await;
    let links = async |path: &str| {
        let page = stand.get(path, None).await.body;
        ["corporate", "google"].map(|name| page.contains(&format!("/oauth/{name}/login")))
    };
    assert_eq!(links("/login").await, [true, true], "control");
    assert_eq!(links("/login?prompt=login").await, [true, false], "B25");
    let answer = stand.get("/oauth/google/login?prompt=login", None).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::BAD_REQUEST, ""),
        "B25"
    );
}

#[tokio::test]
async fn b25_a_strong_sign_in_is_asked_for_and_counts_only_if_the_provider_says_so() {
    let peer = Peer::start().await;
    let rule = "- {allow: {signedIn: true}}";
    let strong = format!("- {{paths: [/strong], allow: {{signedIn: true}}, acr: [phr, phrh]}}\n    {rule}");
    let resources = RESOURCES.replacen(rule, &strong, 1);
    let stand = Stand::with(&format!("{resources}{}", provider("corporate", &peer, ""))).await;
    peer.script().claims = staff();
    let mut browser = Browser::new(&stand);
    let sent = browser.leave("corporate").await;
    assert!(!sent.contains_key("acr_values"), "B25 control: {sent:?}");
    browser.come_back("corporate", &peer, &sent).await;
    assert_eq!(browser.opens("/page").await, 200, "B25 control");
    assert_eq!(browser.opens("/strong").await, 401, "B25: it does not say how strong");

    for (row, acr, expected) in [
        ("absent", json!(null), (400, 401)),
        ("another", json!("pwd"), (400, 401)),
        ("in other letters", json!("PHR"), (400, 401)),
        ("several", json!(["phr"]), (400, 401)),
        ("the other of the two", json!("phrh"), (303, 200)),
    ] {
        let answer = browser
            .get("/oauth/corporate/login?prompt=login&acr_values=phr%20phrh%20weak")
            .await;
        let to = Url::parse(answer.header("location")).unwrap();
        let sent: HashMap<String, String> = to.query_pairs().into_owned().collect();
        assert_eq!(
            sent["acr_values"], "phr phrh",
            "B25 {row}: without what no rule asks for"
        );
        peer.script().claims["auth_time"] = json!(peer::NOON);
        peer.script().claims["acr"] = acr;
        let status = browser.come_back("corporate", &peer, &sent).await.status.as_u16();
        assert_eq!((status, browser.opens("/strong").await), expected, "B25 {row}");
        assert_eq!(browser.opens("/page").await, 200, "B25 {row}: there is a session");
    }
}
