//! The black-box checks of the seed's behaviour, sections 1 to 3, each named by its number. What other stories tell has its
//! number there: tokens in `tokens`, keys in `api_keys`, passwords and limits in `passwords`, cookies in `sessions`.

use serde_json::{Value, json};
use tests::http::{Answer, get, post};
use tests::resources::{ADMIN_PASSWORD, Folder, instance};
use tests::world::{PASSWORD, Person, Shared, World};

static SHARED: Shared = Shared::new();

async fn sign_up(world: &World, email: &str) -> Answer {
    let body = json!({"name": "New", "email": email, "password": PASSWORD});
    post(world.auths("signup")).json(&body).send().await
}

async fn update(world: &World, admin: &Person, id: &str, body: Value) -> Answer {
    post(world.public(&format!("/api/v1/users/{id}/update")))
        .bearer(&admin.token)
        .json(&body)
        .send()
        .await
}

fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()).unwrap_or_default()
}

#[tokio::test]
async fn acceptance_01_02_03_07_signing_in_answers_with_a_session() {
    let world = SHARED.world().await;
    world.person("a01", "user").await;
    let answer = world
        .try_password("a01@example.com", PASSWORD)
        .await
        .expect("acceptance 1", 200);
    for key in [
        "token",
        "token_type",
        "expires_at",
        "id",
        "email",
        "name",
        "role",
        "profile_image_url",
        "permissions",
    ] {
        assert!(answer.json().get(key).is_some(), "acceptance 1 {key}: {}", answer.body);
    }
    assert_eq!(answer.text("token_type"), "Bearer", "acceptance 1");
    let expires = answer.json()["expires_at"].as_i64().unwrap_or_default();
    assert!((expires - now() - 12 * 3600).abs() <= 2, "acceptance 2 43: {expires}");
    let line = answer.header("set-cookie");
    let moment = line
        .split("Expires=")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap_or_default();
    assert!(moment.ends_with("GMT"), "acceptance 2: {line}");
    world
        .try_password("A01@Example.COM", PASSWORD)
        .await
        .expect("acceptance 3", 200);
    world
        .add(&world.admin().await, "a07@example.com", "pending")
        .await
        .expect("add", 200);
    let pending = world
        .try_password("a07@example.com", PASSWORD)
        .await
        .expect("acceptance 7", 200);
    assert_eq!(pending.text("role"), "pending", "acceptance 7");
}

#[tokio::test]
async fn acceptance_06_a_body_that_lacks_something_is_422() {
    let world = SHARED.world().await;
    for body in [
        "{\"email\":\"a@b.cd\"}",
        "{}",
        "[]",
        "null",
        "",
        "{",
        "\"text\"",
        "{\"email\":1,\"password\":2}",
        "{\"email\":\"a@b.cd\",\"password\":null}",
    ] {
        let answer = post(world.auths("signin"))
            .body("application/json", body.to_owned())
            .send()
            .await;
        assert!(
            matches!(answer.status, 400 | 422) && !answer.text("detail").is_empty(),
            "acceptance 6 {body}: {}",
            answer.body
        );
        assert_ne!(answer.text("code"), "", "acceptance 6 {body}");
    }
    let body = post(world.auths("signin"))
        .json(&json!({"email": "a@b.cd"}))
        .send()
        .await;
    assert_eq!(body.status, 422, "acceptance 6");
}

