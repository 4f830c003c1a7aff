//! Which tokens are believed over HTTP. Rows A of the attacks; how tokens are parsed is tried beside the code.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tests::http::{delete, get, post};
use tests::wire;
use tests::world::{Person, Shared, World};

static SHARED: Shared = Shared::new();

fn part(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn decoded(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap_or_default();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default()).unwrap_or_default()
}

/// The token is nobody's, on every way in.
async fn refused(world: &World, row: &str, token: &str) {
    let shown = token.get(..60.min(token.len())).unwrap_or_default();
    assert_eq!(world.me(token).await, 401, "{row} {shown}: API, bearer");
    assert_eq!(
        get(world.auths("")).cookie(token).send().await.status,
        401,
        "{row} {shown}: API, cookie"
    );
    assert_eq!(
        world.forward("GET", "/").bearer(token).send().await.status,
        401,
        "{row} {shown}: gate, bearer"
    );
    assert_eq!(
        world.forward("GET", "/").cookie(token).send().await.status,
        401,
        "{row} {shown}: gate, cookie"
    );
}

async fn accepted(world: &World, row: &str, token: &str) {
    assert_eq!(world.me(token).await, 200, "{row}: API, bearer");
    assert_eq!(
        get(world.auths("")).cookie(token).send().await.status,
        200,
        "{row}: API, cookie"
    );
    assert_eq!(
        world.forward("GET", "/").bearer(token).send().await.status,
        200,
        "{row}: gate, bearer"
    );
    assert_eq!(
        world.forward("GET", "/").cookie(token).send().await.status,
        200,
        "{row}: gate, cookie"
    );
}

#[tokio::test]
async fn a01_a02_a07_a10_a19_a24_a25_acceptance_48_a_token_that_is_not_ours_is_nobody() {
    let world = SHARED.world().await;
    let ann = world.person("a01", "user").await;
    accepted(&world, "control", &ann.token).await;
    let parts: Vec<&str> = ann.token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("three parts: {}", ann.token)
    };
    let kid = decoded(&ann.token, 0)["kid"].as_str().unwrap_or_default().to_owned();
    assert_eq!(decoded(&ann.token, 0)["alg"], "EdDSA", "control");
    for algorithm in [
        "\"none\"",
        "\"None\"",
        "\"NONE\"",
        "\"nOnE\"",
        "\"none \"",
        "\"\"",
        "null",
        "1",
        "[]",
        "\"HS256\"",
        "\"EdDSA \"",
        "\"eddsa\"",
    ] {
        let header = part(&format!("{{\"alg\":{algorithm},\"typ\":\"JWT\",\"kid\":\"{kid}\"}}"));
        refused(&world, &format!("A01 {algorithm}"), &format!("{header}.{payload}.")).await;
        refused(
            &world,
            &format!("A02 {algorithm}"),
            &format!("{header}.{payload}.{signature}"),
        )
        .await;
    }
    let original = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(header).unwrap_or_default()).unwrap_or_default();
    let with = |members: &str| part(&original.replacen('{', &format!("{{{members},"), 1));
    for members in [
        "\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "\"crit\":[\"b64\"],\"b64\":false",
        "\"alg\":\"none\"",
        "\"x5c\":[\"MIIB\"]",
    ] {
        refused(
            &world,
            &format!("A07 A21 A25 {members}"),
            &format!("{}.{payload}.{signature}", with(members)),
        )
        .await;
    }
    for kid in [
        "../../../dev/null",
        "' OR 1=1--",
        "file:///etc/passwd",
        "a\\nADMIN",
        "\\u0000",
        &"k".repeat(10 * 1024),
    ] {
        let header = part(&format!("{{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"{kid}\"}}"));
        assert_eq!(
            world
                .forward("GET", "/")
                .bearer(&format!("{header}.{payload}.{signature}"))
                .send()
                .await
                .status,
            401,
            "A10"
        );
    }
    let lines = world.authd.log();
    assert!(
        lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "A10: a log line is split"
    );
    for token in [
        String::new(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{}.x", ann.token),
        format!("{}.x.y", ann.token),
        format!("{}=", ann.token),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        ann.token.replace('.', "%2E"),
    ] {
        refused(&world, "A20 A24", &token).await;
    }
    for index in (0..ann.token.len()).step_by(ann.token.len() / 24) {
        let mut bytes = ann.token.clone().into_bytes();
        if bytes[index] != b'.' {
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let token = String::from_utf8(bytes).unwrap_or_default();
            assert_eq!(
                world.forward("GET", "/").bearer(&token).send().await.status,
                401,
                "A19 byte {index}"
            );
        }
    }
}

