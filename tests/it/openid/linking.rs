//! Whose account is it? Rows K of the attacks.

use serde_json::{Value, json};
use tests::http::{get, post};
use tests::openid::misbehaving::Fault;
use tests::world::PASSWORD;

use super::trial::{Trial, kept_out, let_in};

impl Trial {
    /// Somebody with these claims signs in; who they are here.
    async fn arrives(&self, row: &str, name: &str, claims: Value) -> Value {
        self.provider.is(name, claims);
        let token = self.lets_in(row, name).await;
        get(self.world.auths(""))
            .bearer(&token)
            .send()
            .await
            .expect(row, 200)
            .json()
    }

    /// Somebody with these claims is not let in.
    async fn stays_out(&self, row: &str, name: &str, claims: Value) {
        self.provider.is(name, claims);
        kept_out(row, &self.attempt(name).await);
    }
}

fn person(subject: &str, email: &str) -> Value {
    json!({"sub": subject, "email": email, "email_verified": true, "name": "Somebody", "groups": ["staff"]})
}

fn with(mut person: Value, name: &str, value: Value) -> Value {
    person[name] = value;
    person
}

#[tokio::test]
async fn k02_an_address_is_verified_only_where_the_provider_says_true() {
    let only_ours = "  accounts: {allowedDomains: [example.com]}\n";
    let trusting = "  accounts: {allowedDomains: [example.com], trustEmail: Always}\n";
    let distrusting = "  accounts: {allowedDomains: [example.com], trustEmail: Never}\n";
    let trial = Trial::with(&[("ours", only_ours), ("directory", trusting), ("anybody", distrusting)]).await;
    for (row, says) in [
        ("K02 false", json!(false)),
        ("K02 absent", Value::Null),
        ("K02 \"true\"", json!("true")),
        ("K02 1", json!(1)),
        ("K02 [true]", json!([true])),
    ] {
        let claims = with(person("k02", "k02@example.com"), "email_verified", says);
        trial.stays_out(row, "ours", claims).await;
    }
    trial
        .arrives("K02 control", "ours", person("k02", "k02@example.com"))
        .await;
    let unsaid = with(
        person("k02", "k02-directory@example.com"),
        "email_verified",
        Value::Null,
    );
    trial.arrives("K02 a directory is believed", "directory", unsaid).await;
    trial
        .stays_out(
            "K02 nobody's word counts",
            "anybody",
            person("k02", "k02-anybody@example.com"),
        )
        .await;
}

#[tokio::test]
async fn k06_a_domain_is_what_follows_the_only_at_sign() {
    let trial = Trial::with(&[("company", "  accounts: {allowedDomains: [company.com]}\n")]).await;
    for address in [
        "evil@x.com@company.com",
        "\"a@company.com\"@evil.test",
        "u@company.com.evil.test",
        "u@COMPANY.com.",
        "u@company.com.",
        "u@sub.company.com",
        "u@evilcompany.com",
        "u@c\u{3bf}mpany.com",
        "u@company\u{3002}com",
        "u@company.com\u{0}",
        "u@company.com ",
        "u@evil.test,company.com",
        "<u@company.com>",
        "@company.com",
        "company.com",
        "",
    ] {
        trial
            .stays_out(&format!("K06 {address:?}"), "company", person("k06", address))
            .await;
    }
    trial
        .stays_out(
            "K06 a list",
            "company",
            with(person("k06", ""), "email", json!(["u@company.com", "u@evil.test"])),
        )
        .await;
    trial
        .arrives("K06 control", "company", person("k06", "u@company.com"))
        .await;
    trial
        .arrives("K06 control, capitals", "company", person("k06", "U@Company.COM"))
        .await;
}

#[tokio::test]
async fn k04_k05_somebody_is_a_provider_and_a_subject() {
    let trial = Trial::start(&["one", "two"]).await;
    let alice = trial.arrives("K04", "one", person("7", "alice@one.test")).await;
    let other = trial.arrives("K04", "two", person("7", "alice@two.test")).await;
    assert_ne!(
        alice["id"], other["id"],
        "K04: one subject of two issuers is two people"
    );

    let moved = trial.arrives("K05", "one", person("7", "alice@new.test")).await;
    assert_eq!(moved["id"], alice["id"], "K05: the address changed, the person did not");
    assert_eq!(moved["email"], "alice@new.test", "K05");
    let renamed = with(person("7", "alice@new.test"), "preferred_username", json!("bob"));
    assert_eq!(
        trial.arrives("K05", "one", renamed).await["id"],
        alice["id"],
        "K05: nor with a name"
    );
    let heir = trial.arrives("K05", "one", person("8", "alice@one.test")).await;
    assert_ne!(
        heir["id"], alice["id"],
        "K05: whoever got the address next is somebody else"
    );
}

