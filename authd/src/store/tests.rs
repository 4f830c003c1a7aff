use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use futures::future::join_all;
use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use super::*;
use crate::random::Random;

/// A store in a directory of its own, with what it takes to fill it.
pub(super) struct Fixture {
    pub(super) store: Store,
    pub(super) random: Random,
    pub(super) dir: tempfile::TempDir,
}

/// A moment `minutes` after the start of every test.
pub(super) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + minutes * 60_000).unwrap()
}

/// Text that breaks out of careless SQL, C strings, `LIKE` and JSON.
pub(super) const AWKWARD: &[&str] = &[
    "a\0b",
    "\0",
    "o'brien",
    "'); DROP TABLE users; --",
    "\"quoted\"",
    "back\\slash",
    "100%_",
    "$1 ?1 :a @b",
    "line\r\nbreak\ttab",
    "{\"json\":[1]}",
    "naïve \u{1F600} \u{202E}",
    "",
];

pub(super) async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    Fixture {
        store,
        random: Random::seeded(1),
        dir,
    }
}

impl Fixture {
    pub(super) fn id(&self) -> Uuid {
        self.random.id(at(0))
    }

    pub(super) fn new_user(&self, email: &str, role: Role) -> NewUser {
        NewUser {
            id: self.id(),
            email: email.to_owned(),
            email_verified: true,
            name: email.to_owned(),
            role,
            password_hash: Some(SecretString::from("$2b$04$first")),
            profile_image_url: "/user.png".to_owned(),
            created_at: at(0),
        }
    }

    pub(super) async fn user(&self, email: &str) -> User {
        self.store.create_user(&self.new_user(email, Role::User)).await.unwrap()
    }

    pub(super) async fn admin(&self, email: &str) -> User {
        self.store
            .create_user(&self.new_user(email, Role::Admin))
            .await
            .unwrap()
    }

    pub(super) fn new_session(&self, user: Uuid) -> NewSession {
        NewSession {
            id: self.id(),
            user_id: user,
            provider: "password".to_owned(),
            created_at: at(0),
            signed_in_at: Some(at(0)),
            expires_at: Some(at(60)),
            client_address: "192.0.2.7".to_owned(),
            user_agent: "Firefox".to_owned(),
        }
    }

    pub(super) async fn session(&self, user: Uuid) -> Session {
        self.store.create_session(&self.new_session(user)).await.unwrap()
    }

