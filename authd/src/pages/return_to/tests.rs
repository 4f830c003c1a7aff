use proptest::prelude::*;
use url::Url;

use super::accept;

const PUBLIC: &str = "https://auth.example.com";

/// One host by name, one domain by its end, one address: what instances allow.
fn allowed(host: &str) -> bool {
    matches!(
        host,
        "auth.example.com" | "grafana.example.com" | "[::1]" | "127.0.0.1" | "xn--bcher-kva.example.com"
    ) || host.ends_with(".apps.example.com")
}

#[track_caller]
fn check(case: &str, public: &str, raw: &str, expected: Option<&str>) {
    let accepted = accept(raw, &allowed, &Url::parse(public).unwrap());
    assert_eq!(accepted.as_deref(), expected, "{case}: {raw:?}");
}

#[track_caller]
fn refused(case: &str, raws: &[&str]) {
    for raw in raws {
        check(case, PUBLIC, raw, None);
    }
}

const ACCEPTED: &[(&str, &str)] = &[
    ("/", "https://auth.example.com/"),
    ("/account", "https://auth.example.com/account"),
    ("/account?tab=keys#new", "https://auth.example.com/account?tab=keys#new"),
    ("/a/../b", "https://auth.example.com/b"),
    ("/loginfo", "https://auth.example.com/loginfo"),
    (
        "/account?from=//evil.com",
        "https://auth.example.com/account?from=//evil.com",
    ),
    ("/account?line=%0Anext", "https://auth.example.com/account?line=%0Anext"),
    ("/caf%C3%A9", "https://auth.example.com/caf%C3%A9"),
    ("https://auth.example.com/account", "https://auth.example.com/account"),
    ("https://grafana.example.com", "https://grafana.example.com/"),
    ("HTTPS://GRAFANA.example.COM/d/1", "https://grafana.example.com/d/1"),
    ("https://grafana.example.com/login", "https://grafana.example.com/login"),
    (
        "https://grafana.example.com:8443/d",
        "https://grafana.example.com:8443/d",
    ),
    ("https://grafana.example.com:443/d", "https://grafana.example.com/d"),
    (
        "https://grafana.example.com/d?a=1&b=x@y#z",
        "https://grafana.example.com/d?a=1&b=x@y#z",
    ),
    (
        "https://grafana.example.com/projects/a%2Fb",
        "https://grafana.example.com/projects/a%2Fb",
    ),
    ("https://grafana.example.com/a//b", "https://grafana.example.com/a//b"),
    (
        "https://grafana.example.com/?q=a|b",
        "https://grafana.example.com/?q=a|b",
    ),
    (
        "https://grafana.example.com?next=https://evil.com",
        "https://grafana.example.com/?next=https://evil.com",
    ),
    ("https://shop.apps.example.com/a", "https://shop.apps.example.com/a"),
    (
        "https://xn--bcher-kva.example.com/",
        "https://xn--bcher-kva.example.com/",
    ),
    ("https://[::1]:3000/x", "https://[::1]:3000/x"),
    ("https://0x7f.1/x", "https://127.0.0.1/x"),
];

#[test]
fn what_people_return_to_is_accepted() {
    for (raw, expected) in ACCEPTED {
        check("positive control", PUBLIC, raw, Some(expected));
    }
}

#[test]
fn http_is_accepted_only_where_we_are_http() {
    let loopback = "http://127.0.0.1:8080";
    check("scheme", PUBLIC, "http://grafana.example.com/", None);
    check("scheme", PUBLIC, "http://auth.example.com/account", None);
    check(
        "scheme",
        loopback,
        "http://127.0.0.1:9000/x",
        Some("http://127.0.0.1:9000/x"),
    );
    check(
        "scheme",
        loopback,
        "https://grafana.example.com/",
        Some("https://grafana.example.com/"),
    );
    check("scheme", loopback, "/account", Some("http://127.0.0.1:8080/account"));
}

