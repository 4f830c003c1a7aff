//! How long a connection may stay open that a check lets open.

use crate::stand::{RESOURCES, Stand};
use crate::store::Role;

const HOUR: u64 = 3600;
const WEEK: u64 = 7 * 24 * HOUR;

const RULES: &str = "    - {paths: [/public], allow: {anyone: true}}
    - {paths: [/live], allow: {signedIn: true}, maxConnectionAge: 15m}
    - {paths: [/open], allow: {anyone: true}, maxConnectionAge: 1h}
    - {paths: [/v1/deploys/live], allow: {signedIn: true}, maxConnectionAge: 7d}
";

/// The usual resources, with rules that say how long connections may stay open.
fn aged() -> String {
    RESOURCES.replace("    - {paths: [/public], allow: {anyone: true}}\n", RULES)
}

#[tokio::test]
async fn a_connection_stays_open_for_as_long_as_its_rule_and_its_credential_are_good_for() {
    let stand = Stand::with(&aged()).await;
    stand.account("ann@example.com", Role::User).await;
    let token = stand.sign_in("ann@example.com").await;
    let cookie = [("cookie", &*format!("token={token}"))];
    let bearer = [("authorization", &*format!("Bearer {token}"))];
    for (case, path, shown, expected) in [
        ("nobody, and no bound", "/public", &[][..], None),
        ("nobody, and the rule's", "/open", &[], Some(HOUR)),
        ("the rule's", "/live", &cookie, Some(HOUR / 4)),
        ("the rule's, by a token in a header", "/live", &bearer, Some(HOUR / 4)),
        (
            "the session's, as a browser gets fresh tokens",
            "/",
            &cookie,
            Some(4 * 24 * HOUR),
        ),
        ("the token's", "/", &bearer, Some(12 * HOUR)),
    ] {
        let answer = stand.ask(path, shown).await;
        let said = answer.headers.get_all("x-auth-max-age").iter().collect::<Vec<_>>();
        let expected = expected.map_or(String::new(), |seconds| seconds.to_string());
        assert_eq!(answer.status, 200, "{case}");
        assert_eq!(said, [&*expected], "{case}");
    }
    let left = |uri: &'static str| async {
        let answer = stand.ask(uri, &bearer).await;
        (answer.status.as_u16(), answer.header("x-auth-max-age").to_owned())
    };
    stand.advance("11h59m");
    assert_eq!(
        left("/live").await,
        (200, "60".to_owned()),
        "a token that ends sooner than the rule"
    );
    stand.advance("90s");
    assert_eq!(
        left("/live").await,
        (200, "1".to_owned()),
        "within what clocks may differ"
    );
    stand.advance("40s");
    assert_eq!(left("/live").await, (401, String::new()), "a refusal opens nothing");
}

#[tokio::test]
async fn a_connection_of_a_key_ends_with_the_key() {
    let stand = Stand::with(&aged()).await;
    let key = [("authorization", "Bearer sk-0123456789abcdef0123456789abcdef")];
    let left = |path: &'static str| async {
        let answer = stand.ask(path, &key).await;
        (answer.status.as_u16(), answer.header("x-auth-max-age").to_owned())
    };
    let ends: i64 = "2026-03-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    let now = stand.app.now().as_second();
    assert_eq!(left("/v1/deploys").await, (200, (ends - now).to_string()));
    assert_eq!(
        left("/v1/deploys/live").await,
        (200, WEEK.to_string()),
        "the rule is sooner"
    );
    stand.advance(&format!("{}h", (ends - now) / 3600 - 1));
    assert_eq!(
        left("/v1/deploys/live").await,
        (200, HOUR.to_string()),
        "the key is sooner"
    );
}
