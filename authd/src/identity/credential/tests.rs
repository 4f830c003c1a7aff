use super::*;
use http::{HeaderName, HeaderValue};

#[track_caller]
fn check(row: &str, lines: &[(&str, &[u8])], expected: Credential<'_>) {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::try_from(*name).unwrap(),
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    assert_eq!(Credential::read(&headers, "token"), expected, "{row}: {lines:?}");
}

#[test]
fn one_credential_is_read() {
    check(
        "A37 control",
        &[("authorization", b"Bearer a.b.c")],
        Credential::Token("a.b.c"),
    );
    check(
        "A37 control",
        &[("authorization", b"bearer a.b.c")],
        Credential::Token("a.b.c"),
    );
    check(
        "H09 control",
        &[("authorization", b"Bearer sk-12")],
        Credential::Key("sk-12"),
    );
    check(
        "E05 control",
        &[("cookie", b"a=1; token=x.y.z; b=2")],
        Credential::Cookie("x.y.z"),
    );
    check(
        "E05",
        &[("cookie", b"token=x"), ("cookie", b"token=x")],
        Credential::Cookie("x"),
    );
    check(
        "acceptance 51",
        &[("authorization", b"Bearer bad"), ("cookie", b"token=x")],
        Credential::Token("bad"),
    );
    check(
        "acceptance 52",
        &[("authorization", b"Basic eA=="), ("cookie", b"token=x")],
        Credential::Cookie("x"),
    );
    check("nothing", &[], Credential::None);
    check("signed out", &[("cookie", b"token=")], Credential::None);
    check(
        "other cookies",
        &[("cookie", b"xtoken=1; token2=2; tokens=3")],
        Credential::None,
    );
}

#[test]
fn several_or_unclear_credentials_are_refused() {
    let header = Credential::Malformed(Malformed::Header);
    let cookie = Credential::Malformed(Malformed::Cookie);
    let several = Credential::Malformed(Malformed::SeveralHeaders);
    check(
        "A37",
        &[("authorization", b"Bearer a"), ("authorization", b"Bearer b")],
        several,
    );
    check("A37", &[("authorization", b"Bearer a, Bearer b")], header);
    check("A37", &[("authorization", b"Bearer\ta")], header);
    check("A37", &[("authorization", b"Bearer  a")], header);
    check("A37", &[("authorization", b"Bearer a b")], header);
    check("A37", &[("authorization", b"Bearer ")], header);
    check("A37", &[("authorization", b"Bearer")], header);
    check("A37", &[("authorization", b"")], header);
    check("W-10", &[("authorization", b"x")], header);
    check("A37", &[("authorization", b"Bearer \xff")], header);
    check("E05", &[("cookie", b"token=a; token=b")], cookie);
    check("E05", &[("cookie", b"token=a"), ("cookie", b"token=b")], cookie);
    check("E04", &[("cookie", b"token=\"a\"")], cookie);
    check("D19", &[("cookie", b"token=%")], cookie);
    check("D19", &[("cookie", b"token=\xff")], cookie);
    check(
        "H09",
        &[("cookie", b"token=sk-0123456789abcdef0123456789abcdef")],
        cookie,
    );
}

#[test]
fn a_cookie_of_another_spelling_is_not_ours() {
    check("E04", &[("cookie", b"Token=a")], Credential::None);
    check("E04", &[("cookie", b"=token=a")], Credential::None);
    check("E04", &[("cookie", b"  token=a")], Credential::None);
    let host = |cookie: &[u8]| {
        let mut headers = http::HeaderMap::new();
        headers.insert("cookie", http::HeaderValue::from_bytes(cookie).unwrap());
        matches!(Credential::read(&headers, "__Host-sid"), Credential::Cookie("a"))
    };
    assert!(host(b"__Host-sid=a"), "E04 control");
    for other in [
        "__HOST-sid=a",
        "__host-sid=a",
        "=__Host-sid=a",
        "\"__Host-sid\"=a",
        "  __Host-sid=a",
        "sid=a",
    ] {
        assert!(!host(other.as_bytes()), "E04: {other}");
    }
    check("E04", &[("cookie", b"token =a")], Credential::None);
}

#[test]
fn a37_a_token_has_the_bytes_of_rfc_6750_and_no_others() {
    for byte in 0..=u8::MAX {
        let expected = byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        assert_eq!(are_token_bytes(&[byte]), expected, "{byte}");
        assert_eq!(are_token_bytes(&[b'a', byte, b'z']), expected, "{byte}");
    }
}
