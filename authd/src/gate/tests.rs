mod ages;
mod answers;
mod refused_keys;

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use crate::stand::{RESOURCES, Stand};
use crate::store::Role;

const KEY: &str = "sk-0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_session_ends_when_idle_or_too_old() {
    let stand = Stand::new().await;
    let token = stand.sign_in("admin@example.com").await;
    assert_eq!(stand.ask_with("/", &token).await.status, 200, "E07 control");
    stand.advance("12h");
    assert_eq!(
        stand.ask_with("/", &token).await.status,
        200,
        "A27: 0 s after the end, within the skew"
    );
    stand.advance("59s");
    assert_eq!(stand.ask_with("/", &token).await.status, 200, "A27: 59 s after the end");
    stand.advance("2s");
    assert_eq!(stand.ask_with("/", &token).await.status, 401, "A27: 61 s after the end");
}

#[tokio::test]
async fn a_browser_in_use_stays_signed_in_until_the_session_is_too_old() {
    let stand = Stand::new().await;
    let mut token = stand.sign_in("admin@example.com").await;
    assert_eq!(
        stand.ask_with_cookie("/", &token).await.cookie(),
        None,
        "a young token is not renewed"
    );
    for hours in (7..96).step_by(7) {
        stand.advance("7h");
        let answer = stand.ask_with_cookie("/", &token).await;
        assert_eq!(answer.status, 200, "E07 control: after {hours} h of use");
        token = answer.cookie().unwrap_or(token);
    }
    stand.advance("7h");
    assert_eq!(
        stand.ask_with_cookie("/", &token).await.status,
        302,
        "E07: absolute limit with constant activity"
    );
}

#[tokio::test]
async fn an_idle_session_is_over_although_its_token_is_not() {
    let stand = Stand::with(&RESOURCES.replace("lifetime: 12h", "lifetime: 3d")).await;
    let token = stand.sign_in("admin@example.com").await;
    stand.advance("47h");
    assert_eq!(stand.ask_with("/", &token).await.status, 200, "E07: idle limit -1 h");
    stand.advance("48h");
    assert_eq!(stand.ask_with("/", &token).await.status, 401, "E07: idle limit");
}

#[tokio::test]
async fn a_bearer_token_is_never_renewed() {
    let stand = Stand::new().await;
    let token = stand.sign_in("admin@example.com").await;
    stand.advance("11h");
    let answer = stand.ask_with("/", &token).await;
    assert_eq!((answer.status, answer.cookie()), (StatusCode::OK, None));
}

#[tokio::test]
async fn a_key_opens_its_endpoints_between_its_two_moments() {
    let stand = Stand::new().await;
    assert_eq!(
        stand.ask_with("/v1/deploys/1", KEY).await.status,
        200,
        "H05 control: at the first moment"
    );
    assert_eq!(stand.ask_with("/v1/other", KEY).await.status, 403, "H06");
    assert_eq!(stand.ask_with("/v1/deploysx", KEY).await.status, 403, "acceptance 76");
    let cookie = stand.ask("/v1/deploys", &[("cookie", &format!("token={KEY}"))]).await;
    assert_eq!(cookie.status, 401, "H09: a key in a cookie");
    assert_eq!(
        stand.ask(&format!("/v1/deploys?access_token={KEY}"), &[]).await.status,
        401,
        "A36"
    );
    stand.advance("59d");
    let answer = stand.ask_with("/v1/deploys", KEY).await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("key_expired")),
        "H05"
    );
    let early = RESOURCES.replace("notBefore: 2026-01-01T12:00:00Z", "notBefore: 2026-01-01T12:00:01Z");
    let stand = Stand::with(&early).await;
    assert_eq!(
        stand.ask_with("/v1/deploys", KEY).await.status,
        401,
        "H05: a second too early"
    );
    stand.advance("1s");
    assert_eq!(stand.ask_with("/v1/deploys", KEY).await.status, 200, "H05: in time");
}

