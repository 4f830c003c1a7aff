mod restarts;

use secrecy::SecretBox;

use super::guesses::network;
use super::*;
use crate::shared::{RateLimits, Reservation};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn secret() -> SecretBox<[u8; 32]> {
    SecretBox::new(Box::new([7; 32]))
}

fn of(guesses: &Guesses) -> RateLimits {
    RateLimits::new(15, SignedDuration::from_mins(3), guesses, None)
}

fn limits() -> RateLimits {
    of(&Guesses::new(&secret()))
}

fn attempt<'a>(account: &'a str, address: &str) -> Attempt<'a> {
    Attempt {
        purpose: Purpose::SignIn,
        account: Some(account),
        address: address.parse().unwrap(),
    }
}

/// The address number `n`, each in a network of its own.
fn address(n: usize) -> String {
    format!("2001:db8:{:x}:{:x}::1", n >> 16, n & 0xffff)
}

fn fail(limits: &RateLimits, account: &str, address: &str, now: Timestamp) -> Result<(), Limited> {
    limits
        .reserve_here(attempt(account, address), now)
        .map(Reservation::failed)
}

fn succeed(limits: &RateLimits, account: &str, address: &str, now: Timestamp) -> Result<(), Limited> {
    limits
        .reserve_here(attempt(account, address), now)
        .map(Reservation::succeeded)
}

#[track_caller]
fn fail_times(limits: &RateLimits, times: usize, account: &str, now: Timestamp) {
    for n in 0..times {
        fail(limits, account, &address(n), now).unwrap();
    }
}

#[test]
fn acceptance_128_the_sixteenth_failure_in_three_minutes_waits() {
    let limits = limits();
    for second in 0..15 {
        fail(&limits, "alice", "192.0.2.1", at(second)).unwrap();
    }
    assert_eq!(
        fail(&limits, "alice", "192.0.2.1", at(15)),
        Err(Limited { retry_after: 179 })
    );
    assert_eq!(
        fail(&limits, "alice", "192.0.2.1", at(193)),
        Err(Limited { retry_after: 1 })
    );
    assert_eq!(fail(&limits, "alice", "192.0.2.1", at(194)), Ok(()));
}

#[test]
fn acceptance_128_only_failures_count_and_they_slide_out_of_the_window() {
    let limits = limits();
    for second in 0..100 {
        succeed(&limits, "alice", "192.0.2.1", at(second)).unwrap();
        limits
            .reserve_here(attempt("alice", "192.0.2.1"), at(second))
            .unwrap()
            .withdrawn();
    }
    for n in 0..100 {
        fail(&limits, "alice", "192.0.2.1", at(n * 13)).unwrap();
    }
}

#[test]
fn acceptance_129_blocked_tries_do_not_extend_the_block() {
    let limits = limits();
    fail_times(&limits, 15, "alice", at(0));
    for second in 1..180 {
        assert!(fail(&limits, "alice", &address(99), at(second)).is_err());
    }
    assert_eq!(fail(&limits, "alice", &address(99), at(180)), Ok(()));
}

#[test]
fn acceptance_129_f11_a_known_address_is_not_held_back_by_strangers() {
    let limits = limits();
    succeed(&limits, "alice", "192.0.2.7", at(0)).unwrap();
    fail_times(&limits, 15, "alice", at(1));
    assert!(
        succeed(&limits, "alice", "198.51.100.1", at(2)).is_err(),
        "a new address waits"
    );
    assert_eq!(
        succeed(&limits, "alice", "192.0.2.7", at(2)),
        Ok(()),
        "the known one does not"
    );
    assert_eq!(
        succeed(&limits, "alice", "198.51.100.1", at(200)),
        Ok(()),
        "the lock expires"
    );
}

#[test]
fn a_known_address_has_a_limit_of_its_own() {
    let limits = limits();
    succeed(&limits, "alice", "2001:db8:ffff::1", at(0)).unwrap();
    for _ in 0..15 {
        fail(&limits, "alice", "2001:db8:ffff::2", at(1)).unwrap();
    }
    assert!(fail(&limits, "alice", "2001:db8:ffff::3", at(2)).is_err());
    assert!(
        fail(&limits, "alice", &address(1), at(2)).is_ok(),
        "which does not lock the person out elsewhere"
    );
}

#[test]
fn acceptance_130_f12_one_address_trying_many_accounts_is_limited() {
    let limits = limits();
    let passed = (0..1000).filter(|n| fail(&limits, &format!("user{n}"), "192.0.2.1", at(0)).is_ok());
    assert_eq!(passed.count(), 15);
    assert!(fail(&limits, "bob", "192.0.2.2", at(1)).is_ok(), "control");
}