#[tokio::test]
async fn acceptance_08_22_33_somebody_who_waits_may_nothing() {
    let world = SHARED.world().await;
    let wait = world.person("a08", "pending").await;
    let profile = json!({"name": "New", "profile_image_url": "/user.png"});
    assert_eq!(
        post(world.auths("update/profile"))
            .bearer(&wait.token)
            .json(&profile)
            .send()
            .await
            .status,
        403,
        "acceptance 8 profile"
    );
    assert_eq!(
        post(world.auths("api_key")).bearer(&wait.token).send().await.status,
        403,
        "acceptance 8 key"
    );
    let list = get(world.auths("api_key")).bearer(&wait.token).send().await;
    assert!(
        matches!(list.status, 200 | 403) && !list.body.contains("sk-"),
        "acceptance 8: {}",
        list.body
    );
    let me = get(world.auths(""))
        .bearer(&wait.token)
        .send()
        .await
        .expect("control: who am I", 200);
    assert_eq!(me.text("role"), "pending");
    let details = get(world.auths("admin/details"))
        .bearer(&wait.token)
        .send()
        .await
        .expect("acceptance 33: allowed by adminContact", 200);
    assert_eq!(details.text("email"), "admin@example.com", "acceptance 33");
    let ann = world.person("a22", "user").await;
    assert_eq!(
        world.add(&ann, "a22-new@example.com", "user").await.status,
        403,
        "acceptance 22"
    );
    assert_eq!(
        world.add(&wait, "a22-new@example.com", "user").await.status,
        403,
        "acceptance 22"
    );
    for path in ["/api/v1/users/", "/api/v1/auths/admin/config"] {
        assert_eq!(
            get(world.public(path)).bearer(&ann.token).send().await.status,
            403,
            "acceptance 141 {path}"
        );
        assert_eq!(
            get(world.public(path)).send().await.status,
            401,
            "acceptance 141 {path}"
        );
        assert_eq!(
            get(world.public(path))
                .bearer(&world.admin().await.token)
                .send()
                .await
                .status,
            200,
            "control {path}"
        );
    }
    let silent = World::with("").await;
    let admin = silent.admin().await;
    assert_eq!(
        get(silent.auths("admin/details"))
            .bearer(&admin.token)
            .send()
            .await
            .status,
        403,
        "acceptance 33: nobody named"
    );
}

#[tokio::test]
async fn acceptance_09_10_without_a_password_provider_nobody_signs_in() {
    let folder = Folder::usual("  signup: {enabled: true, defaultRole: user}\n");
    let rest: Vec<&str> = tests::resources::REST
        .split("---\n")
        .filter(|text| !text.contains("kind: AuthProvider") && !text.contains("kind: RoleMapping"))
        .collect();
    folder.write("rest.yaml", &rest.join("---\n"));
    let world = World::of(folder).await;
    assert_eq!(
        world.try_password("admin@example.com", ADMIN_PASSWORD).await.status,
        403,
        "acceptance 9"
    );
    assert_eq!(sign_up(&world, "a10@example.com").await.status, 403, "acceptance 10");
}

#[tokio::test]
async fn acceptance_12_13_signing_up_gives_the_default_role() {
    let world = SHARED.world().await;
    let answer = sign_up(&world, "a12@example.com").await.expect("acceptance 12", 200);
    assert_eq!(answer.text("role"), "pending", "acceptance 12");
    assert!(
        answer
            .set_cookie("token")
            .is_some_and(|token| token == answer.text("token")),
        "acceptance 12"
    );
    assert_eq!(sign_up(&world, "A12@Example.com").await.status, 400, "acceptance 13");
    let body = json!({"name": "New", "email": "a12-root@example.com", "password": PASSWORD, "role": "admin"});
    let answer = post(world.auths("signup")).json(&body).send().await;
    assert!(
        answer.status == 422 || answer.text("role") == "pending",
        "nobody chooses their own role: {}",
        answer.body
    );
}

#[tokio::test]
async fn acceptance_16_what_is_no_address_is_refused() {
    let world = SHARED.world().await;
    for email in [
        "nope",
        "a@b",
        "a@b.c@evil.com",
        "x y@z.com",
        "a@example.com\n",
        "<b>@z.com",
        "",
        "@z.com",
        "a@",
        "a@.com",
        "a@z..com",
        "\u{0}@z.com",
    ] {
        let answer = sign_up(&world, email).await;
        assert_eq!(answer.status, 400, "acceptance 16 {email:?}: {}", answer.body);
    }
    sign_up(&world, "a16+tag@sub.example.com").await.expect("control", 200);
}