#[tokio::test]
async fn a_change_of_rights_holds_for_the_next_request() {
    let stand = Stand::new().await;
    stand.account("ann@example.com", Role::User).await;
    let ann = stand.sign_in("ann@example.com").await;
    assert_eq!(stand.ask_with("/", &ann).await.status, 200, "E10 control");
    assert_eq!(stand.ask_with("/admin", &ann).await.status, 403, "E10 control");
    let mapping = "---\napiVersion: authd.dev/v1alpha1\nkind: RoleMapping\nmetadata: {name: ann}\nspec:\n  providerRef: {name: \
                   accounts}\n  roles: [{role: admin, whenAny: [{claim: email, equals: ann@example.com}]}]\n  onNoMatch: Keep\n";
    stand.serve(&format!("{RESOURCES}{mapping}")).await;
    assert_eq!(
        stand.ask_with("/admin", &ann).await.status,
        200,
        "E10: a mapping was added"
    );
    stand.serve(RESOURCES).await;
    assert_eq!(
        stand.ask_with("/admin", &ann).await.status,
        403,
        "K16: the mapping is gone"
    );
    stand
        .serve(&RESOURCES.replace("hosts: [app.example.com]", "hosts: [other.example.com]"))
        .await;
    assert_eq!(stand.ask_with("/", &ann).await.status, 403, "D34: the policy is gone");
    assert_eq!(
        stand.ask("/public", &[]).await.status,
        403,
        "D22: a host without a policy"
    );
}

#[tokio::test]
async fn signing_out_ends_the_session_for_every_credential_of_it() {
    let stand = Stand::new().await;
    let token = stand.sign_in("admin@example.com").await;
    let other = stand.sign_in("admin@example.com").await;
    assert_eq!(stand.ask_with_cookie("/", &token).await.status, 200, "E06 control");
    let answer = stand.post("/api/v1/auths/signout", Some(&token), &json!({})).await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, json!({"status": true})),
        "acceptance 58"
    );
    assert_eq!(stand.ask_with("/", &token).await.status, 401, "A35");
    assert_eq!(stand.ask_with_cookie("/", &token).await.status, 302, "E06");
    assert_eq!(
        stand.ask_with("/", &other).await.status,
        200,
        "acceptance 63: another session lives"
    );
    let again = stand.post("/api/v1/auths/signout", Some(&token), &json!({})).await;
    assert_eq!(again.status, 200, "W-10: signing out twice");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let stand = Stand::new().await;
    let (here, there) = (
        stand.sign_in("admin@example.com").await,
        stand.sign_in("admin@example.com").await,
    );
    let body = json!({"password": super::super::stand::PASSWORD, "new_password": "another long passphrase"});
    let answer = stand.post("/api/v1/auths/update/password", Some(&here), &body).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "true"),
        "acceptance 31"
    );
    assert_eq!(
        stand.ask_with("/", &here).await.status,
        200,
        "acceptance 31: the changer stays signed in"
    );
    assert_eq!(stand.ask_with("/", &there).await.status, 401, "E11");
}

#[tokio::test]
async fn a_stranger_is_sent_to_sign_in_and_a_program_is_told_how() {
    let stand = Stand::new().await;
    let browser = stand.ask("/a?b=c", &[("accept", "text/html")]).await;
    let location = "https://auth.example.com/login?return_to=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc";
    assert_eq!(
        (browser.status, browser.header("location")),
        (StatusCode::FOUND, location)
    );
    let xhr = stand
        .ask("/a", &[("accept", "text/html"), ("sec-fetch-mode", "cors")])
        .await;
    assert_eq!(
        (xhr.status, xhr.header("www-authenticate")),
        (StatusCode::UNAUTHORIZED, "Bearer realm=\"authd\""),
        "D36"
    );
    let public = stand.ask("/public/x", &[]).await;
    assert_eq!(public.status, 200, "D10 control");
    for name in policy::identity_headers::known().filter(|name| name.starts_with("x-auth-")) {
        assert_eq!(
            public.headers.get(name).map(http::HeaderValue::as_bytes),
            Some(&b""[..]),
            "D01: {name}"
        );
    }
    let stale = stand.ask("/public/x", &[("cookie", "token=gibberish")]).await;
    assert_eq!(
        (stale.status, stale.header("x-auth-user")),
        (StatusCode::OK, ""),
        "D19: a stale cookie on a public page"
    );
    let stale = stand
        .ask("/a", &[("cookie", "token=gibberish"), ("accept", "text/html")])
        .await;
    assert_eq!(stale.status, 302, "D19");
    assert!(
        stale.header("set-cookie").contains("token=; Max-Age=0"),
        "E02: the stale cookie is cleared"
    );
}

