use super::{Filter, Node, Piece, Place, Value};

/// The tree in a form that shows where values begin and end.
fn shown(node: &Node) -> String {
    let list = |nodes: &[Node]| nodes.iter().map(shown).collect::<Vec<_>>().join(" ");
    match node {
        Node::And(nodes) => format!("and[{}]", list(nodes)),
        Node::Or(nodes) => format!("or[{}]", list(nodes)),
        Node::Not(node) => format!("not[{}]", shown(node)),
        Node::Present(attribute) => format!("{attribute} present"),
        Node::Compare(attribute, comparison, value) => format!("{attribute} {comparison:?} {}", text(value)),
        Node::Substrings(attribute, parts) => {
            let parts: Vec<_> = [parts.first.as_ref()]
                .into_iter()
                .chain(parts.middle.iter().map(Some))
                .chain([parts.last.as_ref()])
                .map(|part| part.map_or("-".to_owned(), text))
                .collect();
            format!("{attribute} like {}", parts.join(","))
        }
        Node::Extensible(test) => format!(
            "{:?} {:?} {} {}",
            test.attribute,
            test.rule,
            test.dn_attributes,
            text(&test.value)
        ),
    }
}

fn text(value: &Value) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Piece::Place(place) => format!("{place:?}"),
    };
    value.0.iter().map(piece).collect::<Vec<_>>().join("+")
}

#[test]
fn a_filter_is_read() {
    for (filter, expected) in [
        ("(uid={username})", "uid Equal Username"),
        ("(cn=Babs Jensen)", "cn Equal \"Babs Jensen\""),
        ("(!(cn=Tim Howes))", "not[cn Equal \"Tim Howes\"]"),
        (
            "(&(a=1)(|(b=2)(c=3)))",
            "and[a Equal \"1\" or[b Equal \"2\" c Equal \"3\"]]",
        ),
        ("(o=univ*of*mich*)", "o like \"univ\",\"of\",\"mich\",-"),
        ("(o=*mich)", "o like -,\"mich\""),
        ("(seeAlso=)", "seeAlso Equal "),
        ("(objectClass=*)", "objectClass present"),
        ("(a=**)", "a present"),
        ("(a>=5)", "a GreaterOrEqual \"5\""),
        ("(a<=5)", "a LessOrEqual \"5\""),
        ("(a~=5)", "a Approximate \"5\""),
        (
            "(cn:caseExactMatch:=Fred)",
            "Some(\"cn\") Some(\"caseExactMatch\") false \"Fred\"",
        ),
        ("(cn:=Betty)", "Some(\"cn\") None false \"Betty\""),
        ("(sn:dn:2.4.6.8.10:=B)", "Some(\"sn\") Some(\"2.4.6.8.10\") true \"B\""),
        ("(:1.2.3:=W)", "None Some(\"1.2.3\") false \"W\""),
        ("(cn=\\28in\\29 \\2a)", "cn Equal \"(in) *\""),
        ("(userCertificate;binary=x)", "userCertificate;binary Equal \"x\""),
        ("(mail={username}@example.com)", "mail Equal Username+\"@example.com\""),
        ("(member={dn})", "member Equal Dn"),
        ("(cn=Lučić)", "cn Equal \"Lučić\""),
        ("(a={ {-})", "a Equal \"{ {-}\""),
        ("(&)", "and[]"),
        ("(|)", "or[]"),
    ] {
        let read = Filter::read(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(shown(read.node()), expected, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused_with_its_place() {
    let deep = "(!".repeat(40) + "(a=b)" + &")".repeat(40);
    for (filter, at, about) in [
        ("", 1, "expected `(`"),
        ("uid={username}", 1, "expected `(`"),
        ("(uid={username}", 16, "expected `)`"),
        ("(uid=a))", 8, "ends before"),
        ("(uid=a)(b=c)", 8, "ends before"),
        ("(=a)", 2, "name of an attribute"),
        ("(uid a)", 5, "expected `=`"),
        ("(uid=\\zz)", 6, "two hexadecimal digits"),
        ("(uid=\\2)", 6, "two hexadecimal digits"),
        ("(uid=\\+1)", 6, "two hexadecimal digits"),
        ("(uid=a\0)", 7, "NUL"),
        ("(uid=a(b)", 7, "expected `)`"),
        ("(uid={user})", 6, "use `{username}`"),
        ("(ü=a)", 2, "name of an attribute"),
        ("(:=a)", 4, "needs a matching rule"),
        ("(!a=b)", 3, "expected `(`"),
        (&deep, 35, "nested more than 16"),
    ] {
        let error = Filter::read(filter).expect_err(filter);
        assert!(error.what.contains(about), "{filter}: {error}");
        assert_eq!(error.at, at, "{filter}: {error}");
    }
}

#[test]
fn what_was_typed_is_never_a_part_of_the_filter() {
    let filter = Filter::read("(&(objectClass=person)(uid={username}))").expect("a filter");
    for typed in [
        "*",
        "admin)(|(uid=*",
        "*)(objectClass=*",
        "a)(&)",
        "\\2a",
        "{dn}",
        "a\0b",
    ] {
        let Node::And(parts) = filter.node() else {
            panic!("{filter:?}")
        };
        let Some(Node::Compare(_, _, value)) = parts.get(1) else {
            panic!("{filter:?}")
        };
        assert_eq!(value.filled(typed, "cn=x"), typed.as_bytes(), "{typed}");
    }
}

#[test]
fn a_filter_for_anyone_asks_for_all_but_the_name() {
    for (filter, expected) in [
        ("(uid={username})", "uid present"),
        (
            "(&(objectClass=person)(|(uid={username})(mail={username}@a))(memberOf=cn=staff))",
            "and[objectClass Equal \"person\" or[uid present mail present] memberOf Equal \"cn=staff\"]",
        ),
        ("(cn={username}*)", "cn present"),
        ("(:caseExactMatch:={username})", "objectClass present"),
        ("(!(a=b))", "not[a Equal \"b\"]"),
    ] {
        let filter = Filter::read(filter).expect("a filter");
        assert_eq!(shown(&filter.for_anyone()), expected);
    }
}

#[test]
fn places_are_found() {
    let filter = Filter::read("(|(a={dn})(!(b={username})))").expect("a filter");
    assert!(filter.has(Place::Dn) && filter.has(Place::Username) && filter.negates_a_place());
    let filter = Filter::read("(&(a=b)(!(c=d)))").expect("a filter");
    assert!(!filter.has(Place::Dn) && !filter.has(Place::Username) && !filter.negates_a_place());
}

proptest::proptest! {
    #[test]
    fn no_text_ends_the_process(text in "[(&|!a=*:~<>\\\\{}ü\0)]{0,64}") {
        if let Ok(filter) = Filter::read(&text) {
            let again: Filter = String::from(filter.clone()).try_into().expect("it was read before");
            proptest::prop_assert_eq!(filter, again);
        }
    }
}
