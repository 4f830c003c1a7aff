//! Replicas that count by Redis say what one process says that counts alone.

use std::net::IpAddr;

use authd::random::Random;
use authd::shared::redis::{Reckoning, Usage};
use authd::shared::{Attempt, Guesses, Limited, Purpose, RateLimits, Redis};
use jiff::{SignedDuration, Timestamp};
use policy::redis::Address;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use secrecy::SecretBox;
use tests::redis;
use tests::wait;

/// One guess: at which account, from where, how it ends, and how many seconds later.
type Step = (usize, usize, u8, i64);

/// What was counted in one case is of nobody in another.
fn guesses(case: u8) -> Guesses {
    Guesses::new(&SecretBox::new(Box::new([case; 32])))
}

fn limits(guesses: &Guesses, redis: Option<&Redis>) -> RateLimits {
    RateLimits::new(4, SignedDuration::from_mins(1), guesses, redis)
}

/// Guesses, and says what came of it.
async fn guess(limits: &RateLimits, (account, address, end, _): Step, now: Timestamp) -> Result<(), Limited> {
    let address: IpAddr = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"][address]
        .parse()
        .expect("an address");
    let attempt = Attempt {
        purpose: Purpose::SignIn,
        account: [None, Some("ann"), Some("bob"), Some("ann")][account],
        address,
    };
    let place = limits.reserve(attempt, now).await?;
    match end {
        0 => place.succeeded(),
        1 => place.withdrawn(),
        _ => place.failed(),
    }
    Ok(())
}

#[tokio::test]
async fn each_guess_at_another_replica_is_answered_as_by_one_process() {
    let server = redis::Redis::start().await;
    let address = Address::read(&server.url()).expect("a URL");
    let usage = Usage {
        prefix: "authd".to_owned(),
        reckoning: Reckoning::Caller,
        budget: wait::DEADLINE,
    };
    let shared = Redis::new(address, None, usage, &Random::System).expect("a Redis");
    let keeping = shared.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { keeping.keep(tokio_util::sync::CancellationToken::new()).await });
    wait::until("Redis answers", || {
        let answers = shared.answers();
        async move { answers.then_some(()).ok_or_else(|| "it does not".to_owned()) }
    })
    .await;

    let steps = prop::collection::vec((0usize..4, 0usize..4, 0u8..8, 0i64..25), 1..60);
    let mut runner = TestRunner::new(Config::default());
    let mut refused = 0;
    for case in 0..40 {
        let steps = steps.new_tree(&mut runner).expect("steps").current();
        let mut now = Timestamp::from_second(1_800_000_000).expect("a time");
        let alone = guesses(case);
        for (number, step) in steps.iter().enumerate() {
            now += SignedDuration::from_secs(step.3);
            // A replica that has seen nothing itself.
            let fresh = guesses(case);
            let answer = guess(&limits(&fresh, Some(&shared)), *step, now).await;
            let expected = guess(&limits(&alone, None), *step, now).await;
            refused += usize::from(expected.is_err());
            assert_eq!(answer, expected, "step {number} of {steps:?}");
        }
    }
    assert!(refused > 50, "control: {refused} guesses were refused");
}
