//! A program that has a real provider's token for somebody exchanges it for a session of theirs. Weakness W-4 of the seed.

use serde_json::{Value, json};
use tests::http::{Answer, post};
use tests::openid::OpenId;
use tests::openid::keys::claims;
use tests::window::Window;
use tests::world::World;

use super::trial::{ASCII, PUBLIC, provider, world};

/// Where the program's people come back to.
const CALLBACK: &str = "http://cli.test/callback";
/// Of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What the provider gives to a program with which somebody signs in.
async fn tokens(provider: &OpenId, client: &str, user: &str) -> Value {
    let asked = [
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email profile groups"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let to = url::Url::parse_with_params(&format!("{}/auth", provider.issuer), asked).expect("a URL");
    let mut window = Window::default();
    window.follow(to.as_str(), CALLBACK).await;
    OpenId::sign_in(&mut window, user, CALLBACK).await;
    let here = window.here.expect("the window is somewhere");
    let code = here
        .query_pairs()
        .find(|(name, _)| name == "code")
        .expect("a code")
        .1
        .into_owned();
    post(format!("{}/token", provider.issuer))
        .form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("client_id", client),
            ("code_verifier", VERIFIER),
        ])
        .send()
        .await
        .expect("tokens", 200)
        .json()
}

async fn exchange(world: &World, provider: &str, token: &str, kind: &str) -> Answer {
    post(world.public(&format!("/oauth/{provider}/token")))
        .form(&[
            ("grant_type", GRANT),
            ("subject_token", token),
            ("subject_token_type", kind),
        ])
        .send()
        .await
}

#[tokio::test]
async fn w04_a_program_gets_a_session_for_the_token_that_it_got_itself_and_for_no_other() {
    let public = |id: &str| {
        let mut client = OpenId::client(id, "", CALLBACK);
        client.as_object_mut().expect("an object").remove("client_secret");
        client["token_endpoint_auth_method"] = json!("none");
        client
    };
    let own = OpenId::client("authd", ASCII, &format!("{PUBLIC}/oauth/open/callback"));
    let real = OpenId::start("Real", &[own, public("cli"), public("other")]).await;
    let resources = format!(
        "{}{}",
        provider("open", &real.issuer, "  tokenExchange: {audiences: [cli]}\n"),
        provider("closed", &real.issuer, "")
    );
    let world = world(&resources.replace("key: client-secret", "key: ascii")).await;

    let given = tokens(&real, "cli", "alice").await;
    let id_token = given["id_token"].as_str().expect("an ID token").to_owned();
    let answer = exchange(&world, "open", &id_token, ID_TOKEN).await.expect("W-4", 200);
    let issued = answer.json();
    assert_eq!(
        (&issued["issued_token_type"], &issued["token_type"]),
        (&json!(ACCESS_TOKEN), &json!("Bearer"))
    );
    let (lasts, left) = (issued["expires_in"].as_i64(), claims(&id_token)["exp"].as_i64());
    assert!(
        lasts.is_some_and(|lasts| lasts > 0 && lasts <= 300),
        "{lasts:?} {left:?}"
    );
    let session = issued["access_token"].as_str().expect("a token");
    let gate = world
        .forward("GET", "/x")
        .bearer(session)
        .send()
        .await
        .expect("W-4", 200);
    assert_eq!(
        (gate.header("x-auth-email"), gate.header("x-auth-roles")),
        ("alice@example.com", "user")
    );
    assert_eq!(claims(session)["iss"], PUBLIC, "it is a session token like any other");

    let other = tokens(&real, "other", "alice").await;
    let other = other["id_token"].as_str().expect("an ID token");
    let carol = tokens(&real, "cli", "carol").await;
    let carol = carol["id_token"].as_str().expect("an ID token");
    let access = given["access_token"].as_str().expect("an access token");
    for (row, name, token, kind, status) in [
        ("closed", "closed", &*id_token, ID_TOKEN, 404),
        ("of another program", "open", other, ID_TOKEN, 400),
        ("of somebody without a role", "open", carol, ID_TOKEN, 400),
        ("opaque", "open", access, ACCESS_TOKEN, 400),
        (
            "an ID token as access token",
            "open",
            &id_token,
            "urn:ietf:params:oauth:token-type:saml2",
            400,
        ),
        ("a session token of our own", "open", session, ACCESS_TOKEN, 400),
    ] {
        let answer = exchange(&world, name, token, kind).await.expect(row, status);
        assert_eq!(answer.text("error"), "invalid_request", "W-4 {row}");
        assert!(!answer.body.contains(token), "W-4 {row}");
    }
    let lines = world.authd.log().join("\n");
    assert!(
        !lines.contains(&id_token) && !lines.contains(session),
        "no token is logged"
    );
    exchange(&world, "open", &id_token, ID_TOKEN)
        .await
        .expect("control", 200);
}
