use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretBox;
use url::{Origin, Url};
use uuid::Uuid;

use super::{Csrf, Error, Purpose, Transport, Visit, same_origin};
use crate::random::Random;

fn csrf(key: u8, transport: Transport) -> Csrf {
    Csrf::new(&SecretBox::new(Box::new([key; 32])), transport)
}

fn own() -> Origin {
    Url::parse("https://auth.example.com").unwrap().origin()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )
        })
        .collect()
}

/// What a browser sends with a form after it was given the cookie of `visit`.
fn post(csrf: &Csrf, visit: &Visit) -> HeaderMap {
    let set = csrf.set_cookie(visit).unwrap();
    let (cookie, _) = set.to_str().unwrap().split_once(';').unwrap();
    headers(&[
        ("cookie", &format!("theme=dark; {cookie}; token=x")),
        ("origin", "https://auth.example.com"),
    ])
}

#[test]
fn a_form_is_believed_for_its_own_visit_purpose_session_and_key_alone() {
    let (csrf, other_server) = (csrf(1, Transport::Https), csrf(2, Transport::Https));
    let random = Random::seeded(1);
    let (alice, mallory) = (csrf.begin(&random), csrf.begin(&random));
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let purposes = [
        Purpose::SignIn,
        Purpose::SignOut(one),
        Purpose::SignOut(two),
        Purpose::Account(one),
        Purpose::Account(two),
    ];
    for made in purposes {
        let token = csrf.token(&alice, made);
        for asked in purposes {
            let expected = if made == asked { Ok(()) } else { Err(Error::WrongToken) };
            assert_eq!(
                csrf.check(&post(&csrf, &alice), &own(), asked, &token),
                expected,
                "{made:?} {asked:?}"
            );
        }
        assert_eq!(
            csrf.check(&post(&csrf, &mallory), &own(), made, &token),
            Err(Error::WrongToken)
        );
        assert_eq!(
            other_server.check(&post(&csrf, &alice), &own(), made, &token),
            Err(Error::WrongToken)
        );
    }
}

#[test]
fn no_changed_character_of_a_token_survives() {
    let csrf = csrf(1, Transport::Http);
    let visit = csrf.begin(&Random::seeded(1));
    let headers = post(&csrf, &visit);
    let token = csrf.token(&visit, Purpose::SignIn);
    assert_eq!(csrf.check(&headers, &own(), Purpose::SignIn, &token), Ok(()));
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(
            csrf.check(&headers, &own(), Purpose::SignIn, &changed),
            Err(Error::WrongToken),
            "{index}"
        );
    }
    for broken in [
        "",
        "A",
        &token[1..],
        &format!("{token}="),
        &format!("{token}A"),
        "\u{e9}",
    ] {
        assert_eq!(
            csrf.check(&headers, &own(), Purpose::SignIn, broken),
            Err(Error::WrongToken),
            "{broken:?}"
        );
    }
}

#[test]
fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let random = Random::seeded(1);
    for (transport, start, end) in [
        (
            Transport::Https,
            "__Host-authd_csrf=",
            "; Path=/; HttpOnly; SameSite=Lax; Secure",
        ),
        (Transport::Http, "authd_csrf=", "; Path=/; HttpOnly; SameSite=Lax"),
    ] {
        let csrf = csrf(1, transport);
        let cookie = csrf.set_cookie(&csrf.begin(&random)).unwrap();
        let cookie = cookie.to_str().unwrap();
        let value = cookie.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        assert_eq!(value.map(str::len), Some(22), "{cookie}");
    }
}

