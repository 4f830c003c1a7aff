//! What a restart may not forget: the counts are read back from the real store.

use proptest::prelude::*;

use super::*;
use crate::random::Random;
use crate::store::{NewSession, NewUser, Role, Store};

/// A store, and the counts of the process that uses it.
struct Process {
    store: Store,
    guesses: Guesses,
    _folder: tempfile::TempDir,
}

impl Process {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Store::open(folder.path()).await.unwrap(),
            guesses: Guesses::new(&secret()),
            _folder: folder,
        }
    }

    fn limits(&self) -> RateLimits {
        of(&self.guesses)
    }

    async fn restart(&mut self, now: Timestamp) {
        self.guesses.write_down(&self.store).await.unwrap();
        self.guesses = Guesses::restored(&secret(), &self.store, now).await.unwrap();
    }
}

#[tokio::test]
async fn acceptance_128_a_restart_forgets_no_failure() {
    let mut process = Process::new().await;
    fail_times(&process.limits(), 14, "alice", at(0));
    process.restart(at(1)).await;
    assert_eq!(fail(&process.limits(), "alice", &address(50), at(1)), Ok(()), "control");
    let waits = Err(Limited { retry_after: 179 });
    assert_eq!(fail(&process.limits(), "alice", &address(51), at(2)), waits);
    process.restart(at(2)).await;
    assert_eq!(fail(&process.limits(), "alice", &address(51), at(2)), waits);
    assert_eq!(fail(&process.limits(), "bob", &address(51), at(2)), Ok(()), "control");
    process.restart(at(181)).await;
    assert_eq!(
        fail(&process.limits(), "alice", &address(51), at(181)),
        Ok(()),
        "it ends"
    );
}

#[tokio::test]
async fn f10_a_restart_forgets_not_how_often_somebody_was_blocked() {
    let mut process = Process::new().await;
    let mut now = at(0);
    for minutes in [3, 6, 12, 24] {
        fail_times(&process.limits(), 15, "alice", now);
        process.restart(now).await;
        let waits = fail(&process.limits(), "alice", &address(90), now).unwrap_err();
        assert_eq!(waits.retry_after, minutes * 60, "F10");
        now += SignedDuration::from_secs(i64::try_from(waits.retry_after).unwrap());
        process.store.purge_expired_guesses(now).await.unwrap();
        process.restart(now).await;
    }
    succeed(&process.limits(), "alice", &address(91), now).unwrap();
    process.restart(now).await;
    fail_times(&process.limits(), 15, "alice", now);
    process.restart(now).await;
    let waits = fail(&process.limits(), "alice", &address(92), now).unwrap_err();
    assert_eq!(waits.retry_after, 180, "F10: what was forgiven stays so");
}

#[tokio::test]
async fn f11_a_person_who_is_signed_in_is_known_there_after_a_restart() {
    let mut process = Process::new().await;
    let (random, here) = (Random::seeded(1), "192.0.2.7");
    let user = NewUser {
        id: random.id(at(0)),
        email: "alice@example.com".to_owned(),
        email_verified: true,
        name: "Alice".to_owned(),
        role: Role::User,
        password_hash: None,
        profile_image_url: "/user.png".to_owned(),
        created_at: at(0),
    };
    process.store.create_user(&user).await.unwrap();
    let session = NewSession {
        id: random.id(at(0)),
        user_id: user.id,
        provider: "accounts".to_owned(),
        created_at: at(0),
        signed_in_at: Some(at(0)),
        acr: None,
        expires_at: None,
        client_address: here.to_owned(),
        user_agent: String::new(),
    };
    process.store.create_session(&session).await.unwrap();
    process.restart(at(1)).await;
    fail_times(&process.limits(), 15, &user.email, at(1));
    process.restart(at(2)).await;
    assert!(
        fail(&process.limits(), &user.email, &address(90), at(2)).is_err(),
        "control"
    );
    assert_eq!(succeed(&process.limits(), &user.email, here, at(2)), Ok(()), "F11");
}

#[tokio::test]
async fn h10_wrong_keys_cost_no_disk() {
    let process = Process::new().await;
    let limits = process.limits();
    let of_key = Attempt {
        purpose: Purpose::ApiKey,
        account: None,
        ..attempt("", "192.0.2.1")
    };
    limits.reserve_here(of_key, at(0)).unwrap().failed();
    process.guesses.write_down(&process.store).await.unwrap();
    assert!(process.store.kept_guesses(at(0)).await.unwrap().is_empty(), "H10");
    fail(&limits, "alice", "192.0.2.1", at(0)).unwrap();
    process.guesses.write_down(&process.store).await.unwrap();
    let kept = process.store.kept_guesses(at(0)).await.unwrap();
    assert_eq!(kept.len(), 2, "control: an account and an address");
    assert!(
        !format!("{kept:?}").contains("alice"),
        "names are not written: {kept:?}"
    );
}

#[tokio::test]
async fn who_finds_nothing_to_write_has_it_on_the_disk() {
    let process = Process::new().await;
    fail_times(&process.limits(), 10, "alice", at(0));
    let writes = (0..10).map(|_| process.guesses.write_down(&process.store));
    for written in futures::future::join_all(writes).await {
        written.unwrap();
    }
    let kept = process.store.kept_guesses(at(0)).await.unwrap();
    assert_eq!(kept.values().map(|kept| kept.failures.len()).sum::<usize>(), 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Somebody guesses, now and then rightly, and time goes on: a process that restarts before every guess says the same as one
    /// that never does. It may know less of where somebody signed in, so everybody comes from everywhere here.
    #[test]
    fn a_restart_changes_no_answer(steps in prop::collection::vec((0usize..3, 0u8..10, 0i64..40), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (steady, mut restarting) = (limits(), Process::new().await);
            let mut now = at(0);
            for (number, (account, end, seconds)) in steps.into_iter().enumerate() {
                now += SignedDuration::from_secs(seconds);
                restarting.restart(now).await;
                let tried = attempt(["a", "b", "c"][account], "192.0.2.1");
                let from = address(number);
                let tried = Attempt { address: if end % 2 == 0 { from.parse().unwrap() } else { tried.address }, ..tried };
                let ends = [&steady, &restarting.limits()].map(|limits| {
                    limits.reserve_here(tried, now).map(|place| match end {
                        0 if number % 7 == 0 => place.succeeded(),
                        1 => place.withdrawn(),
                        _ => place.failed(),
                    })
                });
                prop_assert_eq!(ends[0], ends[1], "step {}", number);
            }
            Ok(())
        })?;
    }
}
