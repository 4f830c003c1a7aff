//! Has it happened yet? The one place in which tests wait.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take before it counts as never.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until `look` sees what it wants, and returns it.
///
/// # Panics
/// It did not happen before the deadline: the panic says what was seen last.
pub async fn until<T, F: Future<Output = Result<T, String>>>(what: &str, look: impl FnMut() -> F) -> T {
    within(DEADLINE, what, look).await
}

/// As [`until`], with a deadline of its own.
///
/// # Panics
/// It did not happen before the deadline: the panic says what was seen last.
pub async fn within<T, F: Future<Output = Result<T, String>>>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let begun = Instant::now();
    let mut pulse = tokio::time::interval(Duration::from_millis(20));
    loop {
        pulse.tick().await;
        match look().await {
            Ok(seen) => return seen,
            Err(last) if begun.elapsed() > deadline => panic!("{what}: not within {deadline:?}; last seen: {last}"),
            Err(_) => {}
        }
    }
}
