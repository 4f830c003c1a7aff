use super::*;
use crate::store::tests::{at, fixture};

fn half(kid: &str, until: Option<Timestamp>) -> PublicHalf {
    PublicHalf {
        kid: kid.to_owned(),
        public: vec![1; 32],
        until,
        proof: vec![2; 16],
        revoked_at: None,
    }
}

#[tokio::test]
async fn a_key_is_published_until_it_verifies_nothing_any_more() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let before = store.position().await.unwrap();
    let (short, never) = (half("short", Some(at(10))), half("never", None));
    store
        .publish_signing_keys(&[short.clone(), never.clone()])
        .await
        .unwrap();
    assert!(store.position().await.unwrap() > before, "replicas look");
    assert_eq!(store.signing_keys(at(9)).await.unwrap(), [never.clone(), short]);
    let longer = half("short", Some(at(20)));
    store.publish_signing_keys(std::slice::from_ref(&longer)).await.unwrap();
    assert_eq!(store.signing_keys(at(19)).await.unwrap(), [never.clone(), longer]);
    assert_eq!(store.signing_keys(at(20)).await.unwrap(), [never]);
    assert_eq!(store.purge_signing_keys(at(79)).await.unwrap(), 0);
    assert_eq!(store.purge_signing_keys(at(80)).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_revoked_stays_revoked_whoever_publishes_it_again() {
    let fixture = fixture().await;
    let store = &fixture.store;
    assert!(!store.revoke_signing_key("leaked", at(1)).await.unwrap(), "no such key");
    let leaked = half("leaked", Some(at(10)));
    store.publish_signing_keys(std::slice::from_ref(&leaked)).await.unwrap();
    assert!(store.revoke_signing_key("leaked", at(1)).await.unwrap());
    assert!(!store.revoke_signing_key("leaked", at(2)).await.unwrap(), "once");
    let again = half("leaked", Some(at(90)));
    store.publish_signing_keys(&[again]).await.unwrap();
    let revoked = PublicHalf {
        revoked_at: Some(at(1)),
        ..leaked
    };
    assert_eq!(store.signing_keys(at(5)).await.unwrap(), [revoked]);
}
