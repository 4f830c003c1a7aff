use super::*;
use crate::token::KeyRing;
use crate::token::keys::Schedule;

const HOUR: i64 = 3600;
const LIFETIME: Lifetime = Lifetime::Limited(SignedDuration::from_hours(2));

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * HOUR).unwrap()
}

fn ring(folder: &tempfile::TempDir, seed: u64) -> KeyRing {
    let schedule = Schedule {
        rotate_every: Some(SignedDuration::from_hours(48)),
        lifetime: LIFETIME,
    };
    KeyRing::open(folder.path(), Random::seeded(seed), schedule, at(0)).unwrap()
}

fn sealing(secret: u8) -> Keyring {
    Keyring::new([&[secret; 32][..]]).unwrap()
}

/// The public half of the key that signs, as its replica publishes it.
fn published(ring: &KeyRing, secret: u8) -> PublicHalf {
    let random = Random::seeded(1);
    let keys = ring.load();
    let key = keys.own(at(0)).next().unwrap();
    half(key, Some(at(10)), (&sealing(secret), &random)).unwrap()
}

#[test]
fn a40_a_key_is_believed_of_whoever_has_the_encryption_keys_and_of_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let good = published(&ring(&folder, 1), 7);
    let other = published(&ring(&tempfile::tempdir().unwrap(), 2), 7);
    let halves = PublicHalves::default();
    let key = halves.believed(&good, &sealing(7)).unwrap();
    assert_eq!(
        (key.kid(), key.public_bytes()),
        (good.kid.as_str(), Some(&good.public[..]))
    );
    type Forge = fn(&mut PublicHalf, &PublicHalf);
    let forgeries: [(&str, Forge); 8] = [
        ("nobody's proof", |half, _| half.proof = vec![0; 32]),
        ("no proof", |half, _| half.proof.clear()),
        ("another's proof", |half, other| half.proof.clone_from(&other.proof)),
        ("longer", |half, _| half.until = Some(at(11))),
        ("for ever", |half, _| half.until = None),
        ("another key", |half, other| half.public.clone_from(&other.public)),
        ("another name", |half, other| half.kid.clone_from(&other.kid)),
        ("no key", |half, _| half.public = vec![1; 31]),
    ];
    for (what, forge) in forgeries {
        let mut half = good.clone();
        forge(&mut half, &other);
        assert!(halves.believed(&half, &sealing(7)).is_none(), "{what}");
    }
    assert!(halves.believed(&good, &sealing(8)).is_none(), "other `encryptionKeys`");
}

#[test]
fn a_key_is_said_anew_before_others_forget_it() {
    let folder = tempfile::tempdir().unwrap();
    let ring = ring(&folder, 1);
    let halves = PublicHalves::default();
    let due = |generation, hour: i64| {
        let keys = ring.load();
        let key = keys.own(at(hour)).next().unwrap();
        let due = halves.due(key, (generation, LIFETIME), at(hour));
        if let Some(until) = due {
            let mut known = halves.known();
            known.generation = generation;
            known.published.insert(key.kid().to_owned(), until);
        }
        due.flatten()
    };
    assert_eq!(due(1, 0), Some(at(26)), "as long as its tokens and a day");
    assert_eq!((due(1, 1), due(1, 12)), (None, None), "it is known");
    assert_eq!(due(1, 13), Some(at(39)));
    assert_eq!(due(2, 14), Some(at(40)), "with other `encryptionKeys`, perhaps");
    assert_eq!(due(2, 15), None);
}

#[test]
fn keys_of_others_verify_are_never_written_down_and_go_at_once() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ring, other) = (ring(&here, 1), ring(&there, 2));
    let half = published(&other, 7);
    let key = PublicHalves::default().believed(&half, &sealing(7)).unwrap();
    let kids = |ring: &KeyRing| {
        ring.load()
            .published(at(1))
            .map(|key| key.kid().to_owned())
            .collect::<Vec<_>>()
    };
    let own = kids(&ring);
    assert!(ring.others_are(&[key], at(1)).is_empty());
    assert_eq!(kids(&ring), [own[0].clone(), half.kid.clone()]);
    assert!(ring.rotate_if_due(at(47)).is_ok() && ring.rotate_if_due(at(49)).is_ok());
    let on_disk = std::fs::read_to_string(here.path().join("index.json")).unwrap();
    assert!(on_disk.contains(&own[0]) && !on_disk.contains(&half.kid), "{on_disk}");
    assert!(kids(&ring).contains(&half.kid), "a rotation leaves them");
    assert_eq!(ring.load().own(at(1)).filter(|key| key.kid() == half.kid).count(), 0);
    assert_eq!(ring.others_are(&[], at(1)), [half.kid], "and says so");
}
