use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::*;
use crate::import::open_webui::{Left, read};

const SINCE: &str = include_str!("../open_webui/since_0_6_41.sql");
const BEFORE: &str = include_str!("../open_webui/before_0_6_41.sql");

/// What is found in a database that these statements make.
async fn found(statements: &'static str) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webui.db");
    fill(&path, statements).await;
    read(&named(&path)).await.unwrap()
}

/// The file, as it is named on the command line.
fn named(path: &Path) -> SecretString {
    path.display().to_string().into()
}

async fn fill(path: &Path, statements: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut database = options.connect().await.unwrap();
    database.execute(statements).await.unwrap();
    database.close().await.unwrap();
}

fn translate(found: &Found) -> (Vec<Foreign>, Vec<String>) {
    let providers = BTreeMap::from([("oidc".to_owned(), "corporate".to_owned())]);
    let hash = |text: &str| {
        let mut hash = KeyHash::default();
        hash.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        hash
    };
    let means = Means {
        providers: &providers,
        hash: &hash,
        random: &Random::seeded(1),
        now: Timestamp::from_second(1_800_000_000).unwrap(),
    };
    let (accounts, remarks) = translated(found, &means);
    let said = remarks.iter().map(|Remark { about, what }| format!("{about}: {what}"));
    (accounts, said.collect())
}

/// Providers and subjects of an account.
fn subjects(account: &Foreign) -> Vec<(&str, &str)> {
    let identities = account.identities.iter();
    identities
        .map(|identity| (identity.provider.as_str(), identity.subject.as_str()))
        .collect()
}

#[tokio::test]
async fn accounts_come_with_hashes_subjects_keys_and_groups() {
    let (accounts, _) = translate(&found(SINCE).await);
    let emails: Vec<_> = accounts.iter().map(|account| account.user.email.as_str()).collect();
    assert_eq!(
        emails,
        [
            "root@example.com",
            "ann@example.com",
            "bob@example.com",
            "gone@example.com"
        ]
    );
    let [root, ann, bob, gone] = accounts.as_slice() else {
        panic!("{accounts:?}")
    };
    assert_eq!(root.user.id.to_string(), "0b9a2f6e-0b51-4f3e-9c39-3a2f6a0d1a01");
    assert_eq!(
        (
            root.user.role,
            root.user.created_at.as_second(),
            root.user.email_verified
        ),
        (Role::Admin, 1_700_000_000, false)
    );
    assert!(
        root.user
            .password_hash
            .as_ref()
            .is_some_and(|hash| hash.expose_secret().starts_with("$2b$10$"))
    );
    assert_eq!((root.identities.len(), root.groups.len()), (0, 0));
    assert_eq!(ann.user.profile_image_url, "https://example.com/ann.png");
    assert_eq!(
        (ann.bio.as_deref(), ann.gender.as_deref()),
        (Some("Hello"), Some("she"))
    );
    assert_eq!(
        ann.date_of_birth.map(|date| date.to_string()).as_deref(),
        Some("2000-01-31")
    );
    assert_eq!(subjects(ann), [("google", "1001"), ("github", "77")]);
    assert_eq!(ann.groups, ["ops", "staff"]);
    let [key] = ann.keys.as_slice() else {
        panic!("{:?}", ann.keys)
    };
    assert_eq!(
        (key.prefix.as_str(), key.hash.starts_with(b"sk-aa"), key.expires_at),
        ("sk-aa00", true, None)
    );
    assert_eq!(
        (subjects(bob), bob.user.role, bob.user.password_hash.is_none()),
        (vec![("corporate", "b|o|b")], Role::Pending, true)
    );
    assert_eq!((gone.disabled, gone.user.role), (true, Role::Pending));
    assert!(accounts.iter().filter(|account| account.disabled).count() == 1);
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_said() {
    let (_, remarks) = translate(&found(SINCE).await);
    assert_eq!(
        remarks,
        [
            "a group: left out: its name is empty, longer than 256 bytes or has invisible characters",
            "staff: groups of one name are one group here",
            "bob@example.com: the password is no bcrypt hash: the person signs in at a provider, or gets a new one",
            "bob@example.com: the picture cannot be used: only a path, https, or a PNG, JPEG, GIF or WebP inside a data: URL can",
            "bob@example.com: an API key does not begin with `sk-` or has characters that none has here: make a new one",
            "ANN@example.com: left out: an older account has the same address",
            "gone@example.com: there is no role `moderator` here: the account is pending",
            "gone@example.com: there is no subject at `oidc`",
            "odd@example.com: left out: its id `not-a-uuid` is no UUID",
        ]
    );
}

#[tokio::test]
async fn the_older_schema_is_read_too() {
    let found = found(BEFORE).await;
    assert!(found.left.is_empty(), "{:?}", found.left);
    let (accounts, remarks) = translate(&found);
    let [ann, bob] = accounts.as_slice() else {
        panic!("{accounts:?}")
    };
    assert_eq!(
        (subjects(ann), subjects(bob)),
        (vec![("microsoft", "a@b")], vec![("corporate", "alone")])
    );
    assert_eq!((ann.keys.len(), ann.groups.as_slice()), (1, &["staff".to_owned()][..]));
    assert_eq!(remarks, [""; 0]);
}

#[tokio::test]
async fn what_has_no_counterpart_is_counted() {
    let found = found(SINCE).await;
    let expected = [
        (Left::Permissions, 1),
        (Left::ProviderSessions, 1),
        (Left::Settings, 1),
        (Left::Preferences, 1),
    ];
    assert_eq!(found.left, expected);
}

#[tokio::test]
async fn another_file_is_refused_by_its_name_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webui.db");
    let said = async || format!("{:#}", read(&named(&path)).await.unwrap_err());
    let refusal = said().await;
    assert!(
        refusal.contains("is no file: name the database of Open WebUI"),
        "{refusal}"
    );
    std::fs::write(&path, "no database").unwrap();
    let refusal = said().await;
    assert!(refusal.contains("cannot be read"), "{refusal}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "no database");
    std::fs::remove_file(&path).unwrap();
    fill(&path, "CREATE TABLE other (id TEXT)").await;
    let refusal = said().await;
    assert!(refusal.contains("it has no table `user`"), "{refusal}");
}