#[test]
fn our_own_origin_needs_no_entry_in_the_list() {
    let public = Url::parse("https://sso.example.net:8443").unwrap();
    let accepted = |raw| accept(raw, &|_| false, &public);
    assert_eq!(
        accepted("/account").as_deref(),
        Some("https://sso.example.net:8443/account")
    );
    assert_eq!(
        accepted("https://sso.example.net:8443/").as_deref(),
        Some("https://sso.example.net:8443/")
    );
    assert_eq!(accepted("https://sso.example.net:9/"), None);
}

const ELSEWHERE: &[&str] = &[
    "//evil.com",
    "///evil.com",
    "////evil.com",
    "//evil.com/%2f..",
    "//grafana.example.com/",
    "//auth.example.com@evil.com",
    "/\\evil.com",
    "\\\\evil.com",
    "\\/evil.com",
    "/\\/evil.com",
    "//\\evil.com",
    "\\evil.com",
    "/./\\evil.com",
    "/.\\evil.com",
    "/\t/evil.com",
    "/\n/evil.com",
    "/\r/evil.com",
    "/ /evil.com",
    "/\x0b/evil.com",
    "/\x0c/evil.com",
    "/%09/evil.com",
    "/%0a/evil.com",
    "/%0d/evil.com",
    "/%2f/evil.com",
    "/%2fevil.com",
    "/%5cevil.com",
    "/%5C/evil.com",
    "https:evil.com",
    "https:/evil.com",
    "https:///evil.com",
    "https:////evil.com",
    "https:\\\\evil.com",
    "https:grafana.example.com",
    "https:/grafana.example.com",
    "https:///grafana.example.com",
    "http:evil.com",
    "/.//evil.com",
    "/..//evil.com",
    "/a/..//evil.com",
    "/%2e//evil.com",
    "/%2E%2e//evil.com",
    "/.//\\evil.com",
    "/;//evil.com\\",
    "evil.com",
    "evil.com/path",
    ".evil.com",
    "@evil.com",
    "account",
    "./account",
    "../x",
    "?x",
    "#x",
    "",
    "https://",
    "https://?",
    "https:///",
    "://evil.com",
    "//",
    "///",
    "/\\",
    ":",
    "https",
];

#[test]
fn i02_other_spellings_of_another_host_are_refused() {
    refused("I02", ELSEWHERE);
}

const ALIKE: &[&str] = &[
    "https://evil.com",
    "https://evil.com/grafana.example.com",
    "https://evil.com?grafana.example.com",
    "https://evil.com#grafana.example.com",
    "https://evil.com#@grafana.example.com",
    "https://evil.com/.apps.example.com",
    "https://grafana.example.com.evil.com",
    "https://grafana.example.comevil.com",
    "https://evilgrafana.example.com",
    "https://apps.example.com",
    "https://evilapps.example.com",
    "https://apps.example.com.evil.com",
    "https://example.com",
    "https://grafana.example.com@evil.com",
    "https://grafana.example.com:443@evil.com",
    "https://a:b@grafana.example.com",
    "https://@grafana.example.com",
    "https://:@grafana.example.com",
    "https://evil.com@grafana.example.com",
    "https://grafana.example.com%40evil.com",
    "https://grafana.example.com%2eevil.com",
    "https://evil.com%2f.apps.example.com",
    "https://evil.com%23.apps.example.com",
    "https://evil.com%00.apps.example.com",
    "https://evil.com%5c.apps.example.com",
    "https://%67rafana.example.com",
    "https://evil.com\\.apps.example.com",
    "https://evil.com\\@grafana.example.com",
    "https://grafana.example.com\\@evil.com",
    "https://grafana.example.com\\.evil.com",
    "https://grafana.example.com.",
    "https://grafana.example.com./",
    "https://shop.apps.example.com.",
    "https://grafana.example.com:x/",
    "https://grafana.example.com:99999/",
    "https://grafana.example.com:-1/",
    "https://[::1",
    "https://[::ffff:7f00:1]/",
    "https://2130706434",
    "https://0x7f000002",
    "https://127.0.0.2",
    "https://[grafana.example.com]",
    "https://grafana.example.com//evil.com",
    "https://grafana.example.com/.//evil.com",
    "https://grafana.example.com/%0d%0aX:y",
    "https://evil.com;.apps.example.com",
    "https://evil.com,grafana.example.com",
    "https://gra\tfana.example.com",
    "https://grafana.example.com https://evil.com",
    " https://grafana.example.com",
    "https://grafana.example.com ",
];

