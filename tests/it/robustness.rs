//! Clients, disks and load as they should not be. Rows L of the attacks.

use std::io::{Seek as _, Write as _};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::authd::Authd;
use tests::disk::SmallDisk;
use tests::http::{get, post};
use tests::proxy::{Kind, Site};
use tests::resources::{CI_KEY, Folder, HOST, ROOMY};
use tests::wait;
use tests::wire;
use tests::world::{Shared, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

static SHARED: Shared = Shared::new();

/// The open files of this process are enough for one crowd of silent peers at a time.
static CROWD: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Resident memory in KiB.
fn memory(world: &World) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.authd.id())).unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default()
        .to_owned();
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// How many connections are opened: 10,000, or what the limit of open files leaves.
fn idle() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(1000));
    usize::try_from(left).map_or(10_000, |left| left.min(10_000))
}

#[tokio::test]
async fn l01_connections_that_say_nothing_hold_up_nobody_and_end() {
    let _crowd = CROWD.lock().await;
    let world = World::usual().await;
    let listeners = [&world.authd.verify, &world.authd.public];
    let mut slow = Vec::new();
    for number in 0..idle() {
        let listener = listeners[number % 2];
        let mut stream = TcpStream::connect(listener.trim_start_matches("http://"))
            .await
            .expect("it listens");
        // Some say nothing at all, others begin.
        if number % 3 > 0 {
            let begun = b"GET /verify/nginx HTTP/1.1\r\nX-";
            stream.write_all(begun).await.expect("it reads");
        }
        slow.push(stream);
    }
    assert!(
        slow.len() > 20,
        "control: the limit of open files leaves {}",
        slow.len()
    );
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(world.forward("GET", "/public").send().await.status, 200, "L01");
        assert_eq!(get(world.public("/login")).send().await.status, 200, "L01");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "L01: {:?}", begun.elapsed());
    ended(slow).await;
}

/// Waits until the other side has closed all of them.
async fn ended(mut slow: Vec<TcpStream>) {
    wait::within(Duration::from_secs(60), "L01: the slow ones are closed", || {
        slow.retain_mut(|stream| {
            let mut bytes = [0_u8; 256];
            while let Ok(1..) = stream.try_read(&mut bytes) {}
            !matches!(stream.try_read(&mut bytes), Ok(0))
        });
        let left = slow.len();
        async move {
            if left == 0 {
                Ok(())
            } else {
                Err(format!("{left} are open"))
            }
        }
    })
    .await;
}

/// What a peer says that speaks HTTP/2 and then falls silent: the preface and empty settings, and perhaps the headers of a check
/// whose message never comes (HPACK literals without names in the table, RFC 7541 section 6.2.2).
fn begun_over_http2(number: usize) -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).expect("it is short");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
    };
    let literal = |name: &str, value: &str| {
        let text = |text: &str| [&[u8::try_from(text.len()).expect("it is short")][..], text.as_bytes()].concat();
        [vec![0], text(name), text(value)].concat()
    };
    let headers = [
        literal(":method", "POST"),
        literal(":scheme", "http"),
        literal(":path", "/envoy.service.auth.v3.Authorization/Check"),
        literal(":authority", "authd"),
        literal("content-type", "application/grpc"),
        literal("te", "trailers"),
    ];
    let greeting = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
    match number % 3 {
        0 => Vec::new(),
        1 => greeting,
        _ => [greeting, frame(1, 4, 1, &headers.concat()), frame(0, 0, 1, &[0, 0])].concat(),
    }
}

