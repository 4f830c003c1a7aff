//! How a session begins, goes on and ends. Rows E of the attacks.

use serde_json::json;
use tests::http::{Answer, Request, delete, get, post};
use tests::wait;
use tests::world::{PASSWORD, Person, Shared, World};

static SHARED: Shared = Shared::new();

const ORIGIN: &str = "http://auth.test.localhost:8000";

/// The sign-in page, as a browser that was never here gets it: the cookie and the field of its form.
async fn form(world: &World) -> (String, String) {
    let page = get(world.public("/login")).send().await.expect("the sign-in page", 200);
    (
        page.set_cookie("authd_csrf").unwrap_or_default(),
        page.field("csrf").unwrap_or_default(),
    )
}

fn posted(world: &World, cookies: &str, csrf: &str, email: &str) -> Request {
    post(world.public("/login")).header("cookie", cookies).form(&[
        ("csrf", csrf),
        ("email", email),
        ("password", PASSWORD),
    ])
}

async fn sign_in(world: &World, email: &str, cookies: &str) -> Answer {
    let (visit, csrf) = form(world).await;
    posted(world, &format!("authd_csrf={visit}; {cookies}"), &csrf, email)
        .header("origin", ORIGIN)
        .send()
        .await
}

async fn works(world: &World, token: &str) -> bool {
    world.forward("GET", "/").cookie(token).send().await.status == 200
}

#[tokio::test]
async fn e01_a_session_from_before_dies_when_somebody_signs_in() {
    let world = SHARED.world().await;
    let ann = world.person("e01", "user").await;
    let first = sign_in(&world, &ann.email, "")
        .await
        .expect("E01 first", 303)
        .set_cookie("token")
        .unwrap_or_default();
    assert!(works(&world, &first).await, "control");
    let again = sign_in(&world, &ann.email, &format!("token={first}"))
        .await
        .expect("E01 again", 303)
        .set_cookie("token")
        .unwrap_or_default();
    assert!(first != again && works(&world, &again).await, "E01: a new session");
    assert!(!works(&world, &first).await, "E01: the old one is dead");
}

#[tokio::test]
async fn e02_a_session_that_a_client_proposes_is_never_taken() {
    let world = SHARED.world().await;
    let ann = world.person("e02", "user").await;
    let answer = sign_in(&world, &ann.email, "token=proposed-by-somebody")
        .await
        .expect("E02", 303);
    let token = answer.set_cookie("token").unwrap_or_default();
    assert!(token != "proposed-by-somebody" && works(&world, &token).await, "E02");
    let stale = world
        .forward("GET", "/")
        .header("accept", "text/html")
        .cookie("not.a.token")
        .send()
        .await
        .expect("E02 stale", 302);
    assert_eq!(
        stale.set_cookie("token").as_deref(),
        Some(""),
        "E02: the stale cookie is cleared: {:?}",
        stale.headers
    );
}

#[tokio::test]
async fn e04_e05_only_one_cookie_of_the_right_name_counts() {
    let world = SHARED.world().await;
    let ann = world.person("e04", "user").await;
    let ben = world.person("e04-other", "user").await;
    let (mine, other) = (&ann.token, &ben.token);
    for (row, cookie, expected) in [
        ("control", format!("token={mine}"), 200),
        ("control", format!("a=b; token={mine}; c=d"), 200),
        ("E04", format!("TOKEN={mine}"), 401),
        ("E04", format!("Token={mine}"), 401),
        ("E04", format!("=token={mine}"), 401),
        ("E04", format!("\"token\"={mine}"), 401),
        ("E04", format!("token ={mine}"), 401),
        ("E04", format!("xtoken={mine}"), 401),
        ("E04", format!("token-x={mine}"), 401),
        ("E05", format!("token={mine}; token={other}"), 401),
        ("E05", format!("token={other}; token={mine}"), 401),
        ("E05", format!("token={mine}; token=x"), 401),
        ("E05 equal", format!("token={mine}; token={mine}"), 200),
    ] {
        let shown = cookie.replace(mine, "MINE").replace(other, "OTHER");
        assert_eq!(
            world.forward("GET", "/").header("cookie", &cookie).send().await.status,
            expected,
            "{row} {shown}"
        );
        assert_eq!(
            get(world.auths("")).header("cookie", &cookie).send().await.status,
            expected,
            "{row} {shown}, API"
        );
    }
    let two = world.forward("GET", "/").cookie(mine).cookie(other).send().await.status;
    assert_eq!(two, 401, "E05 two headers");
}

