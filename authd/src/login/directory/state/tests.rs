use jiff::Timestamp;

use super::{check, judge};
use crate::login::directory::message::{Entry, Outcome};

fn entry(attributes: &[(&str, &str)]) -> Entry {
    let attribute = |(name, value): &(&str, &str)| ((*name).to_owned(), vec![value.as_bytes().to_vec()]);
    Entry {
        dn: "uid=ann".to_owned(),
        attributes: attributes.iter().map(attribute).collect(),
    }
}

#[test]
fn g12_an_account_that_is_disabled_or_has_expired_is_refused() {
    // Noon of day 20,000.
    let now = Timestamp::from_second(20_000 * 86_400 + 43_200).expect("a time");
    for (attributes, expected) in [
        (&[][..], "admitted"),
        (&[("userAccountControl", "512")], "admitted"),
        (&[("userAccountControl", "514")], "AccountDisabled"),
        (&[("useraccountcontrol", "514")], "AccountDisabled"),
        (&[("userAccountControl", "66050")], "AccountDisabled"),
        // Locked after wrong guesses: the bind tells, and whoever is in stays.
        (&[("userAccountControl", "528")], "admitted"),
        (&[("nsAccountLock", "TRUE")], "AccountDisabled"),
        (&[("nsAccountLock", "false")], "admitted"),
        (&[("pwdAccountLockedTime", "000001010000Z")], "AccountDisabled"),
        (&[("pwdAccountLockedTime", "20240101000000Z")], "admitted"),
        (&[("accountExpires", "0")], "admitted"),
        (&[("accountExpires", "9223372036854775807")], "admitted"),
        (&[("accountExpires", "116444736000000001")], "AccountExpired"),
        (&[("accountExpires", "133725000000000000")], "AccountExpired"),
        (&[("accountExpires", "133727112000000000")], "admitted"),
        (&[("shadowExpire", "-1")], "admitted"),
        (&[("shadowExpire", "0")], "AccountExpired"),
        (&[("shadowExpire", "19999")], "AccountExpired"),
        (&[("shadowExpire", "20000")], "AccountExpired"),
        (&[("shadowExpire", "20001")], "admitted"),
        (&[("shadowExpire", "soon")], "admitted"),
    ] {
        let found = check(&entry(attributes), now).map_or_else(|failure| failure.reason(), |()| "admitted");
        assert_eq!(found, expected, "{attributes:?}");
    }
}

#[test]
fn g12_what_the_directory_says_of_a_refusal_becomes_its_reason() {
    let microsoft = |code: &str| {
        format!("80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {code}, v4563")
    };
    for (code, diagnostic, policy, attributes, expected) in [
        (0, String::new(), None, &[][..], "admitted"),
        (0, String::new(), Some(2), &[], "PasswordMustChange"),
        (0, String::new(), None, &[("pwdReset", "TRUE")], "PasswordMustChange"),
        (49, String::new(), None, &[], "UserBindRefused"),
        (49, String::new(), Some(0), &[], "PasswordExpired"),
        (49, String::new(), Some(1), &[], "AccountLocked"),
        (
            49,
            String::new(),
            None,
            &[("pwdAccountLockedTime", "20240101000000Z")],
            "AccountLocked",
        ),
        (49, microsoft("52e"), None, &[], "UserBindRefused"),
        (49, microsoft("533"), None, &[], "AccountDisabled"),
        (49, microsoft("701"), None, &[], "AccountExpired"),
        (49, microsoft("532"), None, &[], "PasswordExpired"),
        (49, microsoft("773"), None, &[], "PasswordMustChange"),
        (49, microsoft("775"), None, &[], "AccountLocked"),
        (10, "elsewhere".to_owned(), None, &[], "UserBindRefused"),
    ] {
        let outcome = Outcome {
            code,
            diagnostic,
            policy,
            cookie: Vec::new(),
        };
        let found = judge(&entry(attributes), &outcome).map_or_else(|failure| failure.reason(), |()| "admitted");
        assert_eq!(found, expected, "{outcome:?} {attributes:?}");
    }
}