#[test]
fn another_host_that_looks_like_ours_is_refused() {
    refused("host", ALIKE);
}

#[test]
fn i04_other_schemes_are_refused() {
    refused(
        "I04",
        &[
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "javascript://grafana.example.com/%0aalert(1)",
            "java\tscript:alert(1)",
            "java\nscript:alert(1)",
            "\x01javascript:alert(1)",
            " javascript:alert(1)",
            "%6aavascript:alert(1)",
            "javascript%3aalert(1)",
            "data:text/html,x",
            "data://grafana.example.com/,x",
            "DATA:text/html;base64,eA==",
            "vbscript:x",
            "blob:https://grafana.example.com/1",
            "file:///etc/passwd",
            "file://grafana.example.com/x",
            "ftp://grafana.example.com/",
            "ws://grafana.example.com/",
            "wss://grafana.example.com/",
            "view-source:https://grafana.example.com",
            "about:blank",
            "mailto:a@grafana.example.com",
            "intent://grafana.example.com#Intent;end",
            "httpss://grafana.example.com",
            "xhttps://grafana.example.com",
            "https+x://grafana.example.com",
            "feed:https://grafana.example.com",
        ],
    );
}

#[test]
fn i05_line_ends_split_no_header() {
    refused(
        "I05",
        &[
            "/\r\nSet-Cookie:x=1",
            "/%0d%0aSet-Cookie:x",
            "/%0D%0ASet-Cookie:x",
            "/x\nSet-Cookie:x",
            "https://grafana.example.com/\r\nX:y",
            "https://grafana.example.com/%0d%0aSet-Cookie:x",
            "/%00",
            "/%7f",
            "/%1b",
            "/a\0b",
            "%0d%0a//evil.com",
        ],
    );
}

#[test]
fn i06_letters_of_other_alphabets_are_refused() {
    refused(
        "I06",
        &[
            "\u{ff0f}\u{ff0f}evil.com",
            "/\u{ff0f}evil.com",
            "https:\u{ff0f}\u{ff0f}evil.com",
            "https://grafana\u{3002}example\u{3002}com",
            "https://evil\u{3002}com",
            "https://evil.com\u{ff0f}.apps.example.com",
            "https://evil.com\u{2100}.apps.example.com",
            "https://gr\u{430}fana.example.com",
            "https://b\u{fc}cher.example.com",
            "https://evil.com\u{ff03}.apps.example.com",
            "https://gra\u{ad}fana.example.com",
            "https://\u{202e}moc.live",
            "/\u{202e}moc.live//",
            "/\0/evil.com",
            "\0//evil.com",
            "https://evil.com\0.apps.example.com",
            "/\u{a0}/evil.com",
            "/\u{2028}/evil.com",
            "\u{feff}https://grafana.example.com",
            "https://xn--grfana-8ve.example.com",
            "https://xn--zzzzzz.apps.example.com",
        ],
    );
}

#[test]
fn i07_addresses_that_repeat_or_end_the_sign_in_are_refused() {
    refused(
        "I07",
        &[
            "/login",
            "/login/",
            "/login?return_to=/login",
            "/LOGIN",
            "/%6cogin",
            "/./login",
            "/x/../login",
            "/login;x=1",
            "/login#x",
            "/logout",
            "/logout?x",
            "/oauth/corporate/callback?code=1&state=2",
            "/oauth/corporate/login",
            "/oauth",
            "https://auth.example.com/login",
            "https://AUTH.example.com:443/logout",
            "https://auth.example.com:8443/login",
            "/login?return_to=https%3A%2F%2Fauth.example.com%2Flogin%3Freturn_to%3D%2F",
        ],
    );
    let path = |length: usize| format!("/{}", "a".repeat(length - 1));
    check(
        "I07 at the limit",
        PUBLIC,
        &path(2048),
        Some(&format!("{PUBLIC}{}", path(2048))),
    );
    check("I07 past the limit", PUBLIC, &path(2049), None);
    check("I07 8 KiB", PUBLIC, &path(8192), None);
}

