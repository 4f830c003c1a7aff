//! What authd does not believe of a provider. Rows B of the attacks, and the relying-party modules of the OpenID conformance suite.

use serde_json::{Value, json};
use tests::authd::Authd;
use tests::clock::MovableClock;
use tests::http::get;
use tests::openid::Client;
use tests::openid::keys::{Key, claims, half_hash};
use tests::openid::misbehaving::{Fault, Misbehaving, Trouble};
use tests::peer::Peer;
use tests::resources::{Folder, ROOMY};
use tests::wire;
use tests::world::World;

use super::trial::{
    Attempt, HOST, PUBLIC, SECRET, Trial, attempt, client, kept_out, let_in, provider, secret, secret_ref, window,
    world,
};

/// A name and the row.
type Row = (&'static str, Fault);
/// What becomes of an address.
type Changed<'a> = &'a dyn Fn(&url::Url) -> String;

#[tokio::test]
async fn b07_to_b17_an_id_token_that_is_not_right_in_every_point_is_refused() {
    let rows: Vec<Row> = vec![
        ("B07 nonce-invalid", Fault::claim("nonce", json!("another"))),
        ("B07 nonce missing", Fault::claim("nonce", Value::Null)),
        ("B10 invalid-iss", Fault::claim("iss", json!("https://evil.test"))),
        ("B11 missing-sub", Fault::claim("sub", Value::Null)),
        ("B11 empty sub", Fault::claim("sub", json!(""))),
        ("B11 sub is a number", Fault::claim("sub", json!(7))),
        ("B11 missing-iat", Fault::claim("iat", Value::Null)),
        ("B11 missing-aud", Fault::claim("aud", Value::Null)),
        ("B11 missing exp", Fault::claim("exp", Value::Null)),
        ("B11 expired", Fault::claim("exp", json!(1_000_000_000))),
        ("B12 invalid-aud", Fault::claim("aud", json!("another"))),
        ("B12 aud in another case", Fault::claim("aud", json!("Authd"))),
        (
            "B12 aud list without us",
            Fault::claim("aud", json!(["another", "third"])),
        ),
        (
            "B12 aud list without azp",
            Fault::claim("aud", json!(["authd", "another"])),
        ),
        ("B12 aud is empty", Fault::claim("aud", json!([]))),
        ("B12 azp other", Fault::claim("azp", json!("another"))),
        (
            "B12 azp other in a list",
            Fault::id_token(|draft| {
                draft.claim("aud", json!(["authd", "another"]));
                draft.claim("azp", json!("another"));
            }),
        ),
        ("B14 invalid-sig-es256", Fault::id_token(|draft| draft.spoilt())),
        (
            "B14 invalid-sig-rs256",
            Fault::id_token(|draft| draft.signed_with(Key::rsa("mine"))),
        ),
        (
            "B14 invalid-sig-hs256, B15",
            Fault::id_token(|draft| draft.signed_with(Key::shared("mine", SECRET.as_bytes()))),
        ),
        ("B14 another key of the same name", {
            Fault::id_token(|draft| draft.signed_with(Key::p256("mine")))
        }),
        ("idtoken-sig-none", Fault::id_token(|draft| draft.unsigned())),
        (
            "idtoken-sig-none in capitals",
            Fault::id_token(|draft| {
                draft.unsigned();
                draft.header("alg", json!("NONE"));
            }),
        ),
        (
            "A07 the key in the header",
            Fault::id_token(|draft| {
                let key = Key::p256("mine");
                draft.header("jwk", key.jwk());
                draft.signed_with(key);
            }),
        ),
        (
            "A22 crit",
            Fault::id_token(|draft| {
                draft.header("crit", json!(["future"]));
                draft.header("future", json!(true));
            }),
        ),
        (
            "a kid that nobody lists",
            Fault::id_token(|draft| {
                draft.header("kid", json!("../../../dev/null"));
            }),
        ),
        (
            "B16 invalid-athash",
            Fault::claim("at_hash", json!(half_hash("another"))),
        ),
        ("B16 invalid-chash", Fault::claim("c_hash", json!(half_hash("another")))),
        ("B17 userinfo-invalid-sub", Fault::user_info_member("sub", json!("bob"))),
        ("B17 userinfo without sub", Fault::user_info_member("sub", Value::Null)),
        ("A32 a logout token", {
            Fault::id_token(|draft| {
                draft.claim(
                    "events",
                    json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
                );
                draft.header("typ", json!("logout+jwt"));
            })
        }),
        ("no ID token", Fault::answer_member("id_token", Value::Null)),
        (
            "an ID token that is none",
            Fault::answer_member("id_token", json!("x.y.z")),
        ),
        (
            "an ID token of five parts",
            Fault::answer_member("id_token", json!("a.b.c.d.e")),
        ),
    ];
    let trial = Trial::start(&["tokens"]).await;
    trial.lets_in("control", "tokens").await;
    for (row, fault) in rows {
        trial.refuses(row, "tokens", fault).await;
    }
}

#[tokio::test]
async fn b07_a_nonce_of_an_earlier_sign_in_is_refused() {
    let trial = Trial::start(&["nonce"]).await;
    trial.lets_in("control", "nonce").await;
    let asked = trial.provider.seen("nonce", "GET /authorize");
    let earlier = asked
        .first()
        .and_then(|seen| seen.parameter("nonce"))
        .unwrap_or_default();
    assert!(earlier.len() >= 22, "B07 {earlier}");
    let replay = Fault::id_token(move |draft| draft.claim("nonce", json!(earlier)));
    trial.refuses("B07 earlier", "nonce", replay).await;
}

#[tokio::test]
async fn b12_lists_that_are_right_are_accepted() {
    let trial = Trial::start(&["lists"]).await;
    trial.provider.does("lists", Fault::claim("aud", json!(["authd"])));
    trial.lets_in("B12 a list of one", "lists").await;
    let both = Fault::id_token(|draft| {
        draft.claim("aud", json!(["authd", "another"]));
        draft.claim("azp", json!("authd"));
    });
    trial.provider.does("lists", both);
    // Either is right: an audience that is not trusted may be refused (OpenID Connect Core 3.1.3.7, 3).
    let attempt = trial.attempt("lists").await;
    assert!(attempt.answer.status < 500, "B12 {}", attempt.answer.status);
}

#[tokio::test]
async fn b14_rs256_is_accepted_and_kid_absent_only_where_it_is_clear() {
    let trial = Trial::start(&["rsa", "single", "several", "twice"]).await;
    trial.provider.has_keys("rsa", vec![Key::rsa("r")]);
    trial.lets_in("idtoken-sig-rs256", "rsa").await;

    let nameless = || Fault::id_token(|draft| draft.header("kid", Value::Null));
    trial.provider.does("single", nameless());
    trial.lets_in("kid-absent-single-jwks", "single").await;
    // Three keys, of which one fits what the header says.
    trial
        .provider
        .has_keys("several", vec![Key::p256("a"), Key::rsa("b"), Key::rsa("c")]);
    trial.provider.does("several", nameless());
    trial
        .lets_in("kid-absent-multiple-jwks, one of the kind", "several")
        .await;
    // Whichever of two fitting keys verifies is the provider's; a third party's is not.
    trial.provider.has_keys("twice", vec![Key::p256("a"), Key::p256("b")]);
    let foreign = Fault::id_token(|draft| {
        draft.header("kid", Value::Null);
        draft.signed_with(Key::p256("c"));
    });
    trial
        .refuses("kid-absent-multiple-jwks, none verifies", "twice", foreign)
        .await;
}

#[tokio::test]
async fn b05_b36_the_authorization_request_is_what_it_should_be_and_new_each_time() {
    let trial = Trial::start(&["asked"]).await;
    let login = format!("{PUBLIC}/oauth/asked/login");
    for _ in 0..3 {
        trial.lets_in("B05", "asked").await;
    }
    // Whatever the request says it was sent to. Row B36.
    let spoofed = get(trial.world.public("/oauth/asked/login"))
        .header("host", "evil.test")
        .header("x-forwarded-host", "evil.test")
        .send()
        .await;
    assert!(
        !spoofed.header("location").contains("evil.test"),
        "B36 {:?}",
        spoofed.headers
    );
    window(&trial.world).follow(&login, "").await;

    let asked = trial.provider.seen("asked", "GET /authorize");
    for seen in &asked {
        let given = |name: &str| seen.parameter(name).unwrap_or_default();
        assert_eq!(given("response_type"), "code", "B05");
        assert_eq!(given("code_challenge_method"), "S256", "B05");
        assert_eq!(given("code_challenge").len(), 43, "B05");
        assert_eq!(given("redirect_uri"), format!("{PUBLIC}/oauth/asked/callback"), "B36");
        assert!(given("scope").split(' ').any(|scope| scope == "openid"), "B05");
        assert!(
            given("state").len() >= 22 && given("nonce").len() >= 22,
            "B05 {}",
            seen.query
        );
        assert!(!seen.query.contains("secret"), "B20 {}", seen.query);
    }
    for name in ["code_challenge", "state", "nonce"] {
        let mut values: Vec<_> = asked.iter().filter_map(|seen| seen.parameter(name)).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), asked.len(), "B05 {name} is new each time");
    }
    for seen in trial.provider.seen("asked", "POST /token") {
        let verifier = seen.field("code_verifier").unwrap_or_default();
        assert!((43..=128).contains(&verifier.len()), "B05 {verifier}");
        assert!(
            seen.headers.contains_key("authorization"),
            "B20 the secret is in the header"
        );
        assert_eq!(seen.field("client_secret"), None, "B20");
        assert_eq!(seen.query, "", "B20 never in the URL");
    }
}

