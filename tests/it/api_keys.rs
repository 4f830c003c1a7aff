//! Keys for programs: made, used, bounded and ended. Rows H of the attacks, acceptance 67 to 80.

use serde_json::{Value, json};
use tests::http::{Request, delete, get, post};
use tests::resources::{CI_KEY, HOST, REPORTS_KEY, REST};
use tests::world::{Shared, World};

static SHARED: Shared = Shared::new();

async fn with_key(world: &World, method: &str, path: &str, key: &str) -> u16 {
    world.forward(method, path).bearer(key).send().await.status
}

#[tokio::test]
async fn h01_h11_only_the_exact_key_is_one() {
    let world = SHARED.world().await;
    let ann = world.person("h01", "user").await;
    let key = world.key_of(&ann).await;
    let hex = key.strip_prefix("sk-").unwrap_or_default();
    assert!(
        hex.len() >= 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "H01 acceptance 67: {key}"
    );
    assert_eq!(with_key(&world, "GET", "/", &key).await, 200, "control");
    let other_end = if key.ends_with('0') { "1" } else { "0" };
    let cut = key.get(..key.len() - 1).unwrap_or_default();
    for wrong in [
        format!("{cut}{other_end}"),
        cut.to_owned(),
        format!("{key}0"),
        key.to_uppercase(),
        format!("SK-{hex}"),
        hex.to_owned(),
        "sk-".to_owned(),
        "sk-%".to_owned(),
        "sk-_".to_owned(),
        "sk-'".to_owned(),
        "sk-*".to_owned(),
        format!("sk-{}", "*".repeat(32)),
        "sk-00000000000000000000000000000000".to_owned(),
        format!("sk-{}", "a".repeat(8000)),
    ] {
        let status = with_key(&world, "GET", "/", &wrong).await;
        assert_eq!(
            status,
            401,
            "H01 H11 acceptance 70 {}",
            wrong.get(..40.min(wrong.len())).unwrap_or_default()
        );
    }
    let huge = world
        .forward("GET", "/")
        .bearer(&format!("sk-{}", "a".repeat(1 << 20)))
        .attempt()
        .await;
    assert!(
        huge.as_ref().map_or(true, |answer| answer.status >= 400),
        "H11 1 MiB: {huge:?}"
    );
    assert_eq!(with_key(&world, "GET", "/", &key).await, 200, "control: afterwards");
}

