use super::*;

const COST: u32 = 4;

fn bounds(threads: usize, queue_length: usize) -> Bounds {
    Bounds {
        threads,
        queue_length,
        patience: PATIENCE,
    }
}

fn pool(threads: usize, queue_length: usize) -> Hashing {
    Hashing::start_with(COST, Random::seeded(1), &bounds(threads, queue_length)).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

async fn matches(pool: &Hashing, password: &str, hash: &str) -> bool {
    let verified = pool.verify(secret(password), Some(hash.to_owned())).await;
    verified.unwrap().matches
}

#[tokio::test]
async fn a_password_matches_its_hash_and_no_other() {
    let pool = pool(1, 8);
    let hash = pool.hash(secret("correct horse battery")).await.unwrap();
    assert!(hash.starts_with("$2b$04$"));
    assert!(matches(&pool, "correct horse battery", &hash).await);
    for other in [
        "correct horse batterz",
        "Correct horse battery",
        "correct horse battery ",
        " correct horse battery",
        "",
    ] {
        assert!(!matches(&pool, other, &hash).await, "{other:?}");
    }
}

#[tokio::test]
async fn f04_composed_and_decomposed_letters_are_one_password() {
    let pool = pool(1, 8);
    let hash = pool.hash(secret("p\u{e4}ssword for you")).await.unwrap();
    assert!(matches(&pool, "pa\u{308}ssword for you", &hash).await);
    assert!(!matches(&pool, "passsword for you", &hash).await);
    assert_eq!(pool.hash(secret("nul\0in it")).await, Err(Error::Nul));
    assert_eq!(pool.verify(secret("nul\0in it"), Some(hash)).await, Err(Error::Nul));
}

#[tokio::test]
async fn f05_nothing_is_cut_at_72_bytes() {
    let pool = pool(1, 8);
    let longest = "a".repeat(72);
    let hash = pool.hash(secret(&longest)).await.unwrap();
    assert!(matches(&pool, &longest, &hash).await);
    assert!(!matches(&pool, &longest[..71], &hash).await);
    for long in ["a".repeat(73), "é".repeat(37), "a".repeat(1 << 20)] {
        assert_eq!(pool.hash(secret(&long)).await, Err(Error::TooLong));
        assert_eq!(
            pool.verify(secret(&long), Some(hash.clone())).await,
            Err(Error::TooLong)
        );
    }
}

#[tokio::test]
async fn an_unknown_account_does_not_match() {
    let verified = pool(1, 8).verify(secret("anything"), None).await.unwrap();
    assert_eq!(
        verified,
        Verification {
            matches: false,
            needs_rehash: false
        }
    );
}

#[tokio::test]
async fn hashes_of_other_systems_are_accepted() {
    let pool = pool(1, 8);
    let hash = pool.hash(secret("secret words")).await.unwrap();
    for version in ["$2a$", "$2b$", "$2y$"] {
        assert!(
            matches(&pool, "secret words", &hash.replace("$2b$", version)).await,
            "{version}"
        );
    }
}

#[tokio::test]
async fn f09_weak_hashes_are_made_again_and_endless_ones_refused() {
    let strong = Hashing::start_with(6, Random::seeded(2), &bounds(1, 8)).unwrap();
    let weak = pool(1, 8).hash(secret("secret words")).await.unwrap();
    let verify = async |password: &str, hash: &str| strong.verify(secret(password), Some(hash.to_owned())).await;
    assert_eq!(
        verify("secret words", &weak).await,
        Ok(Verification {
            matches: true,
            needs_rehash: true
        })
    );
    assert_eq!(
        verify("wrong words", &weak).await,
        Ok(Verification {
            matches: false,
            needs_rehash: false
        })
    );
    let own = strong.hash(secret("secret words")).await.unwrap();
    assert_eq!(
        verify("secret words", &own).await,
        Ok(Verification {
            matches: true,
            needs_rehash: false
        })
    );
    let refused = [
        own.replace("$06$", "$16$"),
        own.replace("$06$", "$31$"),
        own.replace("$06$", "$03$"),
        own.replace("$06$", "$99$"),
        own.replace("$2b$", "$2x$"),
        own.replace("$2b$", "$1$"),
        "plain".into(),
        String::new(),
        "ä".repeat(30),
        own[..59].into(),
        "$argon2id$v=19$m=8388608,t=1000000,p=1$c29tZXNhbHQ$aGFzaA".into(),
    ];
    for hash in refused {
        assert_eq!(verify("secret words", &hash).await, Err(Error::StoredHash), "{hash}");
    }
}

#[tokio::test]
async fn f17_a_full_queue_is_told_at_once() {
    let slow = Hashing::start_with(10, Random::seeded(3), &bounds(1, 2)).unwrap();
    let attempts: Vec<_> = (0..20).map(|_| slow.verify(secret("guess"), None)).collect();
    let outcomes = futures::future::join_all(attempts).await;
    let busy = outcomes.iter().filter(|outcome| **outcome == Err(Error::Busy)).count();
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(busy >= 16, "{outcomes:?}");
    assert!(done >= 2, "{outcomes:?}");
    assert_eq!(busy + done, 20);
    assert!(
        slow.verify(secret("guess"), None).await.is_ok(),
        "control: an empty queue takes it"
    );
}

#[tokio::test]
async fn whoever_waited_for_too_long_is_told_so() {
    let impatient = Bounds {
        patience: Duration::ZERO,
        ..bounds(1, 8)
    };
    let pool = Hashing::start_with(COST, Random::seeded(5), &impatient).unwrap();
    assert_eq!(pool.verify(secret("guess"), None).await, Err(Error::Busy));
    assert_eq!(pool.hash(secret("a new one")).await, Err(Error::Busy));
}

#[tokio::test]
async fn who_went_away_costs_no_work() {
    let pool = Hashing::start_with(8, Random::seeded(4), &bounds(1, 64)).unwrap();
    for _ in 0..50 {
        // Polled once, so that it is queued, then dropped.
        let mut attempt = Box::pin(pool.verify(secret("guess"), None));
        let _ = futures::poll!(attempt.as_mut());
    }
    assert!(pool.verify(secret("guess"), None).await.is_ok());
}

#[test]
fn a_cost_out_of_bounds_is_refused() {
    for cost in [0, 3, 16, 31] {
        let started = Hashing::start(cost, Random::seeded(1));
        assert_eq!(started.err(), Some(StartError::Cost { cost }));
    }
    assert!(Hashing::start(COST, Random::seeded(1)).is_ok());
}

#[test]
fn f19_a_job_shows_no_password() {
    let shown = format!("{:?}", pool(1, 1));
    assert!(!shown.contains("password"), "{shown}");
}
