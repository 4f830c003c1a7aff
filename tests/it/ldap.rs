//! Signing in with a directory, from the form to the session: who gets which account, what a refusal tells, and when a session ends.

mod authority;
mod example;
mod page;
mod revalidate;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::http::{Answer, get, post};
use tests::ldap::open_ldap::{APPLICATION, APPLICATION_PASSWORD, BASE};
use tests::ldap::{ActiveDirectory, Liar, OpenLdap, active_directory, liar};
use tests::resources::{Folder, ROOMY};
use tests::wait;
use tests::world::{PASSWORD, World};

/// An AuthProvider for OpenLDAP at these addresses, with more fields of `ldap`, and what its groups grant.
fn open_ldap(name: &str, urls: &[&str], authority: &str, more: &str) -> String {
    let authority = authority.replace('\n', "\n    ");
    let urls = urls.join(", ");
    format!(
        "apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: {name}, namespace: demo}}
spec:
  displayName: Company {name}
  accounts: {{trustEmail: Always}}
  ldap:
    urls: [{urls}]
    tls: {{caSecretRef: {{name: {name}, key: ca.crt}}}}
    bind: {{application: {{name: '{APPLICATION}', passwordSecretRef: {{name: {name}, key: password}}}}}}
    search:
      base: ou=people,{BASE}
      filter: (&(objectClass=inetOrgPerson)(|(uid={{username}})(mail={{username}})))
    groups: {{attribute: memberOf, nested: Recursive}}
{more}---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: {name}, namespace: demo}}
spec:
  providerRef: {{name: {name}}}
  roles:
    - {{role: user, whenAny: [{{claim: groups, equals: staff}}]}}
    - {{role: admin, whenAny: [{{claim: groups, equals: admins}}]}}
  groups: {{sync: true, create: true}}
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: demo}}
stringData:
  password: {APPLICATION_PASSWORD}
  ca.crt: |
    {authority}
"
    )
}

/// A world with these providers beside the passwords.
async fn world(instance: &str, providers: &str) -> World {
    let folder = Folder::usual(instance);
    folder.write("ldap.yaml", providers);
    World::of(folder).await
}

/// A directory with people, and a world that asks it.
pub(crate) async fn company() -> (OpenLdap, World) {
    let server = OpenLdap::start().await;
    for name in ["ann", "bob", "eve"] {
        server.person(name);
    }
    server.group("staff", &["uid=ann,ou=people", "uid=bob,ou=people"]);
    server.group("admins", &["uid=bob,ou=people"]);
    let provider = open_ldap("ldap", &[&server.ldaps()], &server.authority, "");
    let world = world(ROOMY, &provider).await;
    (server, world)
}

async fn attempt(world: &World, user: &str, password: &str) -> Answer {
    post(world.auths("ldap"))
        .json(&json!({"user": user, "password": password}))
        .send()
        .await
}

/// Who `GET /api/v1/auths/` says that the bearer of a token is.
async fn me(world: &World, token: &str) -> Value {
    get(world.auths("")).bearer(token).send().await.expect("me", 200).json()
}

