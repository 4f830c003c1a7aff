//! A Redis that is named wrongly is said when authd starts; one that does not let us in, or is not believed, when it is asked, and
//! authd goes on without it.

use std::path::Path;
use std::sync::Arc;

use tests::authd::{self, Authd};
use tests::ldap::Authority;
use tests::postgres::Postgres;
use tests::redis::{PASSWORD, RIGHTS, Redis, Speaks};
use tests::resources::ADMIN_PASSWORD;
use tests::world::World;

use super::{answers, folder, guesses_until_limited, refused, said};

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// What authd says when it does not start.
fn refusal(resources: &Path, more: &[&str]) -> String {
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let said = authd::refusal(resources, data.path(), more);
    assert!(!said.contains("canary"), "the password is shown: {said}");
    said
}

#[tokio::test]
async fn a_url_that_is_none_is_told_with_what_would_be_right() {
    let postgres = Postgres::start().await;
    let named = folder(&postgres.database(), "redis://authd:canary@one,two");
    let said = refusal(named.path(), &[]);
    assert!(
        said.contains("spec.redis.secretRef") && said.contains("exactly one"),
        "{said}"
    );

    let good = folder(&postgres.database(), "redis://127.0.0.1:1");
    let said = refusal(good.path(), &["--redis", "http://authd:canary@127.0.0.1"]);
    assert!(
        said.contains("the URL of the Redis") && said.contains("redis+sentinel://"),
        "{said}"
    );

    let alone = tests::resources::Folder::usual(tests::resources::ROOMY);
    let said = refusal(alone.path(), &["--redis", "redis://127.0.0.1:1"]);
    assert!(said.contains("no PostgreSQL database"), "{said}");
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_and_a_user_by_the_password() {
    let authority = Arc::new(Authority::new());
    let speaks = Speaks::Tls(Arc::clone(&authority));
    let (postgres, redis) = (Postgres::start().await, Redis::with(&speaks, &[]).await);
    let database = postgres.database();
    let files = tempfile::tempdir().expect("a temporary folder can be made");
    let file = files.path().join("authority.pem");
    std::fs::write(&file, authority.pem()).expect("the folder can be written");

    let with = async |url: &str, more: &[&str]| {
        let (folder, data) = (
            folder(&database, "redis://127.0.0.1:1"),
            tempfile::tempdir().expect("a folder"),
        );
        let mut arguments = vec!["--redis", url];
        arguments.extend(more);
        let authd = Authd::start(folder.path(), data.path(), &arguments).await;
        World { authd, folder, data }
    };
    let believed = with(&redis.url(), &["--redis-ca", text(&file), "--redis-prefix", "authd"]).await;
    answers(&believed, true).await;
    assert_eq!(guesses_until_limited(&[&believed], "bob@example.com").await, 5);
    assert!(
        redis.says(&["KEYS", "authd:{limits}:*"]).contains("account/"),
        "control"
    );

    for (url, more, expected) in [
        (redis.url(), vec![], "certificate"),
        (
            redis.url().replace("127.0.0.1", "localhost"),
            vec!["--redis-ca", text(&file)],
            "certificate",
        ),
        (redis.url().replace("rediss", "redis"), vec![], "Redis does not answer"),
        (
            redis.url().replace(PASSWORD, "canary"),
            vec!["--redis-ca", text(&file)],
            "WRONGPASS",
        ),
        (
            redis.url(),
            vec!["--redis-ca", text(&file), "--redis-prefix", "elsewhere"],
            "NOPERM",
        ),
    ] {
        let world = with(&url, &more).await;
        refused(&world, expected).await;
        let signed_in = world.try_password("admin@example.com", ADMIN_PASSWORD).await;
        assert_eq!(signed_in.status, 200, "it goes on without it: {}", signed_in.body);
        assert_eq!(said(&world, "Redis does not answer"), 1, "once");
        assert_eq!(said(&world, "canary"), 0, "the password is shown");
        answers(&world, false).await;
    }
}

#[test]
fn the_documents_say_what_the_user_may_do() {
    let path = tests::repository().join("docs/redis.md");
    let document = std::fs::read_to_string(path).expect("the document is there");
    let words: Vec<&str> = document.split_whitespace().collect();
    let rights: Vec<&str> = RIGHTS.split_whitespace().collect();
    assert!(
        words.windows(rights.len()).any(|line| line == rights),
        "docs/redis.md lacks `{RIGHTS}`, with which the stories were told"
    );
}