#[tokio::test]
async fn b06_plain_is_never_used_whatever_the_metadata_offers() {
    let trial = Trial::start(&["plain", "silent"]).await;
    for (name, offered) in [("plain", json!(["plain"])), ("silent", Value::Null)] {
        trial.provider.does(
            name,
            Fault::metadata_member("code_challenge_methods_supported", offered),
        );
        trial.attempt(name).await;
        let asked = trial.provider.seen(name, "GET /authorize");
        let method = |seen: &tests::peer::Seen| seen.parameter("code_challenge_method");
        assert!(
            asked.iter().all(|seen| method(seen).as_deref() == Some("S256")),
            "B06 {name} {asked:?}"
        );
        trial.provider.does(name, Fault::claim("nonce", json!("another")));
        kept_out("B06 the nonce is still looked at", &trial.attempt(name).await);
    }
}

#[tokio::test]
async fn b01_b04_b27_a_callback_that_is_not_the_answer_to_our_question_asks_nobody_anything() {
    let trial = Trial::start(&["state"]).await;
    let token_requests = || trial.provider.seen("state", "POST /token").len();
    let huge = "x".repeat(2 << 20);
    let changes: [(&str, Changed<'_>); 8] = [
        ("B01 state missing", &|url| without(url, "state")),
        ("B01 state wrong", &|url| {
            format!("{}&state=wrong", without(url, "state"))
        }),
        ("B01 state empty", &|url| format!("{}&state=", without(url, "state"))),
        ("B27 state twice", &|url| format!("{url}&state=again")),
        ("B27 code twice", &|url| format!("{url}&code=again")),
        ("B27 code and error", &|url| format!("{url}&error=access_denied")),
        ("no code", &|url| without(url, "code")),
        ("B09 iss of another", &|url| {
            format!("{}&iss=https%3A%2F%2Fevil.test", without(url, "iss"))
        }),
    ];
    for (row, change) in changes {
        let (mut window, callback) = trial.up_to_the_callback("state").await;
        let before = token_requests();
        let changed = change(&callback.parse().expect("a URL"));
        let answer = window.open(&changed).await;
        kept_out(row, &Attempt { window, answer });
        assert_eq!(token_requests(), before, "{row}: 0 token requests");
    }
    let before = token_requests();
    let request = format!("GET /oauth/state/callback?code=x&state={huge} HTTP/1.1\r\nHost: {HOST}:8000\r\n\r\n");
    let heard = wire::say(&trial.world.authd.public, request.as_bytes()).await;
    assert!(
        [0, 400, 414, 431].contains(&heard.status()),
        "B01 state of 2 MiB: {}",
        heard.text
    );
    assert_eq!(token_requests(), before, "B01 state of 2 MiB: 0 token requests");

    // The window that began is let in, once.
    let (mut window, callback) = trial.up_to_the_callback("state").await;
    let first = window.clone().follow(&callback, &format!("{PUBLIC}/account")).await;
    assert!(
        first.set_cookie("token").is_some(),
        "control: {} {}",
        first.status,
        first.body
    );
    let before = token_requests();
    let again = window.open(&callback).await;
    kept_out("B04 the same callback again", &Attempt { window, answer: again });
    assert_eq!(token_requests(), before, "B04: 0 token requests");
}

#[tokio::test]
async fn b04_an_answer_that_comes_after_ten_minutes_is_refused() {
    let misbehaving = Misbehaving::start(client()).await;
    let folder = Folder::usual(ROOMY);
    let resources = format!("{}{}", provider("late", &misbehaving.issuer("late"), ""), secret());
    folder.write("providers.yaml", &resources);
    let (data, clock) = (tempfile::tempdir().expect("there is room"), MovableClock::new());
    let authd = Authd::with_clock(folder.path(), data.path(), &clock).await;
    let trial = Trial {
        world: World { authd, folder, data },
        provider: misbehaving,
    };
    trial.lets_in("B04 control", "late").await;
    let asked = trial.provider.seen("late", "POST /token").len();
    let (mut window, callback) = trial.up_to_the_callback("late").await;
    clock.set(601);
    let answer = window.open(&callback).await;
    kept_out("B04", &Attempt { window, answer });
    trial.tells("B04", "SignInFailed", "State").await;
    assert_eq!(
        trial.provider.seen("late", "POST /token").len(),
        asked,
        "B04: 0 token requests"
    );
}

fn without(url: &url::Url, name: &str) -> String {
    let mut changed = url.clone();
    changed
        .query_pairs_mut()
        .clear()
        .extend_pairs(url.query_pairs().filter(|(key, _)| key != name));
    changed.into()
}

#[tokio::test]
async fn b02_b09_a_code_counts_in_the_window_and_with_the_provider_that_it_was_asked_from() {
    let trial = Trial::start(&["one", "two"]).await;
    let (mut attacker, callback) = trial.up_to_the_callback("one").await;
    let mut victim = window(&trial.world);
    let answer = victim.open(&callback).await;
    kept_out("B02 no transaction", &Attempt { window: victim, answer });
    let (mut victim, _) = trial.up_to_the_callback("one").await;
    let answer = victim.open(&callback).await;
    kept_out("B02 another transaction", &Attempt { window: victim, answer });
    assert_eq!(
        trial.provider.seen("one", "POST /token").len(),
        0,
        "B02: 0 token requests"
    );

    let answer = attacker
        .clone()
        .open(&callback.replace("/oauth/one/", "/oauth/two/"))
        .await;
    kept_out(
        "B09 a code of another provider",
        &Attempt {
            window: attacker.clone(),
            answer,
        },
    );
    assert_eq!(
        trial.provider.seen("two", "POST /token").len(),
        0,
        "B09: 0 token requests"
    );
    let answer = attacker.follow(&callback, &format!("{PUBLIC}/account")).await;
    let_in(
        "control",
        &Attempt {
            window: attacker,
            answer,
        },
    );
}

#[tokio::test]
async fn two_tabs_each_come_to_their_end() {
    let trial = Trial::start(&["tabs"]).await;
    let login =
        |page: &str| format!("{PUBLIC}/oauth/tabs/login?return_to=http%3A%2F%2Fapp.test.localhost%3A8000%2F{page}");
    let callback = format!("{PUBLIC}/oauth/tabs/callback");
    let mut window = window(&trial.world);
    let mut ends = Vec::new();
    for page in ["first", "second"] {
        window.follow(&login(page), &callback).await;
        ends.push(window.here.clone().map(String::from).unwrap_or_default());
    }
    for (end, page) in ends.iter().zip(["first", "second"]) {
        let answer = window.open(end).await;
        assert_eq!(
            answer.header("location"),
            format!("http://app.test.localhost:8000/{page}"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn b26_what_a_provider_says_of_an_error_is_nobodys_page() {
    let trial = Trial::start(&["errors"]).await;
    let says = Fault::Redirect(Box::new(|parameters| {
        *parameters = json!({
            "error": "access_denied",
            "error_description": "<script>alert('Provider's own words')</script>",
            "error_uri": "https://evil.test/",
            "state": parameters["state"],
            "iss": parameters["iss"],
        });
    }));
    trial.refuses("B26", "errors", says).await;
    let answer = get(trial
        .world
        .public("/oauth/errors/callback?error=access_denied&error_description=%3Cscript%3E"))
    .send()
    .await;
    assert!(
        (400..500).contains(&answer.status) && !answer.body.contains("<script"),
        "B26 without state: {}",
        answer.body
    );
    assert_eq!(
        trial.provider.seen("errors", "POST /token").len(),
        1,
        "B26: only the control asked for tokens"
    );
}

#[tokio::test]
async fn b29_b30_a_token_endpoint_that_misbehaves_gets_nobody_in_and_holds_nobody_up() {
    let elsewhere = Peer::empty().await;
    let away = format!("{}/token", elsewhere.url);
    let html = "<html>Provider's own words</html>".to_owned();
    let rows: Vec<Row> = vec![
        ("B29 302", Fault::At("/token", Trouble::Redirect(302, away.clone()))),
        ("B29 307", Fault::At("/token", Trouble::Redirect(307, away))),
        ("B30 10 MiB", Fault::At("/token", Trouble::Huge)),
        ("B30 gzip bomb", Fault::At("/token", Trouble::Bomb)),
        ("B30 HTML", Fault::At("/token", Trouble::Text("text/html", html))),
        ("B30 500", Fault::At("/token", Trouble::Status(500))),
        (
            "B30 empty object",
            Fault::At("/token", Trouble::Text("application/json", "{}".to_owned())),
        ),
        (
            "B30 nested",
            Fault::At("/token", Trouble::Text("application/json", "[".repeat(100_000))),
        ),
        ("B30 token_type:mac", Fault::answer_member("token_type", json!("mac"))),
        ("B30 no access token", Fault::answer_member("access_token", Value::Null)),
        ("B30 negative expires_in", Fault::answer_member("expires_in", json!(-1))),
        (
            "B30 expires_in is text",
            Fault::answer_member("expires_in", json!("soon")),
        ),
    ];
    let trial = Trial::start(&["endpoint", "slow"]).await;
    for (row, fault) in rows {
        trial.refuses(row, "endpoint", fault).await;
    }
    assert_eq!(elsewhere.seen().len(), 0, "B29: 0 outbound elsewhere");
    trial
        .provider
        .does("endpoint", Fault::answer_member("expires_in", json!(u64::MAX)));
    let attempt = trial.attempt("endpoint").await;
    assert!(
        attempt.answer.status < 500,
        "B30 huge expires_in: {}",
        attempt.answer.status
    );

    for (row, trouble) in [("B30 1 byte/s", Trouble::Drip), ("B30 silence", Trouble::Silence)] {
        let begun = std::time::Instant::now();
        trial.refuses(row, "slow", Fault::At("/token", trouble)).await;
        assert!(begun.elapsed().as_secs() < 20, "{row}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn b19_metadata_of_another_issuer_switches_the_provider_off() {
    let trial = Trial::start(&["mismatch", "slash"]).await;
    let slash = format!("{}/", trial.provider.issuer("slash"));
    for (name, issuer) in [("mismatch", json!("https://evil.test")), ("slash", json!(slash))] {
        trial.provider.does(name, Fault::metadata_member("issuer", issuer));
        let attempt = trial.attempt(name).await;
        assert_eq!(attempt.token(), None, "B19 {name}");
        assert!(attempt.answer.status >= 400, "B19 {name}: {}", attempt.answer.status);
        assert_eq!(
            trial.provider.seen(name, "GET /authorize").len(),
            0,
            "B19 {name}: nobody is sent there"
        );
    }
}

#[tokio::test]
async fn b25_somebody_who_signed_in_too_long_ago_or_too_weakly_is_refused() {
    let trial = Trial::with(&[
        ("recent", "    authentication: {maxAge: 5m}\n"),
        ("strong", "    authentication: {acr: [phr], amr: [hwk]}\n"),
    ])
    .await;
    trial.lets_in("B25 just now", "recent").await;
    let asked = trial.provider.seen("recent", "GET /authorize");
    assert_eq!(asked[0].parameter("max_age").as_deref(), Some("300"), "B25");
    for (row, value) in [
        ("B25 auth_time missing", Value::Null),
        ("B25 auth_time an hour ago", json!(tests::openid::keys::now() - 3600)),
    ] {
        trial.refuses(row, "recent", Fault::claim("auth_time", value)).await;
    }
    let says = |acr: Value, amr: Value| {
        Fault::id_token(move |draft| {
            draft.claim("acr", acr.clone());
            draft.claim("amr", amr.clone());
        })
    };
    for (row, acr, amr) in [
        ("B25 acr missing", Value::Null, json!(["hwk"])),
        ("B25 acr weaker", json!("pwd"), json!(["hwk"])),
        ("B25 amr missing", json!("phr"), Value::Null),
        ("B25 amr weaker", json!("phr"), json!(["pwd"])),
    ] {
        trial.provider.does("strong", says(acr, amr));
        kept_out(row, &trial.attempt("strong").await);
    }
    trial
        .provider
        .does("strong", says(json!("phr"), json!(["hwk", "user"])));
    trial.lets_in("B25 control", "strong").await;
}

#[tokio::test]
async fn b20_b35_each_way_to_prove_who_the_client_is() {
    // The header with its encoding is in every other story.
    let trial = Trial::with(&[("post", "    clientAuth: ClientSecretPost\n")]).await;
    trial.lets_in("client-secret-post", "post").await;
    let seen = trial.provider.seen("post", "POST /token");
    assert_eq!(
        seen[0].field("client_secret").as_deref(),
        Some(SECRET),
        "client-secret-post"
    );
    assert!(!seen[0].headers.contains_key("authorization"), "client-secret-post");
}

#[tokio::test]
async fn b35_an_assertion_is_for_the_configured_issuer_whatever_its_metadata_copies() {
    let public = Client {
        secret: None,
        ..client()
    };
    let misbehaving = Misbehaving::start(public).await;
    let proof = "clientAuth: PrivateKeyJwt\n    privateKeyRef: {name: signing, key: key}";
    let key = rcgen::KeyPair::generate().expect("keys can be made").serialize_pem();
    let providers: String = ["honest", "copies"]
        .iter()
        .map(|name| provider(name, &misbehaving.issuer(name), "").replace(secret_ref(), proof))
        .collect();
    let key = json!(key);
    let key = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: signing, namespace: demo}}\nstringData: {{key: {key}}}\n"
    );
    let trial = Trial {
        world: world(&format!("{providers}{key}")).await,
        provider: misbehaving,
    };
    let honest = json!(format!("{}/token", trial.provider.issuer("honest")));
    trial
        .provider
        .does("copies", Fault::metadata_member("token_endpoint", honest));
    trial.lets_in("B35 control", "honest").await;
    kept_out("B35", &trial.attempt("copies").await);
    let seen = trial.provider.seen("honest", "POST /token");
    assert_eq!(seen.len(), 2, "B35: both came to the honest one");
    for (seen, name) in seen.iter().zip(["honest", "copies"]) {
        let assertion = claims(&seen.field("client_assertion").unwrap_or_default());
        assert_eq!(assertion["aud"], json!(trial.provider.issuer(name)), "B35 {assertion}");
        assert_eq!(
            (&assertion["iss"], &assertion["sub"]),
            (&json!("authd"), &json!("authd")),
            "B35"
        );
        assert_eq!(seen.field("client_secret"), None, "private_key_jwt");
    }
}

#[tokio::test]
async fn b37_no_token_of_the_provider_reaches_a_browser() {
    let trial = Trial::start(&["hidden"]).await;
    let (mut window, callback) = trial.up_to_the_callback("hidden").await;
    let answer = window.open(&callback).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookies = format!("{:?}", window.cookies(HOST));
    let given = trial.provider.given("hidden");
    assert_eq!(
        given.len(),
        3,
        "control: access token, refresh token and ID token were given"
    );
    for token in &given {
        assert!(
            !answer.body.contains(token) && !format!("{:?}", answer.headers).contains(token),
            "B37"
        );
        assert!(!cookies.contains(token), "B37 {cookies}");
    }
    for line in answer
        .all("set-cookie")
        .iter()
        .filter(|line| line.starts_with("token="))
    {
        assert!(line.contains("HttpOnly"), "B37 {line}");
        assert_eq!(claims(line)["iss"], PUBLIC, "the cookie is our own token");
    }
}

#[tokio::test]
async fn b41_an_image_of_another_site_signs_nobody_in() {
    let trial = Trial::start(&["image"]).await;
    let image = get(trial.world.public("/oauth/image/login"))
        .header("sec-fetch-dest", "image")
        .header("sec-fetch-mode", "no-cors")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await;
    assert!(
        (400..500).contains(&image.status),
        "B41 {} {:?}",
        image.status,
        image.headers
    );
    assert_eq!(trial.provider.seen("image", "GET /authorize").len(), 0, "B41");
    trial.lets_in("control", "image").await;
}

#[tokio::test]
async fn unknown_providers_are_not_there() {
    let trial = Trial::start(&["known"]).await;
    for path in [
        "/oauth/unknown/login",
        "/oauth/unknown/callback?code=x&state=y",
        "/oauth/accounts/login",
        "/oauth/known%2Flogin",
    ] {
        let answer = get(trial.world.public(path)).send().await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    let attempt = attempt(&trial.world, "known").await;
    let_in("control", &attempt);
}
