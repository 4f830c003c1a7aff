//! Programs that show tokens of issuers outside. Rows A of the attacks, over HTTP; single claims are tried beside the code.

use serde_json::{Value, json};
use tests::http::get;
use tests::openid::keys::Key;
use tests::openid::misbehaving::{Draft, Fault, Misbehaving, Trouble};
use tests::wait;
use tests::world::World;

use super::trial::{client, mapping, world};

fn issuer(name: &str, issuer: &str, more: &str) -> String {
    format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: {name}, namespace: demo}}
spec:
  jwt:
    issuer: {issuer}
    audiences: [authd]
    outbound: {{allowedNetworks: [127.0.0.0/8]}}
{more}{}",
        mapping(name)
    )
}

/// An authd that trusts issuers of the misbehaving server.
struct Machines {
    world: World,
    issuers: Misbehaving,
}

impl Machines {
    async fn start(named: &[(&str, &str)], prepare: impl FnOnce(&Misbehaving)) -> Self {
        let issuers = Misbehaving::start(client()).await;
        prepare(&issuers);
        let providers: String = named
            .iter()
            .map(|(name, more)| issuer(name, &issuers.issuer(name), more))
            .collect();
        let world = world(&providers).await;
        Self { world, issuers }
    }

    /// What the gate says of a token.
    async fn asks(&self, token: &str) -> u16 {
        self.world.forward("GET", "/x").bearer(token).send().await.status
    }

    async fn refuses(&self, row: &str, name: &str, change: impl FnOnce(&mut Draft)) {
        let token = self.issuers.id_token(name, change);
        assert_eq!(self.asks(&token).await, 401, "{row}");
    }

    /// A token that is right is accepted, once the keys are there.
    async fn accepts(&self, row: &str, name: &str, change: impl Fn(&mut Draft)) {
        wait::until(row, || async {
            match self.asks(&self.issuers.id_token(name, &change)).await {
                200 => Ok(()),
                status => Err(format!("{status} {:?}", self.world.authd.log().last())),
            }
        })
        .await;
    }
}

fn unchanged(_: &mut Draft) {}

#[tokio::test]
async fn a05_to_a42_a_token_counts_only_as_its_own_issuer_made_it_for_us() {
    let machines = Machines::start(
        &[("one", ""), ("two", ""), ("rsa", "    algorithms: [RS256]\n")],
        |issuers| {
            issuers.has_keys("rsa", vec![Key::rsa("r"), Key::p256("e")]);
        },
    )
    .await;
    for name in ["one", "two", "rsa"] {
        machines.accepts("control", name, unchanged).await;
    }
    let Machines { world, issuers } = &machines;
    let token = issuers.id_token("one", unchanged);
    let answer = world
        .forward("GET", "/x")
        .bearer(&token)
        .send()
        .await
        .expect("control", 200);
    assert_eq!(
        (answer.header("x-auth-user"), answer.header("x-auth-roles")),
        ("one:alice", "user")
    );
    let elsewhere = world.forward("GET", "/admin").bearer(&token).send().await;
    assert_eq!(elsewhere.status, 403, "a right that no mapping gives");
    assert_eq!(
        world.forward("GET", "/x").cookie(&token).send().await.status,
        401,
        "a cookie is no place for it"
    );
    let api = get(world.auths("")).bearer(&token).send().await;
    assert!((400..500).contains(&api.status), "it is no account: {}", api.status);

    machines
        .refuses("A05", "rsa", |draft| {
            draft.header("kid", json!("e"));
            draft.signed_with(Key::p256("e"));
        })
        .await;
    let other = issuers.issuer("two");
    machines
        .refuses("A31 iss of another issuer", "one", |draft| {
            draft.claim("iss", json!(other));
        })
        .await;
    let slash = format!("{}/", issuers.issuer("one"));
    machines
        .refuses("A30 slash", "one", |draft| draft.claim("iss", json!(slash)))
        .await;
    machines
        .refuses("A29 aud other", "one", |draft| draft.claim("aud", json!("api")))
        .await;
    machines
        .refuses("A29 aud missing", "one", |draft| draft.claim("aud", Value::Null))
        .await;
    machines.refuses("A17 spoilt", "one", Draft::spoilt).await;
    machines.refuses("A01", "one", Draft::unsigned).await;
    machines
        .refuses("A07", "one", |draft| {
            let key = Key::p256("one-1");
            draft.header("jwk", key.jwk());
            draft.signed_with(key);
        })
        .await;
    machines
        .refuses("A32 ID token", "one", |draft| draft.claim("nonce", json!("n")))
        .await;
    machines
        .refuses("A42", "one", |draft| draft.claim("cnf", json!({"jkt": "x"})))
        .await;
    machines
        .refuses("not admitted", "one", |draft| draft.claim("groups", json!(["guests"])))
        .await;
    machines
        .accepts("A12 kid-absent-single", "one", |draft| draft.header("kid", Value::Null))
        .await;
    machines.accepts("control", "one", unchanged).await;
}

