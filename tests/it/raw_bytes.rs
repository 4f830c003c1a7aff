//! Bytes that no well-behaved client sends, through every proxy and straight at the listeners. Rows D and L of the attacks.
//!
//! What a proxy refuses by itself counts as refused. Whatever happens, the application is reached only for a path that everybody
//! may read, and is told nothing of an identity that a client made up.

use std::fmt::Write as _;

use futures::{StreamExt, stream};
use tests::proxy::{Kind, Site};
use tests::recorder::Recorder;
use tests::resources::HOST;
use tests::{repository, wire};

/// A row of the attacks, what it is about, and the bytes. `{host}` is the application's host with its port.
type Case = (&'static str, &'static str, String);

/// A `GET` of `path` with more lines.
fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n{lines}\r\n")
}

/// A `POST` to `path` with more lines and a body.
fn post(path: &str, lines: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n{lines}\r\n{body}")
}

/// A request for the protected path under another name.
fn at(host: &str) -> String {
    format!("GET /reports HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

const IDENTITY: &str = "X-Auth-User: lie\r\nX-Auth-Email: lie\r\nX-Auth-Roles: admin,lie\r\nX-Auth-Groups: lie\r\n\
                        X-Auth-Name: lie\r\nX-Auth-Provider: lie\r\nX-Auth-Assertion: lie\r\nRemote-User: lie\r\n\
                        Remote-Groups: lie\r\nX-Forwarded-User: lie\r\nX-Forwarded-Groups: lie\r\n";

fn cases() -> Vec<Case> {
    let many = |count: usize, text: &str| text.repeat(count);
    vec![
        ("D01", "identity headers on a public path", get("/public", IDENTITY)),
        ("D01", "identity headers on a protected path", get("/reports", IDENTITY)),
        (
            "D01",
            "an identity header in the trailers",
            post(
                "/public",
                "Transfer-Encoding: chunked\r\nTrailer: X-Auth-User\r\n",
                "0\r\nX-Auth-User: lie\r\n\r\n",
            ),
        ),
        (
            "D02",
            "`X_Auth_User`, `x_AUTH_user`, `REMOTE_USER`",
            get(
                "/public",
                "X_Auth_User: lie\r\nx_AUTH_user: lie\r\nREMOTE_USER: lie\r\n",
            ),
        ),
        (
            "D02",
            "`X.Auth.User`, `x-auth_user`, `Remote.User`, `X-Auth.Roles`",
            get(
                "/public",
                "X.Auth.User: lie\r\nx-auth_user: lie\r\nRemote.User: lie\r\nX-Auth.Roles: lie\r\n",
            ),
        ),
        (
            "D02",
            "`X_Forwarded_Uri`",
            get("/reports", "X_Forwarded_Uri: /public\r\nX_Original_URL: /public\r\n"),
        ),
        (
            "D04",
            "`X-Forwarded-Uri: /public`",
            get("/reports", "X-Forwarded-Uri: /public\r\n"),
        ),
        (
            "D04",
            "`X-Forwarded-Uri` twice",
            get("/reports", "X-Forwarded-Uri: /public\r\nX-Forwarded-Uri: /public\r\n"),
        ),
        (
            "D05",
            "`X-Original-URL: /public`",
            get("/reports", "X-Original-URL: /public\r\n"),
        ),
        (
            "D05",
            "`X-Rewrite-URL`, `X-Forwarded-Prefix`, `X-Forwarded-Path`",
            get(
                "/reports",
                "X-Rewrite-URL: /public\r\nX-Forwarded-Prefix: /public\r\nX-Forwarded-Path: /public\r\n",
            ),
        ),
        (
            "D05",
            "`Forwarded`",
            get("/reports", "Forwarded: for=127.0.0.1;host=a.wild.test;proto=https\r\n"),
        ),
        (
            "D06",
            "`X-Forwarded-Host: a.wild.test`",
            get("/reports", "X-Forwarded-Host: a.wild.test\r\n"),
        ),
        ("D06", "a final dot in `Host`", at("app.test.localhost.")),
        ("D06", "`Host` in capitals", at("APP.TEST.LOCALHOST")),
        ("D06", "another port in `Host`", at("app.test.localhost:443")),
        ("D06", "no port number in `Host`", at("app.test.localhost:http")),
        ("D06", "two names in `Host`", at("app.test.localhost, a.wild.test")),
        ("D06", "userinfo in `Host`", at("app.test.localhost@a.wild.test")),
        ("D06", "a path in `Host`", at("app.test.localhost/public")),
        ("D06", "a query in `Host`", at("app.test.localhost?x=")),
        ("D06", "`Host` twice", at("app.test.localhost\r\nHost: a.wild.test")),
        (
            "D07",
            "`X-Forwarded-Proto: javascript`",
            get("/reports", "X-Forwarded-Proto: javascript\r\n"),
        ),
        (
            "D09",
            "`X-Forwarded-For: 127.0.0.1`",
            get("/reports", "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"),
        ),
        ("D10", "`/public/../admin`", get("/public/../admin", "")),
        ("D10", "`/public/%2e%2e/admin`", get("/public/%2e%2e/admin", "")),
        ("D10", "`/public/..%2fadmin`", get("/public/..%2fadmin", "")),
        ("D10", "`/public/%2e%2e%5cadmin`", get("/public/%2e%2e%5cadmin", "")),
        ("D10", "`/public\\..\\admin`", get("/public\\..\\admin", "")),
        ("D10", "`/public/..;/admin`", get("/public/..;/admin", "")),
        ("D10", "`/admin/../public`", get("/admin/../public", "")),
        ("D10", "`/public/%00/../../admin`", get("/public/%00/../../admin", "")),
        ("D11", "`/public/%252e%252e/admin`", get("/public/%252e%252e/admin", "")),
        (
            "D11",
            "`/public%25%32%66..%25%32%66admin`",
            get("/public%25%32%66..%25%32%66admin", ""),
        ),
        ("D12", "`//admin`", get("//admin", "")),
        ("D12", "`///admin`", get("///admin", "")),
        ("D12", "`//a.wild.test/admin`", get("//a.wild.test/admin", "")),
        ("D14", "`/reports?x=/public`", get("/reports?x=/public", "")),
        ("D15", "`/reports#/public`", get("/reports#/public", "")),
        ("D16", "`/admin/public`", get("/admin/public", "")),
        ("D16", "`/publicity`", get("/publicity", "")),
        ("D16", "`/admin%0a/public`", get("/admin%0a/public", "")),
        (
            "D17",
            "`Host: app.test.localhost.evil.test`",
            at("app.test.localhost.evil.test"),
        ),
        ("D17", "`Host: x.app.test.localhost`", at("x.app.test.localhost")),
        ("D19", "a cookie that is `=`", get("/reports", "Cookie: token==\r\n")),
        (
            "D19",
            "a cookie with the byte 0xFF",
            get("/reports", "Cookie: token=\u{ff}\r\n"),
        ),
        (
            "D19",
            "100 cookies",
            get("/reports", &format!("Cookie: {}\r\n", many(100, "token=a; "))),
        ),
        (
            "D20",
            "an identity header twice, and two in one",
            get("/public", "X-Auth-Roles: lie\r\nX-Auth-Roles: admin, lie\r\n"),
        ),
        (
            "D21",
            "no `Host`",
            "GET /reports HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "D21",
            "HTTP/1.0 without `Host`",
            "GET /reports HTTP/1.0\r\n\r\n".to_owned(),
        ),
        ("D21", "`*`", get("*", "")),
        (
            "D21",
            "an absolute target of another host",
            get("http://a.wild.test/reports", ""),
        ),
        ("D21", "no path", get("", "")),
        ("D22", "a host that no policy names", at("evil.test")),
        ("D26", "TRACE", get("/reports", "").replacen("GET", "TRACE", 1)),
        (
            "D26",
            "OPTIONS",
            get(
                "/reports",
                "Origin: http://evil.test\r\nAccess-Control-Request-Method: GET\r\n",
            )
            .replacen("GET", "OPTIONS", 1),
        ),
        (
            "D26",
            "CONNECT",
            "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".to_owned(),
        ),
        (
            "D26",
            "a method of its own",
            get("/reports", "").replacen("GET", "ATTACK", 1),
        ),
        (
            "D26",
            "an upgrade to WebSocket",
            get(
                "/reports",
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            )
            .replace("close", "Upgrade"),
        ),
        (
            "D26",
            "an upgrade to h2c",
            get("/reports", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")
                .replace("close", "Upgrade, HTTP2-Settings"),
        ),
        (
            "D30",
            "`Content-Length` and `Transfer-Encoding`",
            post(
                "/public",
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: {host}\r\n\r\n",
            ),
        ),
        (
            "D30",
            "two lengths",
            post(
                "/public",
                "Content-Length: 0\r\nContent-Length: 47\r\n",
                "GET /admin HTTP/1.1\r\nHost: {host}\r\n\r\n",
            ),
        ),
        (
            "D30",
            "`Transfer-Encoding: xchunked`",
            post(
                "/public",
                "Transfer-Encoding: xchunked\r\n",
                "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: {host}\r\n\r\n",
            ),
        ),
        (
            "D30",
            "`Transfer-Encoding : chunked`",
            post(
                "/public",
                "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
                "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: {host}\r\n\r\n",
            ),
        ),
        (
            "D30",
            "bare line feeds",
            "GET /reports HTTP/1.1\nHost: {host}\nX-Forwarded-Uri: /public\nConnection: close\n\n".to_owned(),
        ),
        (
            "D30",
            "a bare line feed before an identity header",
            get("/public", "A: b\nX-Auth-User: lie\r\n"),
        ),
        (
            "D30",
            "a header folded over two lines",
            get("/public", "A: b\r\n X-Auth-User: lie\r\n"),
        ),
        (
            "D30",
            "a space before the colon",
            get("/public", "X-Auth-User : lie\r\n"),
        ),
        (
            "D30",
            "NUL in a header",
            get("/public", "A: b\0\r\nX-Auth-User: lie\r\n"),
        ),
        (
            "D30",
            "a carriage return in a header",
            get("/public", "A: b\rX-Auth-User: lie\r\n"),
        ),
        (
            "D30",
            "a second request behind the first",
            format!(
                "{}{}",
                get("/public", "").replace("Connection: close\r\n", ""),
                get("/admin", IDENTITY)
            ),
        ),
        (
            "D30",
            "a request behind a preface of HTTP/2",
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}", get("/reports", "")),
        ),
        (
            "D31",
            "`x-envoy-auth-partial-body: true`",
            get(
                "/reports",
                "x-envoy-auth-partial-body: true\r\nx-envoy-internal: true\r\n",
            ),
        ),
        (
            "D31",
            "`Expect: 100-continue` with a body that does not come",
            post("/reports", "Expect: 100-continue\r\nContent-Length: 10485760\r\n", ""),
        ),
        (
            "D32",
            "`x-envoy-auth-headers-to-remove: host`",
            get(
                "/reports",
                "x-envoy-auth-headers-to-remove: host\r\nx-envoy-original-path: /public\r\n",
            ),
        ),
        (
            "D35",
            "POST of a form by nobody",
            post(
                "/reports",
                "Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n",
                "a=b",
            ),
        ),
        (
            "D36",
            "a script's request by nobody",
            get("/reports", "Accept: text/html\r\nSec-Fetch-Mode: cors\r\n"),
        ),
        (
            "D37",
            "a path of 64 KiB",
            get(&format!("/reports/{}", many(65536, "a")), ""),
        ),
        (
            "D37",
            "1,000 parameters",
            get(&format!("/reports?{}", many(1000, "a=b&")), ""),
        ),
        ("D37", "200 headers", get("/reports", &many(200, "X-Many: a\r\n"))),
        (
            "D37",
            "64 KiB of cookies",
            get("/reports", &format!("Cookie: a={}\r\n", many(65536, "a"))),
        ),
        (
            "L07",
            "a header of 10 KiB",
            get("/reports", &format!("X-Long: {}\r\n", many(10240, "a"))),
        ),
    ]
}

/// What one proxy made of every case, in words that stay the same.
async fn outcomes(kind: Kind) -> Vec<String> {
    outcomes_with(kind, &[]).await
}

/// The same, with texts of its configuration replaced by others.
async fn outcomes_with(kind: Kind, replaced: &[(&str, &str)]) -> Vec<String> {
    let recorder = Recorder::start().await;
    let application = recorder.port.to_string();
    let replaced = [&[("8090", &*application)], replaced].concat();
    let site = Site::altered(kind, "", &replaced).await;
    let proxy = format!("127.0.0.1:{}", site.proxy.port);
    let mut made = Vec::new();
    for (row, what, bytes) in cases() {
        let case = format!("{kind:?} {row} {what}");
        let bytes = bytes.replace("{host}", &format!("{HOST}:{}", site.proxy.port));
        // Characters up to U+00FF stand for bytes.
        let bytes: Vec<u8> = bytes
            .chars()
            .map(|character| u8::try_from(u32::from(character)).unwrap())
            .collect();
        let _ = recorder.take();
        let heard = wire::say(&proxy, &bytes).await;
        let reached = recorder.take();
        only_public_paths_were_asked_for(kind, &case, &reached);
        assert!(
            !heard.statuses().contains(&307),
            "{case}: a body was sent on to the sign-in page"
        );
        made.push(outcome(&heard, &reached));
    }
    made
}

fn only_public_paths_were_asked_for(kind: Kind, case: &str, reached: &str) {
    for line in reached.lines().filter(|line| line.contains(" HTTP/1.")) {
        let path = line.split(' ').nth(1).unwrap_or_default();
        let below = path
            .strip_prefix("/public")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        assert!(
            below && !path.contains("..") && !path.contains('%'),
            "{case}: the application was asked for {line}"
        );
    }
    let (heads, trailers) = reached.split_once("\r\n0\r\n").unwrap_or((reached, ""));
    let told = heads.lines().filter_map(|line| line.split_once(':'));
    let told = told
        .filter(|(name, value)| value.contains("lie") && is_identity(name))
        .count();
    assert_eq!(told, 0, "{case}: {reached}");
    let bare = heads.replace("\r\n", "").contains('\r');
    assert!(!bare, "{case}: a carriage return that ends no line: {reached:?}");
    // HAProxy 2.6 has no way to drop them: `trailers.rs` tells what applications make of them.
    assert!(
        kind == Kind::HaProxy || !trailers.contains("lie"),
        "{case}: in the trailers: {reached}"
    );
}

/// Whether an application may read an identity from a header of this name.
fn is_identity(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    ["x-auth-", "remote-", "x-forwarded-user", "x-forwarded-groups"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn outcome(heard: &wire::Heard, reached: &str) -> String {
    let asked = reached.lines().filter(|line| line.contains(" HTTP/1.")).count();
    let statuses: Vec<String> = heard.statuses().iter().map(u16::to_string).collect();
    match (asked, statuses.as_slice()) {
        (0, []) => "closed".to_owned(),
        (0, refused) => refused.join(", "),
        (_, all)
            if reached
                .split_once("\r\n0\r\n")
                .is_some_and(|(_, trailers)| trailers.contains("lie")) =>
        {
            format!("passes ({}), trailers too", all.join(", "))
        }
        (_, all) => format!("passes ({})", all.join(", ")),
    }
}

#[tokio::test]
async fn nothing_but_public_paths_is_reached_through_any_proxy() {
    // Not all at once: each has an authd of its own.
    let all: Vec<Vec<String>> = stream::iter(Kind::ALL).map(outcomes).buffered(3).collect().await;
    let mut page = "# What proxies make of bad requests\n\nGenerated by `tests/it/raw_bytes.rs` (`UPDATE=1` rewrites it): what a client \
                    that is not signed in gets for bytes that no well-behaved client sends, through each proxy with the \
                    configuration of the examples. Whether the proxy refuses by itself or because authd does makes no difference. \
                    `/public` is public, everything else is not; where a request passes, it is for that path, and what it says of \
                    an identity does not arrive. The rows are those of the project's list of attacks.\n\n"
        .to_owned();
    let names = Kind::ALL.map(Kind::name);
    writeln!(
        page,
        "| row | what is sent | {} |\n|---|---|{}",
        names.join(" | "),
        "---|".repeat(names.len())
    )
    .unwrap();
    for (number, (row, what, _)) in cases().into_iter().enumerate() {
        let cells: Vec<&str> = all.iter().map(|made| made[number].as_str()).collect();
        writeln!(page, "| {row} | {} | {} |", what.replace('|', "\\|"), cells.join(" | ")).unwrap();
    }
    for (kind, made) in Kind::ALL.iter().zip(&all) {
        assert!(
            made[0].starts_with("passes"),
            "control: {kind:?} lets a public path through: {}",
            made[0]
        );
    }
    let path = repository().join("docs/reference/proxy-outcomes.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<&str> = page
        .lines()
        .filter(|line| !stored.lines().any(|known| known == *line))
        .collect();
    assert!(
        stored == page,
        "docs/reference/proxy-outcomes.md is out of date, run the test with UPDATE=1: {changed:#?}"
    );
}

/// What the table says of one proxy, in the order of the cases.
fn stored(kind: Kind) -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/reference/proxy-outcomes.md")).unwrap();
    let column = 3 + Kind::ALL.iter().position(|known| *known == kind).unwrap();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| D") || line.starts_with("| L"));
    let cell = |row: &str| {
        row.replace("\\|", "/")
            .split('|')
            .nth(column)
            .unwrap()
            .trim()
            .to_owned()
    };
    rows.map(cell).collect()
}

#[tokio::test]
async fn d24_where_envoy_lets_failures_pass_nothing_that_a_client_sends_is_one() {
    let open = [("failure_mode_allow: false", "failure_mode_allow: true")];
    for kind in [Kind::Envoy, Kind::EnvoyGrpc] {
        assert_eq!(outcomes_with(kind, &open).await, stored(kind), "D24: {kind:?}");
    }
}

#[tokio::test]
async fn d24_that_authd_is_away_is_a_failure_and_passes_only_where_envoy_lets_failures_pass() {
    for kind in [Kind::Envoy, Kind::EnvoyGrpc] {
        for (allow, expected) in [("true", 200), ("false", 503)] {
            let said = format!("failure_mode_allow: {allow}");
            let mut site = Site::altered(kind, "", &[("failure_mode_allow: false", &said)]).await;
            let port = site.proxy.port;
            assert_eq!(get_protected(port).await, 401, "D24: {kind:?}: {allow}: a decision");
            site.world.authd.kill();
            assert_eq!(get_protected(port).await, expected, "D24: {kind:?}: {allow}: a failure");
        }
    }
}

async fn get_protected(port: u16) -> u16 {
    let request = tests::http::get(format!("http://127.0.0.1:{port}/reports")).header("host", format!("{HOST}:{port}"));
    request.send().await.status
}
