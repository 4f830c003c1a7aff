//! One set of stories behind every proxy: who gets in, who is sent to sign in, and what a client says of itself never arrives.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tests::http::{Answer, Request, get, post};
use tests::proxy::{Kind, Site};
use tests::resources::{CI_KEY, HOST, REPORTS_KEY};
use tests::{wait, wire};

/// What reached the application, by a page that it answered with.
fn seen(answer: &Answer) -> Vec<(String, String)> {
    let headers = answer.json()["headers"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |header: &Value| (text(&header[0]).to_ascii_lowercase(), text(&header[1]));
    headers.iter().map(pair).collect()
}

/// The values of a header that reached the application.
fn said<'a>(seen: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let named = seen.iter().filter(|(known, value)| known == name && !value.is_empty());
    named.map(|(_, value)| value.as_str()).collect()
}

struct Story {
    kind: Kind,
    site: Site,
}

impl Story {
    fn ask(&self, path: &str) -> Request {
        let port = self.site.proxy.port;
        get(format!("http://127.0.0.1:{port}{path}")).header("host", format!("{HOST}:{port}"))
    }

    fn case(&self, what: &str) -> String {
        format!("{:?}: {what}", self.kind)
    }

    async fn a_stranger_is_sent_to_sign_in_and_comes_back(&self) {
        let sent = self
            .ask("/reports/7?from=a%20b")
            .header("accept", "text/html")
            .send()
            .await;
        let sent = sent.expect(&self.case("a browser is sent away"), 302);
        let back = format!(
            "http%3A%2F%2Fapp.test.localhost%3A{}%2Freports%2F7%3Ffrom%3Da%2520b",
            self.site.proxy.port
        );
        assert_eq!(
            sent.header("location"),
            format!("{}?return_to={back}", self.site.auth("/login")),
            "{:?}",
            self.kind
        );
        let page = get(format!("http://127.0.0.1:{}/login", self.site.proxy.port));
        let page = page
            .header("host", format!("auth.test.localhost:{}", self.site.proxy.port))
            .send()
            .await;
        let page = page.expect(&self.case("the sign-in page"), 200);
        assert!(page.body.contains("Sign in"), "{}", page.body);
        let came = self
            .ask("/reports/7?from=a%20b")
            .cookie(&self.site.ann.token)
            .send()
            .await;
        let came = came.expect(&self.case("signed in"), 200);
        assert_eq!(came.text("path"), "/reports/7?from=a%20b");
        let seen = seen(&came);
        assert_eq!(
            said(&seen, "x-auth-user"),
            [self.site.ann.id.as_str()],
            "{:?}",
            self.kind
        );
        assert_eq!(said(&seen, "x-auth-email"), [self.site.ann.email.as_str()]);
        assert_eq!(said(&seen, "x-auth-roles"), ["user"]);
    }

    async fn a_signed_assertion_arrives_for_this_request_alone(&self) {
        let made = self.ask("/reports/7?from=a").cookie(&self.site.ann.token).send().await;
        let seen = seen(&made.expect(&self.case("signed in"), 200));
        let case = self.case("the assertion");
        let [assertion] = said(&seen, "x-auth-assertion")[..] else {
            panic!("{case}: {seen:?}");
        };
        let claims = URL_SAFE_NO_PAD
            .decode(assertion.split('.').nth(1).expect(&case))
            .expect(&case);
        let claims: Value = serde_json::from_slice(&claims).expect(&case);
        let port = self.site.proxy.port;
        for (name, value) in [
            ("sub", self.site.ann.id.clone()),
            ("aud", HOST.to_owned()),
            ("htm", "GET".to_owned()),
            ("htu", format!("http://{HOST}:{port}/reports/7")),
        ] {
            assert_eq!(claims[name], value, "{case}: {name}: {claims}");
        }
        let nobody = self.ask("/public").send().await.expect(&self.case("nobody"), 200);
        let seen = self::seen(&nobody);
        assert!(said(&seen, "x-auth-assertion").is_empty(), "{case}: {seen:?}");
    }

    async fn a_program_is_told_401_and_let_in_with_a_key(&self) {
        let refused = self.ask("/api").send().await.expect(&self.case("nobody"), 401);
        if self.kind != Kind::Nginx {
            assert!(
                refused.header("www-authenticate").starts_with("Bearer"),
                "{:?}",
                refused.headers
            );
        }
        let passed = self
            .ask("/api")
            .bearer(CI_KEY)
            .send()
            .await
            .expect(&self.case("a key"), 200);
        assert_eq!(said(&seen(&passed), "x-auth-user"), ["demo/ci"]);
        self.ask("/api/reports")
            .bearer(REPORTS_KEY)
            .send()
            .await
            .expect(&self.case("its endpoint"), 200);
        self.ask("/api")
            .bearer(REPORTS_KEY)
            .send()
            .await
            .expect(&self.case("another endpoint"), 403);
        self.ask("/api")
            .bearer("sk-00000000000000000000000000000000")
            .send()
            .await
            .expect(&self.case("no key"), 401);
        self.ask("/admin")
            .cookie(&self.site.ann.token)
            .send()
            .await
            .expect(&self.case("no administrator"), 403);
    }