#[tokio::test]
async fn a11_a_thousand_keys_that_nobody_has_are_refused_by_their_names() {
    let world = World::usual().await;
    let ann = world.admin().await;
    let payload = ann.token.split('.').nth(1).unwrap_or_default();
    let refused_so_far = async || {
        let text = get(format!("{}/metrics", world.authd.admin)).send().await.body;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("authd_tokens_refused_total{reason=\"UnknownKey\"} "));
        line.and_then(|count| count.parse::<u32>().ok()).unwrap_or_default()
    };
    assert_eq!(refused_so_far().await, 0, "A11 control");
    // One client for all, as making one takes longer than an answer.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let statuses = futures::stream::iter(0..1000).map(|number| {
        let header = part(&json!({"alg": "EdDSA", "typ": "JWT", "kid": format!("{number:032x}")}).to_string());
        let token = format!("{header}.{payload}.{}", "A".repeat(86));
        let request = client
            .get(format!("{}/verify/forward", world.authd.verify))
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-host", tests::resources::HOST)
            .header("x-forwarded-uri", "/")
            .bearer_auth(token);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let statuses: Vec<u16> = statuses.buffer_unordered(8).collect().await;
    assert!(statuses.iter().all(|status| *status == 401), "A11");
    assert_eq!(refused_so_far().await, 1000, "A11: none was looked up anywhere");
    accepted(&world, "A11 control", &ann.token).await;
}

