//! A database that cannot be used is said when authd starts, by whoever can mend it and without its password.

use std::path::Path;

use tests::authd;
use tests::ldap::Authority;
use tests::postgres::{PASSWORD, Postgres, USER};

use super::{check, folder, replica};

/// What authd says when it does not start with a database at this URL.
fn refusal(url: &str, more: &[&str]) -> String {
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = folder(url);
    let said = authd::refusal(folder.path(), data.path(), more);
    assert!(
        !said.contains("sample%20of") && !said.contains(PASSWORD),
        "the password is shown: {said}"
    );
    assert!(
        !data.path().join("authd.db").exists(),
        "nothing is kept in a file meanwhile"
    );
    said
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named_with_its_reason() {
    let server = Postgres::start().await;
    let url = server.database();
    let nobody = tests::port::free();
    for (url, expected) in [
        (url.replace("sample", "example"), vec!["password authentication failed"]),
        (server.url("nowhere"), vec!["/nowhere`", "does not exist"]),
        (
            format!(
                "postgres://{USER}:{}@127.0.0.1:{nobody}/authd",
                "sample%20of%20the%20database"
            ),
            vec!["`127.0.0.1:", "/authd` cannot be used", "refused"],
        ),
        (format!("{url}?sslmode=require"), vec!["cannot be used", "TLS"]),
    ] {
        let said = refusal(&url, &[]);
        assert!(expected.iter().all(|part| said.contains(part)), "{url}: {said}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let server = Postgres::start().await;
    let url = server.database();
    drop(replica(&url).await);
    let database = url.rsplit('/').next().unwrap_or_default();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (999, 'future', TRUE, '', 0)";
    server.sql(database, newer);
    let said = refusal(&url, &[]);
    assert!(
        said.contains("has schema 999, and this program knows only") && said.contains("run the newer program"),
        "{said}"
    );
    server.sql(database, "DELETE FROM _sqlx_migrations WHERE version = 999");
    let world = replica(&url).await;
    let admin = world.admin().await;
    assert_eq!(check(&world, &admin.token).await, 200, "control");
}

#[tokio::test]
async fn replicas_that_start_at_once_make_one_schema_and_one_administrator() {
    let server = Postgres::start().await;
    let url = server.database();
    let worlds = futures::future::join_all((0..4).map(|_| replica(&url))).await;
    for world in &worlds {
        world.admin().await;
    }
    let database = url.rsplit('/').next().unwrap_or_default();
    assert_eq!(server.sql(database, "SELECT COUNT(*) FROM users"), "1");
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate() {
    let authority = Authority::new();
    let certificate = authority.server(&["database.example.test"]);
    let server = Postgres::showing(&certificate).await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (right, wrong) = (folder.path().join("right.pem"), folder.path().join("wrong.pem"));
    std::fs::write(&right, authority.pem()).expect("the folder can be written");
    std::fs::write(&wrong, Authority::new().pem()).expect("the folder can be written");

    let url = server.database();
    let said = refusal(&format!("{url}?sslmode=verify-full&sslrootcert={}", text(&wrong)), &[]);
    assert!(said.contains("certificate"), "{said}");
    let said = refusal(&format!("{url}?sslmode=verify-full"), &[]);
    assert!(
        said.contains("certificate"),
        "public authorities did not sign it: {said}"
    );
    let other = url.replace("127.0.0.1", "localhost");
    let said = refusal(
        &format!("{other}?sslmode=verify-full&sslrootcert={}", text(&right)),
        &[],
    );
    assert!(said.contains("certificate"), "it is not in that name: {said}");

    let world = replica(&format!("{url}?sslmode=verify-full&sslrootcert={}", text(&right))).await;
    world.admin().await;
    let database = url.rsplit('/').next().unwrap_or_default();
    let encrypted = format!(
        "SELECT BOOL_AND(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = '{database}' AND application_name = 'authd'"
    );
    assert_eq!(server.sql("postgres", &encrypted), "t");
}
