//! Many rows: what happens on the way of a sign-in or a check looks at few of them, and a start reads what was revoked to the end.
//!
//! Deliberately not here: an administrator's list of accounts, which searches in names and addresses and looks at all of them.

use serde_json::json;
use tests::http::{Request, delete, get, post};
use tests::postgres::Postgres;
use tests::rows;
use tests::wait;
use tests::world::{PASSWORD, World};

use super::{check, replica, sign_out};

/// Enough that a look at all rows of a table costs more than an index.
const MANY: u32 = 20_000;
/// Tables that grow with people.
const GROWING: [&str; 9] = [
    "users",
    "sessions",
    "identities",
    "memberships",
    "grants",
    "api_keys",
    "revocations",
    "changed_accounts",
    "spent",
];

/// Has the server explain every statement from now on, also those that follow from references.
async fn explain(server: &Postgres, world: &World) {
    for statement in [
        "ALTER SYSTEM SET auto_explain.log_nested_statements = on",
        "ALTER SYSTEM SET auto_explain.log_min_duration = 0",
        "SELECT pg_reload_conf()",
    ] {
        server.sql("postgres", statement);
    }
    wait::until("statements are explained", || async {
        world.admin().await;
        let log = server.log();
        let explained = log.iter().any(|line| line.contains("Query Text: INSERT INTO sessions"));
        explained.then_some(()).ok_or_else(|| log.join("\n"))
    })
    .await;
}

/// What people, programs and administrators do.
async fn everything(world: &World) {
    let admin = world.admin().await;
    let ann = world.person("ann", "user").await;
    let (phone, laptop) = (
        world.sign_in(&ann.email, PASSWORD).await,
        world.sign_in(&ann.email, PASSWORD).await,
    );
    let key = world.key_of(&ann).await;
    assert_eq!([check(world, &ann.token).await, check(world, &key).await], [200, 200]);
    let users = |rest: &str| world.public(&format!("/api/v1/users/{}{rest}", ann.id));
    let requests: Vec<(&str, Request)> = vec![
        ("who is signed in", get(world.auths("")).bearer(&ann.token)),
        ("where", get(world.auths("sessions")).bearer(&ann.token)),
        ("keys", get(world.auths("api_key")).bearer(&ann.token)),
        ("somebody's sessions", get(users("/sessions")).bearer(&admin.token)),
        (
            "revoke a token",
            post(world.auths("token/revoke")).json(&json!({"token": laptop.token})),
        ),
        ("all others end", delete(world.auths("sessions")).bearer(&phone.token)),
        (
            "keep out",
            post(users("/update"))
                .bearer(&admin.token)
                .json(&json!({"disabled": true})),
        ),
        (
            "let in",
            post(users("/update"))
                .bearer(&admin.token)
                .json(&json!({"disabled": false})),
        ),
        ("sessions end", delete(users("/sessions")).bearer(&admin.token)),
        (
            "a provider's end",
            delete(world.public("/api/v1/providers/accounts/sessions")).bearer(&admin.token),
        ),
    ];
    for (what, request) in requests {
        request.send().await.expect(what, 200);
    }
    let admin = world.admin().await;
    delete(users(""))
        .bearer(&admin.token)
        .send()
        .await
        .expect("delete", 200);
    world
        .try_password("nobody@example.com", PASSWORD)
        .await
        .expect("nobody", 400);
    assert_eq!(sign_out(world, &admin).await, 200);
}

/// The statements that looked at every row of a table that grows.
fn looked_at_all(log: &[String]) -> Vec<String> {
    let mut statement = String::new();
    let mut found = Vec::new();
    for line in log {
        if let Some((_, text)) = line.split_once("Query Text: ") {
            text.clone_into(&mut statement);
        }
        let table = line
            .split_once("Seq Scan on ")
            .map(|(_, rest)| rest.split(' ').next().unwrap_or_default());
        if table.is_some_and(|table| GROWING.contains(&table)) {
            found.push(format!("{}: {statement}", line.trim()));
        }
    }
    found
}

#[tokio::test]
async fn with_many_rows_no_statement_of_a_sign_in_or_a_check_looks_at_all_of_them() {
    let server = Postgres::with(&["shared_preload_libraries=auto_explain"]).await;
    let url = server.database();
    let database = url.rsplit('/').next().unwrap_or_default();
    let mut world = replica(&url).await;
    let ann = world.admin().await;
    let ended = world.admin().await;
    assert_eq!(sign_out(&world, &ended).await, 200);
    world.authd.stop().await;
    rows::people(&server, database, 1, MANY);
    rows::rest(&server, database, 1, MANY);
    // More than are read at once.
    rows::revocations(&server, database, 1, 3 * MANY);
    rows::settled(&server, database);

    world.start_again().await;
    assert_eq!(check(&world, &ann.token).await, 200, "what was not revoked goes on");
    assert_eq!(
        check(&world, &ended.token).await,
        401,
        "what was is refused, among all others"
    );
    explain(&server, &world).await;
    let before = server.log().len();
    everything(&world).await;
    // Last uses are written down, too.
    world.authd.stop().await;
    let log = server.log().split_off(before);
    assert_eq!(looked_at_all(&log), [""; 0]);
    for statement in [
        "SELECT * FROM users WHERE email",
        "DELETE FROM users",
        "UPDATE api_keys SET last_used_at",
    ] {
        assert!(
            log.iter().any(|line| line.contains(statement)),
            "control: `{statement}` is explained"
        );
    }
    let all = "SELECT COUNT(*) FROM users WHERE name = 'nobody'";
    let before = server.log().len();
    server.sql(database, all);
    wait::until("control: a look at all rows is found", || async {
        let found = looked_at_all(&server.log().split_off(before));
        if found.iter().any(|found| found.contains(all)) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}