#[tokio::test]
async fn e06_a_cookie_is_dead_after_signing_out_by_the_page() {
    let world = SHARED.world().await;
    let ann = world.person("e06", "user").await;
    let token = sign_in(&world, &ann.email, "")
        .await
        .expect("E06", 303)
        .set_cookie("token")
        .unwrap_or_default();
    let page = get(world.public("/account"))
        .header("cookie", format!("token={token}"))
        .send()
        .await
        .expect("E06 account", 200);
    let (visit, csrf) = (
        page.set_cookie("authd_csrf").unwrap_or_default(),
        page.field("csrf").unwrap_or_default(),
    );
    let leave = |csrf: &str| {
        let request = post(world.public("/logout")).header("cookie", format!("token={token}; authd_csrf={visit}"));
        request.header("origin", ORIGIN).form(&[("csrf", csrf)])
    };
    leave("wrong").send().await;
    assert!(
        works(&world, &token).await,
        "E06 acceptance 61: a form without its token ends nothing"
    );
    assert_eq!(
        get(world.public("/logout")).cookie(&token).send().await.status,
        405,
        "acceptance 61: GET"
    );
    assert!(works(&world, &token).await, "acceptance 61: GET ends nothing");
    let left = leave(&csrf).send().await.expect("E06", 303);
    assert_eq!(
        (left.header("location"), left.set_cookie("token").as_deref()),
        ("/signed-out", Some("")),
        "E06"
    );
    assert!(!works(&world, &token).await, "E06: replayed");
}