#[tokio::test]
async fn h04_a_key_whose_resource_or_secret_goes_is_dead() {
    let world = World::usual().await;
    let dies = async |case: &str, key: &str| {
        tests::wait::within(std::time::Duration::from_secs(2), case, || async {
            let status = with_key(&world, "GET", "/api/reports", key).await;
            if status == 401 { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    };
    assert_eq!(
        [
            with_key(&world, "GET", "/api/reports", CI_KEY).await,
            with_key(&world, "GET", "/api/reports", REPORTS_KEY).await
        ],
        [200, 200],
        "control"
    );
    let without: Vec<&str> = REST
        .split("---\n")
        .filter(|document| !document.contains("ApiKey\nmetadata: {name: ci,"))
        .collect();
    world.folder.write("rest.yaml", &without.join("---\n"));
    dies("H04 the ApiKey is deleted", CI_KEY).await;
    assert_eq!(
        with_key(&world, "GET", "/api/reports", REPORTS_KEY).await,
        200,
        "H04 control: the other one"
    );
    let suspended = REST.replace("secretName: ci}", "secretName: ci, suspended: true}");
    world.folder.write("rest.yaml", &suspended);
    dies("H04 suspended", CI_KEY).await;
    let ann = world.person("h04", "user").await;
    let made = post(world.auths("api_key"))
        .bearer(&ann.token)
        .send()
        .await
        .expect("make", 200);
    let (key, id) = (made.text("api_key"), made.text("id"));
    assert_eq!(with_key(&world, "GET", "/api/reports", &key).await, 200, "control");
    delete(world.auths(&format!("api_key/{id}")))
        .bearer(&ann.token)
        .send()
        .await
        .expect("delete", 200);
    dies("H04 deleted by its owner", &key).await;
}

#[tokio::test]
async fn h05_acceptance_74_a_key_has_its_time() {
    let world = World::usual().await;
    let far = "2099-01-01T00:00:00Z";
    let past = "2020-01-01T00:00:00Z";
    for (case, field, expected) in [
        ("not yet", format!("notBefore: '{far}'"), 401),
        ("since long", format!("notBefore: '{past}'"), 200),
        ("over", format!("expiresAt: '{past}'"), 401),
        ("not over", format!("expiresAt: '{far}'"), 200),
    ] {
        world.folder.write(
            "rest.yaml",
            &REST.replace("secretName: ci}", &format!("secretName: ci, {field}}}")),
        );
        tests::wait::until(&format!("H05 {case}"), || async {
            let status = with_key(&world, "GET", "/", CI_KEY).await;
            if status == expected {
                Ok(())
            } else {
                Err(status.to_string())
            }
        })
        .await;
        if case == "over" {
            let answer = world.forward("GET", "/").bearer(CI_KEY).send().await;
            assert_eq!(answer.text("code"), "key_expired", "acceptance 74");
        }
    }
    let ann = world.person("h05", "user").await;
    let soon = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs() + 2;
    let body = json!({"name": "short", "expires_at": soon});
    let key = post(world.auths("api_key"))
        .bearer(&ann.token)
        .json(&body)
        .send()
        .await
        .expect("make", 200)
        .text("api_key");
    assert_eq!(with_key(&world, "GET", "/", &key).await, 200, "H05 one's own, before");
    tests::wait::until("H05 one's own, after", || async {
        let answer = world.forward("GET", "/").bearer(&key).send().await;
        if (answer.status, answer.text("code").as_str()) == (401, "key_expired") {
            Ok(())
        } else {
            Err(format!("{answer:?}"))
        }
    })
    .await;
    let body = json!({"name": "past", "expires_at": 1});
    assert_eq!(
        post(world.auths("api_key"))
            .bearer(&ann.token)
            .json(&body)
            .send()
            .await
            .status,
        422,
        "H05: it would never open anything"
    );
}

#[tokio::test]
async fn h06_acceptance_76_79_a_key_opens_its_endpoints_alone() {
    let world = SHARED.world().await;
    let rows = [
        ("control", "GET", "/api/reports", 200),
        ("control", "GET", "/api/reports/1?x=/y", 200),
        ("H06", "POST", "/api/reports", 403),
        ("H06", "GET", "/", 403),
        ("acceptance 76", "GET", "/api/reports2", 403),
        ("acceptance 76", "GET", "/api", 403),
        ("acceptance 79", "GET", "/api/reports/../users", 400),
        ("acceptance 79", "GET", "//api/reports", 400),
        ("acceptance 79", "GET", "/api/reports/%2e%2e/users", 400),
        ("acceptance 79", "GET", "/API/reports", 403),
        ("acceptance 79", "GET", "/api/%72eports", 200),
        ("acceptance 79", "GET", "/api/reports%2f..%2fusers", 400),
        ("H06", "HEAD", "/api/reports", 403),
    ];
    for (row, method, path, expected) in rows {
        assert_eq!(
            with_key(&world, method, path, REPORTS_KEY).await,
            expected,
            "{row} {method} {path}"
        );
    }
    assert_eq!(
        world
            .forward_to("GET", "a.wild.test", "/api/reports")
            .bearer(REPORTS_KEY)
            .send()
            .await
            .status,
        403,
        "H06 another host"
    );
    let refused = world.forward("GET", "/").bearer(REPORTS_KEY).send().await;
    assert_eq!(refused.text("code"), "key_endpoint");
    let ann = world.person("h06", "user").await;
    let body = json!({"name": "narrow", "endpoints": [{"hosts": [HOST], "paths": ["/mine"], "methods": ["GET"]}]});
    let key = post(world.auths("api_key"))
        .bearer(&ann.token)
        .json(&body)
        .send()
        .await
        .expect("make", 200)
        .text("api_key");
    assert_eq!(
        [
            with_key(&world, "GET", "/mine/x", &key).await,
            with_key(&world, "GET", "/other", &key).await
        ],
        [200, 403],
        "H06 one's own"
    );
}

#[tokio::test]
async fn h06_acceptance_76_78_80_the_list_of_the_instance_bounds_every_key_and_no_session() {
    let world =
        World::with("  apiKeys: {endpointRestrictions: true, allowedEndpoints: [/api/v1/messages, /api/v1/auths]}\n")
            .await;
    let ann = world.person("h06-list", "user").await;
    let key = world.key_of(&ann).await;
    for (path, expected) in [
        ("/api/v1/messages", 200),
        ("/api/v1/messages/1", 200),
        ("/api/v1/messages2", 403),
        ("/", 403),
        ("/api/v1/Messages", 403),
        ("/api/v1/messages/../users", 400),
    ] {
        assert_eq!(
            with_key(&world, "GET", path, &key).await,
            expected,
            "acceptance 76 {path}"
        );
    }
    for shape in ["bearer", "BEARER"] {
        let answer = world
            .forward("GET", "/")
            .header("authorization", format!("{shape} {key}"))
            .send()
            .await;
        assert_eq!(answer.status, 403, "acceptance 78 {shape}");
    }
    assert_eq!(
        world
            .forward("GET", "/")
            .bearer(&key)
            .header("host", "api.v1.messages")
            .send()
            .await
            .status,
        403,
        "acceptance 78 Host"
    );
    assert_eq!(
        world.forward("GET", "/").bearer(&ann.token).send().await.status,
        200,
        "acceptance 80"
    );
}

#[tokio::test]
async fn h09_a_key_comes_in_the_header_alone() {
    let world = SHARED.world().await;
    let ann = world.person("h09", "user").await;
    let key = world.key_of(&ann).await;
    let rows: Vec<(&str, Request, &[u16])> = vec![
        ("control", world.forward("GET", "/").bearer(&key), &[200]),
        ("query", world.forward("GET", &format!("/?api_key={key}")), &[401]),
        ("cookie", world.forward("GET", "/").cookie(&key), &[401]),
        ("x-api-key", world.forward("GET", "/").header("x-api-key", &key), &[401]),
        (
            "two headers",
            world.forward("GET", "/").bearer(&key).bearer(&key),
            &[400, 401],
        ),
        (
            "wrong key and a session",
            world
                .forward("GET", "/")
                .bearer("sk-00000000000000000000000000000000")
                .cookie(&ann.token),
            &[401],
        ),
        (
            "a narrow key and a session: the key's rights",
            world.forward("GET", "/").bearer(REPORTS_KEY).cookie(&ann.token),
            &[403],
        ),
        ("API: query", get(world.auths(&format!("?api_key={key}"))), &[401]),
        ("API: cookie", get(world.auths("")).cookie(&key), &[401]),
        ("API: control", get(world.auths("")).bearer(&key), &[200]),
    ];
    for (case, request, expected) in rows {
        let status = request.send().await.status;
        assert!(expected.contains(&status), "H09 acceptance 78 {case}: {status}");
    }
}

#[tokio::test]
async fn h10_guesses_are_refused_cheaply_and_others_are_not_disturbed() {
    let world = SHARED.world().await;
    let guesses = futures::future::join_all((0..300).map(|number| {
        let request = world
            .forward("GET", "/")
            .header("x-forwarded-for", "198.51.100.77")
            .bearer(&format!("sk-{number:032x}"));
        async move { request.send().await.status }
    }));
    let statuses = guesses.await;
    assert!(
        statuses.iter().all(|status| matches!(status, 401 | 429)),
        "H10: {statuses:?}"
    );
    let other = world
        .forward("GET", "/")
        .header("x-forwarded-for", "198.51.100.78")
        .bearer(CI_KEY)
        .send()
        .await
        .status;
    assert_eq!(other, 200, "H10: others");
}

#[tokio::test]
async fn h12_a_name_with_a_line_end_is_refused() {
    let world = SHARED.world().await;
    let ann = world.person("h12", "user").await;
    for name in ["a\r\nX-Admin: 1", "a\u{1b}[2J", ""] {
        let answer = post(world.auths("api_key"))
            .bearer(&ann.token)
            .json(&json!({"name": name}))
            .send()
            .await;
        assert_eq!(answer.status, 422, "H12 {name:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn acceptance_72_73_75_many_keys_each_shown_once() {
    let world = SHARED.world().await;
    let ann = world.person("a72", "user").await;
    let make = async |name: &str| {
        let body = json!({"name": name});
        post(world.auths("api_key"))
            .bearer(&ann.token)
            .json(&body)
            .send()
            .await
            .expect("acceptance 67", 200)
    };
    let (first, second) = (make("first").await, make("second").await);
    let (one, two) = (first.text("api_key"), second.text("api_key"));
    assert_eq!(
        [
            with_key(&world, "GET", "/", &one).await,
            with_key(&world, "GET", "/", &two).await
        ],
        [200, 200],
        "acceptance 73"
    );
    let list = get(world.auths("api_key"))
        .bearer(&ann.token)
        .send()
        .await
        .expect("acceptance 72", 200);
    assert!(
        !list.body.contains(&one) && !list.body.contains(&two),
        "acceptance 72: {}",
        list.body
    );
    let keys = list.json()["keys"].as_array().cloned().unwrap_or_default();
    assert_eq!(keys.len(), 2, "acceptance 72");
    for member in ["prefix", "name", "created_at", "last_used_at", "expires_at"] {
        assert!(
            keys.iter().all(|key| key.get(member).is_some()),
            "acceptance 72 {member}: {}",
            list.body
        );
    }
    assert!(
        keys.iter()
            .all(|key| key["prefix"].as_str().is_some_and(|prefix| prefix.len() < 16)),
        "acceptance 72: {}",
        list.body
    );
    for (case, request) in [
        ("make", post(world.auths("api_key"))),
        ("list", get(world.auths("api_key"))),
        ("delete", delete(world.auths("api_key"))),
        (
            "delete one",
            delete(world.auths(&format!("api_key/{}", second.text("id")))),
        ),
    ] {
        assert_eq!(request.bearer(&one).send().await.status, 403, "acceptance 75 {case}");
    }
    delete(world.auths(&format!("api_key/{}", first.text("id"))))
        .bearer(&ann.token)
        .send()
        .await
        .expect("acceptance 73", 200);
    assert_eq!(
        [
            with_key(&world, "GET", "/", &one).await,
            with_key(&world, "GET", "/", &two).await
        ],
        [401, 200],
        "acceptance 73"
    );
    let ben = world.person("a72-other", "user").await;
    let theirs = delete(world.auths(&format!("api_key/{}", second.text("id"))))
        .bearer(&ben.token)
        .send()
        .await;
    assert_eq!(theirs.status, 404, "somebody else's key");
}

#[tokio::test]
async fn acceptance_68_70_keys_that_are_switched_off() {
    let world = World::usual().await;
    let ann = world.person("a68", "user").await;
    let key = world.key_of(&ann).await;
    assert_eq!(with_key(&world, "GET", "/", &key).await, 200, "control");
    world.folder.write(
        "authd.yaml",
        &tests::resources::instance("  apiKeys: {enabled: false}\n"),
    );
    tests::wait::until("acceptance 70: known and switched off", || async {
        let status = get(world.auths("")).bearer(&key).send().await.status;
        if status == 403 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    assert!(
        matches!(with_key(&world, "GET", "/", &key).await, 401 | 403),
        "acceptance 70: gate"
    );
    assert_eq!(
        post(world.auths("api_key")).bearer(&ann.token).send().await.status,
        403,
        "acceptance 68"
    );
    assert_eq!(
        get(world.auths(""))
            .bearer("sk-00000000000000000000000000000000")
            .send()
            .await
            .status,
        401,
        "acceptance 70: unknown"
    );
}

#[tokio::test]
async fn acceptance_74_the_last_use_is_known_within_a_minute() {
    let world = SHARED.world().await;
    let ann = world.person("a74", "user").await;
    let key = world.key_of(&ann).await;
    assert_eq!(with_key(&world, "GET", "/", &key).await, 200);
    tests::wait::within(std::time::Duration::from_secs(60), "acceptance 74", || async {
        let list = get(world.auths("api_key")).bearer(&ann.token).send().await;
        if list.json()["keys"][0]["last_used_at"] == Value::Null {
            Err(list.body)
        } else {
            Ok(())
        }
    })
    .await;
}
