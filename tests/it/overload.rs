//! Many at once: clients that never finish, and people who all sign in. Checks go on. Rows L01 and F17 of the attacks.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tests::http::get;
use tests::world::World;
use tests::{wait, wire};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// How many clients there are at once.
const SLOW: usize = 500;
const SIGN_INS: usize = 1000;

/// The slowest of some checks.
async fn slowest_check(case: &str, world: &World, token: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let begun = Instant::now();
        let answer = world.forward("GET", "/").cookie(token).send().await;
        assert_eq!(answer.status, 200, "{case}: a check is held up: {}", answer.body);
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

#[tokio::test]
async fn l01_clients_that_send_a_byte_at_a_time_hold_up_nobody_and_are_sent_away() {
    let world = World::usual().await;
    let ann = world.person("l01", "user").await;
    for (listener, start) in [
        (&world.authd.verify, "GET /verify/nginx HTTP/1.1\r\nX-"),
        (&world.authd.public, "POST /api/v1/auths/signin HTTP/1.1\r\nX-"),
    ] {
        let address = listener.trim_start_matches("http://");
        let mut slow: Vec<TcpStream> = join_all((0..SLOW).map(async |_| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            stream
        }))
        .await;
        let alone = slowest_check("L01", &world, &ann.token).await;
        println!("L01: {SLOW} slow connections at {address}; the slowest check took {alone:?}");
        assert_eq!(get(world.public("/login")).send().await.status, 200, "L01: pages");
        // Each gets a byte more with each look: it is how long the headers take that counts, not how long it was quiet.
        let deadline = Duration::from_secs(40);
        let pulse = tokio::sync::Mutex::new(&mut slow);
        wait::within(deadline, "L01: the slow ones are sent away", || async {
            let mut slow = pulse.lock().await;
            for stream in slow.iter_mut() {
                let _ = stream.try_write(b"a");
            }
            let mut buffer = [0_u8; 512];
            slow.retain(|stream| !matches!(stream.try_read(&mut buffer), Ok(0)) && is_open(stream));
            if slow.is_empty() {
                Ok(())
            } else {
                Err(format!("{} are open", slow.len()))
            }
        })
        .await;
    }
    let quick = wire::say(
        &world.authd.verify,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(quick.status(), 403, "control: one that finishes is answered");
}

/// Whether nothing says that the other side is gone.
fn is_open(stream: &TcpStream) -> bool {
    let closed = |error: std::io::Error| error.kind() != std::io::ErrorKind::WouldBlock;
    stream.take_error().is_ok_and(|error| error.is_none()) && !stream.try_write(b"").is_err_and(closed)
}

#[tokio::test]
async fn f17_a_thousand_sign_ins_at_once_are_queued_or_told_to_come_back() {
    let world = World::usual().await;
    let ann = world.person("f17", "user").await;
    let attempt = async |number: usize| {
        let body = format!("{{\"email\":\"f17-{number}@example.com\",\"password\":\"not the right one\"}}");
        let head =
            "POST /api/v1/auths/signin HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json";
        let bytes = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        patiently(&world.authd.public, bytes.as_bytes()).await
    };
    let storm = join_all((0..SIGN_INS).map(attempt));
    let checks = slowest_check("F17", &world, &ann.token);
    let (answers, slowest) = tokio::join!(storm, checks);
    let with = |status: &str| answers.iter().filter(|answer| answer.starts_with(status)).count();
    let (wrong, busy, limited) = (with("HTTP/1.1 400"), with("HTTP/1.1 503"), with("HTTP/1.1 429"));
    println!("F17: {wrong} judged, {busy} told to come back, {limited} limited; the slowest check took {slowest:?}");
    assert_eq!(wrong + busy + limited, SIGN_INS, "F17: {answers:#?}");
    assert!(wrong > 0 && busy > 0, "F17: the queue is bounded and is worked off");
    let away = answers.iter().filter(|answer| !answer.starts_with("HTTP/1.1 400"));
    for answer in away {
        assert!(answer.to_lowercase().contains("\r\nretry-after: "), "F17: {answer}");
    }
    world.sign_in(&ann.email, tests::world::PASSWORD).await;
}

/// All that is answered until the other side closes, however long it takes.
async fn patiently(address: &str, bytes: &[u8]) -> String {
    use tokio::io::AsyncReadExt;
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    String::from_utf8_lossy(&heard).into_owned()
}