#[tokio::test]
async fn e07_sessions_end_when_idle_and_at_their_end() {
    for (case, sessions) in [
        ("in use all the time", "lifetime: 4s, idle: 1h"),
        ("idle", "lifetime: 1h, idle: 4s"),
    ] {
        let world = World::with(&format!("  sessions: {{{sessions}}}\n")).await;
        let admin = world.admin().await;
        let begun = std::time::Instant::now();
        assert_eq!(world.me(&admin.token).await, 200, "E07 {case}: control");
        tests::wait::until(&format!("E07 {case}"), || async {
            // Looking would be a use: the idle one is looked at when its time is over.
            if case == "idle" && begun.elapsed().as_millis() < 5_000 {
                return Err("left alone".to_owned());
            }
            let status = world.me(&admin.token).await;
            if status == 401 { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        let lived = begun.elapsed().as_millis();
        assert!((2_500..8_000).contains(&lived), "E07 {case}: it lived for {lived} ms");
    }
}

#[tokio::test]
async fn e10_acceptance_55_a_changed_account_is_seen_at_once() {
    let world = SHARED.world().await;
    let admin = world.admin().await;
    let change = async |person: &Person, body| {
        let request = post(world.public(&format!("/api/v1/users/{}/update", person.id)))
            .bearer(&admin.token)
            .json(&body);
        request.send().await.expect("update", 200);
    };
    let ann = world.person("e10", "user").await;
    let key = world.key_of(&ann).await;
    assert_eq!(
        world.forward("GET", "/").bearer(&key).send().await.status,
        200,
        "E10 control: key"
    );
    change(&ann, json!({"disabled": true})).await;
    assert_eq!(world.me(&ann.token).await, 401, "E10 disabled");
    assert_eq!(
        world.forward("GET", "/").bearer(&key).send().await.status,
        401,
        "E10 disabled: key"
    );
    assert_eq!(
        world.try_password(&ann.email, PASSWORD).await.status,
        400,
        "E10 disabled: sign in"
    );
    change(&ann, json!({"disabled": false})).await;
    for event in ["UserDisabled", "UserEnabled"] {
        wait::until("the audit line", || async {
            let log = world.authd.log();
            let is_it = |line: &String| line.contains(event) && line.contains(&ann.id);
            if log.iter().any(is_it) {
                Ok(())
            } else {
                Err(event.to_owned())
            }
        })
        .await;
    }
    let ann = world.sign_in(&ann.email, PASSWORD).await;
    assert_eq!(
        world.forward("GET", "/").bearer(&key).send().await.status,
        200,
        "E10 enabled: key"
    );
    change(&ann, json!({"role": "pending"})).await;
    assert_ne!(
        world.forward("GET", "/").bearer(&ann.token).send().await.status,
        200,
        "E10 role taken away"
    );
    assert_ne!(
        world.forward("GET", "/").bearer(&key).send().await.status,
        200,
        "E10 acceptance 69 role taken away: key"
    );
}

#[tokio::test]
async fn e10_a_mapping_that_changes_holds_for_sessions_that_are_there() {
    let world = World::usual().await;
    let policies = tests::resources::POLICIES.replace("allow: {roles: [user], ", "allow: {roles: [operator], ");
    world.folder.write("policies.yaml", &policies);
    world
        .add(&world.admin().await, "ops@operations.example.com", "user")
        .await
        .expect("add", 200);
    let ops = world.sign_in("ops@operations.example.com", PASSWORD).await;
    let becomes = async |case: &str, expected: u16| {
        tests::wait::until(case, || async {
            let status = world.forward("GET", "/x").bearer(&ops.token).send().await.status;
            if status == expected {
                Ok(())
            } else {
                Err(status.to_string())
            }
        })
        .await;
    };
    becomes("control: the mapping grants", 200).await;
    world.folder.write(
        "rest.yaml",
        &tests::resources::REST.replace("*@operations.example.com", "*@elsewhere.example.com"),
    );
    becomes("E10: the mapping grants no more", 403).await;
}

#[tokio::test]
async fn e11_acceptance_31_a_new_password_ends_the_other_sessions() {
    let world = SHARED.world().await;
    let ann = world.person("e11", "user").await;
    let other = world.sign_in(&ann.email, PASSWORD).await;
    let body = json!({"password": PASSWORD, "new_password": "something else entirely"});
    post(world.auths("update/password"))
        .bearer(&ann.token)
        .json(&body)
        .send()
        .await
        .expect("E11", 200);
    assert_eq!(
        (world.me(&ann.token).await, world.me(&other.token).await),
        (200, 401),
        "E11 acceptance 31"
    );
    assert_eq!(
        world.try_password(&ann.email, PASSWORD).await.status,
        400,
        "E11 old password"
    );
    world.sign_in(&ann.email, "something else entirely").await;
}

#[tokio::test]
async fn e14_a_form_from_elsewhere_signs_nobody_in() {
    let world = SHARED.world().await;
    let ann = world.person("e14", "user").await;
    let (visit, csrf) = form(&world).await;
    let mine = format!("authd_csrf={visit}");
    let (other_visit, _) = form(&world).await;
    let rows: Vec<(&str, Request)> = vec![
        (
            "foreign origin",
            posted(&world, &mine, &csrf, &ann.email).header("origin", "http://evil.test"),
        ),
        (
            "sibling origin",
            posted(&world, &mine, &csrf, &ann.email).header("origin", "http://app.test.localhost:8000"),
        ),
        (
            "null origin",
            posted(&world, &mine, &csrf, &ann.email).header("origin", "null"),
        ),
        (
            "cross-site",
            posted(&world, &mine, &csrf, &ann.email).header("sec-fetch-site", "cross-site"),
        ),
        ("no origin at all", posted(&world, &mine, &csrf, &ann.email)),
        (
            "no cookie",
            posted(&world, "a=b", &csrf, &ann.email).header("origin", ORIGIN),
        ),
        (
            "another visit",
            posted(&world, &format!("authd_csrf={other_visit}"), &csrf, &ann.email).header("origin", ORIGIN),
        ),
        (
            "no field",
            posted(&world, &mine, "", &ann.email).header("origin", ORIGIN),
        ),
    ];
    for (case, request) in rows {
        let answer = request.send().await;
        assert!(answer.set_cookie("token").is_none(), "E14 {case}: a session is set");
        assert!(answer.status >= 400, "E14 {case}: {}", answer.status);
    }
    let json = post(world.auths("signin"))
        .header("origin", "http://evil.test")
        .json(&json!({"email": ann.email, "password": PASSWORD}));
    assert_eq!(json.send().await.status, 403, "E14 API");
    posted(&world, &mine, &csrf, &ann.email)
        .header("origin", ORIGIN)
        .send()
        .await
        .expect("E14 control", 303);
}

#[tokio::test]
async fn e15_acceptance_66_the_cookie_is_kept_from_scripts_and_other_sites() {
    let world = SHARED.world().await;
    let ann = world.person("e15", "user").await;
    for answer in [
        sign_in(&world, &ann.email, "").await,
        world.try_password(&ann.email, PASSWORD).await,
    ] {
        let line = answer
            .all("set-cookie")
            .into_iter()
            .find(|line| line.starts_with("token="))
            .unwrap_or_default()
            .to_owned();
        for attribute in [
            "Path=/",
            "HttpOnly",
            "SameSite=Lax",
            "Domain=test.localhost",
            "Expires=",
        ] {
            assert!(line.contains(attribute), "acceptance 2 {attribute}: {line}");
        }
        assert!(!line.contains("Secure"), "publicUrl is http: {line}");
        assert!(line.len() < 4096, "E16: {}", line.len());
    }
    let folder = tests::resources::Folder::usual("");
    let https = tests::resources::instance("").replace("http://auth.test.localhost:8000", "https://auth.example.com");
    folder.write(
        "authd.yaml",
        &https.replace("domain: test.localhost", "sameSite: Strict"),
    );
    let secure = World::of(folder).await;
    let answer = secure
        .try_password("admin@example.com", tests::resources::ADMIN_PASSWORD)
        .await
        .expect("https", 200);
    let line = answer.header("set-cookie");
    assert!(
        line.contains("Secure") && line.contains("HttpOnly") && line.contains("SameSite=Strict"),
        "acceptance 66: {line}"
    );
    assert!(
        !answer.header("strict-transport-security").is_empty(),
        "acceptance 134: HSTS"
    );
}

#[tokio::test]
async fn e16_a_cookie_is_never_longer_than_browsers_keep() {
    let world = SHARED.world().await;
    let email = format!("{}@{}.example.com", "e".repeat(64), "e".repeat(60));
    let body = json!({"name": "ü".repeat(100), "email": email, "password": PASSWORD, "role": "user"});
    let added = post(world.auths("add"))
        .bearer(&world.admin().await.token)
        .json(&body)
        .send()
        .await;
    assert_eq!(added.status, 200, "E16: {}", added.body);
    let answer = world.try_password(&email, PASSWORD).await.expect("E16", 200);
    assert!(
        answer.header("set-cookie").len() <= 4096 && !answer.header("set-cookie").is_empty(),
        "E16"
    );
}

#[tokio::test]
async fn e17_acceptance_134_no_cache_keeps_an_answer() {
    let world = SHARED.world().await;
    let ann = world.person("e17", "user").await;
    for (case, answer) in [
        ("login page", get(world.public("/login")).send().await),
        ("login", sign_in(&world, &ann.email, "").await),
        ("account", get(world.public("/account")).cookie(&ann.token).send().await),
        ("API", world.try_password(&ann.email, PASSWORD).await),
        ("API refusal", world.try_password(&ann.email, "wrong wrong wrong").await),
        ("401", get(world.auths("")).send().await),
        (
            "403",
            get(world.public("/api/v1/users/")).bearer(&ann.token).send().await,
        ),
        ("404", get(world.public("/api/nothing")).send().await),
        (
            "preflight",
            Request::new(http::Method::OPTIONS, world.auths("signin"))
                .header("origin", "http://evil.test")
                .header("access-control-request-method", "POST")
                .send()
                .await,
        ),
    ] {
        assert!(
            answer.header("cache-control").contains("no-store"),
            "E17 {case}: {:?}",
            answer.headers
        );
        assert!(
            answer.header("vary").to_lowercase().contains("cookie"),
            "E17 {case}: {:?}",
            answer.headers
        );
        assert_eq!(
            answer.header("x-content-type-options"),
            "nosniff",
            "acceptance 134 {case}"
        );
        assert!(
            !answer.header("x-frame-options").is_empty()
                || answer
                    .header("content-security-policy")
                    .contains("frame-ancestors 'none'"),
            "acceptance 134 {case}"
        );
        assert!(
            !answer.headers.contains_key("access-control-allow-origin"),
            "acceptance 135 {case}"
        );
    }
    for answer in [
        world.forward("GET", "/").send().await,
        world.forward("GET", "/").cookie(&ann.token).send().await,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store", "E17 check");
    }
}

#[tokio::test]
async fn e12_e19_what_was_ended_stays_ended_after_a_crash() {
    let mut world = World::usual().await;
    let ann = world.person("e19", "user").await;
    let kept = world.sign_in(&ann.email, PASSWORD).await;
    let ended = world.sign_in(&ann.email, PASSWORD).await;
    post(world.auths("signout"))
        .bearer(&ann.token)
        .send()
        .await
        .expect("E19", 200);
    let list = get(world.auths("sessions"))
        .bearer(&kept.token)
        .send()
        .await
        .expect("E12", 200);
    assert_eq!(
        list.body.matches("user_agent").count(),
        2,
        "E12 acceptance 63: {}",
        list.body
    );
    delete(world.auths("sessions"))
        .bearer(&kept.token)
        .send()
        .await
        .expect("E12 end the others", 200);
    world.authd.kill();
    world.start_again().await;
    assert_eq!(world.me(&ann.token).await, 401, "E19");
    assert_eq!(world.me(&ended.token).await, 401, "E12");
    assert_eq!(
        world.me(&kept.token).await,
        200,
        "E19 control: the other session goes on"
    );
}

#[tokio::test]
async fn e22_more_sessions_than_allowed_end_the_oldest() {
    let world = World::with("  sessions: {maxPerUser: 2}\n").await;
    let (first, second, third) = (world.admin().await, world.admin().await, world.admin().await);
    assert_eq!(
        [
            world.me(&first.token).await,
            world.me(&second.token).await,
            world.me(&third.token).await
        ],
        [401, 200, 200],
        "E22"
    );
}

#[tokio::test]
async fn e24_a_visit_leaves_nothing_behind() {
    let world = World::usual().await;
    let size = || {
        std::fs::read_dir(world.data())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.len())
            .sum::<u64>()
    };
    get(world.public("/login")).send().await;
    let before = size();
    for _ in 0..200 {
        get(world.public("/login")).send().await.expect("E24", 200);
    }
    assert_eq!(size(), before, "E24: a visit was written down");
    world.admin().await;
    assert_ne!(size(), before, "control: a session is");
}
