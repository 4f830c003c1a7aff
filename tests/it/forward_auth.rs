//! What an ingress is told, on every endpoint, whatever a client or a peer makes of the question. Rows D of the attacks.

use tests::http::{Answer, Request, get, keeps};
use tests::resources::{CI_KEY, Folder, HOST, POLICIES, REPORTS_KEY, ROOMY};
use tests::wire;
use tests::world::{Shared, World};

static SHARED: Shared = Shared::new();

const IDENTITY: [&str; 6] = [
    "x-auth-user",
    "x-auth-email",
    "x-auth-name",
    "x-auth-roles",
    "x-auth-groups",
    "x-auth-provider",
];

fn url(path: &str) -> String {
    format!("http://{HOST}:8000{path}")
}

/// Refused: no identity, no session, never 2xx.
#[track_caller]
fn refused(case: &str, answer: &Answer) {
    assert!(answer.status >= 300, "{case}: {} {}", answer.status, answer.body);
    for name in IDENTITY {
        assert!(!answer.headers.contains_key(name), "{case}: {name} is in a refusal");
    }
    assert!(
        answer.set_cookie("token").is_none_or(|token| token.is_empty()),
        "{case}: a session is set"
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{case}");
}

#[track_caller]
fn allowed(case: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{case}: {}", answer.body);
    assert_eq!(answer.body, "", "{case}: an allow has a body");
    assert_eq!(answer.header("cache-control"), "no-store", "{case}");
    for name in IDENTITY {
        assert_eq!(answer.all(name).len(), 1, "{case}: {name}");
    }
}

/// Asks every endpoint: nginx's with its own status, the others with theirs.
async fn check(
    case: &str,
    world: &World,
    (method, path): (&str, &str),
    shape: impl Fn(Request) -> Request,
    expected: (u16, u16),
) {
    let nginx = shape(world.nginx(method, &url(path))).send().await;
    let forward = shape(world.forward(method, path)).send().await;
    let mut answers = vec![("nginx", nginx, expected.0), ("forward", forward, expected.1)];
    if keeps(path) && method != "CONNECT" {
        answers.push(("envoy", shape(world.envoy(method, path)).send().await, expected.1));
    }
    for (dialect, answer, status) in answers {
        let case = format!("{case}, {dialect}");
        assert_eq!(answer.status, status, "{case}: {} {:?}", answer.body, answer.headers);
        if status == 200 {
            allowed(&case, &answer);
        } else {
            refused(&case, &answer);
        }
    }
}

#[tokio::test]
async fn every_outcome_has_its_answer_on_every_endpoint() {
    let world = SHARED.world().await;
    let ann = world.person("outcomes", "user").await;
    let wait = world.person("outcomes-pending", "pending").await;
    let admin = world.admin().await;
    let page = |request: Request| request.header("accept", "text/html,*/*");
    check(
        "a user",
        &world,
        ("GET", "/"),
        |request| request.cookie(&ann.token),
        (200, 200),
    )
    .await;
    check(
        "a user by token",
        &world,
        ("POST", "/x"),
        |request| request.bearer(&ann.token),
        (200, 200),
    )
    .await;
    check(
        "a service",
        &world,
        ("GET", "/"),
        |request| request.bearer(CI_KEY),
        (200, 200),
    )
    .await;
    check(
        "nobody, public",
        &world,
        ("GET", "/public/a"),
        |request| request,
        (200, 200),
    )
    .await;
    check("nobody, a program", &world, ("GET", "/"), |request| request, (401, 401)).await;
    check("nobody, a browser", &world, ("GET", "/"), page, (401, 302)).await;
    check(
        "a user at /admin",
        &world,
        ("GET", "/admin"),
        |request| request.cookie(&ann.token),
        (403, 403),
    )
    .await;
    check(
        "an admin at /admin",
        &world,
        ("GET", "/admin/x"),
        |request| request.cookie(&admin.token),
        (200, 200),
    )
    .await;
    check(
        "pending",
        &world,
        ("GET", "/"),
        |request| request.cookie(&wait.token),
        (403, 403),
    )
    .await;
    check(
        "pending, public",
        &world,
        ("GET", "/public"),
        |request| request.cookie(&wait.token),
        (200, 200),
    )
    .await;
    check(
        "malformed",
        &world,
        ("GET", "/a/../b"),
        |request| request.cookie(&ann.token),
        (403, 400),
    )
    .await;
    let forward = page(world.forward("GET", "/a?b=c d".replace(' ', "+").as_str()))
        .send()
        .await;
    let nginx = page(world.nginx("GET", &format!("http://{HOST}/a?b=c+d"))).send().await;
    let location = "http://auth.test.localhost:8000/login?return_to=http%3A%2F%2Fapp.test.localhost%2Fa%3Fb%3Dc%2Bd";
    assert_eq!(
        (forward.header("location"), nginx.header("location")),
        (location, location)
    );
    let anonymous = world.forward("GET", "/public").send().await;
    assert!(
        IDENTITY.iter().all(|name| anonymous.header(name).is_empty()),
        "{:?}",
        anonymous.headers
    );
    let known = world.forward("GET", "/").cookie(&ann.token).send().await;
    let seen = IDENTITY.map(|name| known.header(name));
    assert_eq!(
        seen,
        [ann.id.as_str(), ann.email.as_str(), "Somebody", "user", "", "accounts"]
    );
    let service = world.forward("GET", "/").bearer(CI_KEY).send().await;
    assert_eq!(service.header("x-auth-user"), "demo/ci");
}

#[tokio::test]
async fn nothing_else_is_answered_on_the_verify_listener() {
    let world = SHARED.world().await;
    for path in [
        "/",
        "/verify",
        "/verify/",
        "/verify/nginx/",
        "/verify//nginx",
        "/VERIFY/nginx",
        "/verify/forward/x",
        "/metrics",
        "/login",
        "/verify/%6eginx",
        "/livez",
    ] {
        let answer = get(format!("{}{path}", world.authd.verify))
            .header("x-original-method", "GET")
            .header("x-original-url", url("/public"))
            .send()
            .await;
        assert_eq!(answer.status, 403, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        let request = format!(
            "{method} /verify/nginx HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Original-Method: GET\r\nX-Original-URL: {}\r\n\r\n",
            url("/public")
        );
        assert_eq!(
            wire::say(&world.authd.verify, request.as_bytes()).await.status(),
            403,
            "{method}"
        );
    }
    allowed("control", &world.nginx("GET", &url("/public")).send().await);
}

#[tokio::test]
async fn envoy_is_answered_about_the_very_path_and_host_that_it_asks_with() {
    let world = SHARED.world().await;
    let ask = async |line: &str, headers: &str| {
        let request = format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        wire::say(&world.authd.verify, request.as_bytes()).await.status()
    };
    let host = format!("Host: {HOST}\r\n");
    for (line, status) in [
        ("GET /verify/envoy/public", 200),
        ("POST /verify/envoy/public/a?b=../c", 200),
        ("GET /verify/envoy/admin", 401),
        ("GET /verify/envoy/public/../admin", 400),
        ("GET /verify/envoy/public/%2e%2e/admin", 400),
        ("GET /verify/envoy/public/..%2fadmin", 400),
        ("GET /verify/envoy/public\\..\\admin", 400),
        ("GET /verify/envoy//public", 400),
        ("GET /verify/envoy/public;/admin", 400),
        ("GET /verify/envoy", 403),
        ("GET /verify/envoypublic", 403),
        ("GET /verify/envoy%2fpublic", 403),
        ("GET /verify//envoy/public", 403),
        ("GET /verify/./envoy/public", 403),
        ("CONNECT app.test.localhost:443", 403),
    ] {
        assert_eq!(ask(line, &host).await, status, "{line}");
    }
    let public = "GET /verify/envoy/public";
    for (headers, status) in [
        ("Host: other.example.com\r\n", 403),
        ("Host: app.test.localhost\r\nHost: app.test.localhost\r\n", 400),
        ("Host: app.test.localhost/x\r\n", 400),
        ("Host: app.test.localhost\r\nX-Forwarded-Proto: gopher\r\n", 400),
        (
            "Host: app.test.localhost\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n",
            400,
        ),
        ("Host: app.test.localhost\r\nTransfer-Encoding: chunked\r\n", 400),
        // What the other dialects read says nothing here.
        (
            "Host: app.test.localhost\r\nX-Forwarded-Uri: /admin\r\nX-Forwarded-Host: a.test\r\nX-Original-URL: x\r\n",
            200,
        ),
    ] {
        assert_eq!(ask(public, headers).await, status, "{headers}");
    }
}

#[tokio::test]
async fn d05_d09_headers_that_no_dialect_reads_change_nothing() {
    let world = SHARED.world().await;
    let ann = world.person("d05", "user").await;
    for name in [
        "x-forwarded-prefix",
        "x-rewrite-url",
        "x-forwarded-path",
        "forwarded",
        "x-original-uri",
        "x-forwarded-port",
        "x-http-method-override",
    ] {
        let case = format!("D05 {name}");
        check(
            &case,
            &world,
            ("GET", "/admin"),
            |request| request.cookie(&ann.token).header(name, "/public"),
            (403, 403),
        )
        .await;
    }
    let case = "D05 the other dialect's";
    let answer = world
        .forward("GET", "/admin")
        .header("x-original-url", url("/public"))
        .header("x-original-method", "GET")
        .send()
        .await;
    assert_eq!(answer.status, 401, "{case}");
    let answer = world
        .nginx("GET", &url("/public"))
        .header("x-forwarded-uri", "/admin")
        .send()
        .await;
    assert_eq!(answer.status, 403, "D04 {case}: contradiction");
    let answer = world
        .nginx("GET", &url("/public"))
        .header("x-forwarded-uri", "/public")
        .send()
        .await;
    assert_eq!(answer.status, 200, "D04 control");
    for chain in [
        "127.0.0.1",
        "fe80::1%eth0",
        "not an address",
        "127.0.0.1:80",
        &vec!["10.0.0.1"; 30].join(", "),
    ] {
        check(
            "D09",
            &world,
            ("GET", "/admin"),
            |request| request.cookie(&ann.token).header("x-forwarded-for", chain),
            (403, 403),
        )
        .await;
    }
}

#[tokio::test]
async fn d09_only_the_address_that_a_trusted_proxy_says_counts_for_limits() {
    let world = World::with("  rateLimits: {signIn: {limit: 3, window: 3m}}\n").await;
    let attempt = async |number: usize, chain: &str| {
        let body = serde_json::json!({"email": format!("nobody{number}@example.com"), "password": "wrong wrong wrong"});
        tests::http::post(world.auths("signin"))
            .header("x-forwarded-for", chain)
            .json(&body)
            .send()
            .await
            .status
    };
    // The client changes what it says before the address that the proxy added.
    let mut seen = Vec::new();
    for number in 0..5 {
        seen.push(attempt(number, &format!("198.51.100.{number}, 203.0.113.9")).await);
    }
    assert_eq!(seen, [400, 400, 400, 429, 429], "D09");
    assert_eq!(attempt(9, "203.0.113.10").await, 400, "control: somebody else");
}

#[tokio::test]
async fn d06_d07_hosts_and_schemes_have_one_reading() {
    let world = SHARED.world().await;
    let hosts = [
        ("app.test.localhost", 200),
        ("APP.Test.Localhost", 200),
        ("app.test.localhost.", 200),
        ("app.test.localhost:443", 200),
        ("app.test.localhost:8000", 200),
        ("a.wild.test", 200),
        ("app.test.localhost, b", 400),
        ("app.test.localhost:99999", 400),
        ("app.test.localhost:a", 400),
        ("app.test.localhost:", 400),
        ("me@app.test.localhost", 400),
        ("app.test.localhost/x", 400),
        ("app.test.localhost?x", 400),
        ("app..test", 400),
        ("app.test.localhost..", 400),
        ("", 400),
        ("%61pp.test.localhost", 400),
        ("app.test.localhost:80:80", 400),
        ("unknown.test", 403),
        ("evilapp.test.localhost", 403),
        ("x.app.test.localhost", 403),
    ];
    for (host, expected) in hosts {
        let answer = world.forward_to("GET", host, "/public").send().await;
        assert_eq!(answer.status, expected, "D06 {host:?}");
    }
    let twice = world
        .forward("GET", "/public")
        .header("x-forwarded-host", HOST)
        .send()
        .await;
    assert_eq!(twice.status, 400, "D06 twice");
    for (scheme, expected) in [
        ("http", 200),
        ("https", 200),
        ("ws", 200),
        ("javascript", 400),
        ("HTTP", 400),
        ("http, https", 400),
        ("", 400),
    ] {
        let answer = get(format!("{}/verify/forward", world.authd.verify))
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-proto", scheme)
            .header("x-forwarded-host", HOST)
            .header("x-forwarded-uri", "/public")
            .send()
            .await;
        assert_eq!(answer.status, expected, "D07 {scheme:?}");
    }
    let page = get(format!("{}/verify/forward", world.authd.verify))
        .header("x-forwarded-method", "GET")
        .header("accept", "text/html")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", HOST)
        .header("x-forwarded-uri", "/")
        .send()
        .await;
    let location = page.header("location");
    assert!(
        location.starts_with("http://auth.test.localhost:8000/login?"),
        "D07 the sign-in page is where it is: {location}"
    );
}

#[tokio::test]
async fn d10_d11_d12_d14_d15_d16_paths_have_one_reading() {
    let world = SHARED.world().await;
    let ann = world.person("d10", "user").await;
    // As a user: what is public or the user's is 200, /admin is 403, what is ambiguous is 400 (403 for nginx).
    let rows = [
        ("control public", "/public/x", 200),
        ("control admin", "/admin/x", 403),
        ("control other", "/x", 200),
        ("D10", "/public/../admin", 400),
        ("D10", "/public/%2e%2e/admin", 400),
        ("D10", "/public/..%2fadmin", 400),
        ("D10", "/public/%2e%2e%5cadmin", 400),
        ("D10", "/public/..;/admin", 400),
        ("D10", "/public/./admin", 400),
        ("D10", "/public\\..\\admin", 400),
        ("D10", "/%61dmin", 403),
        ("D10", "/admin;x=1", 400),
        ("D10", "/.", 400),
        ("D11", "/%252e%252e/admin", 400),
        ("D11", "/%25%32%66admin", 400),
        ("D11", "/x%2561dmin", 400),
        ("D11", "/100%25", 200),
        ("D12", "//admin", 400),
        ("D12", "///admin", 400),
        ("D12", "//host/admin", 400),
        ("D12", "/admin//", 400),
        ("D14", "/admin?x=/public/status", 403),
        ("D14", "/admin?/public", 403),
        ("D14", "/x?a=/admin", 200),
        ("D15", "/admin#/public", 400),
        ("D15", "/public#/../admin", 400),
        ("D16", "/admin/public", 403),
        ("D16", "/publicity", 200),
        ("D16", "/administrator", 200),
        ("D16", "/public%0aadmin", 400),
        ("D16", "/admin%00", 400),
        ("D16", "/admin/", 403),
        ("D16", "/Admin", 200),
        ("D21", "*", 400),
        ("D21", "admin", 400),
        ("D21", "http://app.test.localhost/public", 400),
    ];
    for (row, path, expected) in rows {
        let nginx = if expected == 400 { 403 } else { expected };
        check(
            &format!("{row} {path}"),
            &world,
            ("GET", path),
            |request| request.cookie(&ann.token),
            (nginx, expected),
        )
        .await;
    }
    // A stranger gets only what is public.
    for (path, expected) in [
        ("/publicity", 401),
        ("/public", 200),
        ("/admin/public", 401),
        ("/x?/public", 401),
    ] {
        check(
            &format!("D16 stranger {path}"),
            &world,
            ("GET", path),
            |request| request,
            (expected, expected),
        )
        .await;
    }
}

#[tokio::test]
async fn d17_a_wildcard_is_one_label() {
    let world = SHARED.world().await;
    for (host, expected) in [
        ("a.wild.test", 200),
        ("A.wild.test.", 200),
        ("wild.test", 403),
        ("evilwild.test", 403),
        ("a.b.wild.test", 403),
        ("wild.test.evil", 403),
        ("a.wild.test.evil", 403),
        (".wild.test", 400),
        ("*.wild.test", 400),
    ] {
        assert_eq!(
            world.forward_to("GET", host, "/").send().await.status,
            expected,
            "D17 {host}"
        );
    }
}

#[tokio::test]
async fn d19_a_cookie_that_cannot_be_read_is_nobody() {
    let world = SHARED.world().await;
    let ann = world.person("d19", "user").await;
    let cut = ann.token.get(..ann.token.len() - 4).unwrap_or_default();
    let many: String = (0..100).map(|number| format!("c{number}=x; ")).collect();
    let rows: Vec<(String, u16)> = vec![
        (format!("token={}", ann.token), 200),
        (format!("{many}token={}", ann.token), 200),
        ("token=".to_owned(), 401),
        ("token==".to_owned(), 401),
        ("token=%".to_owned(), 401),
        ("token=a=b=c".to_owned(), 401),
        ("token".to_owned(), 401),
        ("=".to_owned(), 401),
        (format!("token={cut}"), 401),
        (format!("token={}x", ann.token), 401),
        ("token=\"\"".to_owned(), 401),
        (format!("token=\"{}\"", ann.token), 401),
        (format!("Token={}", ann.token), 401),
        (format!("{many}token=x"), 401),
    ];
    for (cookie, expected) in rows {
        let case = format!("D19 {}", cookie.get(..40.min(cookie.len())).unwrap_or_default());
        check(
            &case,
            &world,
            ("GET", "/"),
            |request| request.header("cookie", cookie.as_str()),
            (expected, expected),
        )
        .await;
    }
    let bytes = [
        format!(
            "GET /verify/nginx HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Original-Method: GET\r\nX-Original-URL: {}\r\nCookie: token=",
            url("/")
        )
        .as_bytes(),
        b"\xff\xfe\r\n\r\n",
    ]
    .concat();
    assert_eq!(wire::say(&world.authd.verify, &bytes).await.status(), 401, "D19 0xFF");
}

#[tokio::test]
async fn d21_without_every_fact_once_nothing_is_allowed() {
    let world = SHARED.world().await;
    let facts = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", HOST),
        ("x-forwarded-uri", "/public"),
    ];
    let ask = |chosen: &dyn Fn(&str) -> usize| {
        facts.iter().fold(
            get(format!("{}/verify/forward", world.authd.verify)),
            |request, (name, value)| (0..chosen(name)).fold(request, |request, _| request.header(name, *value)),
        )
    };
    allowed("control", &ask(&|_| 1).send().await);
    assert_eq!(ask(&|_| 0).send().await.status, 400, "D21 none");
    for (name, _) in facts {
        assert_eq!(
            ask(&|fact| usize::from(fact != name)).send().await.status,
            400,
            "D21 without {name}"
        );
        assert_eq!(
            ask(&|fact| 1 + usize::from(fact == name)).send().await.status,
            400,
            "D21 {name} twice"
        );
    }
    let bare = get(format!("{}/verify/nginx", world.authd.verify));
    assert_eq!(bare.send().await.status, 403, "D21 nginx, none");
    for (method, target) in [
        ("", "http://app.test.localhost/public"),
        ("GET", ""),
        ("GET", "app.test.localhost/public"),
        ("GET", "http://app.test.localhost"),
        ("get", "http://app.test.localhost/public"),
        ("GET", "http:///public"),
    ] {
        assert_eq!(
            world.nginx(method, target).send().await.status,
            403,
            "D21 {method} {target}"
        );
    }
}

#[tokio::test]
async fn d22_d34_a_host_without_a_policy_is_denied() {
    let world = World::usual().await;
    let admin = world.admin().await;
    assert_eq!(
        world
            .forward_to("GET", "nobody.test", "/")
            .bearer(&admin.token)
            .send()
            .await
            .status,
        403,
        "D22 unknown host"
    );
    assert_eq!(world.forward("GET", "/public").send().await.status, 200, "control");
    world.folder.remove("policies.yaml");
    tests::wait::until("D34 the host is closed", || async {
        let status = world.forward("GET", "/public").send().await.status;
        if status == 403 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    assert_eq!(
        world.forward("GET", "/").bearer(&admin.token).send().await.status,
        403,
        "D34 admin"
    );
    world.folder.write("policies.yaml", POLICIES);
    tests::wait::until("control: it opens again", || async {
        let status = world.forward("GET", "/public").send().await.status;
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn d25_names_are_encoded_not_split() {
    let world = SHARED.world().await;
    let ann = world.person("d25", "user").await;
    let rename = async |name: &str| {
        let body = serde_json::json!({"name": name, "profile_image_url": "/user.png"});
        tests::http::post(world.auths("update/profile"))
            .bearer(&ann.token)
            .json(&body)
            .send()
            .await
            .status
    };
    assert!(matches!(rename("a\r\nX-Admin: 1").await, 400 | 422), "D25 CRLF");
    assert!(matches!(rename(&"n".repeat(8192)).await, 400 | 422), "D25 8 KiB");
    assert_eq!(rename("Zoë 🦀 %41").await, 200, "D25 emoji");
    let answer = world.forward("GET", "/").bearer(&ann.token).send().await;
    allowed("D25", &answer);
    assert_eq!(answer.header("x-auth-name"), "Zo%C3%AB%20%F0%9F%A6%80%20%2541");
}

#[tokio::test]
async fn d26_every_method_is_decided_alike() {
    let world = SHARED.world().await;
    let ann = world.person("d26", "user").await;
    for method in [
        "GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND",
    ] {
        check(
            &format!("D26 {method}, nobody"),
            &world,
            (method, "/"),
            |request| request,
            (401, 401),
        )
        .await;
        check(
            &format!("D26 {method}, ann"),
            &world,
            (method, "/"),
            |request| request.cookie(&ann.token),
            (200, 200),
        )
        .await;
        check(
            &format!("D26 {method}, /admin"),
            &world,
            (method, "/admin"),
            |request| request.cookie(&ann.token),
            (403, 403),
        )
        .await;
    }
    let upgrade = |request: Request| request.header("accept", "text/html").header("upgrade", "websocket");
    check("D26 WebSocket", &world, ("GET", "/"), upgrade, (401, 401)).await;
}

#[tokio::test]
async fn d04_d27_a_peer_that_is_no_proxy_is_not_answered() {
    let elsewhere = "  trustedProxies: [192.0.2.0/24]\n";
    let world = World::with(&format!("{ROOMY}{elsewhere}")).await;
    let admin = world.admin().await;
    for request in [
        world.forward("GET", "/public"),
        world.nginx("GET", &url("/public")),
        world.forward("GET", "/").bearer(&admin.token),
        world.forward("GET", "/").bearer(CI_KEY),
    ] {
        let answer = request.send().await;
        refused("D04 D27", &answer);
        assert_eq!(answer.status, 403, "D04 D27");
    }
    allowed(
        "control: a trusted peer",
        &SHARED.world().await.forward("GET", "/public").send().await,
    );
}

#[tokio::test]
async fn d29_an_answer_is_never_given_for_another_question() {
    let world = World::usual().await;
    let ann = world.person("d29", "user").await;
    let folder: &Folder = &world.folder;
    for _ in 0..3 {
        for (method, host, path, expected) in [
            ("GET", HOST, "/x", 200),
            ("GET", HOST, "/admin", 403),
            ("POST", HOST, "/x", 200),
            ("GET", "a.wild.test", "/admin", 200),
            ("GET", "unknown.test", "/x", 403),
        ] {
            let answer = world.forward_to(method, host, path).cookie(&ann.token).send().await;
            assert_eq!(answer.status, expected, "D29 {method} {host} {path}");
            let stranger = world.forward_to(method, host, path).send().await.status;
            assert_eq!(
                stranger,
                match host {
                    HOST => 401,
                    "a.wild.test" => 200,
                    _ => 403,
                },
                "D29 stranger {host} {path}"
            );
        }
        assert_eq!(
            world
                .forward("GET", "/api/reports")
                .bearer(REPORTS_KEY)
                .send()
                .await
                .status,
            200,
            "D29 key"
        );
        assert_eq!(
            world
                .forward("POST", "/api/reports")
                .bearer(REPORTS_KEY)
                .send()
                .await
                .status,
            403,
            "D29 key, method"
        );
        assert_eq!(
            world.forward("GET", "/api/reports").bearer(CI_KEY).send().await.status,
            200,
            "D29 other key"
        );
    }
    folder.write("policies.yaml", &POLICIES.replace("roles: [user], ", ""));
    tests::wait::until("D29 the new policies hold", || async {
        let status = world.forward("GET", "/x").cookie(&ann.token).send().await.status;
        if status == 403 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn d30_what_can_be_smuggled_is_refused_and_the_connection_closed() {
    let world = SHARED.world().await;
    let facts = format!(
        "Host: a\r\nX-Original-Method: GET\r\nX-Original-URL: {}\r\n",
        url("/public")
    );
    let hidden = format!("GET /verify/nginx HTTP/1.1\r\n{facts}\r\n");
    let head = format!("GET /verify/nginx HTTP/1.1\r\n{facts}");
    let rows: Vec<(&str, String)> = vec![
        (
            "CL and TE",
            format!("{head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "two CL",
            format!("{head}Content-Length: 0\r\nContent-Length: 5\r\n\r\n{hidden}"),
        ),
        ("a list of CL", format!("{head}Content-Length: 0, 5\r\n\r\n{hidden}")),
        ("CL with a sign", format!("{head}Content-Length: +0\r\n\r\n{hidden}")),
        (
            "unknown TE",
            format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE twice",
            format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "bare LF",
            format!("{head}X-A: b\nX-Original-URL: {}\r\n\r\n", url("/public")),
        ),
        ("obs-fold", format!("{head}X-A: b\r\n c\r\n\r\n{hidden}")),
        ("space before colon", format!("{head}X-Auth : b\r\n\r\n{hidden}")),
        ("NUL", format!("{head}X-A: b\0c\r\n\r\n{hidden}")),
        (
            "no such version",
            format!("GET /verify/nginx HTTP/3.7\r\n{facts}\r\n{hidden}"),
        ),
    ];
    for (case, bytes) in rows {
        let heard = wire::say(&world.authd.verify, bytes.as_bytes()).await;
        assert!(
            heard.statuses().len() <= 1 && !heard.text.contains(" 200 "),
            "D30 {case}: {}",
            heard.text
        );
        assert!(
            matches!(heard.status(), 0 | 400 | 501 | 505),
            "D30 {case}: {}",
            heard.text
        );
        assert!(heard.closed, "D30 {case}: the connection stays open");
    }
    let twice = wire::say(&world.authd.verify, format!("{hidden}{hidden}").as_bytes()).await;
    assert_eq!(twice.statuses(), [200, 200], "control: pipelined");
}

#[tokio::test]
async fn d31_a_body_is_never_read_for_a_decision() {
    let world = SHARED.world().await;
    let big = "x".repeat(10 * 1024 * 1024);
    let facts = format!(
        "Host: a\r\nX-Original-Method: GET\r\nX-Original-URL: {}\r\nx-envoy-auth-partial-body: true\r\n",
        url("/public")
    );
    let bytes = format!(
        "GET /verify/nginx HTTP/1.1\r\n{facts}Content-Length: {}\r\n\r\n{big}",
        big.len()
    );
    let heard = wire::say(&world.authd.verify, bytes.as_bytes()).await;
    assert!(heard.statuses().len() <= 1, "D31: {}", heard.text);
    assert!(heard.closed, "D31: the connection stays open");
    let partial = world
        .forward("GET", "/admin")
        .header("x-envoy-auth-partial-body", "true")
        .send()
        .await;
    assert_eq!(partial.status, 401, "D31");
}

#[tokio::test]
async fn d35_d36_only_navigations_are_redirected() {
    let world = SHARED.world().await;
    let page = ("accept", "text/html");
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);
    let rows: [Row<'_>; 10] = [
        ("control", "GET", &[page], 302),
        ("control", "GET", &[("sec-fetch-mode", "navigate")], 302),
        ("control", "HEAD", &[page], 302),
        ("D35", "POST", &[page], 401),
        ("D35", "PUT", &[page, ("sec-fetch-mode", "navigate")], 401),
        ("D36", "GET", &[("accept", "application/json")], 401),
        ("D36", "GET", &[page, ("sec-fetch-mode", "cors")], 401),
        ("D36", "GET", &[page, ("x-requested-with", "XMLHttpRequest")], 401),
        ("D36", "GET", &[page, ("authorization", "Basic eA==")], 401),
        ("D36", "GET", &[page, ("access-control-request-method", "GET")], 401),
    ];
    for (row, method, headers, expected) in rows {
        let with = |request: Request| {
            headers
                .iter()
                .fold(request, |request, (name, value)| request.header(name, *value))
        };
        let forward = with(world.forward(method, "/"))
            .send()
            .await
            .expect(&format!("{row} {headers:?}"), expected);
        let nginx = with(world.nginx(method, &url("/")))
            .send()
            .await
            .expect(&format!("{row} {headers:?}"), 401);
        for answer in [&forward, &nginx] {
            assert_eq!(
                answer.header("location").is_empty(),
                expected == 401,
                "{row} {headers:?}"
            );
            assert_eq!(
                answer.header("www-authenticate").is_empty(),
                expected == 302,
                "{row} {headers:?}"
            );
        }
    }
}

#[tokio::test]
async fn d37_long_input_is_refused_at_once() {
    let world = SHARED.world().await;
    let long = format!("/public/{}", "a".repeat(64 * 1024));
    let begun = std::time::Instant::now();
    let answer = world.forward("GET", &long).attempt().await;
    assert!(
        answer
            .as_ref()
            .is_ok_and(|answer| matches!(answer.status, 400 | 403 | 414 | 431)),
        "D37 64 KiB: {answer:?}"
    );
    let many = (0..200).fold(world.forward("GET", "/admin"), |request, number| {
        request.header(&format!("x-h{number}"), "v")
    });
    let answer = many.attempt().await;
    assert!(
        answer.as_ref().is_ok_and(|answer| answer.status >= 400),
        "D37 200 headers: {answer:?}"
    );
    let query: String = (0..1000).map(|number| format!("a{number}=1&")).collect();
    let answer = world.forward("GET", &format!("/admin?{query}")).send().await;
    assert!(
        matches!(answer.status, 400 | 401 | 403),
        "D37 1,000 parameters: {}",
        answer.status
    );
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(2),
        "D37: {:?}",
        begun.elapsed()
    );
    let control = world
        .forward("GET", &format!("/public/{}", "a".repeat(2000)))
        .send()
        .await;
    assert_eq!(control.status, 200, "control");
}
