use proptest::prelude::*;

use super::*;

fn options(url: &str) -> Result<PgConnectOptions, NotAServer> {
    let url = SecretString::from(url);
    Server { url, ca: None }.options()
}

#[test]
fn a_server_elsewhere_has_to_show_who_it_is_unless_the_url_says_otherwise() {
    for (url, expected) in [
        ("postgres://a:b@db.example.com/authd", "VerifyFull"),
        ("postgresql://a:b@192.0.2.7:5433/authd", "VerifyFull"),
        ("postgres://a:b@db.example.com/authd?sslmode=require", "Require"),
        ("postgres://a:b@db.example.com/authd?sslmode=disable", "Disable"),
        ("postgres://a:b@localhost/authd", "Prefer"),
        ("postgres://a:b@127.0.0.1:5433/authd", "Prefer"),
        ("postgres://a:b@[::1]/authd", "Prefer"),
        ("postgres:///authd?user=a&host=/run/postgresql", "Prefer"),
        ("postgres://a:b@localhost/authd?sslmode=verify-full", "VerifyFull"),
        ("postgres://a:b@localhost.example.com/authd", "VerifyFull"),
    ] {
        let mode = options(url).map(|options| format!("{:?}", options.get_ssl_mode()));
        assert_eq!(mode.as_deref(), Ok(expected), "{url}");
    }
}

#[test]
fn what_is_no_url_of_a_database_is_said_without_its_password() {
    for (url, expected) in [
        ("mysql://ann:hidden@host/authd", "begins with `mysql`"),
        ("hidden", "cannot be read"),
        ("postgres://ann:hidden@host:port/authd", "cannot be read"),
        ("postgres://ann:hidden@host/authd?sslmode=often", "cannot be used"),
    ] {
        let said = options(url).unwrap_err().to_string();
        assert!(said.contains(expected) && !said.contains("hidden"), "{url}: {said}");
        assert!(
            said.ends_with("expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`"),
            "{said}"
        );
    }
}

#[test]
fn a_database_is_named_without_its_password() {
    for (url, expected) in [
        (
            "postgres://ann:hidden@db.example.com/authd",
            "db.example.com:5432/authd",
        ),
        ("postgres://ann:hidden@db.example.com:5433", "db.example.com:5433/ann"),
        (
            "postgres:///authd?user=ann&host=/run/postgresql",
            "/run/postgresql/authd",
        ),
    ] {
        assert_eq!(name(&options(url).unwrap()), expected, "{url}");
    }
}

proptest! {
    #[test]
    fn every_text_is_kept_and_no_two_become_the_same(one in any_text(), other in any_text()) {
        let (kept, beside) = (written(one.clone()), written(other.clone()));
        prop_assert!(!kept.contains('\0'));
        prop_assert_eq!(kept == beside, one == other);
        prop_assert_eq!(read(kept), one);
    }
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![Just('\0'), Just(MARK), Just('0'), Just('1'), any::<char>()],
        0..12,
    )
    .prop_map(String::from_iter)
}
