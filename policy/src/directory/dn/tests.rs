use super::{Dn, Template, escaped};

fn dn(text: &str) -> Dn {
    Dn::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_name_has_one_spelling_and_one_own_value() {
    for (text, folded, own) in [
        (
            "cn=devs,ou=groups,dc=example",
            "cn=devs,ou=groups,dc=example",
            Some("devs"),
        ),
        (
            "CN=Domain  Admins, OU=X",
            "cn=domain admins,ou=x",
            Some("Domain  Admins"),
        ),
        (
            r"CN=Smith\, Ann,DC=example",
            r"cn=smith\, ann,dc=example",
            Some("Smith, Ann"),
        ),
        (r"cn=a\2cb,dc=x", r"cn=a\,b,dc=x", Some("a,b")),
        (r"cn=Lu\C4\8Di\C4\87", "cn=lučić", Some("Lučić")),
        ("uid=7+cn=Ann,dc=x", "cn=ann+uid=7,dc=x", Some("Ann")),
        ("ou=a+l=b", "l=b+ou=a", Some("a")),
        (r"cn=\ a\ ,dc=x", "cn=a,dc=x", Some(" a ")),
        (r"cn=\#1", r"cn=\#1", Some("#1")),
        (
            "1.3.6.1.4.1.1466.0=#04024869",
            r"1.3.6.1.4.1.1466.0=\#04024869",
            Some("#04024869"),
        ),
        ("cn=a=b", r"cn=a\=b", Some("a=b")),
        (r"cn=x\0ACNF:7,dc=x", r"cn=x cnf:7,dc=x", Some("x\nCNF:7")),
        ("cn=,dc=x", "cn=,dc=x", Some("")),
        ("", "", None),
    ] {
        assert_eq!(dn(text).folded(), folded, "{text}");
        assert_eq!(dn(text).own_value(), own, "{text}");
    }
}

#[test]
fn what_is_no_name_is_refused_with_its_place() {
    for (text, at) in [
        ("devs", 5),
        ("cn=a,", 6),
        ("cn=a;dc=b", 5),
        ("=a", 1),
        ("cn=a+", 6),
        ("cn=a\0", 5),
        (r"cn=a\", 5),
        (r"cn=a\zz", 5),
        (r"cn=\ff", 7),
        ("cn=\"a\"", 4),
        ("c n=a", 3),
    ] {
        assert_eq!(Dn::read(text).expect_err(text).at, at, "{text}");
    }
}

#[test]
fn an_entry_is_within_its_base_by_whole_parts() {
    for (name, base, expected) in [
        ("cn=a,ou=groups,dc=x", "ou=groups,dc=x", true),
        ("cn=a, OU=Groups , dc=X", "ou=groups,dc=x", true),
        ("ou=groups,dc=x", "ou=groups,dc=x", true),
        ("cn=a,dc=x", "", true),
        ("cn=a,ou=mygroups,dc=x", "ou=groups,dc=x", false),
        (r"cn=a\,ou\=groups\,dc\=x", "ou=groups,dc=x", false),
        ("dc=x", "ou=groups,dc=x", false),
        ("cn=a,ou=groups,dc=x,dc=evil", "ou=groups,dc=x", false),
    ] {
        assert_eq!(dn(name).is_within(&dn(base)), expected, "{name} in {base}");
    }
}

#[test]
fn g05_what_was_typed_is_one_value_of_the_template() {
    let template = Template::read("uid={username},ou=people,dc=example").expect("a template");
    for typed in [
        "ann",
        "ann,ou=admins",
        "a+cn=b",
        "\"ann\"",
        "a\\",
        "#04024869",
        "a;b",
        "a=b",
        " ann",
        "ann ",
        " ",
        "a\0b",
        "<ann>",
        "{username}",
        "\\2c",
        "é",
    ] {
        let filled = template.filled(typed);
        let name = dn(&filled);
        assert_eq!(name.own_value(), Some(typed), "{filled}");
        assert!(name.is_within(&dn("ou=people,dc=example")), "{filled}");
        assert_eq!(name.0.len(), 3, "{filled}");
    }
}

#[test]
fn a_template_has_its_place_in_a_value() {
    for text in [
        "uid=ann,dc=x",
        "{username}=ann,dc=x",
        "{username}",
        "uid=\\{username},dc=x,",
    ] {
        assert!(Template::read(text).is_err(), "{text}");
    }
    assert!(Template::read("cn={username} (staff),dc=x").is_ok());
}

proptest::proptest! {
    #[test]
    fn any_text_is_one_value_once_it_is_escaped(text in ".{0,40}", before in "[a-z]{0,2}") {
        let name = Dn::read(&format!("cn={before}{},dc=x", escaped(&text)));
        proptest::prop_assert_eq!(name.expect("a name").0[0][0].value.clone(), format!("{before}{text}"));
    }

    #[test]
    fn no_text_ends_the_process(text in "[a=,+\\\\\"#; \0ü0-9]{0,40}") {
        if let Ok(name) = Dn::read(&text) {
            proptest::prop_assert!(Dn::read(&name.folded()).is_ok_and(|again| again.is(&name)));
        }
    }
}
