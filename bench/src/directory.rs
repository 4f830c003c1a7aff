//! How many people sign in with a directory in a second, and what does another directory that hangs cost everybody else?
//!
//! OpenLDAP, authd and those who sign in share this machine; each sign-in is a whole one, from the request to the session.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use tests::http::post;
use tests::ldap::open_ldap::{APPLICATION, APPLICATION_PASSWORD, BASE};
use tests::ldap::{Liar, OpenLdap, liar};
use tests::resources::{CI_KEY, Folder, ROOMY};
use tests::world::World;

/// What to measure with.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// For how many seconds people sign in.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many sign in at a time.
    #[arg(long, default_value_t = 16)]
    people: usize,
    /// How many hang at the directory that does.
    #[arg(long, default_value_t = 32)]
    hanging: usize,
    /// How many answers are timed with and without them.
    #[arg(long, default_value_t = 500)]
    samples: usize,
}

/// Measures, and prints JSON.
///
/// # Errors
/// A sign-in was refused.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{:#}", runtime.block_on(measure(settings))?);
    Ok(())
}

async fn measure(settings: &Settings) -> anyhow::Result<Value> {
    let server = OpenLdap::start().await;
    server.person("ann");
    let silent = Liar::start(|_| liar::Say::Nothing).await;
    let folder = Folder::usual(ROOMY);
    folder.write("ldap.yaml", &providers(&server, &silent.url));
    let world = World::of(folder).await;

    let end = Instant::now() + Duration::from_secs(settings.seconds);
    let people = (0..settings.people).map(|_| async {
        let mut done = 0;
        while Instant::now() < end {
            sign_in(&world, "good").await?;
            done += 1;
        }
        anyhow::Ok(done)
    });
    let done: u64 = futures::future::try_join_all(people).await?.into_iter().sum();

    let alone = both(&world, settings.samples).await?;
    // Whoever hangs begins again as soon as it is over, so that there is always somebody.
    let hanging = (0..settings.hanging).map(|_| async {
        loop {
            let _ = sign_in(&world, "hanging").await;
        }
    });
    let hanging = futures::future::join_all(hanging);
    let beside = tokio::select! {
        _ = hanging => anyhow::bail!("nobody hangs for ever"),
        measured = both(&world, settings.samples) => measured?,
    };
    Ok(json!({
        "sign_ins_per_second": done / settings.seconds,
        "alone": {"gate": percentiles(&alone.0), "sign_in": percentiles(&alone.1)},
        "beside_a_directory_that_hangs": {"gate": percentiles(&beside.0), "sign_in": percentiles(&beside.1)},
        "ratio_of_medians": {"gate": ratio(&beside.0, &alone.0), "sign_in": ratio(&beside.1, &alone.1)},
    }))
}

fn providers(server: &OpenLdap, silent: &str) -> String {
    let authority = server.authority.replace('\n', "\n    ");
    let provider = |name: &str, how: &str| {
        format!(
            "apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: {name}, namespace: demo}}
spec:
  ldap:
    {how}
    bind: {{application: {{name: '{APPLICATION}', passwordSecretRef: {{name: ldap, key: password}}}}}}
    search: {{base: 'ou=people,{BASE}', filter: '(uid={{username}})'}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: {name}, namespace: demo}}
spec: {{providerRef: {{name: {name}}}, roles: [{{role: user, whenAny: [{{claim: username, glob: '*'}}]}}]}}
---
"
        )
    };
    let good = format!(
        "urls: ['{}']\n    tls: {{caSecretRef: {{name: ldap, key: ca.crt}}}}",
        server.ldaps()
    );
    let hanging = format!("urls: ['{silent}']\n    encryption: None");
    format!(
        "{}{}apiVersion: v1
kind: Secret
metadata: {{name: ldap, namespace: demo}}
stringData:
  password: {APPLICATION_PASSWORD}
  ca.crt: |
    {authority}
",
        provider("good", &good),
        provider("hanging", &hanging)
    )
}

async fn sign_in(world: &World, provider: &str) -> anyhow::Result<()> {
    let body = json!({"user": "ann", "password": "ann's password", "provider": provider});
    let answer = post(world.auths("ldap")).json(&body).send().await;
    ensure!(
        answer.status == 200,
        "{}: {}; {:?}",
        answer.status,
        answer.body,
        world.authd.log().last()
    );
    Ok(())
}

/// How long answers of the gate and sign-ins take, in order of length. The gate is shown a key, because whoever signs in this often
/// loses their older sessions.
async fn both(world: &World, samples: usize) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut gate, mut signed_in) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        let begun = Instant::now();
        let answer = world.forward("GET", "/").bearer(CI_KEY).send().await;
        gate.push(begun.elapsed());
        ensure!(answer.status == 200, "the gate: {}", answer.status);
        let begun = Instant::now();
        sign_in(world, "good").await?;
        signed_in.push(begun.elapsed());
    }
    gate.sort_unstable();
    signed_in.sort_unstable();
    Ok((gate, signed_in))
}

fn at(sorted: &[Duration], hundredth: usize) -> u128 {
    let index = (sorted.len() * hundredth / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0, Duration::as_micros)
}

fn percentiles(sorted: &[Duration]) -> Value {
    json!({"p50_us": at(sorted, 50), "p99_us": at(sorted, 99)})
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of microseconds needs no more digits")]
fn ratio(beside: &[Duration], alone: &[Duration]) -> f64 {
    at(beside, 50) as f64 / at(alone, 50).max(1) as f64
}
