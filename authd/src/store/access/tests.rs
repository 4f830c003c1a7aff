use futures::future::join_all;

use super::*;
use crate::store::tests::{Fixture, at, fixture};
use crate::store::{Identity, RevocationKind};

/// The ways in which an admin can stop being one.
#[derive(Clone, Copy, Debug)]
enum Removal {
    Demote,
    Disable,
    Delete,
}

const REMOVALS: [Removal; 3] = [Removal::Demote, Removal::Disable, Removal::Delete];

async fn remove(store: &Store, user: Uuid, removal: Removal) -> Result<Ended, Error> {
    match removal {
        Removal::Demote => store.change_role(user, Role::User, at(1)).await,
        Removal::Disable => store.disable_user(user, at(1)).await,
        Removal::Delete => store.delete_user(user, at(1)).await,
    }
}

fn of(session: Uuid) -> Revocation {
    Revocation {
        kind: RevocationKind::Session,
        id: session,
        expires_at: Some(at(60)),
    }
}

fn sorted(mut revocations: Vec<Revocation>) -> Vec<Revocation> {
    revocations.sort_by_key(|revocation| revocation.id);
    revocations
}

/// Two sessions and a key of the user; what ending them must return.
async fn signed_in(fixture: &Fixture, user: Uuid) -> (Vec<Revocation>, KeyHash) {
    let sessions = sorted(vec![
        of(fixture.session(user).await.id),
        of(fixture.session(user).await.id),
    ]);
    let key = fixture.new_key(user);
    fixture.store.create_key(&key).await.unwrap();
    (sessions, key.hash)
}