#[tokio::test]
async fn acceptance_18_38_the_first_visitor_does_not_win() {
    let folder = Folder::usual("  signup: {enabled: true, defaultRole: pending}\n");
    let spec = instance("  signup: {enabled: true, defaultRole: pending}\n");
    let spec: String = spec
        .lines()
        .filter(|line| !line.contains("bootstrapAdmin"))
        .map(|line| format!("{line}\n"))
        .collect();
    folder.write("authd.yaml", &spec);
    let world = World::of(folder).await;
    let config = get(world.public("/api/config"))
        .send()
        .await
        .expect("acceptance 37", 200);
    assert_eq!(config.json()["onboarding"], true, "acceptance 38: {}", config.body);
    let first = sign_up(&world, "first@example.com").await.expect("acceptance 18", 200);
    assert_eq!(first.text("role"), "pending", "acceptance 18");
    let config = get(world.public("/api/config")).send().await;
    assert!(
        config.json().get("onboarding").is_none(),
        "acceptance 38: {}",
        config.body
    );
}

#[tokio::test]
async fn acceptance_19_signing_up_is_off_unless_it_is_switched_on() {
    let world = World::with("").await;
    let admin = world.admin().await;
    let config = get(world.auths("admin/config"))
        .bearer(&admin.token)
        .send()
        .await
        .expect("acceptance 19", 200);
    assert_eq!(config.json()["ENABLE_SIGNUP"], false, "acceptance 19");
    assert_eq!(sign_up(&world, "a19@example.com").await.status, 403, "acceptance 19");
}

#[tokio::test]
async fn acceptance_20_21_an_administrator_makes_accounts() {
    let world = SHARED.world().await;
    let admin = world.admin().await;
    let added = world
        .add(&admin, "a20@example.com", "user")
        .await
        .expect("acceptance 20", 200);
    assert!(
        added.json().get("token").is_none_or(Value::is_null),
        "acceptance 20: {}",
        added.body
    );
    assert!(added.set_cookie("token").is_none(), "acceptance 20");
    let ann = world.sign_in("a20@example.com", PASSWORD).await;
    for role in ["root", "", "Admin", "user "] {
        assert!(
            matches!(world.add(&admin, "a21@example.com", role).await.status, 400 | 422),
            "acceptance 21 {role:?}"
        );
        assert!(
            matches!(
                update(&world, &admin, &ann.id, json!({"role": role})).await.status,
                400 | 422
            ),
            "acceptance 21 {role:?}"
        );
    }
    let list = get(world.public("/api/v1/users/?query=a2"))
        .bearer(&admin.token)
        .send()
        .await
        .expect("list", 200);
    assert!(
        list.body.contains("a20@example.com") && !list.body.contains("a21@example.com"),
        "acceptance 21: {}",
        list.body
    );
}

#[tokio::test]
async fn acceptance_24_25_51_52_who_am_i() {
    let world = SHARED.world().await;
    let ann = world.person("a24", "user").await;
    let by_cookie = get(world.auths(""))
        .cookie(&ann.token)
        .send()
        .await
        .expect("acceptance 24", 200);
    assert_eq!(by_cookie.text("email"), ann.email, "acceptance 24");
    let basic = get(world.auths(""))
        .cookie(&ann.token)
        .header("authorization", "Basic eA==")
        .send()
        .await
        .expect("acceptance 25 52", 200);
    assert!(!basic.body.contains("eA=="), "acceptance 25: {}", basic.body);
    let wrong = get(world.auths("")).cookie(&ann.token).bearer("wrong").send().await;
    assert_eq!(wrong.status, 401, "acceptance 51");
    assert_eq!(
        world
            .forward("GET", "/")
            .cookie(&ann.token)
            .bearer("wrong")
            .send()
            .await
            .status,
        401,
        "acceptance 51: gate"
    );
    let key = world.key_of(&ann).await;
    let by_key = get(world.auths("")).bearer(&key).send().await.expect("key", 200);
    assert!(!by_key.body.contains(&key), "a key is never echoed: {}", by_key.body);
}

