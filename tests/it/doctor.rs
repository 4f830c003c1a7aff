//! `authd doctor` in front of every proxy: with the configuration of the examples everything holds, and with a weak one it names
//! that weakness and no other.

use std::process::Output;

use serde_json::Value;
use tests::authd;
use tests::ldap::certificates::{Authority, Certificate};
use tests::proxy::{Kind, Site};

/// What doctor says of a site, and its exit code.
fn examined(site: &Site, more: &[&str]) -> (Value, i32) {
    let output = asked(site, &site.app("/reports"), more);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said} {}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap_or(-1))
}

fn asked(site: &Site, url: &str, more: &[&str]) -> Output {
    let connect = format!("127.0.0.1:{}", site.proxy.port);
    let header = format!("Cookie: token={}", site.ann.token);
    let mut arguments = vec![
        "doctor",
        url,
        "--connect",
        &*connect,
        "--public",
        "/public",
        "--header",
        &*header,
        "--echo",
    ];
    arguments.extend(["--rate", "1000", "--timeout", "10", "--output", "json"]);
    arguments.extend(more);
    authd::run(&arguments)
}

/// The checks that came out in this way.
fn with_verdict<'a>(report: &'a Value, verdict: &str) -> Vec<&'a Value> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["verdict"] == verdict).collect()
}

fn weaknesses(report: &Value) -> Vec<&str> {
    let found = report["weaknesses"].as_array().unwrap().iter();
    found.map(|weakness| weakness["name"].as_str().unwrap()).collect()
}

async fn everything_holds(kind: Kind) {
    let mut site = Site::behind(kind, "").await;
    let (report, code) = examined(&site, &[]);
    assert_eq!(
        weaknesses(&report),
        [""; 0],
        "{kind:?}: {:#?}",
        with_verdict(&report, "fails")
    );
    assert_eq!(code, 0, "{kind:?}");
    for verdict in ["unclear", "left-out"] {
        let others = with_verdict(&report, verdict);
        assert!(others.is_empty(), "{kind:?} {verdict}: {others:#?}");
    }
    assert!(with_verdict(&report, "holds").len() > 100, "{kind:?}: control");
    let (report, code) = examined(&site, &["--while-down"]);
    assert!(
        code == 1 && weaknesses(&report) == ["fail-open"],
        "{kind:?}: control: authd runs: {report:#}"
    );
    site.world.authd.kill();
    let (report, code) = examined(&site, &["--while-down"]);
    assert_eq!((weaknesses(&report).len(), code), (0, 0), "{kind:?}: {report:#}");
}

/// A configuration of the examples with one thing done wrong, and what doctor has to say of it.
struct Weak {
    kind: Kind,
    replaced: &'static [(&'static str, &'static str)],
    named: &'static str,
}

impl Weak {
    async fn is_named(&self) {
        let mut site = Site::altered(self.kind, "", self.replaced).await;
        let (report, code) = examined(&site, &[]);
        if self.named == "fail-open" && code == 0 {
            site.world.authd.kill();
            let (report, code) = examined(&site, &["--while-down"]);
            assert_eq!((weaknesses(&report), code), (vec![self.named], 1), "{report:#}");
            return;
        }
        let failing = with_verdict(&report, "fails");
        assert_eq!((weaknesses(&report), code), (vec![self.named], 1), "{failing:#?}");
        let advice = report["weaknesses"][0]["mend"].as_str().unwrap_or_default();
        assert!(advice.len() > 20, "{report:#}");
    }
}

macro_rules! holds {
    ($($name:ident: $kind:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                everything_holds(Kind::$kind).await;
            }
        )*
    };
}

holds!(
    everything_holds_behind_nginx: Nginx,
    everything_holds_behind_haproxy: HaProxy,
    everything_holds_behind_caddy: Caddy,
    everything_holds_behind_debians_caddy: DebianCaddy,
    everything_holds_behind_traefik: Traefik,
    everything_holds_behind_envoy: Envoy,
    everything_holds_behind_envoy_over_grpc: EnvoyGrpc,
    everything_holds_behind_apache_with_lua: ApacheLua,
    everything_holds_behind_apache_with_fastcgi: ApacheFastCgi,
);

