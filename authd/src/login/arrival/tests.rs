use serde_json::{Value, json};

use super::{Arriving, Error, arrive};
use crate::login::outcome::{SignedIn, Way};
use crate::login::session::Device;
use crate::stand::{RESOURCES, Stand};
use crate::store::Role;

/// A provider that links and syncs groups, one that does neither, and one for a single domain.
const PROVIDERS: &str = r#"
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: corporate}
spec:
  oidc: {issuer: "https://idp.example.com", clientId: authd}
  accounts: {linkVerifiedEmail: true}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {name: corporate}
spec:
  providerRef: {name: corporate}
  roles:
    - {role: admin, whenAny: [{claim: groups, equals: platform}]}
    - {role: user, whenAny: [{claim: groups, glob: "*"}]}
  onNoMatch: Pending
  groups: {sync: true, create: true, ignore: ["temp-*"]}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: other}
spec:
  oidc: {issuer: "https://other.example.com", clientId: authd}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: domain}
spec:
  oidc: {issuer: "https://domain.example.com", clientId: authd}
  accounts: {allowedDomains: [company.com]}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: closed}
spec:
  oidc: {issuer: "https://closed.example.com", clientId: authd}
  accounts: {create: false, linkVerifiedEmail: true}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {name: closed}
spec:
  providerRef: {name: closed}
  roles: [{role: user, whenAny: [{claim: groups, equals: staff}]}]
"#;

async fn stand() -> Stand {
    Stand::with(&format!("{RESOURCES}{PROVIDERS}")).await
}

async fn come(stand: &Stand, provider: &str, subject: &str, claims: Value) -> Result<SignedIn, Error> {
    let serving = stand.app.serving().unwrap();
    let arriving = Arriving {
        way: Way::SignIn,
        provider: serving.engine.provider(provider).unwrap(),
        subject,
        signed_in_at: Some(stand.app.now()),
        acr: None,
        ends_at: None,
        claims,
        device: Device {
            address: None,
            user_agent: "test",
        },
    };
    arrive(&stand.app, &serving, arriving).await
}

fn alice() -> Value {
    json!({"email": "alice@example.com", "email_verified": true, "name": "Alice", "groups": ["staff"]})
}

#[track_caller]
fn refused(outcome: Result<SignedIn, Error>, reason: &str) {
    assert_eq!(
        outcome.map(|signed_in| signed_in.user.email).unwrap_err().reason(),
        reason
    );
}

async fn groups(stand: &Stand, signed_in: &SignedIn) -> Vec<String> {
    stand.app.store.groups_of(signed_in.user.id, "corporate").await.unwrap()
}

#[tokio::test]
async fn somebody_new_gets_an_account_and_a_session_that_opens_what_the_mapping_grants() {
    let stand = stand().await;
    let arrived = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    assert_eq!(arrived.user.name, "Alice");
    assert!(arrived.user.email_verified);
    let page = stand.ask_with("/page", &arrived.token.text).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("x-auth-provider"), "corporate");
    assert_eq!(page.header("x-auth-roles"), "user");
    assert_eq!(page.header("x-auth-groups"), "staff");
    assert_eq!(stand.ask_with("/admin", &arrived.token.text).await.status, 403);

    let claims = json!({"groups": ["platform"]});
    let again = come(&stand, "corporate", "s-1", claims).await.unwrap();
    assert_eq!(again.user.id, arrived.user.id);
    assert_eq!(stand.ask_with("/admin", &again.token.text).await.status, 200);
    assert_eq!(
        stand.ask_with("/admin", &arrived.token.text).await.status,
        200,
        "rights are the person's"
    );
}

#[tokio::test]
async fn k01_an_unverified_address_is_nobodys() {
    let stand = stand().await;
    stand.account("victim@example.com", Role::User).await;
    for (row, verified) in [("K01", json!(null)), ("K02", json!("true")), ("K02 one", json!(1))] {
        let claims = json!({"email": "victim@example.com", "email_verified": verified, "groups": ["staff"]});
        let mallory = come(&stand, "corporate", row, claims).await.unwrap();
        assert_eq!(mallory.user.address(), None, "{row}");
        let page = stand.ask_with("/page", &mallory.token.text).await;
        assert_eq!((page.status.as_u16(), page.header("x-auth-email")), (200, ""), "{row}");
    }
    let claims = json!({"email": "victim@example.com", "email_verified": true, "groups": ["staff"]});
    let victim = come(&stand, "corporate", "s-1", claims).await.unwrap();
    assert_eq!(
        victim.user.email, "victim@example.com",
        "positive control: verified, it links"
    );
}