#[tokio::test]
async fn a_pending_account_is_signed_in_and_kept_out() {
    let stand = Stand::new().await;
    let new = json!({"name": "Pia", "email": "pia@example.com", "password": "a long enough phrase"});
    let answer = stand.post("/api/v1/auths/signup", None, &new).await;
    assert_eq!(
        (answer.status, answer.json()["role"].as_str()),
        (StatusCode::OK, Some("pending")),
        "acceptance 12"
    );
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(stand.ask_with("/", &token).await.status, 403, "acceptance 8");
    assert_eq!(
        stand.ask_with("/public", &token).await.status,
        200,
        "acceptance 8 control"
    );
    assert_eq!(
        stand
            .post("/api/v1/auths/api_key", Some(&token), &json!({}))
            .await
            .status,
        403,
        "acceptance 8"
    );
    assert_eq!(
        stand.get("/api/v1/auths/", Some(&token)).await.json()["role"],
        "pending",
        "acceptance 7"
    );
}

#[tokio::test]
async fn a_key_of_ones_own_works_until_it_is_deleted() {
    let stand = Stand::new().await;
    stand.account("ann@example.com", Role::User).await;
    let ann = stand.sign_in("ann@example.com").await;
    let made = stand
        .post("/api/v1/auths/api_key", Some(&ann), &json!({"name": "laptop"}))
        .await;
    let key = made.json()["api_key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("sk-") && key.len() == 43, "acceptance 67");
    assert_eq!(stand.ask_with("/", &key).await.status, 200, "acceptance 69");
    assert_eq!(stand.ask_with("/admin", &key).await.status, 403, "acceptance 69");
    let listed = stand.get("/api/v1/auths/api_key", Some(&ann)).await;
    assert!(!listed.body.contains(&key), "acceptance 72: {}", listed.body);
    assert_eq!(
        stand.get("/api/v1/auths/api_key", Some(&key)).await.status,
        403,
        "acceptance 75"
    );
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/auths/api_key/{id}");
    let deleted = stand
        .request(http::Request::delete(path), Some(&ann), axum::body::Body::empty())
        .await;
    assert_eq!(deleted.status, 200, "acceptance 73");
    assert_eq!(stand.ask_with("/", &key).await.status, 401, "H04");
}

#[tokio::test]
async fn guessing_keys_is_limited_and_known_keys_are_not_held_up() {
    let stand = Stand::new().await;
    let wrong = "sk-ffffffffffffffffffffffffffffffff";
    for _ in 0..15 {
        assert_eq!(stand.ask_with("/", wrong).await.status, 401, "H10: wrong keys");
    }
    let limited = stand.ask_with("/", wrong).await;
    assert_eq!(
        (limited.status, limited.header("retry-after").is_empty()),
        (StatusCode::TOO_MANY_REQUESTS, false),
        "H10"
    );
    assert_eq!(
        stand.ask_with("/v1/deploys", KEY).await.status,
        200,
        "H10: a known key from there"
    );
}

#[tokio::test]
async fn every_refusal_of_the_api_has_a_text_and_a_code() {
    let stand = Stand::new().await;
    let admin = stand.sign_in("admin@example.com").await;
    for (path, token, status) in [
        ("/api/v1/auths/signin", None, 405),
        ("/api/v1/auths/nothing", None, 404),
        ("/api/v1/users/x", Some(&admin), 405),
        ("/api/v1/users/?page=x", Some(&admin), 400),
        ("/api/v1/auths/", None, 401),
        ("/api/v1/auths/admin/details", Some(&admin), 403),
    ] {
        let answer = stand.get(path, token.map(String::as_str)).await;
        let (detail, code) = (&answer.json()["detail"], &answer.json()["code"]);
        assert!(
            answer.status == status && detail.is_string() && code.is_string(),
            "W-37: {path}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_session_cookie_counts_only_where_browsers_send_it() {
    let elsewhere = RESOURCES.replace("hosts: [app.example.com]", "hosts: [app.example.com, app.example.org]");
    let stand = Stand::with(&elsewhere).await;
    let token = stand.sign_in("admin@example.com").await;
    assert_eq!(stand.ask_with_cookie("/", &token).await.status, 200, "E21 control");
    stand
        .serve(&elsewhere.replace("cookie: {domain: example.com}", "cookie: {domain: auth.example.com}"))
        .await;
    assert_eq!(stand.ask_with_cookie("/", &token).await.status, 302, "E21");
    assert_eq!(
        stand.ask_with("/", &token).await.status,
        200,
        "E21: a bearer token is shown on purpose"
    );
}

#[tokio::test]
async fn acceptance_62_a_token_outlives_the_key_that_signs_next_and_not_its_own() {
    let stand = Stand::new().await;
    let ring = Arc::clone(&stand.app.serving().unwrap().key_ring);
    let published = async || {
        let keys = stand.get("/.well-known/jwks.json", None).await.json()["keys"].clone();
        let keys = keys.as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = published().await;
    assert_eq!(first.len(), 1, "acceptance 62: control");

    stand.advance("30d");
    let old = stand.sign_in("admin@example.com").await;
    assert!(
        ring.rotate_if_due(stand.app.now()).unwrap(),
        "the next key is published"
    );
    stand.advance("10m");
    assert!(ring.rotate_if_due(stand.app.now()).unwrap(), "the next key signs");
    let new = stand.sign_in("admin@example.com").await;
    let both = published().await;
    assert!(both.len() == 2 && both.contains(&first[0]), "acceptance 62: {both:?}");
    for (case, token) in [("old", &old), ("new", &new)] {
        assert_eq!(
            stand.ask_with("/", token).await.status,
            200,
            "acceptance 62: {case}, gate"
        );
        let me = stand.get("/api/v1/auths/", Some(token)).await;
        assert_eq!(me.status, 200, "acceptance 62: {case}, API");
    }

    assert!(ring.revoke(&first[0], stand.app.now()).unwrap());
    stand.app.accounts_changed();
    assert_eq!(
        stand.ask_with("/", &old).await.status,
        401,
        "acceptance 62: retired, gate"
    );
    let me = stand.get("/api/v1/auths/", Some(&old)).await;
    assert_eq!(me.status, 401, "acceptance 62: retired, API");
    assert_eq!(
        stand.ask_with("/", &new).await.status,
        200,
        "acceptance 62: the other goes on"
    );
    assert!(
        !published().await.contains(&first[0]),
        "acceptance 62: it is no longer shown"
    );
}

#[tokio::test]
async fn while_the_database_is_away_whoever_is_known_and_did_not_change_is_let_in() {
    let stand = Stand::new().await;
    let admin = stand.sign_in("admin@example.com").await;
    assert_eq!(stand.ask_with("/", &admin).await.status, 200, "control");
    let id = |number| uuid::Uuid::from_u128(number);
    let oldest = stand.app.store.oldest_admin().await.unwrap().unwrap().id;
    stand.app.store.close().await;
    stand.app.account_changed(id(1));
    assert_eq!(stand.ask_with("/", &admin).await.status, 200, "somebody else changed");
    stand.app.account_changed(oldest);
    assert_eq!(
        stand.ask_with("/", &admin).await.status,
        503,
        "what changed cannot be known"
    );
}

#[tokio::test]
async fn people_do_not_count_while_it_is_not_known_what_was_revoked_where_the_policy_says_so() {
    let strict = "  onRevocationUnknown: Deny\n  hosts: [app.example.com]";
    let strict = RESOURCES.replacen("  hosts: [app.example.com]", strict, 1);
    for (resources, unknown) in [(RESOURCES.to_owned(), 200), (strict, 503)] {
        let stand = Stand::with(&resources).await;
        let token = stand.sign_in("admin@example.com").await;
        let made = stand.post("/api/v1/auths/api_key", Some(&token), &json!({})).await;
        let key = made.json()["api_key"].as_str().unwrap().to_owned();
        let asked = async |credential: &str| stand.ask_with("/", credential).await.status.as_u16();
        for (passed, expected) in [("1ms", 200), ("4999ms", 200), ("1ms", unknown)] {
            stand.advance(passed);
            assert_eq!(asked(&token).await, expected, "{passed}");
            assert_eq!(asked(&key).await, expected, "{passed}: a key that somebody made");
        }
        let declared = stand.ask_with("/v1/deploys", KEY).await;
        assert_eq!(declared.status, 200, "a declared key is in the Snapshot");
        let public = stand.ask_with("/public/x", &token).await;
        let known = if unknown == 200 { "admin@example.com" } else { "" };
        assert_eq!(
            (public.status.as_u16(), public.header("x-auth-email")),
            (200, known),
            "a public page"
        );
        stand.app.catch_up().await.unwrap();
        assert_eq!(asked(&token).await, 200, "it is known again");
    }
}
