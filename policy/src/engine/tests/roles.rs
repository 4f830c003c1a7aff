//! From what a provider says of somebody to their roles.

use super::*;

#[test]
fn claims_grant_roles_and_an_administrator_may_add_one() {
    let engine = engine(
        "
kind: RoleMapping
metadata: {name: staff}
spec:
  providerRef: {name: local}
  onNoMatch: Deny
  roles:
    - {role: admin, whenAny: [{claim: groups, equals: platform}]}
    - {role: user, whenAny: [{claim: groups, glob: 'staff-*'}, {claim: email, glob: '*@example.com'}]}
  groups: {grant: [{group: eu, whenAny: [{claim: groups, equals: staff-eu}]}]}
",
    );
    let admitted = |roles: &[&str], groups: &[&str]| Admission::Admitted {
        roles: names(roles),
        groups: names(groups),
    };
    use AccountRole::{Admin, Pending, User};
    for (row, claims, account, expected) in [
        (
            "one",
            &[("groups", "platform")][..],
            User,
            admitted(&["admin", "user"], &[]),
        ),
        ("one", &[("groups", "platform")], Pending, admitted(&["admin"], &[])),
        (
            "glob and group",
            &[("groups", "staff-eu")],
            Pending,
            admitted(&["user"], &["eu"]),
        ),
        ("glob", &[("email", "a@example.com")], Pending, admitted(&["user"], &[])),
        ("glob", &[("email", "a@example.com.evil")], User, Admission::Refused),
        ("case", &[("groups", "Platform")], User, Admission::Refused),
        ("other claim", &[("roles", "platform")], User, Admission::Refused),
        ("nothing", &[], Admin, Admission::Refused),
        (
            "a claim named like a tag",
            &[("groups~staff-*", "x")],
            User,
            Admission::Refused,
        ),
        (
            "a claim named like a tag",
            &[("\"groups\"~staff-*", "x")],
            User,
            Admission::Refused,
        ),
        (
            "admin by hand",
            &[("groups", "staff-x")],
            Admin,
            admitted(&["user", "admin"], &[]),
        ),
    ] {
        let claims = claims
            .iter()
            .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]))
            .collect();
        assert_eq!(engine.admit("local", &Claims(claims), account), expected, "{row}");
    }
    let claims = Claims([("groups".to_owned(), vec!["platform".to_owned()])].into());
    assert_eq!(
        engine.admit("gone", &claims, Admin),
        Admission::Refused,
        "a provider that is no longer there"
    );
}

#[test]
fn without_a_match_it_is_as_the_strictest_mapping_says() {
    use AccountRole::{Admin, Pending, User};
    let mapping = |name: &str, word: &str| {
        format!(
            "kind: RoleMapping\nmetadata: {{name: {name}}}\nspec: {{providerRef: {{name: local}}, onNoMatch: {word}, roles: \
             [{{role: x, whenAny: [{{claim: c, equals: x}}]}}]}}"
        )
    };
    let user = || Admission::Admitted {
        roles: names(&["user"]),
        groups: names(&[]),
    };
    let admin = || Admission::Admitted {
        roles: names(&["admin"]),
        groups: names(&[]),
    };
    for (first, second, expected) in [
        ("Keep", "Keep", [Admission::Pending, user(), admin()]),
        (
            "Keep",
            "Pending",
            [Admission::Pending, Admission::Pending, Admission::Pending],
        ),
        (
            "Deny",
            "Keep",
            [Admission::Refused, Admission::Refused, Admission::Refused],
        ),
        (
            "Pending",
            "Deny",
            [Admission::Refused, Admission::Refused, Admission::Refused],
        ),
    ] {
        let engine = engine(&format!("{}\n---\n{}", mapping("a", first), mapping("b", second)));
        let got = [Pending, User, Admin].map(|account| engine.admit("local", &Claims::default(), account));
        assert_eq!(got, expected, "{first} and {second}");
    }
    let bare = engine("kind: Namespace\nmetadata: {name: x}");
    assert_eq!(
        bare.admit("local", &Claims::default(), User),
        user(),
        "no mapping at all"
    );
}

#[test]
fn k15_what_several_mappings_grant_adds_up_in_any_order() {
    let mapping = |name: &str, role: &str, value: &str| {
        format!(
            "kind: RoleMapping\nmetadata: {{name: {name}}}\nspec: {{providerRef: {{name: local}}, roles: [{{role: {role}, whenAny: [{{claim: \
             c, equals: {value}}}]}}]}}"
        )
    };
    let claims =
        |values: &[&str]| Claims([("c".to_owned(), values.iter().map(|value| (*value).to_owned()).collect())].into());
    let (one, other) = (mapping("a", "user", "x"), mapping("b", "operator", "w"));
    for (first, second) in [(&one, &other), (&other, &one)] {
        let engine = engine(&format!("{first}\n---\n{second}"));
        for (values, expected) in [
            (&["x", "w"][..], Some(&["operator", "user"][..])),
            (&["w"], Some(&["operator"])),
            (&["x"], Some(&["user"])),
            (&["z"], None),
        ] {
            let admitted = expected.map(|roles| Admission::Admitted {
                roles: names(roles),
                groups: names(&[]),
            });
            let found = engine.admit("local", &claims(values), AccountRole::Pending);
            assert_eq!(found, admitted.unwrap_or(Admission::Refused), "K15 {values:?}");
        }
    }
}
