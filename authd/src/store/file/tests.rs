use std::fs;
use std::os::unix::fs::symlink;

use sqlx::SqlitePool;

use super::*;
use crate::store::sql::sql;
use crate::store::tests::in_a_file;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn refusal(dir: &Path) -> Error {
    Store::open(dir).await.expect_err("the store was opened")
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
    let fixture = in_a_file().await;
    fixture.store.close().await;
    let file = fixture.dir.path().join("authd.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fixture.reopened().await;
    assert_eq!(mode(&file), 0o600);
}

#[tokio::test]
async fn what_is_written_is_on_the_disk_before_it_is_acknowledged() {
    let fixture = in_a_file().await;
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
    let fixture = in_a_file().await;
    assert!(sql("DELETE FROM users").execute(&fixture.store.readers).await.is_err());
    assert!(sql("DELETE FROM users").execute(&fixture.store.writer).await.is_ok());
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("authd.db"), "").unwrap();
    Store::open(dir.path()).await.unwrap().ping().await.unwrap();
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
