//! Where a browser is sent after signing in, by the real page. Rows I of the attacks.

use tests::http::{Answer, get, post};
use tests::world::{PASSWORD, Shared, World};

static SHARED: Shared = Shared::new();

const ORIGIN: &str = "http://auth.test.localhost:8000";

async fn sign_in(world: &World, email: &str, return_to: &str) -> Answer {
    let page = get(world.public("/login")).send().await.expect("page", 200);
    let (visit, csrf) = (
        page.set_cookie("authd_csrf").unwrap_or_default(),
        page.field("csrf").unwrap_or_default(),
    );
    post(world.public("/login"))
        .header("cookie", format!("authd_csrf={visit}"))
        .header("origin", ORIGIN)
        .form(&[
            ("csrf", &csrf),
            ("email", email),
            ("password", PASSWORD),
            ("return_to", return_to),
        ])
        .send()
        .await
}

#[tokio::test]
async fn i01_to_i10_nobody_is_sent_to_a_place_that_is_not_ours() {
    let world = SHARED.world().await;
    let ann = world.person("i01", "user").await;
    let start = "/account";
    let long = format!("http://app.test.localhost/{}", "a".repeat(8192));
    let rows = [
        (
            "control",
            "http://app.test.localhost:8000/a?b=c",
            "http://app.test.localhost:8000/a?b=c",
        ),
        (
            "outside of the cookie's domain, where nobody would be signed in",
            "http://a.wild.test/",
            start,
        ),
        ("control", "/account?x", "http://auth.test.localhost:8000/account?x"),
        ("I01", "http://evil.test/", start),
        ("I01", "http://app.test.localhost.evil.test/", start),
        ("I01", "http://evil.test/app.test.localhost", start),
        ("I01", "http://app.test.localhost@evil.test/", start),
        ("I01", "http://app.test.localhost:x@evil.test/", start),
        ("I01", "http://evil.test#app.test.localhost", start),
        ("I01", "http://evil.test?app.test.localhost", start),
        ("I01", "http://evilapp.test.localhost/", start),
        ("I01", "ftp://app.test.localhost/", start),
        ("I02", "//evil.test", start),
        ("I02", "/\\evil.test", start),
        ("I02", "/\t/evil.test", start),
        ("I02", "/\n/evil.test", start),
        ("I02", "/ /evil.test", start),
        ("I02", "/./\\evil.test", start),
        ("I02", "https:evil.test", start),
        ("I02", "http:///evil.test", start),
        ("I02", "///evil.test", start),
        ("I04", "javascript:alert(1)", start),
        ("I04", "data:text/html,x", start),
        ("I04", "JaVaScRiPt:alert(1)", start),
        ("I04", "%6aavascript:alert(1)", start),
        ("I05", "http://app.test.localhost/%0d%0aSet-Cookie:x", start),
        ("I05", "/\r\nSet-Cookie: x=y", start),
        ("I06", "http://app.test.localhost\u{ff0f}.evil.test/", start),
        ("I06", "http://app\u{3002}test\u{3002}localhost/", start),
        ("I06", "http://\u{430}pp.test.localhost/", start),
        ("I06", "/\u{0}", start),
        ("I06", "/\u{202e}", start),
        ("I07", "/logout", start),
        ("I07", "/login", start),
        ("I07", "/login?return_to=/login", start),
        ("I07", &long, start),
        ("I10", "%2f%2fevil.test", start),
        ("I10", "%252f%252fevil.test", start),
        ("I10", "http%3A%2F%2Fevil.test", start),
    ];
    for (row, return_to, expected) in rows {
        let shown = return_to.get(..60.min(return_to.len())).unwrap_or(row);
        let answer = sign_in(&world, &ann.email, return_to).await;
        assert_eq!(answer.status, 303, "{row} I09 {shown:?}");
        assert_eq!(answer.header("location"), expected, "{row} {shown:?}");
        assert_eq!(
            answer.all("set-cookie").len(),
            1,
            "I05 {row} {shown:?}: {:?}",
            answer.headers
        );
        let token = answer.set_cookie("token").unwrap_or_default();
        assert_eq!(world.me(&token).await, 200, "{row} {shown:?}: signed in all the same");
    }
}

#[tokio::test]
async fn i01_the_page_for_somebody_who_is_signed_in_sends_nobody_away_either() {
    let world = SHARED.world().await;
    let ann = world.person("i02", "user").await;
    let ask = async |query: &str| {
        get(world.public(&format!("/login?{query}")))
            .cookie(&ann.token)
            .send()
            .await
    };
    let good = ask("return_to=http%3A%2F%2Fapp.test.localhost%3A8000%2Fx")
        .await
        .expect("control", 303);
    assert_eq!(good.header("location"), "http://app.test.localhost:8000/x");
    let good = ask("rd=http%3A%2F%2Fapp.test.localhost%3A8000%2Fx")
        .await
        .expect("control", 303);
    assert_eq!(good.header("location"), "http://app.test.localhost:8000/x");
    for query in [
        "return_to=http%3A%2F%2Fevil.test",
        "rd=%2F%2Fevil.test",
        "return_to=%2F%09%2Fevil.test",
        "return_to=x&return_to=y",
    ] {
        let answer = ask(query).await;
        assert!(
            !answer.header("location").contains("evil") && answer.status < 500,
            "I01 {query}: {:?}",
            answer.headers
        );
    }
    let page = get(world.public("/login?return_to=http%3A%2F%2Fevil.test%2F%22%3E%3Cscript%3E"))
        .send()
        .await
        .expect("I01 page", 200);
    assert!(
        !page.body.contains("evil.test") && !page.body.contains("<script"),
        "{}",
        page.body
    );
}