#[tokio::test]
async fn k04_the_same_subject_of_two_providers_is_two_people() {
    let stand = stand().await;
    let here = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    let there = come(&stand, "other", "s-1", json!({})).await.unwrap();
    assert_ne!(here.user.id, there.user.id);
}

#[tokio::test]
async fn k05_a_person_is_known_by_subject_whatever_their_address_is_by_now() {
    let stand = stand().await;
    let first = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    let mut moved = alice();
    moved["email"] = "alice.jones@example.com".into();
    let again = come(&stand, "corporate", "s-1", moved).await.unwrap();
    assert_eq!(again.user.id, first.user.id);
    assert_eq!(again.user.email, "alice.jones@example.com");
    let successor = come(&stand, "corporate", "s-2", alice()).await.unwrap();
    assert_ne!(successor.user.id, first.user.id, "a recycled address is another person");
}

#[tokio::test]
async fn an_address_links_only_when_that_is_switched_on_and_never_to_an_administrator() {
    let stand = stand().await;
    stand.account("alice@example.com", Role::User).await;
    stand.account("root@example.com", Role::Admin).await;
    refused(come(&stand, "other", "s-1", alice()).await, "EmailTaken");
    let linked = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    assert!(linked.user.password_hash.is_some());
    refused(come(&stand, "corporate", "s-2", alice()).await, "EmailTaken");
    let root = json!({"email": "root@example.com", "email_verified": true, "groups": ["staff"]});
    refused(come(&stand, "corporate", "s-3", root).await, "LinkToAdmin");

    let boss = json!({"email": "boss@example.com", "email_verified": true, "groups": ["platform"]});
    come(&stand, "corporate", "s-4", boss.clone()).await.unwrap();
    refused(come(&stand, "closed", "s-4", boss).await, "LinkToAdmin");
    refused(
        come(&stand, "closed", "s-5", json!({"groups": ["staff"]})).await,
        "NoAccount",
    );
}

#[tokio::test]
async fn an_account_whose_owner_never_proved_the_address_is_not_linked() {
    let stand = stand().await;
    let body = json!({"name": "Mallory", "email": "alice@example.com", "password": crate::stand::PASSWORD});
    assert_eq!(stand.post("/api/v1/auths/signup", None, &body).await.status, 200);
    refused(come(&stand, "corporate", "s-1", alice()).await, "EmailTaken");
}

#[tokio::test]
async fn k06_only_verified_addresses_of_the_domain_itself_are_let_in() {
    let stand = stand().await;
    for (email, verified, expected) in [
        ("u@company.com", json!(true), true),
        ("U@COMPANY.COM", json!(true), true),
        ("u@company.com", json!(false), false),
        ("evil@x.com@company.com", json!(true), false),
        ("\"a@company.com\"@evil.example", json!(true), false),
        ("u@company.com.evil", json!(true), false),
        ("u@COMPANY.com.", json!(true), false),
        ("u@sub.company.com", json!(true), false),
        ("u@c\u{43e}mpany.com", json!(true), false),
    ] {
        let claims = json!({"email": email, "email_verified": verified});
        let outcome = come(&stand, "domain", "s-1", claims).await;
        match outcome {
            Ok(_) => assert!(expected, "K06 {email}"),
            Err(error) => assert_eq!((expected, error.reason()), (false, "Domain"), "K06 {email}"),
        }
    }
}

#[tokio::test]
async fn k07_an_absent_claim_is_not_an_empty_one() {
    let stand = stand().await;
    let arrived = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    assert_eq!(groups(&stand, &arrived).await, ["staff"]);
    refused(come(&stand, "corporate", "s-1", json!({})).await, "ClaimAbsent");
    let overage = json!({"_claim_names": {"groups": "src1"}});
    refused(come(&stand, "corporate", "s-1", overage).await, "ClaimAbsent");
    assert_eq!(groups(&stand, &arrived).await, ["staff"]);
    come(&stand, "corporate", "s-1", json!({"groups": []})).await.unwrap();
    assert!(groups(&stand, &arrived).await.is_empty());
}

