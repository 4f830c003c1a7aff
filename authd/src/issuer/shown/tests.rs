use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, and a table is as long as its rows"
)]
fn a27_to_a42_claims_are_what_they_should_be() {
    let good = json!({"iss": "https://idp.example.com", "aud": "authd", "sub": "robot", "iat": NOW, "exp": NOW + 300});
    let audiences = ["authd", "gate"].map(str::to_owned);
    let checked = |name: &str, value: Value| {
        let mut claims = good.as_object().unwrap().clone();
        match value {
            Value::Null => claims.remove(name),
            value => claims.insert(name.to_owned(), value),
        };
        let expected = Expected {
            issuer: "https://idp.example.com",
            audiences: &audiences,
            kind: Kind::Access,
        };
        check(&claims, &expected, NOW)
    };
    let robot = Good {
        subject: "robot".to_owned(),
        expires_at: NOW + 300,
    };
    assert_eq!(checked("x", json!(1)), Ok(robot), "control");
    let wrong = Err(Error::WrongAudience);
    for (row, name, value, expected) in [
        ("A29 list", "aud", json!(["other", "gate"]), Ok(())),
        ("A29 missing", "aud", Value::Null, wrong),
        ("A29 other", "aud", json!("other"), wrong),
        ("A29 longer", "aud", json!("authd.evil"), wrong),
        ("A29 case", "aud", json!("Authd"), wrong),
        ("A29 empty", "aud", json!([]), wrong),
        ("A29 object", "aud", json!({"authd": 1}), wrong),
        ("A29 mixed", "aud", json!(["authd", 7]), wrong),
        (
            "A30 slash",
            "iss",
            json!("https://idp.example.com/"),
            Err(Error::MissingClaim("iss")),
        ),
        (
            "A30 case",
            "iss",
            json!("https://IDP.example.com"),
            Err(Error::MissingClaim("iss")),
        ),
        (
            "A30 http",
            "iss",
            json!("http://idp.example.com"),
            Err(Error::MissingClaim("iss")),
        ),
        ("A30 missing", "iss", Value::Null, Err(Error::MissingClaim("iss"))),
        ("A27 59 s ago", "exp", json!(NOW - 59), Ok(())),
        ("A27 61 s ago", "exp", json!(NOW - 61), Err(Error::Expired)),
        ("no exp", "exp", Value::Null, Err(Error::MissingClaim("exp"))),
        ("exp is text", "exp", json!("soon"), Err(Error::MissingClaim("exp"))),
        ("nbf", "nbf", json!(NOW + 61), Err(Error::Expired)),
        ("nbf is text", "nbf", json!("soon"), Err(Error::MissingClaim("nbf"))),
        ("iat in the future", "iat", json!(NOW + 61), Err(Error::Expired)),
        ("A39 sub missing", "sub", Value::Null, Err(Error::MissingClaim("sub"))),
        ("A39 sub empty", "sub", json!(""), Err(Error::MissingClaim("sub"))),
        ("A39 sub is a number", "sub", json!(7), Err(Error::MissingClaim("sub"))),
        ("A32 ID token", "nonce", json!("n"), Err(Error::WrongType)),
        ("A32 ID token", "at_hash", json!("x"), Err(Error::WrongType)),
        ("A32 logout token", "events", json!({}), Err(Error::WrongType)),
        ("A42", "cnf", json!({"jkt": "x"}), Err(Error::WrongType)),
        ("A42 null", "cnf", json!([]), Err(Error::WrongType)),
    ] {
        assert_eq!(checked(name, value).map(drop), expected, "{row}");
    }
}

#[test]
fn a32_an_id_token_is_no_access_token_and_an_access_token_no_id_token() {
    let audiences = ["authd".to_owned()];
    let good = json!({"iss": "https://idp.example.com", "aud": "authd", "sub": "alice", "iat": NOW, "exp": NOW + 300});
    for (row, name, access, identity) in [
        ("control", "name", true, true),
        ("nonce", "nonce", false, true),
        ("at_hash", "at_hash", false, true),
        ("c_hash", "c_hash", false, true),
        ("scope", "scope", true, false),
        ("scp", "scp", true, false),
        ("client_id", "client_id", true, false),
        ("A42", "cnf", false, false),
        ("a logout token", "events", false, false),
    ] {
        let mut claims = good.as_object().unwrap().clone();
        claims.insert(name.to_owned(), json!("x"));
        for (kind, expected) in [(Kind::Access, access), (Kind::Identity, identity)] {
            let expected_of = Expected {
                issuer: "https://idp.example.com",
                audiences: &audiences,
                kind,
            };
            let found = check(&claims, &expected_of, NOW);
            assert_eq!(found.is_ok(), expected, "A32 {row} as {kind:?}: {found:?}");
        }
    }
    for (typ, access, identity) in [
        ("JWT", true, true),
        ("at+jwt", true, false),
        ("logout+jwt", false, false),
    ] {
        assert_eq!(Kind::Access.is_named(Some(typ)).is_ok(), access, "A32 {typ}");
        assert_eq!(Kind::Identity.is_named(Some(typ)).is_ok(), identity, "A32 {typ}");
    }
}

#[test]
fn a32_a_token_that_says_that_it_is_something_else_is_none_to_be_shown() {
    for (typ, expected) in [
        (None, true),
        (Some("JWT"), true),
        (Some("at+jwt"), true),
        (Some("application/at+jwt"), true),
        (Some("logout+jwt"), false),
        (Some("id_token"), false),
        (Some("dpop+jwt"), false),
        (Some(""), false),
    ] {
        assert_eq!(Kind::Access.is_named(typ).is_ok(), expected, "A32 {typ:?}");
    }
}
