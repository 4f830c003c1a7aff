use std::fs;

use futures::future::join_all;
use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::*;
use crate::random::Random;

/// A store of its own, with what it takes to fill it: in a directory, or on the PostgreSQL server that `AUTHD_STORE_TESTS` names,
/// as one of the stories does: whatever holds of one database is asked of the other.
pub(super) struct Fixture {
    pub(super) store: Store,
    pub(super) random: Random,
    pub(super) dir: tempfile::TempDir,
    server: Option<Server>,
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

#[expect(clippy::disallowed_methods, reason = "tests have no command line")]
fn server() -> Option<String> {
    std::env::var("AUTHD_STORE_TESTS").ok()
}

pub(super) async fn fixture() -> Fixture {
    let Some(url) = server() else {
        return in_a_file().await;
    };
    let name = format!("test_{}", Random::System.id(at(0)).simple());
    let mut admin = PgConnection::connect(&format!("{url}/postgres")).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create))
        .execute(&mut admin)
        .await
        .unwrap();
    let server = Server {
        url: format!("{url}/{name}").into(),
        ca: None,
    };
    Fixture {
        store: Store::connect(&server).await.unwrap(),
        random: Random::seeded(1),
        dir: tempfile::tempdir().unwrap(),
        server: Some(server),
    }
}

/// What is asked of files alone.
pub(super) async fn in_a_file() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    Fixture {
        store,
        random: Random::seeded(1),
        dir,
        server: None,
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
            acr: None,
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
        self.reopen().await.unwrap()
    }

    pub(super) async fn reopen(&self) -> Result<Store, Error> {
        match &self.server {
            Some(server) => Store::connect(server).await,
            None => Store::open(self.dir.path()).await,
        }
    }

    /// Opens what a killed program would leave: the files as they are now, closed by nobody.
    pub(super) async fn after_a_kill(&self) -> (tempfile::TempDir, Store) {
        let left = tempfile::tempdir().unwrap();
        if self.server.is_some() {
            return (left, self.reopened().await);
        }
        for file in ["authd.db", "authd.db-wal"] {
            fs::copy(self.dir.path().join(file), left.path().join(file)).unwrap();
        }
        let store = Store::open(left.path()).await.unwrap();
        (left, store)
    }
}

/// What only tests ask for.
impl Store {
    /// Makes a session, however many there are.
    pub(crate) async fn create_session(&self, session: &NewSession) -> Result<Session, Error> {
        self.begin_session(session, u32::MAX).await.map(|(session, _)| session)
    }

    /// As if so many changes had come.
    pub(crate) async fn skip_positions(&self, count: i64) {
        let skip = sql("UPDATE positions SET last = last + $1").bind(count);
        skip.execute(&self.writer).await.unwrap();
    }

    /// Every revocation that still matters.
    pub(crate) async fn load_active_revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, Error> {
        let mut revocations = Vec::new();
        self.each_active_revocation(now, |revocation| revocations.push(revocation))
            .await?;
        Ok(revocations)
    }
}

async fn execute(store: &Store, text: &'static str) {
    sql(text).execute(&store.writer).await.unwrap();
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
    let mut transaction = fixture.store.begin(&[]).await.unwrap();
    sql("INSERT INTO revocations (kind, id, expires_at, reason, created_at)
             VALUES ('token', 'x', NULL, 'signed-out', 1)")
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
async fn a_newer_schema_is_refused() {
    let fixture = fixture().await;
    execute(
        &fixture.store,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'future', TRUE, '0', 0)",
    )
    .await;
    let error = fixture.reopen().await.expect_err("the store was opened");
    let text = error.to_string();
    let Error::TooNew { found: 99, known, .. } = error else {
        panic!("{text}")
    };
    let said = format!("` has schema 99, and this program knows only {known}: run the newer program");
    assert!(text.contains(&said), "{text}");
}

#[tokio::test]
async fn a_schema_of_another_history_is_refused() {
    let fixture = fixture().await;
    execute(&fixture.store, "UPDATE _sqlx_migrations SET checksum = '0'").await;
    let error = fixture.reopen().await.expect_err("the store was opened");
    assert!(matches!(error, Error::Schema { .. }), "{error:?}");
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