#[test]
fn f12_many_addresses_trying_one_account_are_limited() {
    let limits = limits();
    let passed = (0..1000).filter(|n| fail(&limits, "alice", &address(*n), at(0)).is_ok());
    assert_eq!(passed.count(), 15);
    assert!(fail(&limits, "bob", &address(2000), at(1)).is_ok(), "control");
}

#[test]
fn f12_addresses_of_one_network_are_one() {
    let table = [
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"], true),
        (["2001:db8:1:2::1", "2001:db8:1:3::1"], false),
        (["192.0.2.1", "::ffff:192.0.2.1"], true),
        (["192.0.2.1", "192.0.2.2"], false),
        (["0.0.0.1", "::1"], false),
    ];
    for ([one, other], same) in table {
        let [one, other] = [one, other].map(|text| network(text.parse().unwrap()));
        assert_eq!(one == other, same, "{one:?} {other:?}");
    }
}

#[test]
fn an_attacker_does_not_wipe_an_address_by_signing_in() {
    let limits = limits();
    let mut passed = 0;
    for n in 0..100 {
        passed += usize::from(fail(&limits, &format!("user{n}"), "192.0.2.1", at(0)).is_ok());
        let _ = succeed(&limits, "mallory", "192.0.2.1", at(0));
    }
    assert_eq!(passed, 15);
}

#[test]
fn f10_blocks_grow_until_the_person_signs_in() {
    let limits = limits();
    let mut now = at(0);
    let mut waits = Vec::new();
    let mut address_number = 0;
    while waits.len() < 12 {
        address_number += 1;
        if let Err(limited) = fail(&limits, "alice", &address(address_number), now) {
            waits.push(limited.retry_after / 60);
            now += SignedDuration::from_secs(i64::try_from(limited.retry_after).unwrap());
        }
    }
    assert_eq!(waits, [3, 6, 12, 24, 48, 96, 192, 384, 768, 1440, 1440, 1440]);
    succeed(&limits, "alice", &address(90_000), now).unwrap();
    fail_times(&limits, 15, "alice", now);
    assert_eq!(
        fail(&limits, "alice", &address(90_001), now),
        Err(Limited { retry_after: 180 })
    );
}

#[test]
fn f10_of_a_hundred_and_one_guesses_in_a_row_fifteen_are_tried() {
    let limits = limits();
    let tried = (0..101).filter(|second| fail(&limits, "alice", &address(7), at(*second)).is_ok());
    assert_eq!(tried.count(), 15);
}

#[test]
fn f14_parallel_guesses_do_not_exceed_the_limit() {
    let limits = limits();
    let reserved: Vec<_> = (0..200)
        .filter_map(|n| limits.reserve_here(attempt("alice", &address(n)), at(0)).ok())
        .collect();
    assert_eq!(reserved.len(), 15);
    reserved.into_iter().for_each(Reservation::failed);
    assert_eq!(
        fail(&limits, "alice", &address(300), at(0)),
        Err(Limited { retry_after: 180 })
    );
}

#[test]
fn f14_threads_do_not_exceed_the_limit() {
    let limits = limits();
    let passed = std::thread::scope(|scope| {
        let guess = |n: usize| {
            let limits = limits.clone();
            scope.spawn(move || {
                (0..25)
                    .filter(|_| fail(&limits, "alice", &address(n), at(0)).is_ok())
                    .count()
            })
        };
        let threads: Vec<_> = (0..8).map(guess).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(passed, 15);
}

#[test]
fn a_reservation_that_is_dropped_counts_as_a_failure() {
    let limits = limits();
    for _ in 0..15 {
        drop(limits.reserve_here(attempt("alice", "192.0.2.1"), at(0)).unwrap());
    }
    assert!(limits.reserve_here(attempt("alice", "192.0.2.1"), at(0)).is_err());
}

#[test]
fn a_flood_of_new_subjects_does_not_free_a_blocked_one() {
    let guesses = Guesses::with_capacities(&secret(), [100, 20, 100]);
    let limits = of(&guesses);
    fail_times(&limits, 15, "alice", at(0));
    for n in 0..10_000 {
        let _ = fail(&limits, &format!("user{n}"), &address(n + 100), at(1));
    }
    assert!(fail(&limits, "alice", &address(50), at(2)).is_err());
    let counts = guesses.lock();
    assert!(counts.watched.len() <= 100 && counts.blocked.len() <= 20);
}

#[test]
fn purposes_are_counted_apart() {
    let limits = limits();
    fail_times(&limits, 15, "alice", at(0));
    let change = Attempt {
        purpose: Purpose::PasswordChange,
        ..attempt("alice", &address(1))
    };
    assert!(limits.reserve_here(change, at(1)).is_ok());
}

#[test]
fn a_clock_that_goes_back_neither_panics_nor_frees() {
    let limits = limits();
    fail_times(&limits, 15, "alice", at(0));
    assert_eq!(
        fail(&limits, "alice", &address(50), at(-3600)),
        Err(Limited { retry_after: 3780 })
    );
}
