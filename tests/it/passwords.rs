//! Signing in with a password, and guessing one. Rows F of the attacks.

use serde_json::json;
use tests::http::{Answer, get, post};
use tests::resources::{Folder, ROOMY, instance};
use tests::world::{PASSWORD, Person, Shared, World};

static SHARED: Shared = Shared::new();

async fn change(world: &World, person: &Person, old: &str, new: &str) -> Answer {
    let body = json!({"password": old, "new_password": new});
    post(world.auths("update/password"))
        .bearer(&person.token)
        .json(&body)
        .send()
        .await
}

#[tokio::test]
async fn f01_acceptance_4_every_failure_looks_alike() {
    let world = SHARED.world().await;
    let admin = world.admin().await;
    let ann = world.person("f01", "user").await;
    let gone = world.person("f01-disabled", "user").await;
    let update = post(world.public(&format!("/api/v1/users/{}/update", gone.id))).bearer(&admin.token);
    update
        .json(&json!({"disabled": true}))
        .send()
        .await
        .expect("disable", 200);
    let mut seen = Vec::new();
    for (email, password) in [
        (ann.email.as_str(), "not the right one"),
        ("nobody@example.com", PASSWORD),
        (gone.email.as_str(), PASSWORD),
        (gone.email.as_str(), "not the right one"),
        (ann.email.as_str(), ""),
        ("not an address", PASSWORD),
    ] {
        let answer = world.try_password(email, password).await;
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        seen.push((answer.status, answer.body, names));
    }
    assert_eq!(seen[0].0, 400, "F01");
    assert!(seen.iter().all(|answer| *answer == seen[0]), "F01: {seen:?}");
    world.try_password(&ann.email, PASSWORD).await.expect("control", 200);
}

/// Rounds of bcrypt so far.
async fn rounds(world: &World) -> u64 {
    let text = get(format!("{}/metrics", world.authd.admin)).send().await.body;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("authd_password_rounds_total "));
    line.and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("F02: no count in {text}"))
}

#[tokio::test]
async fn f02_every_failure_is_the_same_work() {
    let world = World::usual().await;
    let admin = world.admin().await;
    let (ann, gone) = (
        world.person("f02", "user").await,
        world.person("f02-disabled", "user").await,
    );
    let update = post(world.public(&format!("/api/v1/users/{}/update", gone.id))).bearer(&admin.token);
    update
        .json(&json!({"disabled": true}))
        .send()
        .await
        .expect("disable", 200);
    for (case, email, password, status) in [
        ("wrong password", ann.email.as_str(), "not the right one", 400),
        ("unknown", "nobody@example.com", PASSWORD, 400),
        ("disabled, right password", &gone.email, PASSWORD, 400),
        ("disabled, wrong password", &gone.email, "not the right one", 400),
        ("no address", "not an address", PASSWORD, 400),
        ("control: the right password", &ann.email, PASSWORD, 200),
    ] {
        let before = rounds(&world).await;
        world.try_password(email, password).await.expect(case, status);
        assert_eq!(
            rounds(&world).await - before,
            1 << 10,
            "F02 {case}: one hash of cost 10"
        );
    }
    // What is refused before anybody is looked up costs nothing, whoever it is.
    let before = rounds(&world).await;
    for email in [ann.email.as_str(), "nobody@example.com"] {
        let answer = world.try_password(email, &"x".repeat(2000)).await;
        assert_eq!(answer.status, 400, "F02 {email}");
    }
    assert_eq!(rounds(&world).await, before, "F02: too long");
}

#[tokio::test]
async fn f04_f16_a_password_is_taken_as_it_is_typed() {
    let world = SHARED.world().await;
    let ann = world.person("f04", "user").await;
    let password = "Pa: ssw\u{f6}rd with spaces ";
    change(&world, &ann, PASSWORD, password).await.expect("F04", 200);
    for (case, typed, expected) in [
        ("as chosen", password, 200),
        ("trimmed", password.trim(), 400),
        ("case", &password.to_lowercase(), 400),
        ("NUL after it", &format!("{password}\0"), 400),
        ("NUL inside", "Pa: ss\0wörd with spaces ", 400),
        ("NFD", "Pa: sswo\u{308}rd with spaces ", 0),
    ] {
        let status = world.try_password(&ann.email, typed).await.status;
        // Composed and decomposed spelling: either one text or two, but never an error.
        let fits = if expected == 0 {
            matches!(status, 200 | 400)
        } else {
            status == expected
        };
        assert!(fits, "F04 {case}: {status}");
    }
}

#[tokio::test]
async fn f06_a_password_that_is_the_only_factor_has_fifteen_characters() {
    let folder = Folder::usual(ROOMY);
    folder.write("authd.yaml", &instance(ROOMY).replace("minLength: 10, ", ""));
    let world = World::of(folder).await;
    let admin = world.admin().await;
    for (password, expected) in [("fourteen chars", 400), ("fifteen letters", 200)] {
        let email = format!("f06-{expected}@example.com");
        let body = json!({"name": "F", "email": email, "password": password, "role": "user"});
        let answer = post(world.auths("add")).bearer(&admin.token).json(&body).send().await;
        assert_eq!(answer.status, expected, "{password}: {}", answer.body);
    }
}

