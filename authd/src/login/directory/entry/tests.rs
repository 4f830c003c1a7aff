use policy::directory::Attributes;

use super::{claims, has_subject, subject};
use crate::login::directory::message::Entry;

fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
    let attribute =
        |(name, values): &(&str, &[&[u8]])| ((*name).to_owned(), values.iter().map(|value| value.to_vec()).collect());
    Entry {
        dn: "uid=ann,dc=x".to_owned(),
        attributes: attributes.iter().map(attribute).collect(),
    }
}

const GUID: &[u8] = &[
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 9, 10, 11, 12, 13, 14, 15, 16,
];

#[test]
fn g15_an_entry_has_one_id_and_is_found_by_it() {
    let text = entry(&[("entryUUID", &[b"0a-1"])]);
    assert_eq!(subject(&text, "entryuuid").as_deref(), Ok("0a-1"));
    let binary = entry(&[("objectGUID", &[GUID])]);
    let id = subject(&binary, "objectguid").expect("an id");
    assert_eq!(id, "04030201-0605-0807-090a-0b0c0d0e0f10");
    let found = format!("{:?}", has_subject("objectGUID", &id));
    assert!(found.contains("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"), "{found}");
}

#[test]
fn g16_an_id_that_is_not_one_text_is_refused() {
    let long = "a".repeat(257);
    for (attribute, values) in [
        ("entryUUID", &[][..]),
        ("entryUUID", &[b"a".as_slice(), b"b"]),
        ("entryUUID", &[b"".as_slice()]),
        ("entryUUID", &[b"\xff\xfe".as_slice()]),
        ("entryUUID", &[long.as_bytes()]),
        ("objectGUID", &[b"short".as_slice()]),
    ] {
        let failure = subject(&entry(&[(attribute, values)]), attribute).expect_err("it is refused");
        assert_eq!(failure.reason(), "EntryUnusable", "{attribute} {values:?}");
    }
}

#[test]
fn g16_of_several_values_it_is_always_the_same_one() {
    let attributes = Attributes {
        id: "entryUUID".to_owned(),
        username: "uid".to_owned(),
        email: "mail".to_owned(),
        name: "cn".to_owned(),
    };
    let values: [&[&[u8]]; 2] = [&[b"b@x", b"a@x", b"\xff"], &[b"\xff", b"a@x", b"b@x"]];
    for mail in values {
        let claims = claims(
            &entry(&[("MAIL", mail), ("cn", &[b"\xff"]), ("uid", &[b" "])]),
            &attributes,
        );
        assert_eq!(claims.get("email"), Some(&vec!["a@x".to_owned()]));
        assert_eq!(claims.get("dn"), Some(&vec!["uid=ann,dc=x".to_owned()]));
        assert_eq!((claims.get("name"), claims.get("username")), (None, None));
    }
}
