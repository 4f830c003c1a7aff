//! Where authd goes, and where it does not. Rows J of the attacks.

use std::process::Command;

use serde_json::{Value, json};
use tests::authd::{self, Authd};
use tests::openid::keys::Key;
use tests::openid::misbehaving::{Fault, Misbehaving, Trouble};
use tests::peer::{Peer, Sink};
use tests::resources::{Folder, ROOMY};
use tests::world::World;

use super::trial::{PUBLIC, Trial, client, kept_out, provider, secret, window, world};

/// What `authd check` says of a provider with this issuer.
fn check(issuer: &str) -> (bool, String) {
    let folder = Folder::usual(ROOMY);
    folder.write(
        "providers.yaml",
        &format!("{}{}", provider("checked", issuer, ""), secret()),
    );
    let path = folder.path().to_string_lossy().into_owned();
    let output = tests::authd::run(&["check", &path]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn j01_j02_j05_j12_an_issuer_that_no_provider_has_is_refused_when_it_is_written() {
    for issuer in [
        "http://169.254.169.254",
        "http://metadata.google.internal",
        "http://idp.example.com",
        "https://[::ffff:127.0.0.1]",
        "https://[fd00::1]/",
        "https://user:pass@idp.example.com",
        "https://user@idp.example.com",
        "https://idp.example.com?x=y",
        "https://idp.example.com#x",
        "https://idp.example.com\\\\@evil.test",
        "file:///etc/passwd",
        "gopher://idp.example.com",
        "ldap://idp.example.com",
        "https://",
        "idp.example.com",
    ] {
        let (accepted, said) = check(&format!("\"{issuer}\""));
        assert!(!accepted, "{issuer} is accepted: {said}");
        assert!(said.contains("spec.oidc.issuer"), "{issuer}: {said}");
    }
    let (accepted, said) = check("https://idp.example.com/realms/x");
    assert!(accepted, "control: {said}");
}

#[tokio::test]
async fn j01_j02_an_address_that_is_not_public_is_not_connected_to_unless_it_is_allowed() {
    let (sink, allowed) = (Sink::start().await, Sink::start().await);
    let port = sink.port;
    let rows = [
        ("loopback", format!("http://127.0.0.1:{port}")),
        ("name", format!("http://localhost:{port}")),
        ("number", format!("https://2130706433:{port}")),
        ("hexadecimal", format!("https://0x7f000001:{port}")),
        ("short", format!("https://127.1:{port}")),
        ("dot", format!("https://localhost.:{port}")),
        ("zero", format!("https://0.0.0.0:{port}")),
    ];
    let closed: String = rows
        .iter()
        .map(|(name, issuer)| {
            provider(name, issuer, "").replace("    outbound: {allowedNetworks: [127.0.0.0/8]}\n", "")
        })
        .collect();
    let world = world(&format!(
        "{closed}{}",
        provider("allowed", &format!("http://127.0.0.1:{}", allowed.port), "")
    ))
    .await;
    for (name, issuer) in &rows {
        let answer = window(&world).open(&format!("{PUBLIC}/oauth/{name}/login")).await;
        assert!(
            answer.status >= 400,
            "J02 {issuer}: {} {:?}",
            answer.status,
            answer.headers
        );
        assert!(!answer.body.contains("127.0.0.1"), "J09 {issuer}: {}", answer.body);
    }
    assert_eq!(sink.connections(), 0, "J02: 0 outbound");
    window(&world).open(&format!("{PUBLIC}/oauth/allowed/login")).await;
    assert!(allowed.connections() > 0, "control: an allowed network is connected to");
}

#[tokio::test]
async fn j04_to_j06_metadata_is_taken_from_its_own_place_in_time_and_in_size() {
    let elsewhere = Peer::empty().await;
    let discovery = "/.well-known/openid-configuration";
    let away = |status| {
        Fault::At(
            "/.well-known/openid-configuration",
            Trouble::Redirect(status, format!("{}{discovery}", elsewhere.url)),
        )
    };
    let at = |trouble| Fault::At("/.well-known/openid-configuration", trouble);
    let points = |name: &'static str, to: &str| Fault::metadata_member(name, json!(to));
    let rows: Vec<(&str, &str, Fault)> = vec![
        ("J04", "moved", away(302)),
        ("J04", "moved-for-good", away(301)),
        ("J05 jwks_uri file:", "file", points("jwks_uri", "file:///etc/passwd")),
        (
            "J05 jwks_uri gopher:",
            "gopher",
            points("jwks_uri", "gopher://127.0.0.1/"),
        ),
        (
            "J05 token_endpoint ldap:",
            "ldap",
            points("token_endpoint", "ldap://127.0.0.1/"),
        ),
        (
            "J05 token_endpoint http:",
            "plain",
            points("token_endpoint", "http://idp.example.com/token"),
        ),
        (
            "J05 authorization_endpoint javascript:",
            "script",
            points("authorization_endpoint", "javascript:alert(1)"),
        ),
        (
            "J05 no token_endpoint",
            "none",
            Fault::metadata_member("token_endpoint", Value::Null),
        ),
        (
            "J05 no jwks_uri",
            "keyless",
            Fault::metadata_member("jwks_uri", Value::Null),
        ),
        ("J06 10 MiB", "huge", at(Trouble::Huge)),
        ("J06 gzip bomb", "bomb", at(Trouble::Bomb)),
        (
            "J06 HTML",
            "html",
            at(Trouble::Text(
                "text/html",
                "<html>Provider's own words</html>".to_owned(),
            )),
        ),
        ("J06 500", "broken", at(Trouble::Status(500))),
        ("J06 1 B/s", "drip", at(Trouble::Drip)),
        ("J06 silence", "silence", at(Trouble::Silence)),
    ];
    let names: Vec<&str> = rows.iter().map(|(_, name, _)| *name).chain(["control"]).collect();
    let provider = Misbehaving::start(client()).await;
    for (_, name, fault) in rows {
        provider.does(name, fault);
    }
    let providers: String = names
        .iter()
        .map(|name| super::trial::provider(name, &provider.issuer(name), ""))
        .collect();
    let trial = Trial {
        world: world(&providers).await,
        provider,
    };
    trial.lets_in("control", "control").await;
    for name in names.iter().filter(|name| **name != "control") {
        let begun = std::time::Instant::now();
        let attempt = trial.attempt(name).await;
        assert_eq!(attempt.token(), None, "J {name}");
        assert!(attempt.answer.status >= 400, "J {name}: {}", attempt.answer.status);
        assert!(
            !attempt.answer.body.contains("own words"),
            "J09 {name}: {}",
            attempt.answer.body
        );
        assert_eq!(
            trial.provider.seen(name, "GET /authorize").len(),
            0,
            "J {name}: nobody is sent there"
        );
        assert!(begun.elapsed().as_secs() < 12, "J06 {name}: {:?}", begun.elapsed());
    }
    assert_eq!(elsewhere.seen().len(), 0, "J04: 0 outbound elsewhere");
    let log = trial.world.authd.log().join("\n");
    assert!(!log.contains("own words"), "J09: what was fetched is not logged");
}

#[tokio::test]
async fn j07_what_is_no_key_set_verifies_nothing() {
    let names = ["garbage", "html", "gone", "empty", "many"];
    let trial = Trial::start(&[&names[..], &["control"]].concat()).await;
    let text = |kind, text: &str| Fault::At("/keys", Trouble::Text(kind, text.to_owned()));
    let many = Fault::key_list(|keys| {
        keys.extend(
            (0..10_000)
                .map(|number| json!({"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "kid": number.to_string()})),
        );
    });
    let faults = [
        text("application/json", "{}"),
        text("text/html", "<html>Provider's own words</html>"),
        Fault::At("/keys", Trouble::Status(500)),
        text("application/json", r#"{"keys":[]}"#),
        many,
    ];
    for (name, fault) in names.into_iter().zip(faults) {
        trial.provider.does(name, fault);
        kept_out(&format!("J07 {name}"), &trial.attempt(name).await);
    }
    trial.lets_in("J07 control", "control").await;
}

#[tokio::test]
async fn rotation_loses_no_sign_in_and_a_storm_of_unknown_keys_is_one_fetch() {
    let trial = Trial::start(&["rotates", "storm"]).await;
    trial.lets_in("control", "rotates").await;
    trial.provider.has_keys("rotates", vec![Key::p256("new")]);
    trial
        .lets_in("signing-key-rotation-just-before-signing", "rotates")
        .await;

    trial.lets_in("control", "storm").await;
    let before = trial.provider.seen("storm", "GET /keys").len();
    let unknown = |number: usize| Fault::id_token(move |draft| draft.header("kid", json!(format!("random-{number}"))));
    for number in 0..50 {
        trial.provider.does("storm", unknown(number));
        assert_eq!(trial.attempt("storm").await.token(), None, "A11");
    }
    let fetched = trial.provider.seen("storm", "GET /keys").len() - before;
    assert!(fetched <= 1, "A11: {fetched} fetches for 50 unknown names");
}

#[tokio::test]
async fn j14_no_proxy_of_the_environment_is_used() {
    let sink = Sink::start().await;
    let misbehaving = Misbehaving::start(client()).await;
    let folder = Folder::usual(ROOMY);
    let resources = format!("{}{}", provider("direct", &misbehaving.issuer("direct"), ""), secret());
    folder.write("providers.yaml", &resources);
    let data = tempfile::tempdir().expect("there is room");
    let mut command = Command::new(authd::program());
    for variable in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        command.env(variable, format!("http://127.0.0.1:{}", sink.port));
    }
    for variable in ["NO_PROXY", "no_proxy"] {
        command.env_remove(variable);
    }
    let authd = Authd::start_command(command, ("--resources", folder.path()), data.path(), &[]).await;
    let trial = Trial {
        world: World { authd, folder, data },
        provider: misbehaving,
    };
    trial.lets_in("J14", "direct").await;
    assert_eq!(sink.connections(), 0, "J14: 0 outbound through the proxy");
}
