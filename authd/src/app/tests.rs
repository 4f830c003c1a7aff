use crate::stand::Stand;
use crate::store::{Reason, Role, Store};

#[tokio::test]
async fn whoever_was_away_for_more_changes_than_are_kept_reads_everything_again() {
    let stand = Stand::new().await;
    for name in ["ann", "bob"] {
        stand.account(&format!("{name}@example.com"), Role::User).await;
    }
    let (ann, bob) = (
        stand.sign_in("ann@example.com").await,
        stand.sign_in("bob@example.com").await,
    );
    let made = stand
        .post("/api/v1/auths/api_key", Some(&ann), &serde_json::json!({}))
        .await;
    let key = made.json()["api_key"].as_str().unwrap().to_owned();
    for shown in [&ann, &bob, &key] {
        assert_eq!(stand.ask_with("/", shown).await.status, 200, "control");
    }

    // As another process would, and many others after it.
    let other = Store::open(stand.app.data()).await.unwrap();
    let now = stand.app.now();
    let owner = other.user_by_email("ann@example.com").await.unwrap().unwrap().id;
    for session in other.sessions_of(owner, now).await.unwrap() {
        other.revoke_session(session.id, Reason::SignedOut, now).await.unwrap();
    }
    for key in other.keys_of(owner).await.unwrap() {
        other.delete_key(owner, key.id).await.unwrap();
    }
    other.skip_positions(1_000_000).await;
    other.purge_changes().await.unwrap();

    assert_eq!(
        stand.ask_with("/", &ann).await.status,
        200,
        "control: nothing was heard yet"
    );
    stand.app.catch_up().await.unwrap();
    for (shown, expected) in [(&ann, 401), (&key, 401), (&bob, 200)] {
        assert_eq!(stand.ask_with("/", shown).await.status, expected);
    }
    assert_eq!(stand.app.position(), other.position().await.unwrap());
}
