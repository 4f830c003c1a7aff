use serde_json::json;

use super::*;
use crate::store::sql::FromRow;
use crate::store::tests::{AWKWARD, Fixture, at, fixture, in_a_file};
use crate::store::{GuessChange, Identity, NewKey, NewUser, Reason, Role, User};

struct Named(String);

impl FromRow for Named {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        row.read("name").map(Self)
    }
}

#[tokio::test]
async fn every_table_and_column_is_copied() {
    let fixture = in_a_file().await;
    let tables = sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name");
    let tables: Vec<Named> = tables.fetch_all(&fixture.store.readers).await.unwrap();
    for Named(table) in tables {
        if ["_sqlx_migrations", "positions", "own_secrets", "signing_keys"].contains(&table.as_str()) {
            continue;
        }
        let columns = sql("SELECT name FROM pragma_table_info($1) ORDER BY cid").bind(&table);
        let columns: Vec<Named> = columns.fetch_all(&fixture.store.readers).await.unwrap();
        let mut columns: Vec<_> = columns.into_iter().map(|Named(name)| name).collect();
        let copied = TABLES.iter().find(|(name, _)| *name == table);
        let mut copied: Vec<_> = copied
            .map(|(_, columns)| columns.iter().map(|(name, _)| *name).collect())
            .unwrap_or_default();
        columns.sort();
        copied.sort_unstable();
        assert_eq!(copied, columns, "{table}");
    }
}

/// An administrator, and people whose names break what is careless; these are returned.
async fn awkward_users(from: &Fixture) -> Vec<User> {
    from.admin("first@example.com").await;
    let mut users = Vec::new();
    for (number, text) in AWKWARD.iter().enumerate() {
        let user = NewUser {
            name: (*text).to_owned(),
            ..from.new_user(&format!("{number}@example.com"), Role::User)
        };
        users.push(from.store.create_user(&user).await.unwrap());
    }
    users
}

#[tokio::test]
async fn what_is_copied_is_what_was_there() {
    let (from, to) = (in_a_file().await, fixture().await);
    let store = &from.store;
    let users = awkward_users(&from).await;
    let user = users[0].id;
    let session = from.session(user).await;
    let ended = from.session(user).await;
    let revocation = store.revoke_session(ended.id, Reason::SignedOut, at(1)).await.unwrap();
    let key: NewKey = from.new_key(user);
    store.create_key(&key).await.unwrap();
    let identity = Identity {
        provider: "corporate".to_owned(),
        subject: "a\0b".to_owned(),
        user_id: user,
        claims: json!({"name": "\0"}),
        updated_at: at(1),
        refused_at: Some(at(1)),
    };
    let groups = ["staff".to_owned()];
    store.link_identity(&identity, Some(&groups)).await.unwrap();
    store.spend("attempt", "1", at(60).as_second(), at(1)).await.unwrap();
    let failed = GuessChange::Failed {
        subject: "account/1".to_owned(),
        at: at(1),
        expires_at: at(30),
    };
    store.write_guesses(&[failed]).await.unwrap();
    let position = store.position().await.unwrap();

    let copied = store.copy_into(&to.store).await.unwrap();
    assert!(
        copied.contains(&("users", u64::try_from(users.len() + 1).unwrap())),
        "{copied:?}"
    );
    for user in &users {
        let there = to.store.user_by_id(user.id).await.unwrap().unwrap();
        assert_eq!(
            (there.name, there.email, there.created_at),
            (user.name.clone(), user.email.clone(), user.created_at)
        );
    }
    assert_eq!(to.store.session_by_id(session.id).await.unwrap(), Some(session));
    assert_eq!(to.store.load_active_revocations(at(1)).await.unwrap(), [revocation]);
    assert_eq!(to.store.all_active_keys(at(1)).await.unwrap()[0].hash, key.hash);
    assert_eq!(
        to.store.find_identity("corporate", "a\0b").await.unwrap(),
        Some(identity)
    );
    assert_eq!(to.store.groups_of(user, "corporate").await.unwrap(), ["staff"]);
    assert!(!to.store.spend("attempt", "1", at(60).as_second(), at(1)).await.unwrap());
    assert_eq!(
        to.store.kept_guesses(at(1)).await.unwrap(),
        store.kept_guesses(at(1)).await.unwrap()
    );
    assert_eq!(
        to.store.position().await.unwrap(),
        position,
        "positions go on from there"
    );

    let again = store.copy_into(&to.store).await.unwrap_err();
    assert!(matches!(again, Error::Conflict), "nothing is mixed: {again:?}");
}

#[tokio::test]
async fn more_rows_than_fit_into_a_statement_are_all_copied() {
    let (from, to) = (in_a_file().await, fixture().await);
    let user = from.user("ann@example.com").await.id;
    let changes: Vec<_> = (0..AT_ONCE * 2 + 1)
        .map(|number| GuessChange::Failed {
            subject: format!("account/{number}"),
            at: at(1),
            expires_at: at(30),
        })
        .collect();
    from.store.write_guesses(&changes).await.unwrap();
    let copied = from.store.copy_into(&to.store).await.unwrap();
    assert!(copied.contains(&("failed_guesses", 1001)), "{copied:?}");
    assert!(to.store.user_by_id(user).await.unwrap().is_some());
}
