use super::*;

const OLD: &[u8] = &[1; 32];
const NEW: &[u8] = &[2; 32];

#[test]
fn what_was_sealed_opens_for_its_purpose_and_owner_alone() {
    let ring = Keyring::new([OLD]).unwrap();
    let random = Random::seeded(1);
    let sealed = ring.seal(Purpose::Grant, "session-1", b"token", &random).unwrap();
    assert_eq!(
        ring.open(Purpose::Grant, "session-1", &sealed).unwrap().as_slice(),
        b"token"
    );
    assert!(ring.open(Purpose::Grant, "session-2", &sealed).is_none());
    assert!(ring.open(Purpose::Attempt, "session-1", &sealed).is_none());
    assert!(!sealed.windows(5).any(|part| part == b"token"));
    assert_ne!(
        sealed,
        ring.seal(Purpose::Grant, "session-1", b"token", &random).unwrap()
    );
}

#[test]
fn no_changed_bit_survives_and_no_length_panics() {
    let ring = Keyring::new([OLD]).unwrap();
    let sealed = ring.seal(Purpose::Attempt, "", b"value", &Random::seeded(1)).unwrap();
    for at in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[at / 8] ^= 1 << (at % 8);
        assert!(ring.open(Purpose::Attempt, "", &changed).is_none(), "bit {at}");
    }
    for length in 0..sealed.len() {
        assert!(
            ring.open(Purpose::Attempt, "", &sealed[..length]).is_none(),
            "{length} bytes"
        );
    }
}

#[test]
fn keys_are_replaced_by_putting_a_new_one_first() {
    let random = Random::seeded(1);
    let before = Keyring::new([OLD]).unwrap();
    let between = Keyring::new([NEW, OLD]).unwrap();
    let after = Keyring::new([NEW]).unwrap();
    let old = before.seal(Purpose::Grant, "s", b"old", &random).unwrap();
    let new = between.seal(Purpose::Grant, "s", b"new", &random).unwrap();
    assert!(between.open(Purpose::Grant, "s", &old).is_some());
    assert!(after.open(Purpose::Grant, "s", &new).is_some());
    assert!(after.open(Purpose::Grant, "s", &old).is_none());
    assert!(before.open(Purpose::Grant, "s", &new).is_none());
    assert!(Keyring::new([]).is_err());
}