    pub(super) fn new_key(&self, user: Uuid) -> NewKey {
        NewKey {
            id: self.id(),
            user_id: user,
            name: "ci".to_owned(),
            prefix: "sk-1a2b".to_owned(),
            hash: self.random.bytes(),
            endpoints: Some(r#"["/api/v1"]"#.to_owned()),
            created_at: at(0),
            expires_at: None,
        }
    }

    pub(super) async fn reopened(&self) -> Store {
        Store::open(self.dir.path()).await.unwrap()
    }

    /// Opens what a killed program would leave: the files as they are now, closed by nobody.
    pub(super) async fn after_a_kill(&self) -> (tempfile::TempDir, Store) {
        let left = tempfile::tempdir().unwrap();
        for file in ["authd.db", "authd.db-wal"] {
            fs::copy(self.dir.path().join(file), left.path().join(file)).unwrap();
        }
        let store = Store::open(left.path()).await.unwrap();
        (left, store)
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn refusal(dir: &Path) -> Error {
    Store::open(dir).await.expect_err("the store was opened")
}

async fn execute(store: &Store, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&store.writer).await.unwrap();
}

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new/data");
    let store = Store::open(&dir).await.unwrap();
    let _ = store.count_users().await.unwrap();
    assert_eq!(mode(&dir), 0o700);
    for file in ["authd.db", "authd.db-wal", "authd.db-shm"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_file_that_others_may_read_is_closed_to_them() {
    let fixture = fixture().await;
    fixture.store.close().await;
    let file = fixture.dir.path().join("authd.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fixture.reopened().await;
    assert_eq!(mode(&file), 0o600);
}

#[tokio::test]
async fn what_is_written_is_on_the_disk_before_it_is_acknowledged() {
    let fixture = fixture().await;
    let text: String = sql("PRAGMA journal_mode")
        .fetch_one(&fixture.store.writer)
        .await
        .unwrap();
    assert_eq!(text, "wal");
    for (pragma, expected) in [
        ("PRAGMA synchronous", 2),
        ("PRAGMA foreign_keys", 1),
        ("PRAGMA busy_timeout", 5000),
    ] {
        let value: i64 = sql(pragma).fetch_one(&fixture.store.writer).await.unwrap();
        assert_eq!(value, expected, "{pragma}");
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    let fixture = fixture().await;
    assert!(sql("DELETE FROM users").execute(&fixture.store.readers).await.is_err());
    assert!(sql("DELETE FROM users").execute(&fixture.store.writer).await.is_ok());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let (kept, ended) = (fixture.session(user.id).await, fixture.session(user.id).await);
    let key = fixture.new_key(user.id);
    fixture.store.create_key(&key).await.unwrap();
    let revocation = fixture
        .store
        .revoke_session(ended.id, Reason::SignedOut, at(1))
        .await
        .unwrap();

    let (_left, store) = fixture.after_a_kill().await;
    assert_eq!(
        store.user_by_id(user.id).await.unwrap().unwrap().email,
        "alice@example.com"
    );
    assert_eq!(store.session_by_id(kept.id).await.unwrap(), Some(kept));
    assert_eq!(store.session_by_id(ended.id).await.unwrap(), None);
    assert_eq!(store.all_active_keys(at(1)).await.unwrap()[0].hash, key.hash);
    assert_eq!(store.load_active_revocations(at(1)).await.unwrap(), vec![revocation]);
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    let fixture = fixture().await;
    let mut transaction = fixture.store.begin().await.unwrap();
    sql("INSERT INTO revocations VALUES ('token', 'x', NULL, 'signed-out', 1)")
        .execute(&mut transaction)
        .await
        .unwrap();
    drop(transaction);
    assert!(fixture.store.load_active_revocations(at(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn opening_again_keeps_the_schema() {
    let fixture = fixture().await;
    fixture.user("alice@example.com").await;
    fixture.store.close().await;
    let store = fixture.reopened().await;
    store.ping().await.unwrap();
    assert_eq!(store.count_users().await.unwrap(), 1);
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("authd.db"), "").unwrap();
    Store::open(dir.path()).await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let fixture = fixture().await;
    execute(
        &fixture.store,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'future', TRUE, x'00', 0)",
    )
    .await;
    let error = refusal(fixture.dir.path()).await;
    let text = error.to_string();
    let Error::TooNew { found: 99, known, .. } = error else {
        panic!("{text}")
    };
    let said = format!("authd.db` has schema 99, and this program knows only {known}: run the newer program");
    assert!(text.contains(&said), "{text}");
}

#[tokio::test]
async fn a_schema_of_another_history_is_refused() {
    let fixture = fixture().await;
    execute(&fixture.store, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    let error = refusal(fixture.dir.path()).await;
    assert!(matches!(error, Error::Schema { .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(dir.path().join("authd.db"))
        .create_if_missing(true);
    let other = SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE users (secret TEXT); INSERT INTO users VALUES ('theirs')")
        .execute(&other)
        .await
        .unwrap();
    let error = refusal(dir.path()).await;
    assert!(matches!(error, Error::Schema { .. }), "{error:?}");
    let text: String = sqlx::query_scalar("SELECT secret FROM users")
        .fetch_one(&other)
        .await
        .unwrap();
    assert_eq!(text, "theirs");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authd.db");
    let text = "not a database at all, ".repeat(100);
    fs::write(&file, &text).unwrap();
    let error = refusal(dir.path()).await;
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` is not an SQLite database: move it away, and a new one is made",
            file.display()
        )
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let dangling = dir.path().join("dangling");
    symlink("/nowhere/at/all", &dangling).unwrap();
    let taken = dir.path().join("taken");
    fs::create_dir_all(taken.join("authd.db")).unwrap();
    for (path, named) in [
        (&file, file.clone()),
        (&file.join("below"), file.join("below")),
        (&dangling, dangling.clone()),
        (&taken, taken.join("authd.db")),
    ] {
        let error = refusal(path).await;
        assert!(matches!(error, Error::Path { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("`{}` cannot be used: ", named.display())),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_closed_store_is_unavailable_and_says_nothing_of_the_cause() {
    let fixture = fixture().await;
    fixture.store.ping().await.unwrap();
    fixture.store.close().await;
    let error = fixture.store.ping().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)));
    assert_eq!(error.to_string(), "the database is unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sessions_at_once_are_all_there() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let sessions: Vec<_> = (0..200).map(|_| fixture.new_session(user.id)).collect();
    let made = sessions.iter().map(|session| {
        let (store, session) = (fixture.store.clone(), session.clone());
        async move { store.create_session(&session).await.map(|session| session.id) }
    });
    let mut made: Vec<_> = join_all(made).await.into_iter().map(Result::unwrap).collect();
    let (_left, left_behind) = fixture.after_a_kill().await;
    let mut kept: Vec<_> = left_behind
        .sessions_of(user.id, at(0))
        .await
        .unwrap()
        .iter()
        .map(|session| session.id)
        .collect();
    made.sort();
    kept.sort();
    assert_eq!(made.len(), 200);
    assert_eq!(made, kept);
}