#[test]
fn b42_i10_nothing_is_decoded_a_second_time() {
    refused(
        "B42",
        &[
            "%2f%2fevil.com",
            "%252f%252fevil.com",
            "/%2f%2fevil.com",
            "%2Faccount",
            "https%3A%2F%2Fgrafana.example.com",
        ],
    );
    refused(
        "I10",
        &[
            "https%3a//evil.com",
            "https%253a%252f%252fevil.com",
            "https://evil.com%252f.apps.example.com",
        ],
    );
    // Encoded twice, it is a path with a strange name, and stays on the host.
    check(
        "I10",
        PUBLIC,
        "/%252f%252fevil.com",
        Some("https://auth.example.com/%252f%252fevil.com"),
    );
    check(
        "I10",
        PUBLIC,
        "/%25252fevil.com",
        Some("https://auth.example.com/%25252fevil.com"),
    );
    check(
        "I10",
        PUBLIC,
        "/%255cevil.com",
        Some("https://auth.example.com/%255cevil.com"),
    );
}

/// Pieces that open redirects are made of, in any order, beside plain noise.
fn addresses() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/",
        "//",
        "\\",
        ".",
        "..",
        "@",
        ":",
        "?",
        "#",
        "%2f",
        "%5c",
        "%00",
        "%0a",
        "%09",
        "%2e",
        "%40",
        "\t",
        "\n",
        " ",
        ";",
        "[",
        "]",
        "https:",
        "https://",
        "http://",
        "HTTP:",
        "javascript:",
        "evil.com",
        "grafana.example.com",
        "auth.example.com",
        ".apps.example.com",
        "127.0.0.1",
        "login",
        "account",
        "443",
        "\u{ff0f}",
        "\u{3002}",
        "xn--",
        "x",
    ]);
    prop_oneof![
        4 => prop::collection::vec(pieces.clone(), 0..8).prop_map(|parts| parts.concat()),
        3 => ("https://(grafana|x\\.apps)\\.example\\.com", prop::collection::vec(pieces, 0..5))
            .prop_map(|(start, rest)| start + &rest.concat()),
        1 => ".{0,60}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_return_address_never_leaves_the_allowed_hosts(raw in addresses(), loopback: bool) {
        let public = Url::parse(if loopback { "http://127.0.0.1:8080" } else { PUBLIC }).unwrap();
        if let Some(accepted) = accept(&raw, &allowed, &public) {
            let url = Url::parse(&accepted).unwrap();
            prop_assert!(allowed(url.host_str().unwrap()), "{accepted}");
            prop_assert!(url.scheme() == "https" || (loopback && url.scheme() == "http"), "{accepted}");
            prop_assert!(url.username().is_empty() && url.password().is_none(), "{accepted}");
            prop_assert_eq!(url.as_str(), &accepted);
            prop_assert!(accepted.bytes().all(|byte| byte.is_ascii_graphic()), "{accepted}");
            prop_assert_eq!(accept(&accepted, &allowed, &public), Some(accepted));
        }
    }

    #[test]
    fn plain_paths_on_allowed_hosts_are_accepted(path in "(/[a-z0-9_-]{1,8}){1,4}(\\?[a-z]=[a-z0-9]{0,6})?") {
        let address = format!("https://grafana.example.com{path}");
        prop_assert_eq!(accept(&address, &allowed, &Url::parse(PUBLIC).unwrap()), Some(address));
    }
}
