//! What is signed, for whom, and how long it gets.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::principal::User;
use policy::target::Scheme;
use serde_json::{Value, json};

use super::*;
use crate::identity::Means;
use crate::stand::{RESOURCES, Stand};

const ON: &str = "  signup: {enabled: true}\n  identityHeaders: {assertion: {lifetime: 30s}}\n";

async fn stand() -> Stand {
    Stand::with(&RESOURCES.replace("  signup: {enabled: true}\n", ON)).await
}

/// The header and the claims of an assertion whose signature fits a key that is published.
async fn read(stand: &Stand, assertion: &str) -> (Value, Value) {
    let [header, claims, signature]: [&str; 3] = assertion.split('.').collect::<Vec<_>>().try_into().unwrap();
    let decoded = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let header_read: Value = serde_json::from_slice(&decoded[0]).unwrap();
    let published = stand.get("/.well-known/jwks.json", None).await.json();
    let mut keys = published["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["kid"] == header_read["kid"]).unwrap();
    let key = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let signed = format!("{header}.{claims}");
    UnparsedPublicKey::new(&ED25519, key)
        .verify(signed.as_bytes(), &decoded[2])
        .unwrap();
    (header_read, serde_json::from_slice(&decoded[1]).unwrap())
}

#[tokio::test]
async fn an_assertion_is_for_one_request() {
    let stand = stand().await;
    let token = stand.sign_in("admin@example.com").await;
    let answer = stand.ask_with("/a/%C3%A9?secret=x", &token).await;
    let (header, claims) = read(&stand, answer.header("x-auth-assertion")).await;
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("authd-assertion+jwt"), &json!("EdDSA"))
    );
    let noon = 1_767_268_800;
    let expected = json!({
        "iss": "https://auth.example.com", "aud": "app.example.com", "sub": answer.header("x-auth-user"),
        "email": "admin@example.com", "name": "Administrator", "provider": "accounts", "roles": ["admin"], "groups": [],
        "iat": noon, "exp": noon + 30, "jti": claims["jti"], "htm": "GET", "htu": "https://app.example.com/a/%C3%A9",
    });
    assert_eq!(claims, expected);
    let again = stand.ask_with("/a/%C3%A9?secret=x", &token).await;
    let (_, second) = read(&stand, again.header("x-auth-assertion")).await;
    assert_ne!(second["jti"], claims["jti"], "each is made for one request");
    let nobody = stand.ask("/public", &[]).await;
    assert_eq!(nobody.headers["x-auth-assertion"], "", "D01: of nobody nothing is said");
    let off = Stand::new().await;
    let token = off.sign_in("admin@example.com").await;
    assert_eq!(
        off.ask_with("/", &token).await.headers["x-auth-assertion"],
        "",
        "D01: switched off"
    );
}

#[tokio::test]
async fn a32_an_assertion_signs_nobody_in() {
    let stand = stand().await;
    let token = stand.sign_in("admin@example.com").await;
    let answer = stand.ask_with("/", &token).await;
    let assertion = answer.header("x-auth-assertion").to_owned();
    assert_eq!(answer.status, 200, "A32 control");
    assert_eq!(stand.ask_with("/", &assertion).await.status, 401, "A32: as a token");
    assert_eq!(
        stand.ask_with_cookie("/", &assertion).await.status,
        302,
        "A32: as a cookie"
    );
    assert_eq!(
        stand.get("/api/v1/auths/", Some(&assertion)).await.status,
        401,
        "A32: at the API"
    );
    let serving = stand.app.serving().unwrap();
    let judged = serving.tokens.verify(&assertion, stand.app.now());
    assert_eq!(judged, Err(crate::token::Error::WrongType), "A32");
}

/// Somebody with so many groups and roles.
fn person(groups: usize, roles: usize) -> Principal {
    let user = User {
        id: "0198c2a0-0000-7000-8000-000000000000".to_owned(),
        name: "Zoë".to_owned(),
        email: "zoe@example.com".to_owned(),
        email_verified: true,
        provider: "accounts".to_owned(),
        pending: false,
    };
    let names = |what: &str, many: usize| (0..many).map(|at| format!("{what}-{at}")).collect();
    Principal::user(user, names("role", roles), names("a-group", groups), None)
}

#[tokio::test]
async fn what_does_not_fit_is_left_out_and_named() {
    let stand = stand().await;
    let serving = stand.app.serving().unwrap();
    let long = "/a".repeat(200);
    for (groups, roles, path, overflow) in [
        (3, 3, "/", Some(json!(null))),
        (100, 3, &*long, Some(json!(["groups"]))),
        (9000, 3, "/", Some(json!(["groups"]))),
        (9000, 9000, "/", Some(json!(["groups", "roles"]))),
        (3, 3, &"/a".repeat(1500), None),
    ] {
        let caller = serving.caller(person(groups, roles), Means::Nothing, 0, 0);
        let target = Target::read(b"GET", Scheme::Https, b"app.example.com", path.as_bytes()).unwrap();
        let made = assertion(&stand.app, &serving, &caller, &target);
        let case = format!("{groups} groups, {roles} roles, {} bytes of path", path.len());
        let Some(value) = &made else {
            assert_eq!(overflow, None, "{case}");
            continue;
        };
        let headers = caller.headers.iter();
        let others: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        assert!(others + value.len() < 4000, "{case}: {others} and {}", value.len());
        let (_, claims) = read(&stand, value.to_str().unwrap()).await;
        assert_eq!(Some(claims["overflow"].clone()), overflow, "{case}: {claims}");
        assert_eq!(
            claims.get("groups").is_some(),
            claims["overflow"] == json!(null),
            "{case}: {claims}"
        );
    }
}
