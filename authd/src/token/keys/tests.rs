//! Two processes on one folder: a server, and somebody who takes a key away.

use super::*;

const DAY: i64 = 24 * 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn open(folder: &Path, seed: u64, now: Timestamp) -> KeyRing {
    let schedule = Schedule {
        rotate_every: Some(SignedDuration::from_secs(DAY)),
        lifetime: Lifetime::Limited(SignedDuration::from_secs(30 * DAY)),
    };
    KeyRing::open(folder, Random::seeded(seed), schedule, now).unwrap()
}

fn kids(ring: &KeyRing) -> Vec<String> {
    ring.load().keys.iter().map(|key| key.kid.clone()).collect()
}

#[test]
fn a40_a_key_that_another_process_takes_away_is_gone_here_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path(), 1, at(0));
    let leaked = kids(&server);
    assert!(
        server.look_again(at(1)).unwrap().is_empty(),
        "control: nothing happened"
    );
    assert!(open(folder.path(), 2, at(1)).revoke(&leaked[0], at(1)).unwrap());
    assert!(
        !server.rotate_if_due(at(2 * DAY)).unwrap(),
        "A40: what is due waits, so that nothing is brought back unnoticed"
    );
    assert_eq!(server.look_again(at(2)).unwrap(), leaked, "A40");
    assert!(server.look_again(at(3)).unwrap().is_empty(), "A40: it is said once");
    assert!(
        server
            .load()
            .verifying(Algorithm::EdDsa, Some(&leaked[0]), at(3))
            .is_err(),
        "A40"
    );
    assert!(server.load().signing().is_some(), "A40: another signs");
    assert!(server.rotate_if_due(at(2 * DAY)).unwrap(), "control: then it is done");
    assert!(!kids(&server).contains(&leaked[0]), "A40");
    assert!(
        server.look_again(at(2 * DAY)).unwrap().is_empty(),
        "one's own changes are no news"
    );
}

#[test]
fn a_retired_key_that_goes_is_no_news() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path(), 1, at(0));
    assert!(server.rotate_if_due(at(DAY)).unwrap(), "the next key is published");
    assert!(server.rotate_if_due(at(DAY + 600)).unwrap(), "the next key signs");
    assert_eq!(kids(&server).len(), 2, "control");
    drop(open(folder.path(), 2, at(40 * DAY)));
    assert!(server.look_again(at(40 * DAY)).unwrap().is_empty());
}

#[test]
fn an_index_that_is_gone_changes_nothing_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path(), 1, at(0));
    let (before, index) = (kids(&server), folder.path().join("index.json"));
    let kept = std::fs::read(&index).unwrap();
    std::fs::remove_file(&index).unwrap();
    assert!(matches!(server.look_again(at(1)), Err(Error::Gone { .. })));
    std::fs::write(&index, "{").unwrap();
    assert!(matches!(server.look_again(at(1)), Err(Error::Index { .. })));
    assert!(
        !server.rotate_if_due(at(2 * DAY)).unwrap(),
        "nothing is written over it"
    );
    assert_eq!(kids(&server), before);
    std::fs::write(&index, kept).unwrap();
    assert!(server.look_again(at(1)).unwrap().is_empty());
    assert!(server.rotate_if_due(at(2 * DAY)).unwrap(), "and it goes on");
}

#[test]
fn a40_a_rotation_at_the_same_time_brings_nothing_back() {
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let server = open(folder.path(), round, at(0));
        let leaked = kids(&server).remove(0);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for day in 0..20 {
                    server.rotate_if_due(at(day * DAY / 4)).unwrap();
                    server.look_again(at(0)).unwrap();
                }
            });
            let revoked = open(folder.path(), 100 + round, at(0)).revoke(&leaked, at(0)).unwrap();
            assert!(revoked, "A40: round {round}");
        });
        server.look_again(at(0)).unwrap();
        assert!(!kids(&server).contains(&leaked), "A40: round {round}, in memory");
        let started = open(folder.path(), 200 + round, at(0));
        assert!(!kids(&started).contains(&leaked), "A40: round {round}, on disk");
        assert_eq!(kids(&started), kids(&server), "A40: round {round}");
    }
}
