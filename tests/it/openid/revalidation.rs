//! May somebody who is signed in still be here? What follows when a provider says something else later. Rows B21, B22, B24 and C11.

use std::time::Duration;

use serde_json::{Value, json};
use tests::openid::misbehaving::{Fault, Misbehaving, Trouble};
use tests::resources::{Folder, ROOMY};
use tests::wait;
use tests::world::World;

use super::trial::{Trial, client, provider, secret};

/// An authd that asks its providers again every second.
async fn trial(names: &[&str]) -> Trial {
    let misbehaving = Misbehaving::start(client()).await;
    let folder = Folder::usual(&format!("{ROOMY}  sessions: {{revalidate: 1s}}\n"));
    let providers: String = names
        .iter()
        .map(|name| provider(name, &misbehaving.issuer(name), ""))
        .collect();
    folder.write("providers.yaml", &format!("{providers}{}", secret()));
    Trial {
        world: World::of(folder).await,
        provider: misbehaving,
    }
}

impl Trial {
    /// How often a provider was asked for new tokens.
    fn refreshes(&self, name: &str) -> usize {
        let seen = self.provider.seen(name, "POST /token");
        let is = |seen: &&tests::peer::Seen| seen.field("grant_type").as_deref() == Some("refresh_token");
        seen.iter().filter(is).count()
    }

    /// The provider is asked once more.
    async fn is_asked_again(&self, row: &str, name: &str) {
        let before = self.refreshes(name);
        wait::until(row, || async {
            match self.refreshes(name) - before {
                0 => Err("it was not asked".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
    }

    /// The gate comes to answer so.
    async fn becomes(&self, row: &str, token: &str, wanted: u16) {
        wait::until(row, || async {
            match self.world.forward("GET", "/x").bearer(token).send().await.status {
                status if status == wanted => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
    }

    async fn gate(&self, token: &str) -> u16 {
        self.world.forward("GET", "/x").bearer(token).send().await.status
    }
}

fn alice(groups: &[&str]) -> Value {
    json!({"sub": "alice", "email": "alice@example.com", "email_verified": true, "groups": groups})
}

#[tokio::test]
async fn b21_a_refreshed_token_of_another_issuer_or_person_ends_the_session() {
    let trial = trial(&["same", "issuer", "subject"]).await;
    let same = trial.lets_in("B21", "same").await;
    for (name, claim, value) in [
        ("issuer", "iss", json!("https://evil.test")),
        ("subject", "sub", json!("bob")),
    ] {
        let token = trial.lets_in("B21", name).await;
        trial.is_asked_again("B21 control", name).await;
        assert_eq!(trial.gate(&token).await, 200, "B21 control {name}: it goes on");
        trial.provider.does(name, Fault::refreshed(claim, value));
        trial.becomes(&format!("B21 {name}"), &token, 401).await;
        trial.provider.does(name, Fault::None);
        assert_eq!(trial.world.me(&token).await, 401, "B21 {name}: it stays over");
    }
    assert_eq!(trial.gate(&same).await, 200, "B21 control: others go on");
}

#[tokio::test]
async fn b22_only_a_provider_that_says_no_ends_a_session() {
    let trial = trial(&["away", "gone"]).await;
    let away = trial.lets_in("B22", "away").await;
    let gone = trial.lets_in("B22", "gone").await;
    trial.is_asked_again("B22 control", "away").await;
    trial.provider.does("away", Fault::At("/token", Trouble::Status(503)));
    trial.is_asked_again("B22 in vain", "away").await;
    trial.provider.forgets("gone");
    trial.becomes("B22 invalid_grant", &gone, 401).await;
    trial.tells("B22", "Revoked", "InvalidGrant").await;
    assert_eq!(trial.gate(&away).await, 200, "B22: one that is away ends nothing");
    assert_eq!(trial.world.me(&away).await, 200, "B22: one that is away ends nothing");
}

#[tokio::test]
async fn b24_a_group_that_is_gone_at_the_provider_is_gone_here() {
    let trial = trial(&["groups"]).await;
    trial.provider.is("groups", alice(&["staff", "others"]));
    let token = trial.lets_in("B24", "groups").await;
    trial.is_asked_again("B24 control", "groups").await;
    assert_eq!(trial.gate(&token).await, 200, "B24 control");
    trial.provider.is_now("groups", &alice(&["others"]));
    trial.becomes("B24 gone", &token, 401).await;
    trial.provider.is_now("groups", &alice(&["others", "staff"]));
    trial.becomes("B24 back: the session itself went on", &token, 200).await;
}

#[tokio::test]
async fn c11_a_session_that_ends_while_its_provider_is_asked_stays_dead() {
    let trial = trial(&["race"]).await;
    let token = trial.lets_in("C11", "race").await;
    trial
        .provider
        .does("race", Fault::Late("/token", Duration::from_secs(3)));
    trial.is_asked_again("C11 a refresh is in flight", "race").await;
    let given = trial.provider.given("race");
    let logout = trial
        .provider
        .logout_token("race", |draft| draft.claim("sid", Value::Null));
    tests::http::post(trial.world.public("/oauth/race/backchannel-logout"))
        .form(&[("logout_token", &logout)])
        .send()
        .await
        .expect("C11", 200);
    assert_eq!(trial.gate(&token).await, 401, "C11");
    wait::until("C11 the refresh is over", || async {
        if trial.provider.given("race") == given {
            Err("it is not".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    trial.provider.does("race", Fault::None);
    let other = trial.lets_in("C11 control", "race").await;
    trial.is_asked_again("C11 control", "race").await;
    assert_eq!(trial.gate(&other).await, 200, "C11 control");
    assert_eq!(trial.gate(&token).await, 401, "C11: the session stays dead");
    assert_eq!(trial.world.me(&token).await, 401, "C11: the session stays dead");
}
