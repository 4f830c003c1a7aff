use crds::{ClaimNames, TrustEmail};
use serde_json::{Value, json};

use super::Said;
use crate::snapshot::{Accounts, Method, Provider};

fn provider(claims: ClaimNames, trust_email: TrustEmail) -> Provider {
    Provider {
        name: "corporate".to_owned(),
        display_name: "Corporate".to_owned(),
        method: Method::Password,
        claims: Some(claims),
        accounts: Accounts {
            trust_email,
            ..Accounts::default()
        },
        token_exchange: None,
        on_no_match: None,
        grants: Vec::new(),
        groups: None,
    }
}

fn read(said: &Value) -> Said {
    Said::read(&provider(ClaimNames::default(), TrustEmail::WhenVerified), said)
}

#[test]
fn k02_only_true_itself_makes_an_address_verified() {
    for (verified, expected) in [
        (json!(true), Some("alice@example.com")),
        (json!(false), None),
        (json!("true"), None),
        (json!(1), None),
        (json!("1"), None),
        (json!([true]), None),
        (json!(null), None),
    ] {
        let said = json!({"email": "Alice@example.com", "email_verified": verified});
        assert_eq!(read(&said).email.as_deref(), expected, "K02 {verified}");
        let tested = read(&said).claims.0.contains_key("email");
        assert_eq!(tested, expected.is_some(), "K02 {verified}");
    }
    assert_eq!(read(&json!({"email": "alice@example.com"})).email, None, "K02 absent");
}

#[test]
fn k02_trust_is_the_operators_to_give_and_email_verified_speaks_of_email_alone() {
    let upn = ClaimNames {
        email: "upn".to_owned(),
        ..ClaimNames::default()
    };
    let said = json!({"email": "mine@evil.example", "email_verified": true, "upn": "victim@example.com"});
    for (names, trust, expected) in [
        (ClaimNames::default(), TrustEmail::Never, None),
        (ClaimNames::default(), TrustEmail::Always, Some("mine@evil.example")),
        (upn.clone(), TrustEmail::WhenVerified, None),
        (upn, TrustEmail::Always, Some("victim@example.com")),
    ] {
        let email = Said::read(&provider(names, trust), &said).email;
        assert_eq!(email.as_deref(), expected, "{trust:?}");
    }
}

#[test]
fn an_absent_claim_is_told_from_an_empty_one() {
    for (said, expected) in [
        (json!({}), None),
        (json!({"groups": null}), None),
        (json!({"groups": {"a": 1}}), None),
        (json!({"groups": [{"id": "a"}]}), None),
        (json!({"groups": []}), Some(vec![])),
        (json!({"groups": ["a", "b"]}), Some(vec!["a", "b"])),
        (json!({"groups": "a"}), Some(vec!["a"])),
        (json!({"groups": [7, true]}), Some(vec!["7", "true"])),
    ] {
        let expected: Option<Vec<String>> = expected.map(|names| names.into_iter().map(str::to_owned).collect());
        assert_eq!(read(&said).groups, expected, "{said}");
    }
}

#[test]
fn claims_are_found_by_exact_name_before_path() {
    let url = "https://example.com/roles";
    for (name, said, expected) in [
        ("realm.roles", json!({"realm": {"roles": ["a"]}}), Some("a")),
        (
            "realm.roles",
            json!({"realm.roles": "exact", "realm": {"roles": ["a"]}}),
            Some("exact"),
        ),
        (
            "a.b.c",
            json!({"a": {"b": {"c": "deep"}}, "a.b": {"c": "less"}}),
            Some("less"),
        ),
        ("a.b.c", json!({"a": {"b.c": "one"}, "a.b": {"c": "other"}}), None),
        (url, json!({url: ["x"]}), Some("x")),
        ("a.my.client", json!({"a": {"my.client": "x"}}), Some("x")),
        ("realm.roles", json!({"realm": "text"}), None),
        ("realm.roles", json!({"realm": ["roles"]}), None),
    ] {
        let names = ClaimNames {
            roles: name.to_owned(),
            ..ClaimNames::default()
        };
        let said = Said::read(&provider(names, TrustEmail::WhenVerified), &said);
        let found = said.claims.0.get("roles").map(|values| values.join(" "));
        assert_eq!(found.as_deref(), expected, "{name}");
    }
}

#[test]
fn k09_a_claim_that_is_mapped_elsewhere_does_not_count_under_its_own_name() {
    let names = ClaimNames {
        roles: "realm.roles".to_owned(),
        ..ClaimNames::default()
    };
    let said = json!({"roles": ["admin"], "realm": {"roles": ["user"]}});
    let said = Said::read(&provider(names.clone(), TrustEmail::WhenVerified), &said);
    assert_eq!(said.claims.0.get("roles").unwrap(), &["user"]);
    let said = Said::read(&provider(names, TrustEmail::WhenVerified), &json!({"roles": ["admin"]}));
    assert_eq!(said.claims.0.get("roles"), None);
}

#[test]
fn one_text_is_split_where_a_separator_is_named() {
    let names = ClaimNames {
        separator: Some(",".to_owned()),
        ..ClaimNames::default()
    };
    let said = json!({"groups": "a, b,,", "roles": ["x,y"], "name": "Last, First"});
    let said = Said::read(&provider(names, TrustEmail::WhenVerified), &said);
    assert_eq!(said.groups.unwrap(), ["a", "b"]);
    assert_eq!(said.claims.0.get("roles").unwrap(), &["x,y"], "a list is a list");
    assert_eq!(said.name.as_deref(), Some("Last, First"));
}

#[test]
fn what_is_shown_is_fit_to_be_shown() {
    let said = read(&json!({"name": "Al\u{0}ice\n", "picture": "javascript:alert(1)"}));
    assert_eq!(said.name.as_deref(), Some("Alice"));
    assert_eq!(said.picture, None);
    let said = read(&json!({"preferred_username": "alice", "picture": "https://example.com/a.png"}));
    assert_eq!(said.name.as_deref(), Some("alice"));
    assert_eq!(said.picture.as_deref(), Some("https://example.com/a.png"));
    assert_eq!(read(&json!("no object")), read(&json!({})));
}
