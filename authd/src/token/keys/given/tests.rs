use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use jiff::SignedDuration;
use uuid::Uuid;

use super::*;
use crate::token::{self, KeyRing, Tokens};

const DAY: i64 = 86_400;
const LIFETIME: Lifetime = Lifetime::Limited(SignedDuration::from_hours(12));

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A key that signs from then on, and was made a day before.
fn key(signs_from: i64) -> SigningKey {
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    SigningKey {
        pair: policy::secret::secret(pair.as_ref()),
        made_at: at(signs_from - DAY).as_second(),
        signs_from: at(signs_from).as_second(),
    }
}

fn replica(keys: &[SigningKey], now: i64) -> (Arc<KeyRing>, Tokens) {
    let ring = Arc::new(KeyRing::given(keys, LIFETIME, at(now)).unwrap());
    let tokens = Tokens::new(Arc::clone(&ring), "https://auth.example.com", "authd", LIFETIME);
    (ring, tokens)
}

fn sign(tokens: &Tokens, now: i64) -> String {
    let claims = tokens.claims(Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3), at(now));
    tokens.sign(&claims).unwrap()
}

fn published(ring: &KeyRing, now: i64) -> usize {
    ring.load().published(at(now)).count()
}

#[test]
fn a_token_of_one_replica_is_good_for_another() {
    let keys = [key(0)];
    let ((_, one), (_, other)) = (replica(&keys, 5), replica(&keys, 9));
    let token = sign(&one, 10);
    assert!(other.verify(&token, at(11)).is_ok());
    let (_, stranger) = replica(&[key(0)], 9);
    assert_eq!(
        stranger.verify(&token, at(11)),
        Err(token::Error::UnknownKey),
        "control"
    );
}

#[test]
fn a_given_key_is_published_then_signs_then_verifies_and_is_gone_when_it_is_taken_away() {
    // In no order: their times say when each signs.
    let keys = [key(DAY), key(0)];
    let (ring, tokens) = replica(&keys, 0);
    assert_eq!(published(&ring, 0), 2, "the next one is published ahead");
    let (first, early) = (ring.load().signing().unwrap().kid().to_owned(), sign(&tokens, DAY - 1));
    assert!(!ring.rotate_if_due(at(DAY - 1)).unwrap());
    assert!(ring.rotate_if_due(at(DAY)).unwrap());
    assert_ne!(ring.load().signing().unwrap().kid(), first);
    let grace = DAY + 12 * 3600 + token::SKEW_SECONDS;
    assert!(tokens.verify(&early, at(DAY + 1)).is_ok());
    assert_eq!((published(&ring, grace - 1), published(&ring, grace)), (2, 1));
    let (_, without) = replica(keys.get(..1).unwrap(), DAY + 1);
    assert_eq!(
        without.verify(&early, at(DAY + 1)),
        Err(token::Error::UnknownKey),
        "gone from the list, gone at once"
    );
}

#[test]
fn the_first_key_signs_though_its_time_has_not_come() {
    let (ring, tokens) = replica(&[key(DAY), key(2 * DAY)], 0);
    assert!(tokens.verify(&sign(&tokens, 0), at(1)).is_ok());
    assert!(!ring.rotate_if_due(at(DAY)).unwrap(), "and goes on");
    assert!(!ring.revoke(ring.load().signing().unwrap().kid(), at(1)).unwrap());
}

#[test]
fn what_is_no_key_is_refused_with_its_number_and_nothing_of_it() {
    let mut second = key(0);
    second.pair = policy::secret::secret(b"not a key");
    let error = KeyRing::given(&[key(0), second], LIFETIME, at(0))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("key 2 of those that were given"), "{error}");
    assert!(!error.contains("not a key"), "{error}");
}
