//! Thousands of addresses that try to lead a browser away, at every place that takes a return address; Chromium's own parser says where
//! each answer leads. Row I01 of the attacks; single rows, with what exactly is answered, are in `redirects`.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use tests::browser::Visit;
use tests::corpora;
use tests::http::encode;
use tests::world::{PASSWORD, Person, World};

const ORIGIN: &str = "http://auth.test.localhost:8000";
const HOSTS: [&str; 2] = ["auth.test.localhost", "app.test.localhost"];

/// What oauth2-proxy keeps, with our application in place of theirs.
fn collected() -> Vec<String> {
    let text = corpora::read("openredirects.txt");
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.replace("www.whitelisteddomain.tld", HOSTS[1]))
        .collect();
    assert_eq!(lines.len(), 559, "I01: the whole collection");
    lines
}

/// Our own: every way to write a scheme, slashes, a user, a host and what follows, each with some of all others.
fn combined() -> Vec<String> {
    let schemes = [
        "",
        "http:",
        "https:",
        "HtTp:",
        "http\n:",
        "\thttp:",
        "ht\ttp:",
        "javascript:",
        "JaVaScRiPt:",
        "data:",
        "blob:http:",
        "view-source:http:",
        "ftp:",
        "file:",
        "ws:",
        "%68ttp:",
        "http%3a",
        "\u{0}http:",
        "\u{ff48}ttp:",
        "http::",
    ];
    let slashes = [
        "//",
        "/",
        "",
        "///",
        "////",
        "\\\\",
        "/\\",
        "\\/",
        "/\t/",
        "/\n/",
        "/\r/",
        "/ /",
        "/%09/",
        "/%0a/",
        "/%2f",
        "%2f%2f",
        "%252f%252f",
        "/%5c",
        "%5c%5c",
        "/./",
        "/../",
        "/.//",
        "/;/",
        "//;@",
        "/\u{ff0f}",
        "\u{2044}/",
        "\u{29f8}\u{29f8}",
        "/\u{0}/",
        "/\u{200b}/",
        "/\u{202e}/",
        "/\u{feff}/",
        "/\u{b}/",
        "/\u{c}/",
        "/~/",
        "/?/",
        "/#/",
        "//%20",
        "/%u2215",
    ];
    let users = [
        "",
        "app.test.localhost@",
        "app.test.localhost:80@",
        "app.test.localhost%40",
        "app.test.localhost\\@",
        "app.test.localhost#@",
        "app.test.localhost?@",
        "a:b@c:d@",
        "@",
        ":@",
        "app.test.localhost\u{ff20}",
        "app.test.localhost;@",
        "%61pp.test.localhost@",
        "[::1]@",
    ];
    let hosts = [
        "evil.test",
        "app.test.localhost",
        "app.test.localhost:8000",
        "evil.test.",
        "evil.test:8000",
        "EVIL.TEST",
        "evil\u{3002}test",
        "evil%2etest",
        "evil%E3%80%82test",
        "ev\u{ad}il.test",
        "app.test.localhost.evil.test",
        "evilapp.test.localhost",
        "app.test.localhost%00.evil.test",
        "app.test.localhost%2f.evil.test",
        "app.test.localhost\u{ff0f}.evil.test",
        "app.test.localhost%0d.evil.test",
        "app.test.localhost:evil.test",
        "\u{430}pp.test.localhost",
        "app\u{ff0e}test\u{ff0e}localhost",
        "xn--80ak6aa92e.test",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "localhost",
        "test.localhost",
        "localhost.",
        "a.wild.test",
        "",
        ".",
        "..",
        "%",
        "\u{1f4a9}.test",
    ];
    let tails = [
        "",
        "/",
        "/app.test.localhost",
        "?app.test.localhost",
        "#app.test.localhost",
        "/..;/",
        "/%2e%2e/",
        "\\app.test.localhost",
        "/%0d%0aSet-Cookie:x=y",
        "\r\nLocation: http://evil.test",
        "/\u{0}",
        "%00",
        "%ff",
        "/?return_to=//evil.test",
        ";x",
        ":80:80",
        "/%2f%2fevil.test",
        "//evil.test",
        "/\\evil.test",
    ];
    // Steps without a common divisor with the lengths meet every pair in time, and always the same ones.
    (0..1500_usize)
        .map(|n| {
            let part = |of: &[&'static str], step: usize| of[(n * step + n / of.len()) % of.len()];
            [
                part(&schemes, 1),
                part(&slashes, 3),
                part(&users, 5),
                part(&hosts, 7),
                part(&tails, 11),
            ]
            .concat()
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn unescaped(text: &str) -> String {
    let entities = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    entities
        .into_iter()
        .fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

/// Who looks at a page: a stranger has the address put into the form, everybody else is sent there, or told where.
#[derive(Clone, Copy)]
enum Who {
    Stranger,
    SignedIn,
}

/// Somebody with a browser that keeps its connections.
struct Browser {
    client: reqwest::Client,
    public: String,
    verify: String,
    token: String,
}

impl Browser {
    fn of(world: &World, person: &Person) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            client,
            public: world.authd.public.clone(),
            verify: world.authd.verify.clone(),
            token: person.token.clone(),
        }
    }

    /// Where a page leads that is asked with this query: by its status, or by its form.
    async fn led_by(&self, who: Who, page: &str) -> Vec<String> {
        let request = self.client.get(format!("{}/{page}", self.public));
        let request = match who {
            Who::Stranger => request,
            Who::SignedIn => request.header("cookie", format!("token={}", self.token)),
        };
        let answer = request.send().await.unwrap();
        assert!(answer.status().as_u16() < 500, "I01 {page}");
        let location = answer
            .headers()
            .get("location")
            .map(|to| to.to_str().unwrap().to_owned());
        let body = answer.text().await.unwrap();
        let field = body
            .split_once("name=\"return_to\" value=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(value, _)| unescaped(value));
        location.into_iter().chain(field).collect()
    }

    /// Where the gate sends somebody who wanted to open this path.
    async fn led_by_the_gate(&self, path: &str) -> Option<String> {
        let request = self
            .client
            .get(format!("{}/verify/forward", self.verify))
            .header("accept", "text/html")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-host", HOSTS[1])
            .header("x-forwarded-uri", http::HeaderValue::from_bytes(path.as_bytes()).ok()?);
        let answer = request.send().await.unwrap();
        assert_ne!(answer.status(), 200, "I01 {path:?}");
        answer
            .headers()
            .get("location")
            .map(|to| to.to_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn i01_no_address_of_a_collection_leads_away() {
    let world = World::usual().await;
    let browser = Browser::of(&world, &world.person("i01", "user").await);
    let (collected, combined) = (collected(), combined());
    assert!(combined.len() > 1400, "I01: {} of our own", combined.len());
    let good = [
        "http://app.test.localhost/a",
        "http://app.test.localhost:8000/b?c=d#e",
        "/account",
    ]
    .map(str::to_owned);
    let lines: Vec<&String> = collected.iter().chain(&combined).chain(&good).collect();
    let asked = stream::iter(&lines).map(|line| {
        let browser = &browser;
        async move {
            let encoded = encode(line);
            let mut pages = vec![
                (Who::SignedIn, format!("login?return_to={encoded}")),
                (Who::Stranger, format!("login?rd={encoded}")),
                (Who::SignedIn, format!("denied?return_to={encoded}")),
                (Who::SignedIn, format!("pending?rd={encoded}")),
            ];
            // Also as it stands, where a query can hold that: what is encoded in it is decoded once.
            if line
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"#&\"<>".contains(&byte))
            {
                pages.push((Who::SignedIn, format!("login?return_to={line}")));
            }
            let mut led = Vec::new();
            for (who, page) in pages {
                led.extend(browser.led_by(who, &page).await);
            }
            let path = if line.starts_with('/') {
                (*line).clone()
            } else {
                format!("/{line}")
            };
            led.extend(browser.led_by_the_gate(&path).await);
            led
        }
    });
    let led: BTreeSet<String> = asked.buffer_unordered(8).concat().await.into_iter().collect();

    let accepted = |host: &str| {
        led.iter()
            .filter(|to| to.starts_with(&format!("http://{host}")))
            .count()
    };
    assert!(
        accepted(HOSTS[0]) > 100 && accepted(HOSTS[1]) > 1,
        "control: some lead somewhere: {led:#?}"
    );
    let led: Vec<String> = led.into_iter().collect();
    Visit::new().stays(ORIGIN, &led, &HOSTS).done().await;
    // The judge would notice: each of these leads away, by Chromium's reading.
    for evil in [
        "//evil.test",
        "/\\evil.test",
        "/\t/evil.test",
        "https:evil.test",
        "javascript:alert(1)",
        "http://app.test.localhost@evil.test",
    ] {
        let said = Visit::new().stays(ORIGIN, &[evil.to_owned()], &HOSTS).outcome().await;
        assert!(said.contains("1 lead away"), "control {evil:?}: {said}");
    }
}

#[tokio::test]
async fn i01_signing_in_and_out_lead_to_what_the_pages_said() {
    let world = World::usual().await;
    let person = world.person("i01-posts", "user").await;
    let lines: Vec<String> = collected()
        .into_iter()
        .step_by(28)
        .chain(combined().into_iter().step_by(75))
        .collect();
    let browser = Browser::of(&world, &person);
    let mut led = vec![];
    for line in lines
        .iter()
        .map(String::as_str)
        .chain(["http://app.test.localhost:8000/x"])
    {
        let said = browser
            .led_by(Who::SignedIn, &format!("login?return_to={}", encode(line)))
            .await;
        let page = tests::http::get(world.public("/login"))
            .send()
            .await
            .expect("page", 200);
        let (visit, csrf) = (
            page.set_cookie("authd_csrf").unwrap_or_default(),
            page.field("csrf").unwrap_or_default(),
        );
        let form = [
            ("csrf", csrf.as_str()),
            ("email", &person.email),
            ("password", PASSWORD),
            ("return_to", line),
        ];
        let posted = tests::http::post(world.public("/login"))
            .header("cookie", format!("authd_csrf={visit}"))
            .header("origin", ORIGIN)
            .form(&form)
            .send()
            .await
            .expect("I09", 303);
        let to = posted.header("location").to_owned();
        let expected = said.first().map_or("/account", String::as_str);
        assert_eq!(to, expected, "I01 {line:?}: the page and the form agree");
        led.push(to);
    }
    assert_eq!(led.last().unwrap(), "http://app.test.localhost:8000/x", "control");
    Visit::new().stays(ORIGIN, &led, &HOSTS).done().await;
}