#[tokio::test]
async fn acceptance_26_27_28_a_profile_is_ones_own_to_change_within_bounds() {
    let world = SHARED.world().await;
    let ann = world.person("a26", "user").await;
    let change = async |body: Value| {
        post(world.auths("update/profile"))
            .bearer(&ann.token)
            .json(&body)
            .send()
            .await
    };
    let body = json!({"name": "Ann", "profile_image_url": "/user.png", "bio": "here", "email": "other@example.com", "role": "admin"});
    let answer = change(body).await.expect("acceptance 26", 200);
    let mut keys: Vec<String> = answer
        .json()
        .as_object()
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default();
    keys.sort();
    assert_eq!(
        keys,
        ["email", "id", "name", "profile_image_url", "role"],
        "acceptance 26"
    );
    assert_eq!(
        (answer.text("email"), answer.text("role")),
        (ann.email.clone(), "user".to_owned()),
        "acceptance 26"
    );
    change(json!({"name": "Ann", "profile_image_url": "/user.png"}))
        .await
        .expect("acceptance 28", 200);
    assert_eq!(
        get(world.auths("")).bearer(&ann.token).send().await.text("bio"),
        "here",
        "acceptance 28"
    );
    for image in [
        "javascript:alert(1)",
        "data:text/html,x",
        "data:image/svg+xml,<svg onload=x>",
        "//evil.test/x.png",
        "http://",
        "\\\\evil",
        "vbscript:x",
    ] {
        assert_eq!(
            change(json!({"name": "Ann", "profile_image_url": image})).await.status,
            422,
            "acceptance 27 {image}"
        );
    }
    let huge = format!("data:image/png;base64,{}", "A".repeat(50 << 20));
    let request = post(world.auths("update/profile"))
        .bearer(&ann.token)
        .json(&json!({"name": "Ann", "profile_image_url": huge}));
    assert!(
        request
            .attempt()
            .await
            .map_or(true, |answer| matches!(answer.status, 413 | 422)),
        "acceptance 27: 50 MB"
    );
    change(json!({"name": "Ann", "profile_image_url": "https://example.com/a.png"}))
        .await
        .expect("control", 200);
}

#[tokio::test]
async fn acceptance_30_32_a_new_password_is_judged_and_the_old_one_is_not() {
    let folder = Folder::usual("  signup: {enabled: false}\n");
    let world = World::of(folder).await;
    let ann = world.person("a30", "user").await;
    let change = async |old: &str, new: &str| {
        let body = json!({"password": old, "new_password": new});
        post(world.auths("update/password"))
            .bearer(&ann.token)
            .json(&body)
            .send()
            .await
            .status
    };
    assert_eq!(change(PASSWORD, "short").await, 400, "acceptance 30");
    assert_eq!(
        change("not the right one", "a fine new one").await,
        400,
        "acceptance 32"
    );
    let before = get(format!("{}/snapshot", world.authd.admin))
        .send()
        .await
        .text("digest");
    world
        .folder
        .write("authd.yaml", &instance("").replace("minLength: 10", "minLength: 24"));
    tests::wait::until("the policy is stricter", || async {
        let now = get(format!("{}/snapshot", world.authd.admin))
            .send()
            .await
            .text("digest");
        if now == before { Err(now) } else { Ok(()) }
    })
    .await;
    assert_eq!(change(PASSWORD, "fewer than twenty-four").await, 400, "control");
    let old_is_short = change(PASSWORD, "a new one with enough letters for it").await;
    assert_eq!(old_is_short, 200, "acceptance 30: only the old one violates it");
}

#[tokio::test]
async fn acceptance_34_36_settings_are_read_only_and_hold_no_secret() {
    let world = SHARED.world().await;
    let admin = world.admin().await;
    let config = async || {
        get(world.auths("admin/config"))
            .bearer(&admin.token)
            .send()
            .await
            .expect("config", 200)
            .body
    };
    let before = config().await;
    for body in [
        json!({"DEFAULT_USER_ROLE": "god"}),
        json!({"JWT_EXPIRES_IN": "soon"}),
        json!({"ENABLE_SIGNUP": false}),
    ] {
        let answer = post(world.auths("admin/config"))
            .bearer(&admin.token)
            .json(&body)
            .send()
            .await;
        assert!(matches!(answer.status, 405 | 422), "acceptance 34: {}", answer.body);
        assert!(
            answer.text("detail").contains("Authd demo/main"),
            "acceptance 34: {}",
            answer.body
        );
    }
    assert_eq!(config().await, before, "acceptance 34");
    for secret in [ADMIN_PASSWORD, tests::resources::CI_KEY] {
        assert!(!before.contains(secret), "acceptance 36");
    }
}

