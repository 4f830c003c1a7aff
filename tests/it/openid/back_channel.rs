//! A provider says that somebody signed out there. Rows C of the attacks.

use futures::StreamExt as _;
use serde_json::{Value, json};
use tests::http::{Answer, get, post};
use tests::openid::keys::{Key, now};
use tests::openid::misbehaving::{Draft, Fault, Misbehaving};
use tests::resources::Folder;
use tests::world::World;

use super::trial::{Trial, client, provider, secret};

impl Trial {
    /// A provider sends a logout token.
    async fn logs_out(&self, name: &str, token: &str) -> Answer {
        post(self.world.public(&format!("/oauth/{name}/backchannel-logout")))
            .form(&[("logout_token", token)])
            .send()
            .await
    }
}

type Change = fn(&mut Draft);

#[tokio::test]
async fn c01_a_logout_token_ends_the_session_or_every_session_of_somebody() {
    let trial = Trial::start(&["out"]).await;
    let first = trial.lets_in("C01", "out").await;
    let second = trial.lets_in("C01", "out").await;
    let token = trial
        .provider
        .logout_token("out", |draft| draft.claim("sub", Value::Null));
    let answer = trial.logs_out("out", &token).await.expect("C01 sid", 200);
    assert_eq!(answer.header("cache-control"), "no-store", "C01");
    assert_eq!(trial.world.me(&second).await, 401, "C01: that session is over");
    assert_eq!(
        trial.world.forward("GET", "/").bearer(&second).send().await.status,
        401,
        "C01: at the gate"
    );
    assert_eq!(trial.world.me(&first).await, 200, "C01: the other is not");
    trial
        .logs_out("out", &token)
        .await
        .expect("C01 the same token again", 400);

    let third = trial.lets_in("C01", "out").await;
    let token = trial
        .provider
        .logout_token("out", |draft| draft.claim("sid", Value::Null));
    trial.logs_out("out", &token).await.expect("C01 sub", 200);
    for session in [&first, &third] {
        assert_eq!(trial.world.me(session).await, 401, "C01: every session is over");
    }
    let nobody = trial.provider.logout_token("out", |draft| {
        draft.claim("sub", json!("nobody"));
        draft.claim("sid", Value::Null);
    });
    trial
        .logs_out("out", &nobody)
        .await
        .expect("nobody of that name is here: that is what was wanted", 200);
}

#[tokio::test]
async fn c02_to_c09_a_logout_token_that_is_not_right_in_every_point_ends_nothing() {
    let rows: [(&str, Change); 20] = [
        ("C02 alg-none", |draft| draft.unsigned()),
        ("C02 wrong-alg", |draft| draft.signed_with(Key::shared("x", b"secret"))),
        ("C02 another's key", |draft| draft.signed_with(Key::p256("x"))),
        ("C02 spoilt", |draft| draft.spoilt()),
        ("C04 with-nonce", |draft| draft.claim("nonce", json!("n"))),
        ("C05 wrong-aud", |draft| draft.claim("aud", json!("another"))),
        ("C05 no aud", |draft| draft.claim("aud", Value::Null)),
        ("C05 wrong-iss", |draft| draft.claim("iss", json!("https://evil.test"))),
        ("C05 no iss", |draft| draft.claim("iss", Value::Null)),
        ("C06 another typ", |draft| draft.header("typ", json!("at+jwt"))),
        ("C06 iat too old", |draft| draft.claim("iat", json!(now() - 300))),
        ("C06 iat in the future", |draft| draft.claim("iat", json!(now() + 600))),
        ("C06 no iat", |draft| draft.claim("iat", Value::Null)),
        ("C06 no exp", |draft| draft.claim("exp", Value::Null)),
        ("C06 expired", |draft| draft.claim("exp", json!(now() - 120))),
        ("C07 neither sub nor sid", |draft| {
            draft.claim("sub", Value::Null);
            draft.claim("sid", Value::Null);
        }),
        ("no jti", |draft| draft.claim("jti", Value::Null)),
        ("no events", |draft| draft.claim("events", Value::Null)),
        ("another event", |draft| {
            draft.claim("events", json!({"http://evil.test/event": {}}));
        }),
        ("events is text", |draft| {
            draft.claim("events", json!("http://schemas.openid.net/event/backchannel-logout"));
        }),
    ];
    let trial = Trial::start(&["out"]).await;
    let session = trial.lets_in("control", "out").await;
    for (row, change) in rows {
        let token = trial.provider.logout_token("out", change);
        trial.logs_out("out", &token).await.expect(row, 400);
        assert_eq!(trial.world.me(&session).await, 200, "{row}: the session lives");
    }
    let id_token = trial.provider.id_token("out", |draft| {
        draft.claim("sid", json!(trial.provider.session("out")));
    });
    trial.logs_out("out", &id_token).await.expect("C09", 400);
    assert_eq!(trial.world.me(&session).await, 200, "C09: the session lives");
    let good = trial.provider.logout_token("out", |_| {});
    trial.logs_out("out", &good).await.expect("control", 200);
    assert_eq!(trial.world.me(&session).await, 401, "control");
}

