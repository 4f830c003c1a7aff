//! What the API server lets in settles with a condition that says what it is; put right, it is accepted; taken away, all is as before.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::cluster::operator::{Operator, published};
use tests::mutate::{Dice, changed, seeds};
use tests::wait;

use super::{object, path};

/// How many specs of each kind are tried; of Authds fewer, as each becomes an instance with all that belongs to one.
const TRIED: u64 = 240;
const AUTHDS: u64 = 40;
/// How many are sent at a time.
const AT_A_TIME: usize = 16;
/// How long after a change of hundreds of objects at once all must have been said; of one it takes far less.
const SETTLES: Duration = Duration::from_secs(90);

/// An object that was let in.
struct Admitted {
    /// Where the API server has it.
    path: String,
    /// What it should have been.
    sound: Value,
}

/// What the seed of an Authd refers to.
fn secrets(namespace: &str) -> String {
    let certificate = "-----BEGIN CERTIFICATE-----";
    let data = [
        ("admin", json!({"password": "correct horse battery staple"})),
        ("proxy", json!({"secret": "0123456789abcdef0123456789abcdef"})),
        ("ca", json!({"ca.crt": certificate})),
        (
            "tls",
            json!({"tls.crt": certificate, "tls.key": "-----BEGIN PRIVATE KEY-----"}),
        ),
    ];
    let secret = |(name, data): (&str, Value)| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": data,
        })
        .to_string()
    };
    data.map(secret).join("\n---\n")
}

/// A seed whose hosts and Secret nobody else has.
fn apart(kind: &str, seed: &Value, number: u64) -> Value {
    let mut seed = seed.clone();
    match kind {
        "AccessPolicy" => seed["hosts"] = json!([format!("a{number}.example.com"), format!("*.b{number}.example.com")]),
        "ApiKey" => seed["secretName"] = json!(format!("key-{number}")),
        "Authd" => seed["replicas"] = json!(0),
        _ => {}
    }
    seed
}

/// What a condition of an object says.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut conditions = object["status"]["conditions"].as_array()?.iter();
    conditions.find(|condition| condition["type"] == kind)
}

/// Whether its last generation was looked at, and is what it should be.
fn has_settled(one: &Value, must_be_sound: bool) -> bool {
    let is_observed = one["status"]["observedGeneration"] == one["metadata"]["generation"];
    is_observed
        && condition(one, "Accepted").is_some_and(|accepted| {
            accepted["status"] == "True" || (!must_be_sound && accepted["message"].as_str() != Some(""))
        })
}

struct Fuzzed {
    client: kube::Client,
    home: String,
    instances: String,
}

impl Fuzzed {
    /// Authds are tried where nothing else is, as each is an instance of its own.
    fn namespace(&self, kind: &str) -> &str {
        if kind == "Authd" { &self.instances } else { &self.home }
    }

    async fn call(&self, call: http::request::Builder, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body).unwrap()
        };
        let answer = self.client.request(call.body(body).unwrap()).await;
        answer.map_err(|error| error.to_string())
    }

    /// Changed specs of every kind, as far as they are let in.
    async fn admitted(&self) -> Vec<Admitted> {
        let mut tries = Vec::new();
        for (kind, seed) in seeds() {
            let tried = if kind == "Authd" { AUTHDS } else { TRIED };
            for number in 0..tried {
                let mut dice = Dice::new(number);
                let sound = apart(kind, &seed, number);
                let times = 1 + dice.roll(2);
                tries.push((kind, format!("f{number}"), changed(&sound, times, &mut dice), sound));
            }
        }
        let created = futures::stream::iter(tries).map(|(kind, name, spec, sound)| async move {
            let path = path(kind, self.namespace(kind));
            let call = http::Request::post(format!("{path}?fieldValidation=Strict"));
            let call = call.header("content-type", "application/json");
            match self.call(call, &object(kind, &name, self.namespace(kind), &spec)).await {
                Ok(_) => Some(Admitted {
                    path: format!("{path}/{name}"),
                    sound,
                }),
                Err(message) => {
                    assert!(message.contains("spec"), "{kind}: which field? {message}: {spec}");
                    None
                }
            }
        });
        let created: Vec<_> = created.buffer_unordered(AT_A_TIME).collect().await;
        created.into_iter().flatten().collect()
    }

    /// Gives it the spec that it should have had, whatever its status became meanwhile.
    async fn put_right(&self, one: &Admitted) {
        let call = http::Request::patch(&one.path).header("content-type", "application/json-patch+json");
        let spec = json!([{ "op": "replace", "path": "/spec", "value": one.sound }]);
        self.call(call, &spec).await.unwrap();
    }

    async fn take_away(&self, one: &Admitted) {
        self.call(http::Request::delete(&one.path), &Value::Null).await.unwrap();
    }

    /// Waits until every object says what its last generation is.
    async fn settled(&self, what: &str, must_be_sound: bool) {
        wait::within(SETTLES, what, || async {
            for (kind, _) in seeds() {
                let list = http::Request::get(path(kind, self.namespace(kind)));
                let list = self.call(list, &Value::Null).await?;
                let mut items = list["items"].as_array().into_iter().flatten();
                if let Some(one) = items.find(|one| !has_settled(one, must_be_sound)) {
                    return Err(one.to_string());
                }
            }
            Ok(())
        })
        .await;
    }
}

#[tokio::test]
async fn every_spec_that_is_let_in_says_what_it_is_and_heals_when_it_is_put_right() {
    let cluster = Cluster::start().await;
    crate::cluster::install_kinds(&cluster).await;
    let (home, instances) = (cluster.namespace("fuzzed").await, cluster.namespace("instances").await);
    let fuzzed = Fuzzed {
        client: cluster.client().await,
        home: home.to_string(),
        instances: instances.to_string(),
    };
    let operator = Operator::start(&cluster, &[&home, &instances], &[]).await;
    let sound = json!({ "publicUrl": "https://auth.example.com", "replicas": 0 });
    let main = format!(
        "{}\n---\n{}\n---\n{}",
        object("Authd", "main", &home, &sound),
        object(
            "AuthProvider",
            "accounts",
            &home,
            &json!({ "displayName": "Accounts", "password": {} })
        ),
        secrets(&instances),
    );
    cluster.apply(&main).await.ok();
    fuzzed.settled("the instance", true).await;
    let digest = async || published(&cluster, &home, "main").await.map(|(index, _)| index.digest);
    let undisturbed = wait::until("the instance is published", &digest).await;

    let admitted = fuzzed.admitted().await;
    assert!(admitted.len() > 200, "control: {} were let in", admitted.len());
    fuzzed.settled("each says what it is", false).await;
    assert!(operator.readiness().await.starts_with("ready"));

    let put_right = futures::stream::iter(&admitted).map(|one| fuzzed.put_right(one));
    put_right.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    fuzzed.settled("each that was put right is accepted", true).await;

    let taken_away = futures::stream::iter(&admitted).map(|one| fuzzed.take_away(one));
    taken_away.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    wait::until("all is as it was before", || async {
        let now = digest().await?;
        if now == undisturbed { Ok(()) } else { Err(now) }
    })
    .await;
}
