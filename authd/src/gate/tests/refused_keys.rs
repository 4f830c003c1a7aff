//! A key that is refused is named in the audit line, and never shown there.

use http::StatusCode;
use serde_json::{Value, json};

use super::KEY;
use crate::stand::{RESOURCES, Stand};
use crate::store::Role;

/// The last line, which must be a refusal; no line holds the key.
#[track_caller]
fn last_refusal(stand: &Stand, case: &str, key: &str) -> (Value, Value) {
    let lines = stand.audited();
    assert!(
        lines.iter().all(|line| !line.to_string().contains(key)),
        "{case}: a key is in an audit line"
    );
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "Refused", "{case}: {last}");
    (last["reason"].clone(), last["key.name"].clone())
}

#[tokio::test]
async fn h04_h05_h06_a_refused_key_of_a_resource_is_named() {
    let usable = "notBefore: 2026-01-01T12:00:00Z";
    let of_ann = RESOURCES.replace("owner: {service: ci}", "owner: {user: ann@example.com}");
    for (case, resources, uri, reason) in [
        (
            "H05 early",
            RESOURCES.replace(usable, "notBefore: 2026-01-02T12:00:00Z"),
            "/v1/deploys",
            "KeySuspended",
        ),
        (
            "H05 late",
            RESOURCES
                .replace(usable, "")
                .replace("2026-03-01T12:00:00Z", "2026-01-01T12:00:00Z"),
            "/v1/deploys",
            "KeyExpired",
        ),
        (
            "H04 suspended",
            RESOURCES.replace(usable, "suspended: true"),
            "/v1/deploys",
            "KeySuspended",
        ),
        ("H06 elsewhere", RESOURCES.to_owned(), "/v1/other", "KeyEndpoint"),
        ("E10 no owner", of_ann, "/v1/deploys", "NoAccount"),
    ] {
        let stand = Stand::with(&resources).await;
        assert_ne!(stand.ask_with(uri, KEY).await.status, StatusCode::OK, "{case}");
        let said = last_refusal(&stand, case, KEY);
        assert_eq!(said, (json!(reason), json!("ApiKey/default/ci")), "{case}");
    }

    let stand = Stand::new().await;
    assert_eq!(stand.ask_with("/v1/deploys", KEY).await.status, 200, "control");
    assert_eq!(stand.audited().last().unwrap()["event"], "ConfigLoaded", "control");
    let unknown = "sk-ffffffffffffffffffffffffffffffff";
    assert_eq!(stand.ask_with("/v1/deploys", unknown).await.status, 401);
    assert_eq!(
        last_refusal(&stand, "control: unknown", unknown),
        (json!("UnknownKey"), Value::Null)
    );
}

#[tokio::test]
async fn h05_acceptance_75_a_refused_key_of_a_person_is_named() {
    let stand = Stand::new().await;
    stand.account("ann@example.com", Role::User).await;
    let ann = stand.sign_in("ann@example.com").await;
    let until = stand.app.now().as_second() + 3600;
    let wanted = json!({"expires_at": until, "endpoints": [{"paths": ["/a"]}]});
    let made = stand.post("/api/v1/auths/api_key", Some(&ann), &wanted).await.json();
    let (key, id) = (made["api_key"].as_str().unwrap(), made["id"].as_str().unwrap());
    let name = json!(format!("key/{id}"));
    assert_eq!(stand.ask_with("/a", key).await.status, 200, "control");
    assert_eq!(stand.ask_with("/b", key).await.status, 403);
    let said = last_refusal(&stand, "H06 elsewhere", key);
    assert_eq!(said, (json!("KeyEndpoint"), name.clone()), "H06 elsewhere");

    assert_eq!(stand.get("/api/v1/auths/api_key", Some(key)).await.status, 403);
    let said = last_refusal(&stand, "acceptance 75", key);
    assert_eq!(said, (json!("SessionNeeded"), name.clone()), "acceptance 75");
    let line = stand.audited().pop().unwrap();
    assert_eq!(line["target.path"], "/api/v1/auths/api_key", "acceptance 75: {line}");

    stand.advance("2h");
    assert_eq!(stand.get("/api/v1/auths/", Some(key)).await.status, 401);
    let said = last_refusal(&stand, "H05 late, API", key);
    assert_eq!(said, (json!("KeyExpired"), name.clone()), "H05 late, API");
    assert_eq!(stand.ask_with("/a", key).await.status, 401);
    let said = last_refusal(&stand, "H05 late", key);
    assert_eq!(said, (json!("KeyExpired"), name.clone()), "H05 late");

    let off = RESOURCES.replace("  signup:", "  apiKeys: {enabled: false}\n  signup:");
    stand.serve(&off).await;
    assert_eq!(stand.ask_with("/a", key).await.status, 401);
    let said = last_refusal(&stand, "acceptance 70", key);
    assert_eq!(said, (json!("KeysDisabled"), name), "acceptance 70");
}

#[tokio::test]
async fn a_call_of_the_api_that_is_not_for_this_caller_is_written_down() {
    let stand = Stand::new().await;
    stand.account("ann@example.com", Role::User).await;
    stand.account("pia@example.com", Role::Pending).await;
    let (ann, pia) = (
        stand.sign_in("ann@example.com").await,
        stand.sign_in("pia@example.com").await,
    );
    for (path, token, reason) in [
        ("/api/v1/users/", ann.as_str(), "AdminOnly"),
        ("/api/v1/users/", &pia, "Pending"),
        ("/api/v1/auths/", KEY, "NotAPerson"),
        ("/api/v1/auths/", "gibberish", "Malformed"),
    ] {
        let lines = stand.audited().len();
        let answer = stand.get(path, Some(token)).await;
        assert!(answer.status.is_client_error(), "{reason}: {answer:?}");
        assert_eq!(last_refusal(&stand, reason, KEY).0, reason);
        assert_eq!(stand.audited().len(), lines + 1, "{reason}: one line");
    }
    let lines = stand.audited().len();
    assert_eq!(stand.get("/api/v1/auths/", Some(&ann)).await.status, 200, "control");
    assert_eq!(
        stand.get("/login", Some("gibberish")).await.status,
        200,
        "control: a page"
    );
    assert_eq!(stand.audited().len(), lines, "control: nobody was kept out");
}
