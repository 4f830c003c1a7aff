use policy::directory::Scope;
use policy::directory::filter::Filter;

use super::{Answer, Entry, Outcome, Places, Search, bind, read, search};
use crate::login::directory::ber::{
    BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTETS, SEQUENCE, SET, constructed, element, integer,
};

fn octets(text: &str) -> Vec<u8> {
    element(OCTETS, text.as_bytes())
}

fn answer(tag: u8, parts: &[Vec<u8>], controls: &[Vec<u8>]) -> Vec<u8> {
    let controls = if controls.is_empty() {
        Vec::new()
    } else {
        element(0xa0, &controls.concat())
    };
    constructed(
        SEQUENCE,
        &[integer(INTEGER, 7), element(tag, &parts.concat()), controls],
    )
}

fn result(code: i32) -> Vec<Vec<u8>> {
    vec![integer(ENUMERATED, code), octets(""), octets("said\0")]
}

#[test]
fn a_bind_has_the_bytes_of_the_standard() {
    let head = b"\x30\x31\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw";
    let control = b"\xa0\x1d\x30\x1b\x04\x191.3.6.1.4.1.42.2.27.8.5.1";
    assert_eq!(bind(1, "cn=a", b"pw"), [head.as_slice(), control].concat());
}

#[test]
fn g04_what_was_typed_does_not_change_a_filters_structure() {
    let filter = Filter::read("(&(objectClass=person)(uid={username}))").expect("a filter");
    let asked = |username: &str| {
        let question = Search {
            base: "dc=x",
            scope: Scope::Subtree,
            filter: filter.node(),
            places: Places { username, dn: "" },
            attributes: &["cn"],
            most: 1,
        };
        search(1, &question, &[])
    };
    for typed in ["*", "admin)(|(uid=*", "*)(objectClass=*", "a)(&)", "\\2a", ""] {
        let equal = constructed(0xa3, &[octets("uid"), octets(typed)]);
        let class = constructed(0xa3, &[octets("objectClass"), octets("person")]);
        let whole = constructed(0xa0, &[class, equal]);
        let request = asked(typed);
        assert!(request.windows(whole.len()).any(|window| window == whole), "{typed}");
    }
}

#[test]
fn answers_are_read() {
    let attribute = constructed(
        SEQUENCE,
        &[octets("uid"), element(SET, &[octets("ann"), octets("a")].concat())],
    );
    let entry = answer(0x64, &[octets("uid=ann"), element(SEQUENCE, &attribute)], &[]);
    let expected = Entry {
        dn: "uid=ann".to_owned(),
        attributes: vec![("uid".to_owned(), vec![b"ann".to_vec(), b"a".to_vec()])],
    };
    assert_eq!(read(&entry), Ok((7, Answer::Entry(expected))));
    let reference = answer(0x73, &[octets("ldap://evil.example/")], &[]);
    assert_eq!(read(&reference), Ok((7, Answer::Reference)));
    let mut outcome = Outcome {
        code: 49,
        diagnostic: "said".to_owned(),
        ..Outcome::default()
    };
    assert_eq!(
        read(&answer(0x61, &result(49), &[])),
        Ok((7, Answer::Done(outcome.clone(), None)))
    );

    let policy = element(OCTETS, &constructed(SEQUENCE, &[element(0x81, &[1])]));
    let policy = constructed(
        SEQUENCE,
        &[octets("1.3.6.1.4.1.42.2.27.8.5.1"), element(BOOLEAN, &[0]), policy],
    );
    outcome.policy = Some(1);
    assert_eq!(
        read(&answer(0x61, &result(49), &[policy])),
        Ok((7, Answer::Done(outcome, None)))
    );

    let page = element(OCTETS, &constructed(SEQUENCE, &[integer(INTEGER, 0), octets("next")]));
    let page = constructed(SEQUENCE, &[octets("1.2.840.113556.1.4.319"), page]);
    let Ok((_, Answer::Done(outcome, _))) = read(&answer(0x65, &result(0), &[page])) else {
        panic!("an end")
    };
    assert_eq!(outcome.cookie, b"next");

    let mut extended = result(0);
    extended.push(element(0x8b, b"dn:uid=ann"));
    let Ok((_, Answer::Done(_, value))) = read(&answer(0x78, &extended, &[])) else {
        panic!("an end")
    };
    assert_eq!(value.as_deref(), Some(b"dn:uid=ann".as_slice()));
}

#[test]
fn g14_garbage_is_refused_however_deep() {
    let mut deep = Vec::new();
    for _ in 0..1000 {
        deep = element(SEQUENCE, &deep);
    }
    for bytes in [
        b"".to_vec(),
        b"\x30\x00".to_vec(),
        b"HTTP/1.1 200 OK".to_vec(),
        deep,
        answer(0x64, &[octets("uid=ann")], &[]),
        answer(0x64, &[element(OCTETS, b"\xff"), element(SEQUENCE, b"")], &[]),
        answer(0x61, &[], &[]),
        answer(0x61, &[element(ENUMERATED, &[0; 9])], &[]),
        answer(0x42, &[], &[]),
    ] {
        assert_eq!(read(&bytes), Err(Malformed), "{bytes:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_end_the_process(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..256)) {
        let _ = crate::login::directory::fuzz_answer(&bytes);
    }

    #[test]
    fn no_changed_byte_ends_the_process(at in 0..60_usize, byte in proptest::num::u8::ANY) {
        let attribute = constructed(SEQUENCE, &[octets("uid"), element(SET, &octets("ann"))]);
        let mut message = answer(0x64, &[octets("uid=ann,dc=example"), element(SEQUENCE, &attribute)], &[]);
        if let Some(changed) = message.get_mut(at) {
            *changed = byte;
        }
        let _ = crate::login::directory::fuzz_answer(&message);
    }
}
