//! What proxies, clients and applications are told.

use policy::identity_headers::{IdentityHeaders, known};

use crate::stand::{RESOURCES, Stand};

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