#[tokio::test]
async fn the_last_enabled_admin_stays_one() {
    for removal in REMOVALS {
        let fixture = fixture().await;
        let (first, second) = (
            fixture.admin("first@example.com").await,
            fixture.admin("second@example.com").await,
        );
        fixture.user("user@example.com").await;
        let (sessions, hash) = signed_in(&fixture, second.id).await;

        // Control: with another enabled admin each of them goes through.
        remove(&fixture.store, first.id, removal).await.unwrap();

        for refused in REMOVALS {
            let error = remove(&fixture.store, second.id, refused).await.unwrap_err();
            assert!(
                matches!(error, Error::LastAdmin),
                "{removal:?} then {refused:?}: {error:?}"
            );
        }
        let kept = fixture.store.user_by_id(second.id).await.unwrap().unwrap();
        assert_eq!((kept.role, kept.disabled, kept.updated_at), (Role::Admin, false, at(0)));
        assert_eq!(
            fixture.store.sessions_of(second.id, at(1)).await.unwrap().len(),
            sessions.len()
        );
        assert!(fixture.store.key_by_hash(&hash, at(1)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_disabled_admin_may_go() {
    for removal in REMOVALS {
        let fixture = fixture().await;
        let (gone, stays) = (
            fixture.admin("gone@example.com").await,
            fixture.admin("stays@example.com").await,
        );
        fixture.store.disable_user(gone.id, at(0)).await.unwrap();
        remove(&fixture.store, gone.id, removal).await.unwrap();
        assert_eq!(
            fixture.store.oldest_admin().await.unwrap().unwrap().id,
            stays.id,
            "{removal:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_that_remove_each_other_at_once_leave_one() {
    for removal in REMOVALS {
        let fixture = fixture().await;
        let mut admins = Vec::new();
        for number in 0..10 {
            admins.push(fixture.admin(&format!("{number}@example.com")).await.id);
        }
        let removed = admins.into_iter().map(|admin| {
            let store = fixture.store.clone();
            async move { remove(&store, admin, removal).await.is_ok() }
        });
        let removed = join_all(removed).await.into_iter().filter(|removed| *removed).count();
        assert_eq!(removed, 9, "{removal:?}");
        assert!(fixture.store.oldest_admin().await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_kept() {
    let fixture = fixture().await;
    let (user, bystander) = (
        fixture.user("alice@example.com").await,
        fixture.user("bob@example.com").await,
    );
    let (sessions, hash) = signed_in(&fixture, user.id).await;
    signed_in(&fixture, bystander.id).await;
    let (kept, ended) = (sessions[0], sessions[1]);

    let new = SecretString::from("$2b$04$second");
    let done = fixture
        .store
        .change_password_hash(user.id, &new, Some(kept.id), at(1))
        .await
        .unwrap();
    assert_eq!(
        done,
        Ended {
            revocations: vec![ended],
            keys: vec![]
        }
    );
    assert_eq!(fixture.store.load_active_revocations(at(1)).await.unwrap(), vec![ended]);
    assert_eq!(fixture.store.sessions_of(user.id, at(1)).await.unwrap()[0].id, kept.id);
    assert_eq!(fixture.store.sessions_of(bystander.id, at(1)).await.unwrap().len(), 2);
    assert!(fixture.store.key_by_hash(&hash, at(1)).await.unwrap().is_some());
    let found = fixture.store.user_by_id(user.id).await.unwrap().unwrap();
    assert_eq!(found.password_hash.unwrap().expose_secret(), "$2b$04$second");

    let done = fixture
        .store
        .change_password_hash(user.id, &new, None, at(2))
        .await
        .unwrap();
    assert_eq!(done.revocations, vec![kept]);
}

#[tokio::test]
async fn a_new_role_ends_every_session() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let (sessions, _) = signed_in(&fixture, user.id).await;
    let same = fixture.store.change_role(user.id, Role::User, at(1)).await.unwrap();
    assert_eq!(same, Ended::default());
    let done = fixture.store.change_role(user.id, Role::Pending, at(1)).await.unwrap();
    assert_eq!(sorted(done.revocations), sessions);
    assert_eq!(
        fixture.store.user_by_id(user.id).await.unwrap().unwrap().role,
        Role::Pending
    );
    assert_eq!(
        sorted(fixture.store.load_active_revocations(at(1)).await.unwrap()),
        sessions
    );
}

#[tokio::test]
async fn a_disabled_user_has_no_session_and_no_key_that_opens() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let (sessions, hash) = signed_in(&fixture, user.id).await;
    let done = fixture.store.disable_user(user.id, at(1)).await.unwrap();
    assert_eq!((sorted(done.revocations), done.keys), (sessions.clone(), vec![hash]));
    assert!(fixture.store.user_by_id(user.id).await.unwrap().unwrap().disabled);
    assert!(fixture.store.key_by_hash(&hash, at(1)).await.unwrap().is_none());
    assert!(fixture.store.all_active_keys(at(1)).await.unwrap().is_empty());
    let refused = fixture.store.create_session(&fixture.new_session(user.id)).await;
    assert!(matches!(refused, Err(Error::NotFound)));
    let refused = fixture.store.create_key(&fixture.new_key(user.id)).await;
    assert!(matches!(refused, Err(Error::NotFound)));

    let keys = fixture.store.enable_user(user.id, at(2)).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.hash).collect::<Vec<_>>(), vec![hash]);
    assert!(fixture.store.sessions_of(user.id, at(2)).await.unwrap().is_empty());
    assert_eq!(
        sorted(fixture.store.load_active_revocations(at(2)).await.unwrap()),
        sessions
    );
    fixture.session(user.id).await;
}

#[tokio::test]
async fn a_deleted_user_leaves_nothing_but_revocations() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let (sessions, hash) = signed_in(&fixture, user.id).await;
    let identity = Identity {
        provider: "corporate".to_owned(),
        subject: "s-1".to_owned(),
        user_id: user.id,
        claims: serde_json::json!({}),
        updated_at: at(0),
        refused_at: None,
    };
    fixture.store.upsert_identity(&identity).await.unwrap();
    fixture
        .store
        .set_membership(user.id, "manual", &["staff".to_owned()])
        .await
        .unwrap();

    let done = fixture.store.delete_user(user.id, at(1)).await.unwrap();
    assert_eq!((sorted(done.revocations), done.keys), (sessions.clone(), vec![hash]));
    assert!(fixture.store.user_by_id(user.id).await.unwrap().is_none());
    assert!(fixture.store.find_identity("corporate", "s-1").await.unwrap().is_none());
    assert!(fixture.store.groups_of(user.id, "corporate").await.unwrap().is_empty());
    assert!(fixture.store.keys_of(user.id).await.unwrap().is_empty());
    assert!(fixture.store.sessions_of(user.id, at(1)).await.unwrap().is_empty());
    let (_left, left_behind) = fixture.after_a_kill().await;
    assert_eq!(
        sorted(left_behind.load_active_revocations(at(1)).await.unwrap()),
        sessions
    );
    // The address is free again, and whoever has it now is somebody else.
    assert_ne!(fixture.user("alice@example.com").await.id, user.id);
}

#[tokio::test]
async fn an_unknown_user_is_not_found() {
    let fixture = fixture().await;
    let nobody = fixture.id();
    for removal in REMOVALS {
        assert!(
            matches!(remove(&fixture.store, nobody, removal).await, Err(Error::NotFound)),
            "{removal:?}"
        );
    }
    let hash = SecretString::from("x");
    assert!(matches!(
        fixture.store.change_password_hash(nobody, &hash, None, at(1)).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        fixture.store.enable_user(nobody, at(1)).await,
        Err(Error::NotFound)
    ));
}