/// What a peer says over FastCGI that then falls silent: the beginning of a request to an authorizer, or the parameters after it
/// without their end.
fn begun_over_fastcgi(number: usize) -> Vec<u8> {
    let begin = [1, 1, 0, 1, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    match number % 3 {
        0 => Vec::new(),
        1 => begin.to_vec(),
        _ => [&begin[..], &[1, 4, 0, 1, 0, 100, 0, 0, 11]].concat(),
    }
}

/// Peers that begin to ask, each in its way, and fall silent.
async fn silent_peers(address: &str, begun: fn(usize) -> Vec<u8>) -> Vec<TcpStream> {
    let mut slow = Vec::new();
    for number in 0..idle() {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(&begun(number)).await.expect("it reads");
        slow.push(stream);
    }
    slow
}

async fn check_through(site: &Site) -> u16 {
    let port = site.proxy.port;
    let asked = get(format!("http://127.0.0.1:{port}/public")).header("host", format!("{HOST}:{port}"));
    asked.send().await.status
}

#[tokio::test]
async fn l01_peers_that_say_nothing_over_http2_hold_up_no_check_and_end() {
    let _crowd = CROWD.lock().await;
    let site = Site::behind(Kind::EnvoyGrpc, "").await;
    let grpc = &site.world.authd.grpc;
    assert_eq!(check_through(&site).await, 200, "control");
    let slow = silent_peers(grpc, begun_over_http2).await;
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(check_through(&site).await, 200, "L01");
        // Somebody who connects only now.
        let quietly = [
            "--silent",
            "--http2-prior-knowledge",
            "--max-time",
            "10",
            "--noproxy",
            "*",
        ];
        let health = Command::new("curl")
            .args(quietly)
            .args(["-H", "content-type: application/grpc", "--data-binary", "@-"])
            .arg(format!("http://{grpc}/grpc.health.v1.Health/Check"))
            .stdin(empty_message())
            .output()
            .expect("curl is there");
        let said = String::from_utf8_lossy(&health.stdout);
        assert!(health.stdout.ends_with(&[0, 0, 0, 0, 2, 8, 1]), "L01: {said:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "L01: {:?}", begun.elapsed());
    ended(slow).await;
}

#[tokio::test]
async fn l01_peers_that_say_nothing_over_fastcgi_hold_up_no_check_and_end() {
    let _crowd = CROWD.lock().await;
    let site = Site::behind(Kind::ApacheFastCgi, "").await;
    assert_eq!(check_through(&site).await, 200, "control");
    let slow = silent_peers(&site.world.authd.fastcgi, begun_over_fastcgi).await;
    let begun = Instant::now();
    for _ in 0..20 {
        // Each check is a connection of its own.
        assert_eq!(check_through(&site).await, 200, "L01");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "L01: {:?}", begun.elapsed());
    ended(slow).await;
}

/// A message of gRPC with nothing in it, as a file to read from.
fn empty_message() -> std::fs::File {
    let mut file = tempfile::tempfile().expect("a temporary file can be made");
    file.write_all(&[0; 5]).expect("it can be written");
    file.rewind().expect("it can be read again");
    file
}

#[tokio::test]
async fn l04_a_disk_that_cannot_be_written_stops_writes_alone() {
    let Some(disk) = SmallDisk::mount(4) else {
        // Without the right to mount there is no small disk to fill.
        return;
    };
    let folder = Folder::usual(ROOMY);
    let authd = Authd::start(folder.path(), disk.path(), &["--audit", "/dev/null"]).await;
    let world = World {
        authd,
        folder,
        data: tempfile::tempdir().expect("a temporary folder can be made"),
    };
    let ann = world.person("l04", "user").await;
    disk.fill();
    let mut refused = 0;
    for _ in 0..40 {
        let answer = world.try_password(&ann.email, tests::world::PASSWORD).await;
        assert!(
            matches!(answer.status, 200 | 503),
            "L04: {} {}",
            answer.status,
            answer.body
        );
        refused += usize::from(answer.status == 503);
    }
    assert!(refused > 0, "L04: the disk was not full");
    assert_eq!(
        world.forward("GET", "/").cookie(&ann.token).send().await.status,
        200,
        "L04: sessions are still checked"
    );
    disk.clear();
    wait::until("L04: after there is space again", || async {
        let answer = world.try_password(&ann.email, tests::world::PASSWORD).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    drop(world);
    let again = Authd::start(Folder::usual(ROOMY).path(), disk.path(), &["--audit", "/dev/null"]).await;
    assert_eq!(
        get(format!("{}/api/v1/auths/", again.public))
            .bearer(&ann.token)
            .send()
            .await
            .status,
        200,
        "L04: nothing is broken"
    );
}

#[tokio::test]
async fn l04_where_audit_lines_are_required_nobody_is_let_in_without_and_none_is_lost() {
    let Some(disk) = SmallDisk::mount(1) else {
        // Without the right to mount there is no small disk to fill.
        return;
    };
    let (folder, data) = (Folder::usual(ROOMY), tempfile::tempdir().expect("a folder"));
    let file = disk.path().join("audit.jsonl");
    let name = file.to_str().expect("temporary folders have plain names");
    let authd = Authd::start(folder.path(), data.path(), &["--audit", name, "--audit-required"]).await;
    let world = World { authd, folder, data };
    let ann = world.person("l04-audit", "user").await;
    let key = world.key_of(&ann).await;
    let asked = async |path: &str, credential: &str| world.forward("GET", path).bearer(credential).send().await.status;
    let refused = async |status: u16| {
        for credential in [&ann.token, &key, CI_KEY] {
            let expected = if status == 200 { 200 } else { 503 };
            assert_eq!(asked("/", credential).await, expected, "L04");
        }
        assert_eq!(asked("/public", &ann.token).await, 200, "L04: what anybody may do");
        assert_eq!(world.me(&ann.token).await, 200, "L04: what is only read");
        let sign_in = world.try_password(&ann.email, tests::world::PASSWORD).await;
        assert_eq!(sign_in.status, status, "L04: {}", sign_in.body);
        let form = post(world.public("/login")).send().await;
        assert_eq!(form.status == 503, status == 503, "L04: {}", form.body);
        let back = get(world.public("/oauth/corporate/callback")).send().await;
        assert_eq!(back.status == 503, status == 503, "L04: {}", back.body);
    };
    refused(200).await;

    disk.fill();
    wait::until("L04: a line finds no place", || async {
        assert_eq!(world.forward("GET", "/").send().await.status, 401, "L04: strangers");
        match asked("/", &ann.token).await {
            503 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    refused(503).await;
    let ready = get(format!("{}/readyz", world.authd.admin)).send().await;
    assert_eq!(
        ready.status, 200,
        "L04: others have the same disk, or all of them have theirs"
    );

    disk.clear();
    wait::until("L04: there is space again", || async {
        match asked("/", &ann.token).await {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    refused(200).await;
    let told = |text: &str| world.authd.log().iter().filter(|line| line.contains(text)).count();
    wait::until("L04: operators are told", || async {
        match told("audit lines are written again") {
            1 => Ok(()),
            count => Err(count.to_string()),
        }
    })
    .await;
    assert_eq!(told("audit lines cannot be written"), 1, "L04: {:?}", world.authd.log());
    let lines = std::fs::read_to_string(&file).expect("it can be read");
    let strangers = lines.lines().filter(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("L04: {error}: {line}"));
        line["event"] == "Refused"
    });
    let count = strangers.count();
    assert!(count > 1, "L04: {count} of those that waited");
    let metrics = get(format!("{}/metrics", world.authd.admin)).send().await.body;
    assert!(metrics.contains("\nauthd_audit_dropped_total 0\n"), "L04: {metrics}");
}

#[tokio::test]
async fn l06_what_clients_say_stays_inside_its_line() {
    let world = SHARED.world().await;
    let nasty = "x\r\n{\"kind\":\"sign_in\",\"outcome\":\"success\"}\u{1b}[2J";
    let email = format!("{nasty}@example.com");
    post(world.auths("signin"))
        .json(&serde_json::json!({"email": email, "password": "not the right one"}))
        .send()
        .await;
    let request = "GET /verify/nginx HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: a\x1b[31m\tb\r\nX-Request-Id: a\x7fb\r\nX-Original-Method: GET\r\n";
    wire::say(
        &world.authd.verify,
        format!("{request}X-Original-URL: http://app.test.localhost/%0a%1b\r\n\r\n").as_bytes(),
    )
    .await;
    wire::say(
        &world.authd.verify,
        format!("{request}X-Original-URL: http://app.test.localhost/x\r\n\r\n").as_bytes(),
    )
    .await;
    world.person("l06", "user").await;
    let lines = world.authd.log();
    for line in &lines {
        assert!(
            serde_json::from_str::<Value>(line).is_ok(),
            "L06: no line of its own: {line:?}"
        );
        assert!(!line.bytes().any(|byte| byte.is_ascii_control()), "L06: {line:?}");
    }
    assert!(lines.len() > 2, "control");
}

#[tokio::test]
async fn l07_no_small_request_costs_much_memory() {
    let world = World::usual().await;
    let kilobytes = "a".repeat(10 * 1024);
    let nested = "[".repeat(10 * 1024);
    let ask = async || {
        post(world.auths("signin"))
            .body("application/json", nested.clone())
            .send()
            .await
            .expect("L07", 422);
        let _ = get(world.public("/login")).header("cookie", &kilobytes).attempt().await;
        let _ = world.forward("GET", "/x").bearer(&kilobytes).attempt().await;
        let _ = world
            .forward("GET", "/x")
            .header("cookie", format!("token={kilobytes}"))
            .attempt()
            .await;
        let _ = get(world.public(&format!("/login?return_to={kilobytes}")))
            .attempt()
            .await;
    };
    for _ in 0..20 {
        ask().await;
    }
    let before = memory(&world);
    for _ in 0..100 {
        ask().await;
    }
    let grown = memory(&world).saturating_sub(before);
    assert!(
        before > 0 && grown < 20 * 1024,
        "L07: 500 requests of 10 KiB left {grown} KiB"
    );
}

#[tokio::test]
async fn l09_the_other_listeners_tell_nothing_of_operations() {
    let world = SHARED.world().await;
    let ann = world.person("l09", "user").await;
    for path in ["/metrics", "/snapshot", "/readyz", "/debug", "/config"] {
        assert_eq!(get(world.public(path)).send().await.status, 404, "L09 {path}");
        assert_eq!(
            get(format!("{}{path}", world.authd.verify)).send().await.status,
            403,
            "L09 {path}"
        );
    }
    let metrics = get(format!("{}/metrics", world.authd.admin))
        .send()
        .await
        .expect("control", 200);
    assert!(
        metrics.body.contains("authd_") && !metrics.body.contains(&ann.email) && !metrics.body.contains(&ann.id),
        "L09"
    );
    assert_eq!(get(format!("{}/livez", world.authd.admin)).send().await.status, 200);
}

#[tokio::test]
async fn a_request_in_flight_is_answered_when_authd_is_asked_to_stop() {
    let mut world = World::usual().await;
    let body = serde_json::json!({"email": "admin@example.com", "password": tests::resources::ADMIN_PASSWORD});
    let request = format!(
        "POST /api/v1/auths/signin HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.to_string().len()
    );
    let (begun, rest) = request.split_at(request.len() - 10);
    let address = world.authd.public.trim_start_matches("http://").to_owned();
    let mut attempts = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&address).await.expect("it listens");
        stream.write_all(begun.as_bytes()).await.expect("it reads");
        attempts.push(stream);
    }
    world.authd.terminate();
    wait::until("nobody else connects", || async {
        TcpStream::connect(&address)
            .await
            .map_or(Ok(()), |_| Err("somebody did".to_owned()))
    })
    .await;
    for stream in &mut attempts {
        stream.write_all(rest.as_bytes()).await.expect("it reads");
    }
    for mut stream in attempts {
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer).await;
        assert!(
            read.is_ok() && answer.starts_with("HTTP/1.1 200 OK\r\n"),
            "acceptance 150: {read:?} {answer:?}"
        );
    }
    let status = world.authd.stop().await;
    assert!(status.success(), "acceptance 150: {status}");
}