#[tokio::test]
async fn acceptance_37_39_the_public_configuration_says_little() {
    let world = SHARED.world().await;
    let config = get(world.public("/api/config"))
        .send()
        .await
        .expect("acceptance 37", 200);
    assert_eq!(
        config.json()["features"]["enable_login_form"],
        true,
        "acceptance 37: {}",
        config.body
    );
    assert!(config.json()["oauth"]["providers"].is_object(), "acceptance 37");
    assert!(
        config.json().get("version").is_none() && !config.body.contains("user_count"),
        "acceptance 37: {}",
        config.body
    );
    let ann = world.person("a39", "user").await;
    post(world.auths("signout"))
        .bearer(&ann.token)
        .send()
        .await
        .expect("sign out", 200);
    let revoked = get(world.public("/api/config"))
        .bearer(&ann.token)
        .send()
        .await
        .expect("acceptance 39", 200);
    assert_eq!(revoked.body, config.body, "acceptance 39");
}

#[tokio::test]
async fn acceptance_40_the_first_and_the_last_administrator_stay() {
    let world = World::usual().await;
    let primary = world.admin().await;
    let second = world.person("a40", "admin").await;
    let delete = async |who: &Person, id: &str| {
        tests::http::delete(world.public(&format!("/api/v1/users/{id}")))
            .bearer(&who.token)
            .send()
            .await
            .status
    };
    assert_eq!(
        update(&world, &second, &primary.id, json!({"role": "user"}))
            .await
            .status,
        403,
        "acceptance 40: edit the primary"
    );
    assert_eq!(
        update(&world, &second, &primary.id, json!({"disabled": true}))
            .await
            .status,
        403,
        "acceptance 40: disable the primary"
    );
    assert_eq!(
        delete(&second, &primary.id).await,
        403,
        "acceptance 40: delete the primary"
    );
    assert_eq!(delete(&second, &second.id).await, 403, "acceptance 40: delete oneself");
    assert_eq!(delete(&primary, &second.id).await, 200, "control");
    assert_eq!(
        delete(&primary, &primary.id).await,
        403,
        "acceptance 40: delete oneself"
    );
    for body in [
        json!({"role": "user"}),
        json!({"role": "pending"}),
        json!({"disabled": true}),
    ] {
        assert_eq!(
            update(&world, &primary, &primary.id, body).await.status,
            403,
            "acceptance 40: the last one"
        );
    }
    assert_eq!(
        delete(&primary, "01890000-0000-7000-8000-000000000000").await,
        404,
        "acceptance 141"
    );
}

#[tokio::test]
async fn acceptance_56_58_60_61_signing_out() {
    let world = World::with(&format!(
        "{}  signOut: {{redirectUrl: 'https://example.com/bye'}}\n",
        tests::resources::ROOMY
    ))
    .await;
    let nobody = post(world.auths("signout")).send().await.expect("acceptance 58", 200);
    assert_eq!(nobody.json()["status"], true, "acceptance 58");
    assert_eq!(
        nobody.set_cookie("token").as_deref(),
        Some(""),
        "acceptance 58: {:?}",
        nobody.headers
    );
    assert_eq!(nobody.text("redirect_url"), "https://example.com/bye", "acceptance 60");
    for shown in ["garbage", "sk-00000000000000000000000000000000", "a.b.c"] {
        post(world.auths("signout"))
            .bearer(shown)
            .send()
            .await
            .expect("acceptance 58", 200);
    }
    let ann = world.person("a61", "user").await;
    assert_eq!(
        get(world.auths("signout")).cookie(&ann.token).send().await.status,
        405,
        "acceptance 61: GET"
    );
    let foreign = post(world.auths("signout"))
        .cookie(&ann.token)
        .header("origin", "http://evil.test")
        .send()
        .await;
    assert_eq!(foreign.status, 403, "acceptance 61: foreign origin");
    assert_eq!(world.me(&ann.token).await, 200, "acceptance 61: the session survives");
    post(world.auths("signout"))
        .cookie(&ann.token)
        .send()
        .await
        .expect("acceptance 56", 200);
    assert_eq!(world.me(&ann.token).await, 401, "acceptance 56");
}

