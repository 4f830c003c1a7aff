//! Signing out here, and at the provider on the way. Row B39.

use serde_json::json;
use tests::http::{get, post};

use super::trial::{PUBLIC, Trial};

#[tokio::test]
async fn b39_a_sign_out_is_done_here_whatever_comes_back_and_leads_nowhere_else() {
    let trial = Trial::start(&["out"]).await;
    let token = trial.lets_in("B39", "out").await;
    let answer = post(trial.world.auths("signout"))
        .bearer(&token)
        .json(&json!({"post_logout_redirect_uri": "https://evil.test/", "redirect_url": "https://evil.test/"}))
        .send()
        .await
        .expect("B39", 200)
        .json();
    let to: url::Url = answer["redirect_url"]
        .as_str()
        .unwrap_or_default()
        .parse()
        .expect("B39: on to the provider");
    assert!(
        to.as_str()
            .starts_with(&format!("{}/end?", trial.provider.issuer("out"))),
        "B39 {to}"
    );
    let given = |name: &str| {
        let mut all = to
            .query_pairs()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned());
        let first = all.next().unwrap_or_default();
        assert_eq!(all.next(), None, "B39 {name} twice");
        first
    };
    assert_eq!(given("client_id"), "authd", "B39");
    assert_eq!(
        given("post_logout_redirect_uri"),
        format!("{PUBLIC}/signed-out"),
        "B39: encoded, and ours"
    );
    assert_eq!(given("id_token_hint").split('.').count(), 3, "B39");
    assert!(given("state").len() >= 22, "B39");
    assert_eq!(trial.world.me(&token).await, 401, "B39: over here already");

    let good = given("state");
    for query in [
        String::new(),
        format!("?state={good}"),
        "?state=another".to_owned(),
        "?state=a&state=b".to_owned(),
        "?post_logout_redirect_uri=https%3A%2F%2Fevil.test%2F".to_owned(),
        "?return_to=https%3A%2F%2Fevil.test%2F".to_owned(),
        "?rd=//evil.test".to_owned(),
    ] {
        let back = get(trial.world.public(&format!("/signed-out{query}")))
            .send()
            .await
            .expect("B39", 200);
        assert_eq!(
            (back.header("location"), back.header("refresh")),
            ("", ""),
            "B39 {query}"
        );
        assert!(!back.body.contains("evil.test"), "B39 {query}");
        assert_eq!(trial.world.me(&token).await, 401, "B39 {query}");
    }
}