macro_rules! weak {
    ($($name:ident: $kind:ident $named:literal $replaced:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                Weak { kind: Kind::$kind, replaced: &$replaced, named: $named }.is_named().await;
            }
        )*
    };
}

weak! {
    an_identity_header_that_passes_is_named: Nginx "identity-headers" [
        ("      proxy_set_header Remote-User   \"\";\n", ""),
    ];
    names_with_underscores_that_pass_are_named: Nginx "identity-aliases" [
        ("large_client_header_buffers 8 32k;", "large_client_header_buffers 8 32k; underscores_in_headers on;"),
    ];
    names_with_dots_that_pass_are_named: Envoy "identity-aliases" [
        ("              - remove_on_match: {key_matcher: {safe_regex: {regex: \"(x|remote)([-.].*)?\\\\..*\"}}}\n", ""),
    ];
    names_with_dots_that_pass_apache_with_lua_are_named: ApacheLua "identity-aliases" [
        ("  keep_plain_names(r)\n", ""),
    ];
    names_with_dots_that_pass_apache_with_fastcgi_are_named: ApacheFastCgi "identity-aliases" [
        ("  RequestHeader unset $first.$last early\n", ""),
    ];
    an_identity_that_clients_can_drop_is_named: Caddy "identity-dropped" [
        ("\t\trequest_header @plain -Connection\n", ""),
    ];
    a_believed_forwarding_header_is_named: Traefik "forwarding-facts" [
        ("address: \"127.0.0.1:8000\"", "address: \"127.0.0.1:8000\"\n    forwardedHeaders: {insecure: true}"),
        ("trustForwardHeader: false", "trustForwardHeader: true"),
    ];
    a_header_that_names_another_path_is_named: Traefik "rewrite-headers" [
        ("          X-Rewrite-Url: \"\"\n", ""),
    ];
    a_path_that_is_cleaned_for_the_check_alone_is_named: Nginx "paths" [
        ("      auth_request /_authd/verify;\n", "      set $cleaned $uri;\n      auth_request /_authd/verify;\n"),
        ("$scheme://$http_host$request_uri;", "$scheme://$http_host$cleaned;"),
    ];
    a_path_that_is_rewritten_after_the_check_is_named: Caddy "paths" [
        ("\t\treverse_proxy 127.0.0.1:8090\n", "\t\turi strip_prefix /public\n\t\treverse_proxy 127.0.0.1:8090\n"),
    ];
    a_public_path_without_an_anchor_is_named: Traefik "public-prefix" [
        ("    app:\n", "    open: {entryPoints: [web], rule: \"Host(`app.demo.localhost`) && PathRegexp(`/public$`)\", \
                        middlewares: [strip], service: application, priority: 1000}\n    app:\n"),
    ];
    a_name_that_nobody_asks_about_is_named: Nginx "hosts" [
        ("    return 404;\n", "    location / { proxy_pass http://application; }\n"),
    ];
    a_method_that_nobody_asks_about_is_named: HaProxy "methods" [
        ("/verify/forward if guarded", "/verify/forward if guarded !METH_OPTIONS"),
    ];
    an_upgrade_that_nobody_asks_about_is_named: HaProxy "upgrades" [
        ("/verify/forward if guarded", "/verify/forward if guarded !{ req.hdr(upgrade) -m found }"),
    ];
    a_cookie_that_only_has_to_be_there_is_named: HaProxy "credentials" [
        ("/verify/forward if guarded", "/verify/forward if guarded !{ req.cook(token) -m found }"),
    ];
    an_error_that_opens_is_named: Nginx "fail-open" [
        ("      error_page 403 = @not_allowed;\n", "      error_page 403 = @not_allowed; error_page 500 502 503 504 = @open;\n"),
        ("    location @sign_in {\n", "    location @open { proxy_pass http://application; }\n    location @sign_in {\n"),
    ];
    a_failure_that_opens_is_named: Envoy "fail-open" [
        ("failure_mode_allow: false", "failure_mode_allow: true"),
    ];
}