#[tokio::test]
async fn acceptance_63_people_see_their_sessions_and_end_one() {
    let world = SHARED.world().await;
    let ann = world.person("a63", "user").await;
    let (second, third) = (
        world.sign_in(&ann.email, PASSWORD).await,
        world.sign_in(&ann.email, PASSWORD).await,
    );
    let list = get(world.auths("sessions"))
        .bearer(&ann.token)
        .send()
        .await
        .expect("acceptance 63", 200)
        .json();
    let sessions = list
        .as_array()
        .or_else(|| list["sessions"].as_array())
        .cloned()
        .unwrap_or_default();
    assert_eq!(sessions.len(), 3, "acceptance 63: {list}");
    for member in ["id", "created_at", "last_seen_at", "user_agent"] {
        assert!(
            sessions.iter().all(|session| session.get(member).is_some()),
            "acceptance 63 {member}: {list}"
        );
    }
    let ben = world.person("a63-other", "user").await;
    let id = sessions
        .iter()
        .find(|session| session["current"] == false)
        .and_then(|session| session["id"].as_str())
        .unwrap_or_default();
    let end = async |who: &Person| {
        tests::http::delete(world.auths(&format!("sessions/{id}")))
            .bearer(&who.token)
            .send()
            .await
            .status
    };
    assert_eq!(end(&ben).await, 404, "acceptance 63: somebody else's");
    assert_eq!(end(&ann).await, 200, "acceptance 63");
    let alive = [
        world.me(&ann.token).await,
        world.me(&second.token).await,
        world.me(&third.token).await,
    ];
    assert_eq!(
        alive.iter().filter(|status| **status == 200).count(),
        2,
        "acceptance 63: {alive:?}"
    );
}

#[tokio::test]
async fn acceptance_136_what_happens_is_written_down_once() {
    let world = World::usual().await;
    let ann = world.person("a136", "user").await;
    world.try_password(&ann.email, "not the right one").await;
    world.key_of(&ann).await;
    post(world.auths("signout")).bearer(&ann.token).send().await;
    sign_up(&world, "a136-new@example.com").await.expect("sign up", 200);
    update(&world, &world.admin().await, &ann.id, json!({"role": "pending"}))
        .await
        .expect("update", 200);
    let events = tests::wait::until("acceptance 136: the lines", || async {
        let lines: Vec<Value> = world
            .authd
            .log()
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let text = lines
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
            .to_lowercase();
        let all = ["signin", "signout", "signup", "rolechanged", "usercreated", "key"];
        let missing: Vec<&&str> = all.iter().filter(|word| !text.contains(*word)).collect();
        if missing.is_empty() {
            Ok(lines)
        } else {
            Err(format!("without {missing:?}: {text}"))
        }
    })
    .await;
    let failures = events.iter().filter(|event| event["event"] == "SignInFailed").count();
    assert_eq!(failures, 1, "acceptance 136: {events:?}");
}

#[tokio::test]
async fn acceptance_126_127_bootstrap_and_weak_secrets() {
    let mut world = World::usual().await;
    let admin = world.admin().await;
    let body = json!({"password": ADMIN_PASSWORD, "new_password": "a password of my own"});
    post(world.auths("update/password"))
        .bearer(&admin.token)
        .json(&body)
        .send()
        .await
        .expect("change", 200);
    world.authd.kill();
    world.start_again().await;
    assert_eq!(
        world.try_password("admin@example.com", ADMIN_PASSWORD).await.status,
        400,
        "acceptance 126: the Secret is not applied again"
    );
    world.sign_in("admin@example.com", "a password of my own").await;
    for (case, secret, expected) in [
        ("missing", None, 1),
        ("31 bytes", Some("x".repeat(31)), 1),
        ("32 bytes", Some("0123456789abcdef0123456789abcdef".to_owned()), 0),
    ] {
        let folder = Folder::usual("  tokens: {algorithm: HS256, secretRef: {name: signing, key: secret}}\n");
        if let Some(secret) = secret {
            folder.write("signing.yaml", &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: signing, namespace: demo}}\nstringData: {{secret: {secret}}}\n"));
        }
        let path = folder.path().display().to_string();
        let output = tests::authd::run(&["check", &path]);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(expected), "acceptance 127 {case}: {said}");
        assert!(
            expected == 0 || said.contains("spec.tokens.secretRef"),
            "acceptance 127 {case}: {said}"
        );
    }
}