#[tokio::test]
async fn a11_a_storm_of_unknown_keys_is_one_fetch() {
    let machines = Machines::start(&[("storm", "")], |_| {}).await;
    machines.accepts("control", "storm", unchanged).await;
    let before = machines.issuers.seen("storm", "GET /keys").len();
    let begun = std::time::Instant::now();
    for number in 0..300 {
        let unknown = |draft: &mut Draft| draft.header("kid", json!(format!("random-{number}")));
        machines.refuses("A11", "storm", unknown).await;
    }
    machines.accepts("A11 control", "storm", unchanged).await;
    let fetched = machines.issuers.seen("storm", "GET /keys").len() - before;
    // And whether the issuer gives its keys at all is tried about as often.
    let most = 2 * (1 + begun.elapsed().as_secs() / 30);
    assert!(fetched as u64 <= most, "A11: {fetched} fetches for 300 unknown names");
}

#[tokio::test]
async fn whoever_runs_authd_is_told_why_keys_cannot_be_had_and_strangers_are_not() {
    let machines = Machines::start(&[("closed", "")], |issuers| {
        issuers.does("closed", Fault::At("/keys", Trouble::Status(403)));
    })
    .await;
    machines.refuses("no keys", "closed", unchanged).await;
    let why = "`127.0.0.1` does not give its keys: it answers with status 403";
    let told = || {
        let log = machines.world.authd.log();
        let is_it = |line: &&String| line.contains(why) && line.contains("its tokens are refused");
        log.iter().filter(is_it).count()
    };
    wait::until("it is said", || async {
        if told() > 0 { Ok(()) } else { Err("nothing".to_owned()) }
    })
    .await;
    for _ in 0..20 {
        machines.refuses("no keys", "closed", unchanged).await;
    }
    assert_eq!(told(), 1, "once");
    let folder = machines.world.folder.path().to_string_lossy().into_owned();
    let check = move || tests::authd::run(&["check", "--probe", &folder]);
    let output = tokio::task::spawn_blocking(check)
        .await
        .expect("the program runs to its end");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && said.contains(&format!("AuthProvider closed: BadKeys: {why}")),
        "{said}"
    );
}

#[tokio::test]
async fn a14_a15_a16_keys_that_are_not_sound_verify_nothing() {
    let machines = Machines::start(&[("mixed", "")], |issuers| {
        issuers.does(
            "mixed",
            Fault::key_list(|keys| {
                let mut encrypts = Key::p256("enc").jwk();
                encrypts["use"] = json!("enc");
                keys.insert(0, Key::shared("oct", b"secret").jwk());
                keys.insert(1, encrypts);
                keys.insert(2, json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "short"}));
            }),
        );
    })
    .await;
    machines
        .accepts("A14 the sound one among them", "mixed", unchanged)
        .await;
    for (row, key) in [("A14", Key::shared("oct", b"secret")), ("A15", Key::p256("enc"))] {
        let id = key.id.clone();
        machines
            .refuses(row, "mixed", |draft| {
                draft.header("kid", json!(id));
                draft.signed_with(key);
            })
            .await;
    }
}
