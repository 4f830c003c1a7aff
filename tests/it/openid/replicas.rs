//! Replicas over one database, and a provider whose refresh tokens are good once: whoever shows one twice loses the session.

use std::time::Duration;

use tests::openid::OpenId;
use tests::postgres::Postgres;
use tests::wait;
use tests::world::World;

use super::trial::{ASCII, Attempt, PUBLIC, let_in, provider, secret, window};

/// How many people are signed in, each with a refresh token of their own.
const SESSIONS: usize = 20;

async fn signed_in(world: &World) -> String {
    let mut window = window(world);
    window.follow(&format!("{PUBLIC}/oauth/once/login"), "").await;
    let answer = OpenId::sign_in(&mut window, "alice", &format!("{PUBLIC}/account")).await;
    let_in("sign-in", &Attempt { window, answer })
}

#[tokio::test]
async fn a_refresh_token_that_is_good_once_is_shown_once_by_all_replicas_together() {
    let server = Postgres::start().await;
    let url = server.database();
    let client = OpenId::client("authd", ASCII, &format!("{PUBLIC}/oauth/once/callback"));
    let issuer = OpenId::start("Once", &[client]).await;
    let replica = async || {
        let folder = crate::postgres::folder_that_asks_again(&url);
        let scopes = "    scopes: [openid, email, profile, groups]\n";
        let resources = format!("{}{}", provider("once", &issuer.issuer, scopes), secret());
        folder.write("providers.yaml", &resources.replace("key: client-secret", "key: ascii"));
        World::of(folder).await
    };
    let replicas = [replica().await, replica().await];
    let mut tokens = Vec::new();
    for number in 0..SESSIONS {
        tokens.push(signed_in(&replicas[number % 2]).await);
    }
    let asked_again = async |times: usize| {
        let begun = issuer.count("POST /token").await;
        wait::within(Duration::from_secs(60), "sessions are asked about", || async {
            let asked = issuer.count("POST /token").await - begun;
            if asked >= times * SESSIONS {
                Ok(())
            } else {
                Err(asked.to_string())
            }
        })
        .await;
    };
    asked_again(2).await;
    // Each is a long time on its way while both replicas look for more to ask about.
    issuer
        .fail("/token", 0, 2500, u32::try_from(SESSIONS).unwrap_or(u32::MAX))
        .await;
    asked_again(3).await;
    assert_eq!(issuer.refused().await, Vec::<String>::new(), "none was shown twice");
    for (replica, token) in replicas
        .iter()
        .flat_map(|replica| tokens.iter().map(move |token| (replica, token)))
    {
        assert_eq!(replica.me(token).await, 200, "everybody is still signed in");
    }
}
