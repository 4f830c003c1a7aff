//! The clock of one replica is an hour off, among replicas with clocks that are right.

use tests::authd::{Authd, program};
use tests::clock::MovableClock;
use tests::http::get;
use tests::postgres::Postgres;
use tests::wait;
use tests::world::{PASSWORD, Person, World};

use crate::postgres::{check, folder, heard, replica, sign_out};

const HOUR: i64 = 3600;

/// A replica whose clock is so many seconds off.
async fn off_by(clock: &MovableClock, url: &str, seconds: i64) -> World {
    clock.set(seconds);
    let (folder, data) = (
        folder(url),
        tempfile::tempdir().expect("a temporary folder can be made"),
    );
    let mut command = std::process::Command::new(program());
    command.envs(clock.environment());
    let authd = Authd::start_command(command, ("--resources", folder.path()), data.path(), &[]).await;
    World { authd, folder, data }
}

/// Somebody's session that one replica began, ended at another, is over for all of them and stays so.
async fn ends_everywhere(at: &World, person: &Person, others: [&World; 2]) {
    assert_eq!(sign_out(at, person).await, 200);
    for other in others {
        heard("a session that was ended", other, &person.token, 401).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_revokes_nothing_and_lets_nothing_back_in() {
    let postgres = Postgres::start().await;
    let url = postgres.database();
    let (one, other) = (replica(&url).await, replica(&url).await);
    let ann = one.person("ann", "user").await;
    let key = one.key_of(&ann).await;
    let gone = one.sign_in(&ann.email, PASSWORD).await;
    assert_eq!(sign_out(&one, &gone).await, 200);
    for (case, seconds) in [("ahead", HOUR), ("behind", -HOUR)] {
        let clock = MovableClock::new();
        let odd = off_by(&clock, &url, seconds).await;
        let ready = get(format!("{}/readyz", odd.authd.admin)).send().await;
        assert_eq!(ready.status, 200, "{case}: {}", ready.body);

        // Tokens from further ahead than clocks may differ count nowhere; others do, and keys everywhere.
        let (right, wrong) = (
            one.sign_in(&ann.email, PASSWORD).await,
            odd.sign_in(&ann.email, PASSWORD).await,
        );
        let is_ahead = seconds > 0;
        let expected = |counts: bool| if counts { 200 } else { 401 };
        assert_eq!(
            check(&odd, &right.token).await,
            expected(is_ahead),
            "{case}: a right token, there"
        );
        assert_eq!(check(&odd, &wrong.token).await, 200, "{case}: its own token");
        for world in [&one, &other] {
            assert_eq!(check(world, &right.token).await, 200, "{case}: a right token");
            assert_eq!(
                check(world, &wrong.token).await,
                expected(!is_ahead),
                "{case}: a token from there"
            );
        }
        heard("keys do not depend on clocks", &odd, &key, 200).await;

        // What one ends is over for all, also where clocks differ, and nothing else is.
        ends_everywhere(&one, &right, [&odd, &other]).await;
        ends_everywhere(&odd, &wrong, [&one, &other]).await;
        for world in [&one, &other, &odd] {
            assert_eq!(check(world, &gone.token).await, 401, "{case}: what was ended stays so");
        }
        for world in [&one, &other] {
            assert_eq!(check(world, &ann.token).await, 200, "{case}: nobody else is signed out");
        }
        wait::until("it is said", || async {
            let metrics = get(format!("{}/metrics", odd.authd.admin)).send().await.body;
            let line = metrics
                .lines()
                .find(|line| line.starts_with("authd_clock_difference_seconds "));
            let ahead: f64 = line
                .and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .unwrap_or_default();
            let is_logged = odd
                .authd
                .log()
                .iter()
                .any(|line| line.contains("clock is ahead of the database's"));
            let is_measured = (ahead - seconds as f64).abs() < 60.0;
            if is_logged && is_measured {
                Ok(())
            } else {
                Err(format!("{line:?}"))
            }
        })
        .await;
    }
    // A replica that starts with all of it in the database knows the same.
    let fresh = replica(&url).await;
    assert_eq!(check(&fresh, &gone.token).await, 401);
    assert_eq!(check(&fresh, &ann.token).await, 200);
}
