//! authd proves who it is with a key of its own (`private_key_jwt`, RFC 7523), and a real provider checks the signature.

use serde_json::{Value, json};
use tests::http::get;
use tests::openid::OpenId;
use tests::openid::keys::Key;
use tests::wait;
use tests::world::World;

use super::trial::{Attempt, PUBLIC, kept_out, let_in, provider, secret_ref, window, world};

/// A client that the provider knows by this key alone.
fn client(name: &str, key: &Key) -> Value {
    json!({
        "client_id": name,
        "redirect_uris": [format!("{PUBLIC}/oauth/{name}/callback")],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.jwk()]},
    })
}

/// authd as that client, with a key.
fn declared(name: &str, issuer: &str, key: &Key) -> String {
    let proof = format!("clientAuth: PrivateKeyJwt\n    privateKeyRef: {{name: {name}, key: key}}");
    let provider = provider(name, issuer, "    scopes: [openid, email, profile, groups]\n")
        .replace("clientId: authd", &format!("clientId: {name}"))
        .replace(secret_ref(), &proof);
    let key = json!(key.pem());
    let metadata = format!("{{name: {name}, namespace: demo}}");
    format!("{provider}---\napiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData: {{key: {key}}}\n")
}

async fn attempt(world: &World, name: &str, user: &str) -> Attempt {
    let mut window = window(world);
    window.follow(&format!("{PUBLIC}/oauth/{name}/login"), "").await;
    let answer = OpenId::sign_in(&mut window, user, &format!("{PUBLIC}/account")).await;
    Attempt { window, answer }
}

#[tokio::test]
async fn a_real_provider_accepts_what_our_key_signed_and_nothing_else() {
    let (rsa, curve, another) = (Key::rsa("rsa"), Key::p256("curve"), Key::p256("curve"));
    let clients = [client("rsa", &rsa), client("curve", &curve), client("stranger", &curve)];
    let provider = OpenId::start("Keys", &clients).await;
    let world = world(
        &[("rsa", &rsa), ("curve", &curve), ("stranger", &another)]
            .map(|(name, key)| declared(name, &provider.issuer, key))
            .concat(),
    )
    .await;
    for (name, user) in [("rsa", "alice"), ("curve", "bob")] {
        let token = let_in(name, &attempt(&world, name, user).await);
        assert_eq!(world.me(&token).await, 200, "{name}");
    }
    assert_eq!(provider.refused().await, Vec::<String>::new(), "control");
    kept_out("another key", &attempt(&world, "stranger", "alice").await);
    assert_eq!(provider.refused().await.len(), 1);
    // Whoever runs authd is told, and not of the others.
    wait::until("the client is refused", || async {
        let listed = get(format!("{}/providers", world.authd.admin)).send().await.json();
        let reasons = ["rsa", "curve", "stranger"].map(|name| listed[name]["reason"].clone());
        if reasons == [Value::Null, Value::Null, json!("InvalidClient")] {
            Ok(())
        } else {
            Err(listed.to_string())
        }
    })
    .await;
}