#[tokio::test]
async fn an_account_with_the_same_address_is_linked_only_where_that_is_switched_on_and_never_an_admins() {
    let linking = "  accounts: {linkVerifiedEmail: true}\n";
    let trial = Trial::with(&[("linking", linking), ("second", linking), ("separate", "")]).await;
    let first = trial
        .arrives("control", "linking", person("l1", "linked@example.com"))
        .await;
    let same = trial
        .arrives("linked", "second", person("s1", "linked@example.com"))
        .await;
    assert_eq!(same["id"], first["id"], "a verified address of both sides links");
    trial
        .stays_out("not switched on", "separate", person("x1", "linked@example.com"))
        .await;
    let claims = with(person("x2", "linked@example.com"), "email_verified", json!(false));
    let apart = trial
        .arrives("K01 an address that nobody verified", "second", claims)
        .await;
    assert_ne!(apart["id"], first["id"], "K01: a separate account");
    assert_ne!(apart["email"], "linked@example.com", "K01: without the address");
    trial
        .stays_out("an administrator's", "linking", person("x3", "admin@example.com"))
        .await;
    // Whoever made an account of their own here has not proved the address.
    let form = json!({"name": "Squatter", "email": "victim@example.com", "password": PASSWORD});
    let squatter = post(trial.world.auths("signup")).json(&form).send().await;
    squatter.expect("somebody signs up with another's address", 200);
    trial
        .stays_out(
            "an address that its account's owner did not prove",
            "linking",
            person("x4", "victim@example.com"),
        )
        .await;
    trial
        .stays_out(
            "a subject of another account",
            "linking",
            person("l2", "linked@example.com"),
        )
        .await;
}

#[tokio::test]
async fn accounts_are_made_only_where_that_is_allowed() {
    let trial = Trial::with(&[("closed", "  accounts: {create: false}\n"), ("open", "")]).await;
    trial
        .stays_out("create: false", "closed", person("new", "new@example.com"))
        .await;
    trial.arrives("control", "open", person("new", "new@example.com")).await;
    let nobody = with(person("none", "none@example.com"), "groups", json!(["guests"]));
    trial.stays_out("onNoMatch: Deny", "open", nobody).await;
}

#[tokio::test]
async fn k09_only_what_a_mapping_of_that_provider_names_gives_a_role() {
    let trial = Trial::start(&["mapped"]).await;
    let claims = json!({
        "sub": "k09", "email": "k09@example.com", "email_verified": true, "groups": ["staff"],
        "role": "admin", "roles": ["admin"], "authd:role": "admin", "realm_access": {"roles": ["admin"]},
        "groups.": ["platform-admins"], "pending": false,
    });
    trial.provider.is("mapped", claims);
    let attempt = trial.attempt("mapped").await;
    let token = let_in("K09", &attempt);
    let me = get(trial.world.auths("")).bearer(&token).send().await.json();
    assert_ne!(me["role"], "admin", "K09 {me}");
    assert_eq!(
        trial.world.forward("GET", "/admin").bearer(&token).send().await.status,
        403,
        "K09"
    );
    assert_eq!(
        trial.world.forward("GET", "/x").bearer(&token).send().await.status,
        200,
        "K09 control"
    );
}

#[tokio::test]
async fn a39_claims_of_another_kind_are_no_claims() {
    let trial = Trial::start(&["kinds"]).await;
    for (row, groups) in [
        ("A39 object", json!({"staff": true})),
        ("A39 number", json!(7)),
        ("A39 list with an object", json!(["staff", {"name": "staff"}])),
        ("A39 null", Value::Null),
        ("A39 part of a text", json!("staff,guests")),
    ] {
        trial
            .stays_out(row, "kinds", with(person("a39", "a39@example.com"), "groups", groups))
            .await;
    }
    trial
        .arrives("A39 control", "kinds", person("a39", "a39@example.com"))
        .await;
    trial
        .provider
        .does("kinds", Fault::user_info_member("groups", json!(["guests"])));
    trial
        .arrives(
            "userinfo adds and never replaces",
            "kinds",
            person("a39", "a39@example.com"),
        )
        .await;
}