/// The reasons of refused sign-ins so far, in their order.
fn reasons(world: &World) -> Vec<String> {
    let lines = world.authd.log();
    let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let failed = events.filter(|event| event["event"] == "SignInFailed");
    failed
        .map(|event| event["reason"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Waits until the last sign-in that was refused has this reason.
async fn reason(world: &World, expected: &str) {
    wait::until(&format!("the audit line says {expected}"), || {
        let last = reasons(world).pop().unwrap_or_default();
        async move { if last == expected { Ok(()) } else { Err(last) } }
    })
    .await;
}

#[tokio::test]
async fn somebody_in_the_directory_gets_a_session_an_account_and_their_groups() {
    let (server, world) = company().await;
    let answer = attempt(&world, "ann", "ann's password").await.expect("ann", 200);
    assert_eq!(answer.text("email"), "ann@example.test");
    assert_eq!(answer.text("name"), "ann example");
    assert!(answer.set_cookie("token").is_some());
    assert_eq!(me(&world, &answer.text("token")).await["id"], answer.json()["id"]);
    // The gate tells applications what the directory says.
    let through = world
        .forward("GET", "/")
        .bearer(&answer.text("token"))
        .send()
        .await
        .expect("through", 200);
    assert_eq!(through.header("x-auth-provider"), "ldap");
    assert_eq!(through.header("x-auth-roles"), "user");
    assert_eq!(through.header("x-auth-groups"), "staff");
    let bob = attempt(&world, "bob", "bob's password").await.expect("bob", 200);
    world
        .forward("GET", "/admin")
        .bearer(&bob.text("token"))
        .send()
        .await
        .expect("bob is an admin", 200);
    world
        .forward("GET", "/admin")
        .bearer(&answer.text("token"))
        .send()
        .await
        .expect("ann is not", 403);
    // Under another of her names it is the same account; under a new one, too.
    let by_mail = attempt(&world, "ann@example.test", "ann's password")
        .await
        .expect("by mail", 200);
    server.change(&format!(
        "dn: uid=ann,ou=people,{BASE}\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n"
    ));
    let renamed = attempt(&world, "anna", "ann's password").await.expect("renamed", 200);
    assert_eq!(
        (by_mail.text("id"), renamed.text("id")),
        (answer.text("id"), answer.text("id"))
    );
}

#[tokio::test]
async fn f01_a_refusal_tells_nothing_and_its_audit_line_why() {
    let (mut server, world) = company().await;
    server.person_with("late", "objectClass: shadowAccount\nshadowExpire: 20000\n");
    server.person_with("twin1", "mail: twins@example.test\n");
    server.person_with("twin2", "mail: twins@example.test\n");
    attempt(&world, "ann", "ann's password").await.expect("control", 200);
    for _ in 0..5 {
        attempt(&world, "bob", "wrong").await.expect("locking", 400);
    }
    let mut answers = BTreeSet::new();
    let mut seen = |answer: &Answer| {
        let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        answers.insert((answer.status, answer.body.clone(), headers));
    };
    for (user, password, expected) in [
        ("nobody", "a password", "UnknownUser"),
        ("ann", "wrong", "UserBindRefused"),
        ("ann", "", "EmptyPassword"),
        ("ann\0", "ann's password", "Unusable"),
        ("*", "ann's password", "UnknownUser"),
        ("twins@example.test", "twin1's password", "AmbiguousUser"),
        ("late", "late's password", "AccountExpired"),
        ("bob", "bob's password", "AccountLocked"),
        ("eve", "eve's password", "NotAdmitted"),
    ] {
        seen(&attempt(&world, user, password).await);
        reason(&world, expected).await;
    }
    server.stop();
    seen(&attempt(&world, "ann", "ann's password").await);
    reason(&world, "ServerUnreachable").await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers.first().map(|(status, ..)| *status), Some(400));
    let metrics = get(format!("{}/metrics", world.authd.admin)).send().await.body;
    let counted = r#"authd_sign_ins_total{provider="ldap",outcome="failure",reason="AccountLocked"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    // No password in any line, also not of those that were right.
    let log = world.authd.log().join("\n");
    assert!(
        !log.contains("'s password") && !log.contains(APPLICATION_PASSWORD),
        "{log}"
    );
}

#[tokio::test]
async fn g02_a_password_that_is_no_text_is_no_sign_in() {
    let (_server, world) = company().await;
    for body in [
        json!({"user": "ann"}),
        json!({"user": "ann", "password": null}),
        json!({"user": "ann", "password": ["ann's password"]}),
        json!({"user": "ann", "password": {"$ne": ""}}),
        json!({"password": "ann's password"}),
        json!([]),
    ] {
        post(world.auths("ldap"))
            .json(&body)
            .send()
            .await
            .expect(&body.to_string(), 422);
    }
    let long = json!({"user": "a".repeat(1 << 20), "password": "ann's password"});
    post(world.auths("ldap")).json(&long).send().await.expect("1 MB", 413);
    attempt(&world, "ann", "ann's password").await.expect("control", 200);
}

#[tokio::test]
async fn g15_the_account_belongs_to_the_entry_and_not_to_its_name_or_address() {
    let (server, world) = company().await;
    let admin = world.admin().await;
    let before = attempt(&world, "ann", "ann's password")
        .await
        .expect("ann", 200)
        .text("id");
    server.change(&format!("dn: uid=ann,ou=people,{BASE}\nchangetype: delete\n"));
    server.person("ann");
    let staff =
        format!("dn: cn=staff,ou=groups,{BASE}\nchangetype: modify\nadd: member\nmember: uid=ann,ou=people,{BASE}\n");
    server.change(&staff);
    // The address belongs to the account of whoever had it first: somebody new does not get that.
    attempt(&world, "ann", "ann's password")
        .await
        .expect("somebody new", 400);
    reason(&world, "EmailTaken").await;
    let new_address =
        format!("dn: uid=ann,ou=people,{BASE}\nchangetype: modify\nreplace: mail\nmail: new@example.test\n");
    server.change(&new_address);
    let after = attempt(&world, "ann", "ann's password")
        .await
        .expect("somebody new", 200)
        .text("id");
    assert_ne!(before, after);
    // Whoever has the administrator's address in the directory is not the administrator.
    let admins = format!(
        "dn: uid=eve,ou=people,{BASE}\nchangetype: modify\nreplace: mail\nmail: {}\n",
        admin.email
    );
    server.change(&format!(
        "{admins}\ndn: cn=staff,ou=groups,{BASE}\nchangetype: modify\nadd: member\nmember: uid=eve,ou=people,{BASE}\n"
    ));
    attempt(&world, "eve", "eve's password")
        .await
        .expect("no administrator", 400);
    reason(&world, "EmailTaken").await;
}

#[tokio::test]
async fn guesses_are_limited_together_with_passwords() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.group("staff", &["uid=ann,ou=people"]);
    let provider = open_ldap("ldap", &[&server.ldaps()], &server.authority, "");
    let world = world("  rateLimits: {signIn: {limit: 4, window: 10m}}\n", &provider).await;
    for _ in 0..2 {
        attempt(&world, "ann", "wrong").await.expect("a guess", 400);
        world
            .try_password("ann@example.com", "wrong")
            .await
            .expect("a guess", 400);
    }
    let refused = attempt(&world, "ann", "ann's password").await.expect("too many", 429);
    assert!(!refused.header("retry-after").is_empty());
    reason(&world, "Limited").await;
    world
        .try_password("somebody@example.com", "wrong")
        .await
        .expect("too many", 429);
}

#[tokio::test]
async fn a_directory_that_hangs_costs_only_its_own_sign_ins() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.group("staff", &["uid=ann,ou=people"]);
    let silent = Liar::start(|_| liar::Say::Nothing).await;
    let hanging = open_ldap(
        "hanging",
        &[&silent.url],
        &server.authority,
        "    limits: {connections: 2, connect: 20s}\n",
    )
    .replace(
        "    tls: {caSecretRef: {name: hanging, key: ca.crt}}\n",
        "    encryption: None\n",
    );
    let good = open_ldap("ldap", &[&server.ldaps()], &server.authority, "");
    let world = world(ROOMY, &format!("{good}---\n{hanging}")).await;
    let sign_in = |provider: &str, user: &str| {
        let body = json!({"user": user, "password": "ann's password", "provider": provider});
        post(world.auths("ldap")).json(&body).send()
    };
    let stuck: Vec<_> = (0..8).map(|_| sign_in("hanging", "ann")).collect();
    let stuck = futures::future::join_all(stuck);
    let others = async {
        sign_in("ldap", "ann").await.expect("another directory", 200);
        let ann = world.person("ann", "user").await;
        world
            .forward("GET", "/")
            .bearer(&ann.token)
            .send()
            .await
            .expect("the gate", 200);
        "the others were served"
    };
    let first = futures::future::select(Box::pin(others), Box::pin(stuck));
    assert!(
        matches!(first.await, futures::future::Either::Left(_)),
        "the others had to wait"
    );
}

