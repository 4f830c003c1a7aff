//! Where a browser is sent once a provider vouched for somebody, as Chromium reads it. Rows I of the attacks.

use tests::browser::Visit;

use super::trial::{Attempt, PUBLIC, Trial, let_in, window};

/// What somebody may write into a link that begins a sign-in.
const WANTED: [&str; 46] = [
    "http://evil.test/",
    "https://evil.test",
    "http://app.test.localhost.evil.test/",
    "http://evil.test/app.test.localhost",
    "http://app.test.localhost@evil.test/",
    "http://app.test.localhost:x@evil.test/",
    "http://evil.test#app.test.localhost",
    "http://evil.test?app.test.localhost",
    "http://evilapp.test.localhost/",
    "http://evil.test\\.test.localhost/",
    "ftp://app.test.localhost/",
    "//evil.test",
    "///evil.test",
    "////evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\\/evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "\t//evil.test",
    "/ /evil.test",
    "/./\\evil.test",
    "/.//evil.test",
    "/..//evil.test",
    "https:evil.test",
    "https:/evil.test",
    "http:///evil.test",
    "http:\\\\evil.test",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "%6aavascript:alert(1)",
    "data:text/html,x",
    "blob:http://evil.test/x",
    "http://app.test.localhost/%0d%0aSet-Cookie:x",
    "/\r\nSet-Cookie: x=y",
    "http://app.test.localhost\u{ff0f}.evil.test/",
    "http://evil\u{3002}test/",
    "http://\u{430}pp.test.localhost/",
    "/\u{0}",
    "/\u{202e}//evil.test",
    "%2f%2fevil.test",
    "/%2fevil.test",
    "%252f%252fevil.test",
    "/%5cevil.test",
    "http%3A%2F%2Fevil.test",
];

#[tokio::test]
async fn i01_to_i10_b42_a_return_address_survives_the_way_and_never_leaves_the_allowed_hosts() {
    let trial = Trial::start(&["back"]).await;
    let from = async |row: &str, parameter: &str, wanted: &str| {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(parameter, wanted)
            .finish();
        let mut window = window(&trial.world);
        let callback = format!("{PUBLIC}/oauth/back/callback");
        window
            .follow(&format!("{PUBLIC}/oauth/back/login?{query}"), &callback)
            .await;
        let here = window.here.clone().map(String::from).unwrap_or_default();
        let answer = window.open(&here).await;
        assert_eq!(answer.status, 303, "{row} I09: {}", answer.body);
        let location = answer.header("location").to_owned();
        assert!(answer.headers.get("x").is_none(), "{row} I05");
        let_in(row, &Attempt { window, answer });
        location
    };
    for (row, wanted) in [
        ("control", "http://app.test.localhost:8000/a?b=c"),
        ("I10 decoded once", "http://app.test.localhost:8000/%252f%252fevil.test"),
    ] {
        assert_eq!(from(row, "return_to", wanted).await, wanted, "{row}");
        assert_eq!(from(row, "rd", wanted).await, wanted, "{row}");
    }
    assert_eq!(
        from("control", "return_to", "/account?x").await,
        format!("{PUBLIC}/account?x")
    );
    let mut locations = Vec::new();
    for wanted in WANTED {
        locations.push(from(wanted, "return_to", wanted).await);
    }
    for wanted in [
        "/logout",
        "/login?return_to=/login",
        "/oauth/back/login",
        "/oauth/back/callback",
    ] {
        assert_eq!(from("I07", "return_to", wanted).await, "/account", "I07 {wanted}");
    }
    locations.push(
        from(
            "I07 8 KiB",
            "return_to",
            &format!("http://app.test.localhost/{}", "a".repeat(8192)),
        )
        .await,
    );
    Visit::new()
        .open("about:blank")
        .stays_within(
            &format!("{PUBLIC}/oauth/back/callback"),
            &locations,
            &["auth.test.localhost", "app.test.localhost"],
        )
        .done()
        .await;
}