#[test]
fn a_cookie_is_read_only_where_it_is_whole_and_alone() {
    let csrf = csrf(1, Transport::Https);
    let good = "__Host-authd_csrf=AAAAAAAAAAAAAAAAAAAAAA";
    for (case, lines, expected) in [
        ("alone", vec![good.to_owned()], true),
        ("among others", vec![format!("a=b; {good}; c=d")], true),
        ("on its own line", vec!["a=b".to_owned(), good.to_owned()], true),
        ("absent", vec!["a=b".to_owned()], false),
        ("without the prefix", vec![good.replace("__Host-", "")], false),
        ("twice", vec![format!("{good}; {good}")], false),
        ("on two lines", vec![good.to_owned(), good.to_owned()], false),
        ("short", vec!["__Host-authd_csrf=AAAA".to_owned()], false),
        ("long", vec![format!("{good}AA")], false),
        ("empty", vec!["__Host-authd_csrf=".to_owned()], false),
        (
            "not base64",
            vec!["__Host-authd_csrf=!!!!!!!!!!!!!!!!!!!!!!".to_owned()],
            false,
        ),
    ] {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("cookie", HeaderValue::try_from(line).unwrap());
        }
        assert_eq!(csrf.visit(&headers).is_some(), expected, "{case}");
    }
}

#[test]
fn a_post_without_our_origin_or_cookie_is_refused() {
    let csrf = csrf(1, Transport::Https);
    let visit = csrf.begin(&Random::seeded(1));
    let token = csrf.token(&visit, Purpose::SignIn);
    let check = |headers: &HeaderMap| csrf.check(headers, &own(), Purpose::SignIn, &token);
    let mut headers = post(&csrf, &visit);
    assert_eq!(check(&headers), Ok(()));
    headers.insert("origin", HeaderValue::from_static("https://evil.com"));
    assert_eq!(check(&headers), Err(Error::CrossOrigin));
    headers.insert("origin", HeaderValue::from_static("https://auth.example.com"));
    headers.remove("cookie");
    assert_eq!(check(&headers), Err(Error::NoVisit));
}

#[track_caller]
fn check(case: &str, pairs: &[(&str, &str)], expected: bool) {
    assert_eq!(same_origin(&headers(pairs), &own()), expected, "{case}");
}

#[test]
fn the_origin_decides_where_there_is_one() {
    let ours = ("origin", "https://auth.example.com");
    check("our origin", &[ours], true);
    check(
        "our origin, whatever the referer",
        &[ours, ("referer", "https://evil.com/")],
        true,
    );
    check("twice", &[ours, ours], false);
    check("twice, different", &[ours, ("origin", "https://evil.com")], false);
    for origin in [
        "null",
        "",
        "https://evil.com",
        "https://app.example.com",
        "https://auth.example.com.evil.com",
        "https://auth.example.com/",
        "https://auth.example.com:8443",
        "http://auth.example.com",
        "https://auth.example.c\u{f6}m",
    ] {
        check(origin, &[("origin", origin)], false);
        let beside = [
            ("origin", origin),
            ("sec-fetch-site", "same-origin"),
            ("referer", "https://auth.example.com/login"),
        ];
        check(origin, &beside, false);
    }
    let opaque = Origin::new_opaque();
    assert!(
        !same_origin(&headers(&[("origin", "null")]), &opaque),
        "an opaque origin has no pages"
    );
}

#[test]
fn without_an_origin_the_browser_or_the_referer_has_to_name_us() {
    let referer = ("referer", "https://auth.example.com/login?x=1");
    check("same-origin", &[("sec-fetch-site", "same-origin")], true);
    check("none", &[("sec-fetch-site", "none")], true);
    check("same-site", &[("sec-fetch-site", "same-site")], false);
    check("cross-site", &[("sec-fetch-site", "cross-site")], false);
    check(
        "cross-site beside our referer",
        &[("sec-fetch-site", "cross-site"), referer],
        false,
    );
    check("our referer", &[referer], true);
    check("two referers", &[referer, referer], false);
    check("nothing", &[], false);
    for referer in [
        "https://evil.com/https://auth.example.com/",
        "https://auth.example.com@evil.com/",
        "https://auth.example.com.evil.com/",
        "http://auth.example.com/login",
        "auth.example.com",
        "",
    ] {
        check(referer, &[("referer", referer)], false);
    }
}

#[test]
fn debug_shows_neither_key_nor_visit() {
    let csrf = csrf(0x41, Transport::Https);
    let visit = csrf.begin(&Random::seeded(1));
    assert_eq!(format!("{visit:?}"), "Visit(..)");
    let shown = format!("{csrf:?}");
    assert!(
        !shown.contains("65, 65") && !shown.contains("AAAA") && !shown.contains("4141"),
        "{shown}"
    );
}