#[tokio::test]
async fn f05_f06_f07_acceptance_14_15_new_passwords_are_judged() {
    let world = SHARED.world().await;
    let admin = world.admin().await;
    let rows = [
        ("F05 72 bytes", "abcdefgh ".repeat(8), 200),
        ("acceptance 15: 73 bytes", format!("{}x", "abcdefgh ".repeat(8)), 400),
        ("F05 256 characters", "abcdefgh ".repeat(30), 400),
        ("F06 short", "9 letters".to_owned(), 400),
        ("control", "10 letters".to_owned(), 200),
        ("acceptance 15: 37 of two bytes", "äöüß jklmn".repeat(6), 400),
        ("F04 NUL", "a passw\0rd of mine".to_owned(), 400),
        ("F07 common", "password123".to_owned(), 400),
        ("F07 repeated", "aaaaaaaaaaaaaaaa".to_owned(), 400),
        ("F07 own address", "f07-person".to_owned(), 400),
        ("empty", String::new(), 400),
    ];
    for (case, password, expected) in rows {
        let name = if case.contains("own address") {
            "f07-person"
        } else {
            "f05"
        };
        let email = format!("{name}-{}@example.com", case.len() + password.len());
        let email = if case.contains("own address") {
            "f07-person@example.com".to_owned()
        } else {
            email
        };
        let body = json!({"name": "F", "email": email, "password": password, "role": "user"});
        let answer = post(world.auths("add")).bearer(&admin.token).json(&body).send().await;
        assert_eq!(answer.status, expected, "{case}: {}", answer.body);
        assert!(
            expected == 200
                || (answer.text("code") == "invalid_password" && answer.text("detail").contains("password")),
            "{case}: {}",
            answer.body
        );
        if expected == 200 {
            world.try_password(&email, &password).await.expect(case, 200);
            let cut = password.get(..password.len() - 1).unwrap_or_default();
            world
                .try_password(&email, cut)
                .await
                .expect("never truncated silently", 400);
        }
    }
}

#[tokio::test]
async fn f05_acceptance_42_a_huge_password_is_refused_before_it_is_hashed() {
    let world = SHARED.world().await;
    let begun = std::time::Instant::now();
    for (case, size) in [("1 MiB password", 1 << 20), ("10 MiB body", 10 << 20)] {
        let body = json!({"email": "admin@example.com", "password": "x".repeat(size)});
        let answer = post(world.auths("signin")).json(&body).attempt().await;
        // A server that answers early may close while the client still writes.
        assert!(
            answer
                .as_ref()
                .map_or(true, |answer| matches!(answer.status, 400 | 413 | 422)),
            "{case}: {answer:?}"
        );
    }
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert_eq!(
        get(world.public("/login")).send().await.status,
        200,
        "control: it goes on"
    );
}

