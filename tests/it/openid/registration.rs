//! authd registers itself at a real provider, which wants a token for that, and again once the provider has forgotten it.

use serde_json::json;
use tests::openid::OpenId;
use tests::world::World;

use super::trial::{Attempt, PUBLIC, let_in, mapping, window, world};

/// What the provider wants from whoever registers.
const INITIAL: &str = "initial-access-token";

/// Somebody signs in; how often authd had registered itself by then.
async fn registered(world: &World, provider: &OpenId, row: &str) -> usize {
    let mut window = window(world);
    window.follow(&format!("{PUBLIC}/oauth/open/login"), "").await;
    let answer = OpenId::sign_in(&mut window, "alice", &format!("{PUBLIC}/account")).await;
    let token = let_in(row, &Attempt { window, answer });
    assert_eq!(world.me(&token).await, 200, "{row}");
    provider.count("POST /reg").await
}

#[tokio::test]
async fn authd_registers_itself_once_and_again_when_it_is_forgotten() {
    let provider = OpenId::with("Open", &[], &json!({"initialAccessToken": INITIAL})).await;
    let world = world(&format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: open, namespace: demo}}
spec:
  oidc:
    issuer: {}
    dynamicRegistration: {{initialAccessTokenRef: {{name: registration, key: token}}}}
    scopes: [openid, email, profile, groups]
    outbound: {{allowedNetworks: [127.0.0.0/8]}}
{}---
apiVersion: v1
kind: Secret
metadata: {{name: registration, namespace: demo}}
stringData: {{token: {INITIAL}}}
",
        provider.issuer,
        mapping("open")
    ))
    .await;
    assert_eq!(registered(&world, &provider, "the first").await, 1);
    assert_eq!(registered(&world, &provider, "the second").await, 1, "once");
    provider.forget_clients().await;
    assert_eq!(
        registered(&world, &provider, "after it was forgotten").await,
        2,
        "again"
    );
    assert_eq!(registered(&world, &provider, "after that").await, 2, "once again");
    let kept = std::fs::read_dir(world.data()).expect("there is data");
    for file in kept.flatten().filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains("client_secret"),
            "what it is called there is sealed: {:?}",
            file.path()
        );
    }
}