    /// Envoy puts a refusal into the words of gRPC; the others pass on what authd says.
    async fn a_client_that_speaks_grpc_is_refused_in_its_words(&self) {
        let call = |path: &str| {
            let port = self.site.proxy.port;
            let request = post(format!("http://127.0.0.1:{port}{path}"));
            let request = request
                .header("host", format!("{HOST}:{port}"))
                .header("te", "trailers");
            request.header("content-type", "application/grpc")
        };
        let nobody = call("/shop.Orders/List").send().await;
        let nobody = nobody.expect(&self.case("gRPC, nobody"), 200);
        assert_eq!((nobody.header("grpc-status"), &*nobody.body), ("16", ""), "{nobody:?}");
        let ann = call("/admin/shop.Orders/List")
            .cookie(&self.site.ann.token)
            .send()
            .await;
        let ann = ann.expect(&self.case("gRPC, not allowed"), 200);
        assert_eq!((ann.header("grpc-status"), &*ann.body), ("7", ""), "{ann:?}");
        let passed = call("/shop.Orders/List").bearer(CI_KEY).send().await;
        let passed = passed.expect(&self.case("gRPC, a key"), 200);
        assert_eq!(passed.text("path"), "/shop.Orders/List", "control");
    }

    async fn what_a_client_says_of_itself_never_arrives(&self) {
        let names = policy::identity_headers::known();
        let lies: Vec<String> = names
            .flat_map(|name| [name.to_owned(), name.to_ascii_uppercase().replace('-', "_")])
            .collect();
        let lying = |request: Request| {
            lies.iter()
                .fold(request, |request, name| request.header(name, "admin, lie"))
        };
        let public = lying(self.ask("/public"))
            .send()
            .await
            .expect(&self.case("D01 nobody"), 200);
        let arrived = seen(&public);
        assert!(
            arrived.iter().all(|(_, value)| !value.contains("lie")),
            "{:?}: {arrived:?}",
            self.kind
        );
        assert!(said(&arrived, "host")[0].starts_with(HOST), "control: {arrived:?}");

        let known = lying(self.ask("/"))
            .cookie(&self.site.ann.token)
            .send()
            .await
            .expect(&self.case("D01 Ann"), 200);
        let arrived = seen(&known);
        assert!(
            arrived.iter().all(|(_, value)| !value.contains("lie")),
            "{:?}: {arrived:?}",
            self.kind
        );
        assert_eq!(
            said(&arrived, "x-auth-user"),
            [self.site.ann.id.as_str()],
            "{:?}",
            self.kind
        );

        // A header that the client has the proxy drop as belonging to the connection is not the identity's.
        let dropping = self
            .ask("/")
            .cookie(&self.site.ann.token)
            .header("connection", "x-auth-user, x-auth-roles");
        let answer = dropping.send().await;
        if answer.status == 200 {
            assert_eq!(
                said(&seen(&answer), "x-auth-user"),
                [self.site.ann.id.as_str()],
                "{:?}: D02",
                self.kind
            );
        }
        for (name, value) in [
            ("X-Forwarded-Uri", "/public"),
            ("X-Forwarded-Host", "a.wild.test"),
            ("X-Forwarded-Method", "OPTIONS"),
            ("X-Original-URL", "http://app.test.localhost/public"),
            ("X-Original-Uri", "/public"),
            ("X-Rewrite-Url", "/public"),
            ("Forwarded", "host=a.wild.test"),
            ("X-Envoy-Original-Path", "/public"),
            ("X-HTTP-Method-Override", "OPTIONS"),
        ] {
            let answer = self.ask("/").header(name, value).send().await;
            assert!(answer.status >= 400, "{:?}: {name}: {}", self.kind, answer.status);
        }
    }