#[tokio::test]
async fn a04_acceptance_50_the_public_key_is_no_shared_secret() {
    let world = SHARED.world().await;
    let ann = world.person("a04", "user").await;
    let keys = get(world.public("/.well-known/jwks.json"))
        .send()
        .await
        .expect("key set", 200);
    let key = keys.json()["keys"][0].clone();
    assert_eq!(key["kty"], "OKP", "control: {key}");
    assert!(key.get("d").is_none(), "A14: a private member is published");
    let payload = ann.token.split('.').nth(1).unwrap_or_default();
    let header = part(&json!({"alg": "HS256", "typ": "JWT", "kid": key["kid"]}).to_string());
    let text = key["x"].as_str().unwrap_or_default();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let secrets = [
        bytes.clone(),
        text.as_bytes().to_vec(),
        BASE64_STANDARD.encode(&bytes).into_bytes(),
        key.to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let signature = aws_lc_rs::hmac::sign(&key, format!("{header}.{payload}").as_bytes());
        refused(
            &world,
            "A04",
            &format!("{header}.{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)),
        )
        .await;
    }
}

/// Signs claims with the secret of an HS256 instance.
fn signed(secret: &str, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(&header.to_string()), part(&claims.to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    format!(
        "{text}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()))
    )
}

const SECRET: &str = "a shared secret of more than thirty-two bytes";

async fn with_secret(more: &str) -> World {
    let folder = tests::resources::Folder::usual(&format!(
        "  tokens: {{algorithm: HS256, secretRef: {{name: signing, key: secret}}{more}}}\n"
    ));
    folder.write("signing.yaml", &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: signing, namespace: demo}}\nstringData: {{secret: {SECRET}}}\n"));
    World::of(folder).await
}

#[tokio::test]
async fn a27_a29_a30_a32_a39_acceptance_48_49_claims_are_all_checked() {
    let world = with_secret("").await;
    let ann = world.admin().await;
    accepted(&world, "control: as issued", &ann.token).await;
    let (header, claims) = (decoded(&ann.token, 0), decoded(&ann.token, 1));
    accepted(&world, "control: signed again", &signed(SECRET, &header, &claims)).await;
    let audience = claims["aud"].as_str().unwrap_or_default().to_owned();
    let now = claims["iat"].as_i64().unwrap_or_default();
    let id = ann.id.as_str();
    let rows: Vec<(&str, &str, Value)> = vec![
        ("A27", "exp", json!(now - 61)),
        ("A27", "exp", json!("soon")),
        ("A27", "exp", json!(now.to_string())),
        ("A27", "iat", json!(now + 3600)),
        ("A27", "nbf", json!(now + 3600)),
        ("A29", "aud", Value::Null),
        ("A29", "aud", json!("other")),
        ("A29", "aud", json!(format!("{audience}.evil"))),
        ("A29", "aud", json!([])),
        ("A29", "aud", json!({})),
        ("A29", "aud", json!(audience.to_uppercase())),
        ("A30", "iss", json!("http://auth.test.localhost:8000/")),
        ("A30", "iss", json!("HTTP://auth.test.localhost:8000")),
        ("A30", "iss", json!("https://auth.test.localhost:8000")),
        ("A30", "iss", Value::Null),
        ("A39", "sub", json!(1)),
        ("A39", "sub", Value::Null),
        ("A39", "sub", json!("")),
        ("A39", "sub", json!([id])),
        ("A35", "sid", json!("01890000-0000-7000-8000-000000000000")),
        ("A35", "sid", Value::Null),
        ("A35", "jti", Value::Null),
    ];
    for (row, claim, value) in rows {
        let mut changed = claims.clone();
        if value.is_null() {
            changed.as_object_mut().and_then(|claims| claims.remove(claim));
        } else {
            changed[claim] = value;
        }
        refused(
            &world,
            &format!("{row} {claim} {}", changed[claim]),
            &signed(SECRET, &header, &changed),
        )
        .await;
    }
    for kind in ["id_token", "logout+jwt", "JOSE", "dpop+jwt"] {
        let mut other = header.clone();
        other["typ"] = json!(kind);
        refused(&world, &format!("A32 {kind}"), &signed(SECRET, &other, &claims)).await;
    }
    let mut bound = claims.clone();
    bound["cnf"] = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    refused(&world, "A42", &signed(SECRET, &header, &bound)).await;
    refused(
        &world,
        "A15 another secret",
        &signed("another shared secret of more than thirty-two bytes", &header, &claims),
    )
    .await;
}

#[tokio::test]
async fn a34_a_token_of_another_instance_is_nobody() {
    let (world, other) = (SHARED.world().await, World::usual().await);
    let there = other.admin().await;
    accepted(&other, "control", &there.token).await;
    refused(&world, "A34", &there.token).await;
}

#[tokio::test]
async fn a35_what_is_revoked_is_refused_within_a_second() {
    let world = SHARED.world().await;
    let admin = world.admin().await;
    let expect_gone = async |row: &str, person: &Person| {
        tests::wait::within(std::time::Duration::from_secs(1), row, || async {
            let seen = (
                world.me(&person.token).await,
                world.forward("GET", "/").cookie(&person.token).send().await.status,
            );
            if seen == (401, 401) {
                Ok(())
            } else {
                Err(format!("{seen:?}"))
            }
        })
        .await;
    };
    let ann = world.person("a35-out", "user").await;
    accepted(&world, "A35 control", &ann.token).await;
    post(world.auths("signout"))
        .bearer(&ann.token)
        .send()
        .await
        .expect("sign out", 200);
    expect_gone("A35 signed out", &ann).await;
    let first = world.person("a35-session", "user").await;
    let second = world.sign_in(&first.email, tests::world::PASSWORD).await;
    let session = decoded(&first.token, 1)["sid"].as_str().unwrap_or_default().to_owned();
    delete(world.auths(&format!("sessions/{session}")))
        .bearer(&second.token)
        .send()
        .await
        .expect("end a session", 200);
    expect_gone("A35 ended by another session", &first).await;
    accepted(&world, "A35 control: the other session", &second.token).await;
    let gone = world.person("a35-deleted", "user").await;
    delete(world.public(&format!("/api/v1/users/{}", gone.id)))
        .bearer(&admin.token)
        .send()
        .await
        .expect("delete", 200);
    expect_gone("A35 E10 acceptance 54 deleted", &gone).await;
}

#[tokio::test]
async fn a36_a_token_in_the_query_or_a_form_is_no_credential() {
    let world = SHARED.world().await;
    let ann = world.person("a36", "user").await;
    for name in ["access_token", "token", "api_key"] {
        assert_eq!(
            get(world.auths(&format!("?{name}={}", ann.token))).send().await.status,
            401,
            "A36 {name}, API"
        );
        let uri = format!("/?{name}={}", ann.token);
        assert_eq!(world.forward("GET", &uri).send().await.status, 401, "A36 {name}, gate");
    }
    let form = tests::http::Request::new(http::Method::GET, world.auths("")).form(&[("access_token", &ann.token)]);
    assert_eq!(form.send().await.status, 401, "A36 form");
    accepted(&world, "A36 control", &ann.token).await;
}

#[tokio::test]
async fn a37_an_authorization_that_can_be_read_twice_is_refused() {
    let world = SHARED.world().await;
    let ann = world.person("a37", "user").await;
    let token = &ann.token;
    let rows: Vec<(Vec<String>, [u16; 2])> = vec![
        (vec![format!("Bearer {token}")], [200, 200]),
        (vec![format!("bearer {token}")], [200, 200]),
        (vec![format!("Bearer {token}"), format!("Bearer {token}")], [401, 400]),
        (vec![format!("Bearer {token}"), "Basic eA==".to_owned()], [401, 400]),
        (vec!["Bearer x".to_owned(), format!("Bearer {token}")], [401, 400]),
        (vec![format!("Bearer {token}, Bearer x")], [401, 400]),
        (vec![format!("Bearer {token},")], [401, 400]),
        (vec![format!("Bearer\t{token}")], [401, 400]),
        (vec!["Bearer".to_owned()], [401, 400]),
        (vec!["Bearer ".to_owned()], [401, 400]),
        (vec![String::new()], [401, 400]),
        (vec![format!("Bearer  {token}")], [401, 400]),
        (vec![token.clone()], [401, 400]),
        (vec![format!("Token {token}")], [401, 400]),
    ];
    for (values, expected) in rows {
        let lines: String = values
            .iter()
            .map(|value| format!("Authorization: {value}\r\n"))
            .collect();
        let request = format!("GET /api/v1/auths/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n");
        let status = wire::say(&world.authd.public, request.as_bytes()).await.status();
        assert!(expected.contains(&status), "A37 {values:?}: {status}");
        let facts = "X-Original-Method: GET\r\nX-Original-URL: http://app.test.localhost/\r\n";
        let request = format!("GET /verify/nginx HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{facts}{lines}\r\n");
        let status = wire::say(&world.authd.verify, request.as_bytes()).await.status();
        assert!(expected.contains(&status), "A37 gate {values:?}: {status}");
    }
}

#[tokio::test]
async fn acceptance_43_44_45_46_lifetimes_are_what_was_written() {
    for (text, seconds) in [
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1w", 604_800),
        ("1.5h", 5400),
        ("4w2d", 2_592_000),
    ] {
        let world = with_secret(&format!(", lifetime: {text}")).await;
        let token = world.admin().await.token;
        let claims = decoded(&token, 1);
        let lifetime = claims["exp"].as_i64().unwrap_or_default() - claims["iat"].as_i64().unwrap_or_default();
        let expected = seconds.min(28 * 86400);
        assert_eq!(lifetime, expected, "acceptance 44 {text}");
    }
    let world = with_secret(", lifetime: '-1', unsafeNeverExpire: true").await;
    let answer = world
        .try_password("admin@example.com", tests::resources::ADMIN_PASSWORD)
        .await
        .expect("sign in", 200);
    assert!(answer.json()["expires_at"].is_null(), "acceptance 45: {}", answer.body);
    let token = answer.text("token");
    accepted(&world, "acceptance 45", &token).await;
    post(world.auths("signout"))
        .bearer(&token)
        .send()
        .await
        .expect("acceptance 57", 200);
    refused(&world, "acceptance 57", &token).await;
    for text in ["''", "'4'", "4 weeks", "1month", "abc5m", "-5m", "'-1'"] {
        let folder = tests::resources::Folder::usual(&format!("  tokens: {{lifetime: {text}}}\n"));
        let output = tests::authd::run(&["check", &folder.path().display().to_string()]);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(1), "acceptance 46 {text}: {said}");
        assert!(said.contains("spec.tokens"), "acceptance 46 {text}: {said}");
    }
}