#[tokio::test]
async fn f10_f14_acceptance_128_guesses_are_counted_also_in_parallel() {
    let world = World::with("").await;
    let answers = futures::future::join_all((0..40).map(|number| {
        let world = &world;
        async move {
            world
                .try_password_from(&format!("203.0.113.{number}"), "admin@example.com", "not the right one")
                .await
        }
    }))
    .await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert!(
        count(400) <= 15 && count(400) + count(429) + count(503) == 40 && count(429) > 0,
        "F14: {:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    let limited = world
        .try_password_from("203.0.113.99", "admin@example.com", tests::resources::ADMIN_PASSWORD)
        .await;
    assert_eq!(limited.status, 429, "F10: the right password is not tried either");
    let wait: u64 = limited.header("retry-after").parse().unwrap_or_default();
    assert!((1..=180).contains(&wait), "acceptance 128: {:?}", limited.headers);
    assert_eq!(limited.text("code"), "rate_limited");
}

#[tokio::test]
async fn f10_only_failures_count() {
    let world = World::with("  rateLimits: {signIn: {limit: 3}}\n").await;
    for _ in 0..8 {
        world.admin().await;
    }
    for expected in [400, 400, 400, 429] {
        assert_eq!(
            world
                .try_password("admin@example.com", "not the right one")
                .await
                .status,
            expected,
            "acceptance 128"
        );
    }
}

#[tokio::test]
async fn f10_f12_acceptance_128_a_crash_forgets_no_failure() {
    let mut world = World::with("  rateLimits: {signIn: {limit: 4}}\n").await;
    let (admin, right) = ("admin@example.com", tests::resources::ADMIN_PASSWORD);
    for number in 0..4 {
        let from = format!("203.0.113.{number}");
        let answer = world.try_password_from(&from, admin, "not the right one").await;
        assert_eq!(answer.status, 400, "control: {number} failed before");
        let one_address = world
            .try_password_from("203.0.113.9", &format!("u{number}@example.com"), right)
            .await;
        assert_eq!(one_address.status, 400, "control: {number} failed before");
        world.authd.kill();
        world.start_again().await;
    }
    let limited = world.try_password_from("203.0.113.99", admin, right).await;
    assert_eq!(limited.status, 429, "F10: the account");
    let wait: u64 = limited.header("retry-after").parse().unwrap_or_default();
    assert!((1..=180).contains(&wait), "acceptance 128: {:?}", limited.headers);
    let limited = world.try_password_from("203.0.113.9", "u9@example.com", right).await;
    assert_eq!(limited.status, 429, "F12: the address");
    let other = world.try_password_from("203.0.113.99", "u9@example.com", right).await;
    assert_eq!(other.status, 400, "control: another account from another address");
}

#[tokio::test]
async fn f12_acceptance_130_one_address_is_limited_over_all_accounts() {
    let world = World::with("").await;
    let mut seen = Vec::new();
    for number in 0..17 {
        seen.push(
            world
                .try_password_from(
                    "2001:db8:1:2::1",
                    &format!("u{number}@example.com"),
                    "not the right one",
                )
                .await
                .status,
        );
    }
    assert_eq!((seen[14], seen[15]), (400, 429), "F12 {seen:?}");
    let neighbour = world
        .try_password_from("2001:db8:1:2:3:4:5:6", "u99@example.com", "not the right one")
        .await
        .status;
    assert_eq!(neighbour, 429, "F12: the same /64");
    let other = world
        .try_password_from("2001:db8:1:3::1", "admin@example.com", tests::resources::ADMIN_PASSWORD)
        .await
        .status;
    assert_eq!(other, 200, "control: another network");
}

#[tokio::test]
async fn acceptance_32_132_guesses_at_the_current_password_count() {
    let world = World::with("  rateLimits: {signIn: {limit: 3}}\n").await;
    let admin = world.admin().await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(
            change(&world, &admin, "not the right one", "a new one of mine")
                .await
                .status,
        );
    }
    assert_eq!(seen, [400, 400, 400, 429, 429], "acceptance 32");
}

#[tokio::test]
async fn f17_hashing_for_others_does_not_hold_up_checks() {
    let world = SHARED.world().await;
    let ann = world.person("f17", "user").await;
    let storm = futures::future::join_all((0..200).map(|number| {
        let world = &world;
        async move {
            world
                .try_password(&format!("f17-{number}@example.com"), "not the right one")
                .await
                .status
        }
    }));
    let checks = async {
        for _ in 0..50 {
            assert_eq!(
                world.forward("GET", "/").cookie(&ann.token).send().await.status,
                200,
                "F17"
            );
        }
    };
    let (statuses, ()) = tokio::join!(storm, checks);
    assert!(
        statuses.iter().all(|status| matches!(status, 400 | 429 | 503)),
        "F17: {statuses:?}"
    );
    assert_eq!(
        world.try_password(&ann.email, PASSWORD).await.status,
        200,
        "control: afterwards"
    );
}

#[tokio::test]
async fn f19_no_secret_is_written_anywhere() {
    let world = World::usual().await;
    let canary = "canary-7f3a of a password";
    let ann = world.person("f19", "user").await;
    change(&world, &ann, PASSWORD, canary).await.expect("change", 200);
    world.try_password(&ann.email, canary).await.expect("sign in", 200);
    world
        .try_password(canary, canary)
        .await
        .expect("typed into the wrong field", 400);
    world
        .try_password("nobody@example.com", canary)
        .await
        .expect("unknown", 400);
    let broken = post(world.auths("signin"))
        .body(
            "application/json",
            format!("{{\"email\": 1, \"password\": \"{canary}\""),
        )
        .send()
        .await;
    assert_eq!(broken.status, 422, "{}", broken.body);
    let key = world.key_of(&ann).await;
    world.forward("GET", "/").bearer(&key).send().await.expect("key", 200);
    world
        .forward("GET", "/")
        .bearer("sk-deadbeefdeadbeefdeadbeefdeadbeef")
        .send()
        .await
        .expect("wrong key", 401);
    let metrics = get(format!("{}/metrics", world.authd.admin)).send().await.body;
    let snapshot = get(format!("{}/snapshot", world.authd.admin)).send().await.body;
    let mut said = format!("{}{metrics}{snapshot}{}", world.authd.log().join("\n"), broken.body);
    for file in std::fs::read_dir(world.data()).into_iter().flatten().flatten() {
        said.push_str(&String::from_utf8_lossy(
            &std::fs::read(file.path()).unwrap_or_default(),
        ));
    }
    for secret in [
        canary,
        PASSWORD,
        tests::resources::ADMIN_PASSWORD,
        &key,
        tests::resources::CI_KEY,
        &ann.token,
        "deadbeefdeadbeef",
    ] {
        assert!(
            !said.contains(secret),
            "F19 H02 E09: `{}…` was written down",
            secret.get(..12).unwrap_or_default()
        );
    }
    assert!(said.contains(&ann.id), "control: the lines are there");
}
