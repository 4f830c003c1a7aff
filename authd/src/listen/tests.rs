use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Connected, Protocol, Reading};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// `POST / http`, out of the static table of HPACK (RFC 7541 appendix A).
const POST: &[u8] = &[0x83, 0x86, 0x84];
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn request(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, POST)
}

async fn answer(_: Connected, _: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // As a check does, it takes a moment.
    tokio::task::yield_now().await;
    Ok(Response::new(Full::new(Bytes::new())))
}

async fn listening() -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving = super::serve(listener, Protocol::plain(Reading::Http2), stop.clone(), answer);
    tokio_util::task::TaskTracker::new().spawn(serving);
    (address, stop)
}

/// The kinds of frames that come back with their payloads, until one of them is of this kind or the connection ends.
async fn until(address: SocketAddr, wanted: u8, frames: Vec<u8>) -> Vec<(u8, Vec<u8>)> {
    let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    let bytes = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), frames].concat();
    let wrote = async {
        // The other side may well close in the middle of it.
        let _ = writing.write_all(&bytes).await;
        std::future::pending::<()>().await;
    };
    let heard = async {
        let mut heard = Vec::new();
        let mut header = [0; 9];
        while reading.read_exact(&mut header).await.is_ok() {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
            let mut payload = vec![0; length.try_into().unwrap()];
            if reading.read_exact(&mut payload).await.is_err() {
                break;
            }
            heard.push((header[3], payload));
            if header[3] == wanted {
                break;
            }
        }
        heard
    };
    tokio::select! {
        () = wrote => unreachable!("it never ends"),
        heard = tokio::time::timeout(Duration::from_secs(20), heard) => heard.expect("nothing is said for long"),
    }
}

#[tokio::test]
async fn whoever_connected_before_the_stop_is_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(TcpStream::connect(address).await.unwrap());
    }
    let stop = CancellationToken::new();
    stop.cancel();
    let serving = super::serve(listener, Protocol::plain(Reading::Usual), stop, answer);
    let asked = async {
        for stream in &mut waiting {
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .await
                .unwrap();
        }
        let mut answered = 0;
        for mut stream in waiting {
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            answered += usize::from(heard.starts_with(b"HTTP/1.1 200 OK"));
        }
        answered
    };
    let ((), answered) = tokio::join!(serving, asked);
    assert_eq!(answered, 20);
    TcpStream::connect(address).await.expect_err("nobody else connects");
}

#[tokio::test]
async fn l02_what_is_begun_and_taken_back_without_end_ends_the_connection() {
    let (address, _stop) = listening().await;
    let control = until(address, HEADERS, request(1)).await;
    assert_eq!(
        control.last().map(|(kind, _)| *kind),
        Some(HEADERS),
        "L02 control: {control:?}"
    );

    let resets = (0..2000).flat_map(|number| {
        let stream = 2 * number + 1;
        [request(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    let junk = frame(CONTINUATION, 0, 1, &[0x40; 1024]);
    let pieces = [frame(HEADERS, END_STREAM, 1, POST), junk.repeat(2000)].concat();
    let empty = [
        frame(HEADERS, END_STREAM, 1, POST),
        frame(CONTINUATION, 0, 1, &[]).repeat(2000),
    ]
    .concat();
    for (case, frames) in [
        ("rapid reset", resets.collect()),
        ("CONTINUATION without end", pieces),
        ("empty CONTINUATION without end", empty),
    ] {
        let heard = until(address, GOAWAY, frames).await;
        let last = heard.last().map(|(kind, _)| *kind);
        assert_eq!(last, Some(GOAWAY), "L02: {case}: {:?}", heard.len());
    }
    let after = until(address, HEADERS, request(1)).await;
    assert_eq!(
        after.last().map(|(kind, _)| *kind),
        Some(HEADERS),
        "L02: others are answered"
    );
}

#[tokio::test]
async fn l02_pings_and_settings_hold_nobody_up() {
    let (address, _stop) = listening().await;
    for (case, flood) in [
        ("pings", frame(PING, 0, 0, &[7; 8]).repeat(20_000)),
        ("settings", frame(SETTINGS, 0, 0, &[]).repeat(5000)),
    ] {
        let flooding = tokio_util::task::TaskTracker::new().spawn(until(address, GOAWAY, [flood, request(1)].concat()));
        let answered = until(address, HEADERS, request(1)).await;
        assert_eq!(answered.last().map(|(kind, _)| *kind), Some(HEADERS), "L02: {case}");
        flooding.abort();
    }
}