#[tokio::test]
async fn groups_given_by_hand_stay_and_ignored_ones_are_neither_joined_nor_left() {
    let stand = stand().await;
    let arrived = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    let id = arrived.user.id;
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    stand
        .app
        .store
        .set_membership(id, "manual", &list(&["ops"]))
        .await
        .unwrap();
    stand
        .app
        .store
        .set_membership(id, "corporate", &list(&["staff", "temp-old"]))
        .await
        .unwrap();
    stand
        .app
        .store
        .set_membership(id, "other", &list(&["elsewhere"]))
        .await
        .unwrap();
    come(&stand, "corporate", "s-1", json!({"groups": ["dev", "temp-new"]}))
        .await
        .unwrap();
    assert_eq!(groups(&stand, &arrived).await, ["dev", "ops", "temp-old"]);
}

#[tokio::test]
async fn b40_a_refusal_leaves_nothing_behind() {
    let stand = stand().await;
    let before = stand.app.store.count_users().await.unwrap();
    for (provider, claims, reason) in [
        ("corporate", json!({"email": "a@example.com"}), "ClaimAbsent"),
        ("domain", json!({}), "Domain"),
        ("closed", json!({}), "NoAccount"),
    ] {
        refused(come(&stand, provider, "s-1", claims).await, reason);
        let identity = stand.app.store.find_identity(provider, "s-1").await.unwrap();
        assert_eq!(identity, None, "B40 {reason}");
    }
    refused(come(&stand, "corporate", "", alice()).await, "Unusable");
    refused(come(&stand, "corporate", &"s".repeat(2000), alice()).await, "Unusable");
    let mut huge = alice();
    huge["groups"] = json!(vec!["g".repeat(100); 1000]);
    refused(come(&stand, "corporate", "s-1", huge).await, "Unusable");
    assert_eq!(stand.app.store.count_users().await.unwrap(), before);
}

#[tokio::test]
async fn a_disabled_account_and_one_that_is_no_longer_admitted_stay_out() {
    let stand = stand().await;
    let arrived = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    let ended = stand
        .app
        .store
        .disable_user(arrived.user.id, stand.app.now())
        .await
        .unwrap();
    stand.app.end(arrived.user.id, &ended);
    refused(come(&stand, "corporate", "s-1", alice()).await, "Disabled");
    assert_ne!(stand.ask_with("/page", &arrived.token.text).await.status, 200);

    let bob = come(&stand, "corporate", "s-2", json!({"groups": ["staff"]}))
        .await
        .unwrap();
    assert_eq!(stand.ask_with("/page", &bob.token.text).await.status, 200);
    stand.serve(RESOURCES).await;
    assert_ne!(
        stand.ask_with("/page", &bob.token.text).await.status,
        200,
        "the provider is gone"
    );
}

#[tokio::test]
async fn a_key_of_somebody_without_a_password_acts_with_what_their_provider_said() {
    let stand = stand().await;
    let arrived = come(&stand, "corporate", "s-1", alice()).await.unwrap();
    let made = stand
        .post(
            "/api/v1/auths/api_key",
            Some(&arrived.token.text),
            &json!({"name": "ci"}),
        )
        .await;
    let key = made.json()["api_key"].as_str().unwrap().to_owned();
    let page = stand.ask_with("/page", &key).await;
    assert_eq!((page.status.as_u16(), page.header("x-auth-roles")), (200, "user"));
}

#[tokio::test]
async fn somebody_new_may_arrive_many_times_at_once() {
    let stand = stand().await;
    for claims in [alice(), json!({"email": "unverified@example.com"})] {
        let arrivals = (0..8).map(|_| come(&stand, "other", claims["email"].as_str().unwrap(), claims.clone()));
        let signed_in = futures::future::join_all(arrivals).await;
        let accounts: std::collections::BTreeSet<_> =
            signed_in.into_iter().map(|outcome| outcome.unwrap().user.id).collect();
        assert_eq!(accounts.len(), 1, "{claims}");
    }
}