#[tokio::test]
async fn c10_a_provider_ends_no_session_of_another() {
    let trial = Trial::start(&["one", "two"]).await;
    let names = |draft: &mut Draft| draft.claim("sid", json!("the same"));
    for name in ["one", "two"] {
        trial.provider.is(
            name,
            json!({"sub": "alice", "email": format!("{name}@example.com"), "groups": ["staff"]}),
        );
        trial.provider.does(name, Fault::id_token(names));
    }
    let one = trial.lets_in("C10", "one").await;
    let two = trial.lets_in("C10", "two").await;
    let token = trial.provider.logout_token("one", names);
    trial
        .logs_out("two", &token)
        .await
        .expect("C10 delivered to the other", 400);
    trial.logs_out("one", &token).await.expect("C10", 200);
    assert_eq!(trial.world.me(&one).await, 401, "C10 control");
    assert_eq!(
        trial.world.me(&two).await,
        200,
        "C10: the other provider's session lives"
    );
}

#[tokio::test]
async fn c12_whatever_else_is_sent_there_is_refused_and_the_gate_goes_on() {
    let trial = Trial::start(&["out"]).await;
    let session = trial.lets_in("control", "out").await;
    let url = trial.world.public("/oauth/out/backchannel-logout");
    get(&url).send().await.expect("C12 GET", 405);
    let token = trial.provider.logout_token("out", |_| {});
    let json = post(&url).json(&json!({"logout_token": token})).send().await;
    assert!([400, 415].contains(&json.status), "C12 JSON: {}", json.status);
    let huge = "x".repeat(1 << 20);
    trial.logs_out("out", &huge).await.expect("C12 1 MiB", 413);
    post(&url).form(&[]).send().await.expect("C12 nothing", 400);
    post(&url)
        .form(&[("logout_token", &token), ("logout_token", &token)])
        .send()
        .await
        .expect("C12 twice", 400);
    let foreign = post(&url)
        .header("origin", "https://evil.test")
        .form(&[("logout_token", "x")])
        .send()
        .await;
    assert!((400..500).contains(&foreign.status), "C12 a page of another site");
    let unknown = post(trial.world.public("/oauth/unknown/backchannel-logout"));
    unknown
        .form(&[("logout_token", &token)])
        .send()
        .await
        .expect("C12 unknown provider", 404);
    assert_eq!(trial.world.me(&session).await, 200, "C12: the session lives");
    let gate = trial.world.forward("GET", "/").bearer(&session).send().await;
    assert_eq!(gate.status, 200, "C12: forward-auth goes on");
    let good = trial.provider.logout_token("out", |_| {});
    trial.logs_out("out", &good).await.expect("C12 control", 200);
    assert_eq!(trial.world.me(&session).await, 401, "C12 control");
}

#[tokio::test]
async fn c12_a_flood_of_logout_tokens_is_held_up_and_the_gate_goes_on() {
    let misbehaving = Misbehaving::start(client()).await;
    let folder = Folder::usual("  rateLimits: {signIn: {limit: 10, window: 3m}}\n");
    let resources = format!("{}{}", provider("out", &misbehaving.issuer("out"), ""), secret());
    folder.write("providers.yaml", &resources);
    let trial = Trial {
        world: World::of(folder).await,
        provider: misbehaving,
    };
    let (first, second) = (trial.lets_in("C12", "out").await, trial.lets_in("C12", "out").await);
    let good = trial.provider.logout_token("out", |_| {});
    trial.logs_out("out", &good).await.expect("C12 control", 200);
    assert_eq!(trial.world.me(&second).await, 401, "C12 control");

    let flood = futures::stream::iter(0..300).map(|_| trial.logs_out("out", "x.y.z"));
    let answers: Vec<Answer> = flood.buffer_unordered(16).collect().await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(400), count(429)), (10, 290), "C12");
    let held_up = answers.iter().find(|answer| answer.status == 429).expect("C12");
    assert!(
        held_up.header("retry-after").parse::<u32>().is_ok(),
        "C12 {:?}",
        held_up.headers
    );
    let gate = trial.world.forward("GET", "/").bearer(&first).send().await;
    assert_eq!(gate.status, 200, "C12: forward-auth goes on");
    trial.lets_in("C12: people sign in", "out").await;
}
