//! A PostgreSQL and a Redis for the benchmark of replicas, for as long as whoever asked for them lives.

use std::io::Read as _;

use serde_json::json;
use tests::postgres::Postgres;
use tests::redis::Redis;

/// Starts both, prints where they are as JSON, and ends them when standard input does.
///
/// # Errors
/// They did not start.
pub fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (postgres, redis) = runtime.block_on(async { (Postgres::start().await, Redis::start().await) });
    println!(
        "{}",
        json!({
            "postgres": postgres.database(), "postgresAlone": postgres.database(), "redis": redis.url(),
        })
    );
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
