//! How long do answers take when requests come at a fixed rate, whether or not earlier ones were answered?
//!
//! A connection that is still waiting when its next request is due sends that one late, and its latency counts from when it was
//! due. A thread that the system woke late is the generator's own doing, and does not count.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;

const OK: &[u8] = b"HTTP/1.1 200";

/// What to send, and how fast.
#[derive(Debug, Clone, Args)]
pub struct Load {
    /// The server.
    server: SocketAddr,
    /// The request, with `\n` for line ends.
    request: String,
    /// Requests a second, over all connections.
    #[arg(long, default_value_t = 2000)]
    rate: u32,
    /// Connections.
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// Sends, and prints `{"sent", "p50_us", "p99_us", "p999_us", "max_us"}`.
///
/// # Errors
/// A connection fails, or an answer is not 200.
pub fn run(load: &Load) -> anyhow::Result<()> {
    let begin = Instant::now() + Duration::from_millis(50);
    let connections: Vec<_> = (0..load.connections)
        .map(|number| {
            let load = load.clone();
            thread::spawn(move || connection(&load, number, begin))
        })
        .collect();
    let mut latencies = Vec::new();
    for connection in connections {
        latencies.extend(
            connection
                .join()
                .map_err(|_| anyhow::anyhow!("a connection panicked"))??,
        );
    }
    latencies.sort_unstable();
    let at = |thousandth: usize| {
        let index = (latencies.len() * thousandth / 1000).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(0, Duration::as_micros)
    };
    println!(
        r#"{{"sent":{},"p50_us":{},"p99_us":{},"p999_us":{},"max_us":{}}}"#,
        latencies.len(),
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    Ok(())
}

fn connection(load: &Load, number: u32, begin: Instant) -> anyhow::Result<Vec<Duration>> {
    let every = Duration::from_secs(1) * load.connections / load.rate;
    let mut due = begin + every * number / load.connections;
    let end = begin + Duration::from_secs(load.seconds);
    let mut stream = TcpStream::connect(load.server).context("connect")?;
    stream.set_nodelay(true)?;
    let request = load.request.replace('\n', "\r\n");
    let mut latencies = Vec::new();
    let mut free_since = begin;
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let from = if free_since <= due { Instant::now() } else { due };
        stream.write_all(request.as_bytes())?;
        answer(&mut stream)?;
        free_since = Instant::now();
        latencies.push(free_since - from);
        due += every;
    }
    Ok(latencies)
}

/// Reads one answer, which has no body.
fn answer(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).context("the answer is too long")?)?;
        ensure!(read > 0, "the connection was closed");
        filled += read;
        let seen = buffer.get(..filled).unwrap_or_default();
        let begin = seen.get(..OK.len()).unwrap_or(seen);
        ensure!(OK.starts_with(begin), "not 200: {}", String::from_utf8_lossy(seen));
        if seen.ends_with(b"\r\n\r\n") {
            return Ok(());
        }
    }
}
