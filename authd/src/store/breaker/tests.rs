use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

fn silent() -> Breaker {
    let breaker = Breaker::default();
    for _ in 0..ENOUGH {
        breaker.note(true);
    }
    breaker
}

/// How many of a hundred who come at once may ask.
fn admitted(breaker: &Breaker, now: Instant) -> usize {
    (0..100).filter(|_| breaker.admits(now)).count()
}

#[test]
fn of_a_server_that_does_not_answer_one_asks_each_second() {
    let (breaker, start) = (silent(), Instant::now());
    for (milliseconds, expected) in [(0, 1), (999, 0), (1000, 1), (1001, 0), (60_000, 1), (60_999, 0)] {
        let now = start + Duration::from_millis(milliseconds);
        assert_eq!(admitted(&breaker, now), expected, "after {milliseconds} ms");
        breaker.note(true);
    }
    breaker.note(false);
    assert_eq!(admitted(&breaker, start), 100, "one answer is enough");
}

#[test]
fn only_silence_in_a_row_counts() {
    let (breaker, now) = (Breaker::default(), Instant::now());
    for round in 0..20 {
        (1..ENOUGH).for_each(|_| breaker.note(true));
        assert_eq!(admitted(&breaker, now), 100, "round {round}");
        breaker.note(false);
    }
}

#[tokio::test]
async fn what_is_told_at_once_is_no_silence() {
    let broken = |kind: std::io::ErrorKind| sqlx::Error::from(std::io::Error::from(kind));
    for (case, error, is_silent) in [
        ("no connection in time", sqlx::Error::PoolTimedOut, true),
        ("no answer in time", broken(std::io::ErrorKind::TimedOut), true),
        ("no such row", sqlx::Error::RowNotFound, false),
        (
            "a broken connection",
            broken(std::io::ErrorKind::ConnectionReset),
            false,
        ),
    ] {
        assert_eq!(super::is_silence(&error), is_silent, "{case}");
    }
    let (breaker, asked) = (silent(), AtomicU32::new(0));
    let question = || async {
        asked.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>(sqlx::Error::PoolTimedOut)
    };
    let first = breaker.ask(question()).await.unwrap_err().to_string();
    let second = breaker.ask(question()).await.unwrap_err().to_string();
    assert!(
        !first.contains("not asked") && second.contains("was not asked"),
        "{first}; {second}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // It is asked by everybody again once it answers; that there is no such row is an answer.
    breaker.note(false);
    for _ in 0..2 * ENOUGH {
        breaker
            .ask(async { Err::<(), _>(sqlx::Error::RowNotFound) })
            .await
            .unwrap_err();
    }
    breaker.ask(async { Ok(()) }).await.unwrap();
}
