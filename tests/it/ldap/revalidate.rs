//! Whoever is signed in is looked up again, and is out once the directory no longer has them.

use serde_json::Value;
use tests::http::{get, post};
use tests::ldap::OpenLdap;
use tests::ldap::open_ldap::BASE;
use tests::resources::ROOMY;
use tests::wait;
use tests::world::World;

use super::{attempt, open_ldap, world};

/// A directory, and a world that asks it again every second.
async fn company() -> (OpenLdap, World) {
    let server = OpenLdap::start().await;
    for name in ["ann", "bob", "cal", "dan", "eve"] {
        server.person(name);
    }
    let everybody = [
        "uid=ann,ou=people",
        "uid=bob,ou=people",
        "uid=cal,ou=people",
        "uid=dan,ou=people",
    ];
    server.group("staff", &everybody);
    server.group("admins", &["uid=ann,ou=people", "uid=eve,ou=people"]);
    let provider = open_ldap("ldap", &[&server.ldaps()], &server.authority, "");
    let world = world(&format!("{ROOMY}  sessions: {{revalidate: 1s}}\n"), &provider).await;
    (server, world)
}

async fn token(world: &World, name: &str) -> String {
    attempt(world, name, &format!("{name}'s password"))
        .await
        .expect(name, 200)
        .text("token")
}

/// Waits until the gate answers the bearer so.
async fn gate(world: &World, token: &str, path: &str, expected: u16) {
    wait::until(&format!("{path} is answered with {expected}"), || async {
        match world.forward("GET", path).bearer(token).send().await.status {
            status if status == expected => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
}

fn modify(name: &str, what: &str) -> String {
    format!("dn: {name},{BASE}\nchangetype: modify\n{what}\n\n")
}

#[tokio::test]
async fn a_session_ends_when_the_person_is_gone_disabled_or_no_longer_admitted() {
    let (server, world) = company().await;
    let mut tokens = Vec::new();
    for name in ["bob", "cal", "dan"] {
        tokens.push((name, token(&world, name).await));
    }
    let ann = token(&world, "ann").await;
    for (name, token) in &tokens {
        assert_eq!(world.me(token).await, 200, "{name}");
    }
    server.change(&format!("dn: uid=bob,ou=people,{BASE}\nchangetype: delete\n"));
    server.change(&modify(
        "uid=cal,ou=people",
        "add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z",
    ));
    server.change(&modify(
        "cn=staff,ou=groups",
        &format!("delete: member\nmember: uid=dan,ou=people,{BASE}"),
    ));
    for (name, token) in &tokens {
        wait::until(&format!("{name} is out"), || async {
            match world.me(token).await {
                401 => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await;
    }
    // Also in the audit, with the reason.
    for reason in ["UnknownUser", "AccountDisabled", "NotAdmitted"] {
        wait::until(reason, || {
            let log = world.authd.log();
            let said = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found = said
                .into_iter()
                .any(|event| event["event"] == "Revoked" && event["reason"] == reason);
            async move { if found { Ok(()) } else { Err(log.join("\n")) } }
        })
        .await;
    }
    assert_eq!(world.me(&ann).await, 200);
}

#[tokio::test]
async fn an_api_key_opens_nothing_while_the_directory_does_not_have_its_owner() {
    let (server, world) = company().await;
    let owned = "apiVersion: authd.dev/v1alpha1
kind: ApiKey
metadata: {name: anns, namespace: demo}
spec: {owner: {user: ann@example.test}, secretName: anns}
---
apiVersion: v1
kind: Secret
metadata: {name: anns, namespace: demo}
stringData: {api-key: sk-000102030405060708090a0b0c0d0e0f}
";
    world.folder.write("anns.yaml", owned);
    let made = async |name: &str| {
        let token = token(&world, name).await;
        let key = post(world.auths("api_key"))
            .bearer(&token)
            .send()
            .await
            .expect("make", 200)
            .text("api_key");
        // No session goes on: the key alone has its owner asked about.
        post(world.auths("signout"))
            .bearer(&token)
            .send()
            .await
            .expect("sign out", 200);
        key
    };
    let (anns, bobs) = (made("ann").await, made("bob").await);
    let declared = "sk-000102030405060708090a0b0c0d0e0f";
    for key in [&anns, &bobs, declared] {
        gate(&world, key, "/", 200).await;
    }
    let lock = "add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z";
    server.change(&modify("uid=ann,ou=people", lock));
    for key in [&*anns, declared] {
        gate(&world, key, "/", 401).await;
    }
    assert_eq!(world.forward("GET", "/").bearer(&bobs).send().await.status, 200);
    // It is one piece of news, however often the directory says so.
    let said = || {
        let log = world.authd.log();
        let events = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events
            .filter(|event| event["event"] == "Revoked" && event["reason"] == "AccountDisabled")
            .count()
    };
    wait::until("it is in the audit", || {
        let count = said();
        async move { if count == 1 { Ok(()) } else { Err(count.to_string()) } }
    })
    .await;
    server.change(&modify("uid=ann,ou=people", "delete: pwdAccountLockedTime"));
    for key in [&*anns, declared] {
        gate(&world, key, "/", 200).await;
    }
    assert_eq!(said(), 1);
}

#[tokio::test]
async fn a_group_that_is_lost_or_won_counts_without_signing_in_again() {
    let (server, world) = company().await;
    let (ann, bob) = (token(&world, "ann").await, token(&world, "bob").await);
    gate(&world, &ann, "/admin", 200).await;
    gate(&world, &bob, "/admin", 403).await;
    let lose = format!("delete: member\nmember: uid=ann,ou=people,{BASE}");
    let win = format!("add: member\nmember: uid=bob,ou=people,{BASE}");
    server.change(&(modify("cn=admins,ou=groups", &lose) + &modify("cn=admins,ou=groups", &win)));
    gate(&world, &ann, "/admin", 403).await;
    gate(&world, &bob, "/admin", 200).await;
    gate(&world, &ann, "/", 200).await;
}

#[tokio::test]
async fn a_directory_that_is_away_ends_no_session() {
    let (mut server, world) = company().await;
    let ann = token(&world, "ann").await;
    server.stop();
    wait::until("the directory was asked in vain", || {
        let log = world.authd.log().join("\n");
        async move {
            if log.contains("ServerUnreachable") {
                Ok(())
            } else {
                Err(log)
            }
        }
    })
    .await;
    assert_eq!(world.me(&ann).await, 200);
    server.start_again().await;
    server.change(&format!("dn: uid=ann,ou=people,{BASE}\nchangetype: delete\n"));
    wait::until("ann is out", || async {
        match get(world.auths("")).bearer(&ann).send().await.status {
            401 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
}