    async fn a_public_path_is_public_and_nothing_beside_it_is(&self) {
        self.ask("/public/a?b=../c")
            .send()
            .await
            .expect(&self.case("control"), 200);
        for path in [
            "/publicity",
            "/Public",
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public/..%2fadmin",
            "/public%2f..%2fadmin",
            "/public/..;/admin",
            "/public;/../admin",
            "/public\\..\\admin",
            "/public/%5c../admin",
            "//admin",
            "//public/../admin",
            "/./admin",
            "/%70ublic/../admin",
            "/public/%252e%252e/admin",
            "/public/%00/../admin",
            "/public#/../admin",
            "/public/a/../../admin",
            "/%2e/admin",
            "*",
            "http://app.test.localhost/admin",
            "http://a.wild.test/admin",
        ] {
            let port = self.site.proxy.port;
            let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n");
            let heard = wire::say(&format!("127.0.0.1:{port}"), request.as_bytes()).await;
            let case = self.case(path);
            assert_ne!(heard.status(), 0, "{case}");
            if heard.status() == 200 {
                let reached = heard
                    .text
                    .split("\"path\": \"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next());
                let reached = reached.unwrap_or_else(|| panic!("{case}: {}", heard.text));
                let is_public =
                    reached == "/public" || reached.starts_with("/public/") || reached.starts_with("/public?");
                assert!(is_public && !reached.contains(".."), "{case}: reached {reached}");
            }
        }
        for host in [
            "",
            "evil.test",
            "app.test.localhost.evil.test",
            "app.test.localhost@evil.test",
            "app.test.localhost/public",
        ] {
            let port = self.site.proxy.port;
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let heard = wire::say(&format!("127.0.0.1:{port}"), request.as_bytes()).await;
            assert!(heard.status() >= 300, "{}: {}", self.case(host), heard.text);
        }
    }

    async fn a_refusal_takes_a_stale_cookie_away(&self) {
        let stale = self
            .ask("/")
            .cookie("no-token")
            .header("accept", "text/html")
            .send()
            .await;
        let stale = stale.expect(&self.case("a cookie that is no good"), 302);
        assert_eq!(
            stale.set_cookie("token").as_deref(),
            Some(""),
            "{:?}: {:?}",
            self.kind,
            stale.headers
        );
        assert_eq!(stale.all("set-cookie").len(), 1, "{:?}: {:?}", self.kind, stale.headers);
        assert!(
            stale.header("cache-control").contains("no-store"),
            "{:?}: {:?}",
            self.kind,
            stale.headers
        );
    }

    async fn a_renewed_session_reaches_the_browser_in_one_cookie(&self) {
        let renewed = wait::until(&self.case("the session is renewed"), || async {
            let answer = self.ask("/").cookie(&self.site.ann.token).send().await;
            if answer.status == 200 && answer.set_cookie("token").is_some() {
                Ok(answer)
            } else {
                Err(format!("{} {:?}", answer.status, answer.headers))
            }
        })
        .await;
        assert_eq!(
            renewed.all("set-cookie").len(),
            1,
            "{:?}: {:?}",
            self.kind,
            renewed.headers
        );
        let token = renewed.set_cookie("token").unwrap_or_default();
        assert_ne!(token, self.site.ann.token);
        self.ask("/")
            .cookie(&token)
            .send()
            .await
            .expect(&self.case("the new one"), 200);
        assert!(
            said(&seen(&renewed), "set-cookie").is_empty(),
            "{:?}: {}",
            self.kind,
            renewed.body
        );
    }

    async fn a_websocket_is_asked_about_when_it_opens_and_ends_when_it_is_old(&self) {
        let refused = self.site.websocket("/brief", "").await;
        let refused = refused.expect_err(&self.case("D26: a stranger"));
        assert_eq!(refused.status(), 401, "{}", self.case(&refused.text));
        let told = self.ask("/brief").cookie(&self.site.ann.token).send().await;
        let told = seen(&told.expect(&self.case("signed in"), 200));
        assert_eq!(said(&told, "x-auth-max-age"), ["3"], "{}", self.case("the rule's"));
        let mut opened = self.site.websocket_of_ann("/brief").await;
        // The proxy ends it where it can, and else the application.
        wire::ends(&mut opened, &self.case("a WebSocket of 3 s")).await;
    }

    async fn without_authd_nothing_passes(&mut self) {
        self.site.world.authd.kill();
        for path in ["/", "/public"] {
            let answer = self.ask(path).cookie(&self.site.ann.token).send().await;
            assert!(answer.status >= 500, "{:?} {path}: {}", self.kind, answer.status);
        }
    }
}

/// A session is past its half after some seconds, and its token good for a minute more than it says.
const SHORT_TOKENS: &str = "  tokens: {lifetime: 16s}\n  identityHeaders: {assertion: {}}\n";

async fn told_behind(kind: Kind) {
    let site = Site::behind(kind, SHORT_TOKENS).await;
    let mut story = Story { kind, site };
    story.a_stranger_is_sent_to_sign_in_and_comes_back().await;
    story.a_signed_assertion_arrives_for_this_request_alone().await;
    story.a_program_is_told_401_and_let_in_with_a_key().await;
    if matches!(kind, Kind::Envoy | Kind::EnvoyGrpc) {
        story.a_client_that_speaks_grpc_is_refused_in_its_words().await;
    }
    story.what_a_client_says_of_itself_never_arrives().await;
    story.a_public_path_is_public_and_nothing_beside_it_is().await;
    story.a_refusal_takes_a_stale_cookie_away().await;
    story
        .a_websocket_is_asked_about_when_it_opens_and_ends_when_it_is_old()
        .await;
    story.a_renewed_session_reaches_the_browser_in_one_cookie().await;
    story.without_authd_nothing_passes().await;
}

macro_rules! told {
    ($($name:ident: $kind:ident),*) => {
        $(
            #[tokio::test]
            async fn $name() {
                told_behind(Kind::$kind).await;
            }
        )*
    };
}

told!(
    behind_nginx: Nginx,
    behind_haproxy: HaProxy,
    behind_caddy: Caddy,
    behind_debians_caddy: DebianCaddy,
    behind_traefik: Traefik,
    behind_envoy: Envoy,
    behind_envoy_over_grpc: EnvoyGrpc,
    behind_apache_with_lua: ApacheLua,
    behind_apache_with_fastcgi: ApacheFastCgi
);