/// nginx of the examples behind TLS, with a certificate that it shows.
async fn over_tls(certificate: &Certificate, folder: &tempfile::TempDir) -> Site {
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, &certificate.chain).unwrap();
    std::fs::write(&key, &certificate.key).unwrap();
    let shown = format!(
        "large_client_header_buffers 8 32k; ssl_certificate {}; ssl_certificate_key {};",
        chain.display(),
        key.display()
    );
    let replaced = [
        ("large_client_header_buffers 8 32k;", &*shown),
        (
            "listen 127.0.0.1:8000 default_server;",
            "listen 127.0.0.1:8000 ssl default_server;",
        ),
        ("listen 127.0.0.1:8000;", "listen 127.0.0.1:8000 ssl;"),
    ];
    Site::altered(Kind::Nginx, "", &replaced).await
}

#[tokio::test]
async fn over_tls_everything_holds_too_and_whoever_shows_another_certificate_is_not_asked() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let site = over_tls(&authority.server(&["app.test.localhost"]), &folder).await;
    let url = site.app("/reports").replace("http://", "https://");
    let output = asked(&site, &url, &["--ca", &ca.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said} {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(weaknesses(&report), [""; 0], "{:#?}", with_verdict(&report, "fails"));
    assert!(with_verdict(&report, "holds").len() > 100, "control: {report:#}");
    assert_eq!(
        (output.status.code(), with_verdict(&report, "unclear").len()),
        (Some(0), 0),
        "{report:#}"
    );

    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new().pem()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let wrong = over_tls(&authority.of_another_host(), &elsewhere).await;
    let wrong_url = wrong.app("/reports").replace("http://", "https://");
    for (case, site, url, arguments, expected) in [
        ("the system's authorities", &site, &url, vec![], "UnknownIssuer"),
        (
            "another authority",
            &site,
            &url,
            vec!["--ca".to_owned(), other.display().to_string()],
            "certificate",
        ),
        (
            "another host",
            &wrong,
            &wrong_url,
            vec!["--ca".to_owned(), ca.display().to_string()],
            "not valid for name",
        ),
        (
            "no file",
            &site,
            &url,
            vec!["--ca".to_owned(), "/no/such.pem".to_owned()],
            "/no/such.pem",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = asked(site, url, &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{case}: {said}");
        assert!(said.contains(expected), "{case}: {said}");
    }
}

#[tokio::test]
async fn what_cannot_be_tried_is_left_out_and_what_cannot_be_examined_is_said() {
    let site = Site::behind(Kind::Nginx, "").await;
    let (url, connect) = (site.app("/reports"), format!("127.0.0.1:{}", site.proxy.port));
    let little = authd::run(&["doctor", &url, "--connect", &connect, "--rate", "1000"]);
    let said = String::from_utf8_lossy(&little.stdout).into_owned();
    assert_eq!(little.status.code(), Some(0), "{said}");
    for reason in ["needs `--public`", "needs `--header`"] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    assert!(said.contains("through nginx") && said.contains(" 0 fail, "), "{said}");
    for (arguments, expected) in [
        (
            &[&*site.app("/public")][..],
            "is answered with 200 to somebody who is not signed in",
        ),
        (
            &[&url, "--public", "/reports/7"],
            "must be a path beside the protected one",
        ),
        (
            &[&url, "--public", "/other"],
            "the path of `--public` is answered with 302",
        ),
        (
            &[&url, "--header", "Cookie: token=x"],
            "the URL with the headers of `--header` is answered with 302",
        ),
        (&[&url, "--echo"], "with `--echo` the application must report"),
        (&["reports"], "`reports` is not a URL such as"),
    ] {
        let output = authd::run(&[&["doctor", "--connect", &connect][..], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
