//! Does a sign-in, a check or a start take longer with a million people, sessions and revocations in PostgreSQL than with a thousand?
//!
//! Sign-ins are those through an OpenID provider, which no hashing hides. authd runs on the first core; all else shares the second
//! with it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::postgres::Postgres;
use tests::resources::ROOMY;
use tests::rows;

use crate::percentiles;
use crate::sign_ins::{Bench, checks};

/// What to measure with.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// How many people, sessions and revocations there are at first.
    #[arg(long, default_value_t = 1_000)]
    few: u32,
    /// How many there are then.
    #[arg(long, default_value_t = 1_000_000)]
    many: u32,
    /// How many sign-ins are timed, one after the other.
    #[arg(long, default_value_t = 300)]
    sign_ins: usize,
}

/// Measures, and prints JSON.
///
/// # Errors
/// Something did not start, or somebody could not sign in.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{:#}", runtime.block_on(measure(settings))?);
    Ok(())
}

async fn measure(settings: &Settings) -> anyhow::Result<Value> {
    let server = Postgres::start().await;
    let url = server.database();
    let database = url.rsplit('/').next().unwrap_or_default();
    // Makes the tables.
    drop(start(&url).await?);
    let Settings { few, many, sign_ins } = *settings;
    rows::people(&server, database, 1, few);
    rows::revocations(&server, database, 1, few);
    rows::settled(&server, database);
    let small = at_size(&url, sign_ins).await?;
    rows::people(&server, database, few + 1, many - few);
    rows::revocations(&server, database, few + 1, many - few);
    rows::settled(&server, database);
    let large = at_size(&url, sign_ins).await?;
    let ratio = |path: &str| {
        let of = |value: &Value| value.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
        of(&large) / of(&small)
    };
    Ok(json!({
        "few": few, "many": many, "with_few": small, "with_many": large,
        "many_by_few": {
            "sign_in_p50": ratio("/sign_in_milliseconds/p50"),
            "sign_in_p99": ratio("/sign_in_milliseconds/p99"),
            "check_p50": ratio("/check/p50_us"),
            "check_p99": ratio("/check/p99_us"),
            "start": ratio("/start_milliseconds"),
            "resident_memory": ratio("/resident_mib"),
        },
    }))
}

/// authd on this database.
async fn start(url: &str) -> anyhow::Result<Bench> {
    let instance = format!(
        "{ROOMY}  encryptionKeys: [{{name: rows, key: encryption}}]\n  database: {{postgresSecretRef: {{name: rows, key: url}}}}\n"
    );
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "rows", "namespace": "demo" },
        "stringData": { "encryption": "a sample of what is sealed with, by all", "url": url },
    });
    Bench::start(&instance, &secret.to_string()).await
}

async fn at_size(url: &str, sign_ins: usize) -> anyhow::Result<Value> {
    let begun = Instant::now();
    let mut bench = start(url).await?;
    let started = begun.elapsed();
    let resident = memory(bench.authd.id())?;
    let mut times = Vec::new();
    // The first ones open connections.
    for number in 0..sign_ins + 20 {
        let took = bench.callback_to_session().await?;
        if number >= 20 {
            times.push(took);
        }
    }
    let verify = bench.authd.verify.clone();
    let check = tokio::task::spawn_blocking(move || checks(&verify)).await??;
    bench.authd.stop().await;
    Ok(json!({
        "sign_in_milliseconds": percentiles(times),
        "check": check,
        "start_milliseconds": milliseconds(started),
        "resident_mib": resident,
    }))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// How much memory a process has.
fn memory(id: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = resident
        .unwrap_or_default()
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()?;
    Ok(kib / 1024.0)
}