#[tokio::test]
async fn active_directory_signs_people_in_over_tls() {
    let domain = ActiveDirectory::shared().await;
    let part = domain.part("story");
    domain.person(&part, "story-ann");
    domain.group(&part, "staff", &["story-ann example"]);
    let provider = open_ldap("ad", &[&domain.ldaps()], &domain.authority, "    attributes: {id: objectGUID, username: sAMAccountName, name: displayName}\n    limits: {connect: 10s, operation: 10s}\n")
    .replace(&format!("name: '{APPLICATION}'"), &format!("name: '{}'", active_directory::APPLICATION))
    .replace(APPLICATION_PASSWORD, active_directory::APPLICATION_PASSWORD)
    .replace(&format!("ou=people,{BASE}"), &part)
    .replace("(objectClass=inetOrgPerson)(|(uid={username})", "(objectClass=user)(|(sAMAccountName={username})(userPrincipalName={username})")
    .replace("{attribute: memberOf, nested: Recursive}", &format!("{{attribute: memberOf, nested: InChain, within: '{part}'}}"));
    let world = world(ROOMY, &provider).await;
    let answer = attempt(&world, "story-ann", "story-ann's password")
        .await
        .expect("story-ann", 200);
    assert_eq!(answer.text("email"), "story-ann@example.test");
    let again = attempt(&world, "story-ann@ad.example.test", "story-ann's password")
        .await
        .expect("by UPN", 200);
    assert_eq!(answer.text("id"), again.text("id"));
    attempt(&world, "story-ann", "wrong").await.expect("wrong", 400);
    reason(&world, "UserBindRefused").await;
}

#[tokio::test]
async fn a_change_of_the_resource_is_live_without_a_restart() {
    let (server, world) = company().await;
    attempt(&world, "ann", "ann's password").await.expect("control", 200);
    let narrow = open_ldap("ldap", &[&server.ldaps()], &server.authority, "")
        .replace("(objectClass=inetOrgPerson)", "(objectClass=inetOrgPerson)(!(uid=ann))");
    world.folder.write("ldap.yaml", &narrow);
    wait::until("ann is left out", || async {
        match attempt(&world, "ann", "ann's password").await.status {
            400 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    attempt(&world, "bob", "bob's password").await.expect("bob is not", 200);
    assert_eq!(world.try_password("ann@example.com", PASSWORD).await.status, 400);
}
