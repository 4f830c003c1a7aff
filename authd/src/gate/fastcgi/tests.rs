use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::records::{Malformed, Progress, Records, answer};
use crate::stand::{RESOURCES, Stand};

fn record(kind: u8, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut record = vec![1, kind];
    record.extend(id.to_be_bytes());
    record.extend(length.to_be_bytes());
    record.extend([padding, 0]);
    record.extend(content);
    record.extend(vec![0xaa; padding.into()]);
    record
}

fn begin(role: u8) -> Vec<u8> {
    record(1, 1, &[0, role, 0, 0, 0, 0, 0, 0], 0)
}

fn pair(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| match u8::try_from(text.len()) {
        Ok(short) if short < 0x80 => vec![short],
        _ => (u32::try_from(text.len()).unwrap() | 1 << 31).to_be_bytes().to_vec(),
    };
    [length(name), length(value), name.into(), value.into()].concat()
}

/// A whole question with these parameters.
fn question(params: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Vec<u8> = params.iter().flat_map(|(name, value)| pair(name, value)).collect();
    let pieces: Vec<u8> = pairs.chunks(7).flat_map(|piece| record(4, 1, piece, 3)).collect();
    [begin(2), pieces, record(4, 1, &[], 0)].concat()
}

fn progress(bytes: &[u8]) -> Result<Progress, Malformed> {
    let mut records = Records::default();
    records.add(bytes);
    records.progress()
}

#[test]
fn a_question_is_whole_with_its_last_byte_and_not_before() {
    let long = "v".repeat(300);
    let bytes = question(&[("A", "b"), ("EMPTY", ""), ("LONG", &long)]);
    let mut records = Records::default();
    for (at, byte) in bytes.iter().enumerate() {
        records.add(&[*byte]);
        let progress = records.progress().unwrap();
        if at + 1 < bytes.len() {
            assert_eq!(progress, Progress::More, "byte {at} of {}", bytes.len());
        } else {
            let Progress::Asked(id, params) = progress else {
                panic!("{progress:?}")
            };
            let value = |name: &str| String::from_utf8(params[name].clone()).unwrap();
            assert_eq!((id, params.len()), (1, 3));
            assert_eq!(
                (value("A"), value("EMPTY"), value("LONG")),
                ("b".into(), String::new(), long.clone())
            );
        }
    }
}

#[test]
fn records_that_are_not_expected_are_refused() {
    let start = [0, 2, 0, 0, 0, 0, 0, 0];
    let after = |kind, id, content: &[u8]| [begin(2), record(kind, id, content, 0)].concat();
    for (case, bytes, expected) in [
        (
            "HTTP",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            Malformed::Version,
        ),
        ("version 2", [&[2], &begin(2)[1..]].concat(), Malformed::Version),
        ("a responder", begin(1), Malformed::Role(1)),
        ("a filter", begin(3), Malformed::Role(3)),
        ("no role", begin(0), Malformed::Role(0)),
        ("a short beginning", record(1, 1, &[0, 2], 0), Malformed::Beginning),
        (
            "a long beginning",
            record(1, 1, &[0, 2, 0, 0, 0, 0, 0, 0, 0], 0),
            Malformed::Beginning,
        ),
        ("request 0", record(1, 0, &start, 0), Malformed::Unexpected(1)),
        (
            "parameters first",
            record(4, 1, &pair("A", "b"), 0),
            Malformed::Unexpected(4),
        ),
        ("management", record(9, 0, &[], 0), Malformed::Unexpected(9)),
        ("begun twice", after(1, 1, &start), Malformed::Unexpected(1)),
        ("aborted", after(2, 1, &[]), Malformed::Unexpected(2)),
        ("a body first", after(5, 1, b"x"), Malformed::Unexpected(5)),
        ("an unknown type", after(200, 1, &[]), Malformed::Unexpected(200)),
        ("another request", after(4, 2, &pair("A", "b")), Malformed::OtherRequest),
        ("a second request", after(1, 2, &start), Malformed::OtherRequest),
    ] {
        assert_eq!(progress(&bytes), Err(expected), "{case}");
    }
}

#[test]
fn parameters_that_cannot_be_read_in_one_way_are_refused() {
    let many: Vec<u8> = (0..513).flat_map(|number| pair(&format!("N{number}"), "")).collect();
    for (case, content, expected) in [
        ("cut in a length", vec![1], Malformed::Cut),
        ("cut in a long length", vec![1, 0x80, 0], Malformed::Cut),
        ("cut in a name", vec![5, 0, b'A'], Malformed::Cut),
        ("cut in a value", vec![1, 5, b'A', b'b'], Malformed::Cut),
        ("2 GiB", vec![1, 0xff, 0xff, 0xff, 0xff, b'A'], Malformed::Cut),
        ("no name", pair("", "b"), Malformed::Name),
        ("a name of bytes", vec![1, 0, 0xff], Malformed::Name),
        ("twice", [pair("A", "b"), pair("A", "b")].concat(), Malformed::Twice),
        ("513 parameters", many, Malformed::TooMuch),
        ("more than 128 KiB", vec![1; 128 * 1024 + 1], Malformed::TooMuch),
    ] {
        let pieces: Vec<u8> = content
            .chunks(65_535)
            .flat_map(|piece| record(4, 1, piece, 0))
            .collect();
        let bytes = [begin(2), pieces, record(4, 1, &[], 0)].concat();
        assert_eq!(progress(&bytes), Err(expected), "{case}");
    }
}

proptest! {
    #[test]
    fn no_bytes_end_it(bytes: Vec<u8>, kinds in prop::collection::vec((0_u8..12, 0_u16..3, any::<Vec<u8>>(), any::<u8>()), 0..6)) {
        let _ = progress(&bytes);
        let _ = progress(&[begin(2), bytes].concat());
        let records: Vec<u8> = kinds.iter().flat_map(|(kind, id, content, padding)| record(*kind, *id, content, *padding)).collect();
        let _ = progress(&[begin(2), records].concat());
    }

    #[test]
    fn however_the_bytes_come_it_is_the_same_question(
        params in prop::collection::btree_map("[A-Z]{1,9}", "[ -~]{0,200}", 0..9),
        cuts in prop::collection::vec(1_usize..40, 1..9),
    ) {
        let pairs: Vec<(&str, &str)> = params.iter().map(|(name, value)| (&**name, &**value)).collect();
        let bytes = question(&pairs);
        let (mut records, mut rest, mut cuts) = (Records::default(), &*bytes, cuts.iter().cycle());
        let mut asked = Progress::More;
        while asked == Progress::More && !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            records.add(piece);
            rest = after;
            asked = records.progress().unwrap();
        }
        let expected = params.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        prop_assert_eq!(asked, Progress::Asked(1, expected));
        prop_assert!(rest.is_empty());
    }
}

/// Listens with a stand behind it.
async fn listening(stand: &Stand) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio_util::task::TaskTracker::new().spawn(super::serve(Arc::clone(&stand.app), listener, stop.clone()));
    (address, stop)
}

/// Everything that comes back, as text: the standard output, without its records.
async fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    let Some((header, rest)) = heard.split_first_chunk::<8>() else {
        return String::new();
    };
    let (said, rest) = rest.split_at(usize::from(u16::from_be_bytes([header[4], header[5]])));
    let end = [record(6, 1, &[], 0), record(3, 1, &[0; 8], 0)].concat();
    assert_eq!(
        (header[..4].to_vec(), rest),
        (vec![1, 6, 0, 1], &*end),
        "the end is not the end"
    );
    String::from_utf8(said.to_vec()).unwrap()
}

/// What Apache sends about `GET https://app.example.com<uri>`.
fn about<'a>(uri: &'a str, more: &[(&'a str, &'a str)]) -> Vec<u8> {
    let facts = [
        ("FCGI_ROLE", "AUTHORIZER"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "https"),
        ("HTTP_HOST", "app.example.com"),
        ("REQUEST_URI", uri),
        ("REMOTE_ADDR", "203.0.113.9"),
    ];
    let kept = facts
        .into_iter()
        .filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let params: Vec<_> = kept.chain(more.iter().copied()).collect();
    question(&params)
}

#[tokio::test]
async fn every_outcome_has_its_answer() {
    let stand = Stand::new().await;
    let (address, _stop) = listening(&stand).await;
    let token = stand.sign_in("admin@example.com").await;
    let (cookie, bearer) = (format!("token={token}"), "Bearer sk-0123456789abcdef0123456789abcdef");
    for (case, bytes, status) in [
        ("somebody", about("/", &[("HTTP_COOKIE", &cookie)]), "200"),
        ("a key", about("/v1/deploys", &[("HTTP_AUTHORIZATION", bearer)]), "200"),
        ("nobody, public", about("/public", &[]), "200"),
        ("a browser", about("/", &[("HTTP_ACCEPT", "text/html")]), "302"),
        ("a program", about("/", &[]), "401"),
        ("a key elsewhere", about("/", &[("HTTP_AUTHORIZATION", bearer)]), "403"),
        ("D10", about("/public/../admin", &[]), "400"),
        ("D21: no URI", about("", &[]), "400"),
        ("D21: absolute", about("http://app.example.com/public", &[]), "400"),
        ("D21: no host", about("/public", &[("HTTP_HOST", "")]), "400"),
        ("D21: no scheme", about("/public", &[("REQUEST_SCHEME", "")]), "400"),
        ("D04", about("/", &[("HTTP_X_FORWARDED_URI", "/public")]), "401"),
        ("D25", about("/public", &[("HTTP_X", "a\nb")]), "400"),
        ("D25", about("/public", &[("HTTP_X Y", "a")]), "400"),
        ("D22", about("/public", &[("HTTP_HOST", "other.example.com")]), "403"),
    ] {
        let said = say(address, &bytes).await;
        assert_eq!(said.get(8..11), Some(status), "{case}: {said}");
    }
    let known = say(address, &about("/", &[("HTTP_COOKIE", &cookie)])).await;
    assert!(
        known.contains("\r\nVariable-X_AUTH_EMAIL: admin@example.com\r\n"),
        "{known}"
    );
    assert!(known.contains("\r\nVariable-X_AUTH_ROLES: admin\r\n"), "{known}");
    assert!(!known.contains("Variable-AUTHD_WHO: anonymous"), "{known}");
    let nobody = say(address, &about("/public", &[])).await;
    assert!(nobody.contains("\r\nVariable-AUTHD_WHO: anonymous\r\n"), "{nobody}");
    assert!(nobody.contains("\r\nVariable-X_AUTH_USER: \r\n"), "D01: {nobody}");
    let browser = say(address, &about("/a?b=c", &[("HTTP_ACCEPT", "text/html")])).await;
    assert!(
        browser.contains("\r\nlocation: https://auth.example.com/login?return_to="),
        "{browser}"
    );
    for bytes in [b"GET /public HTTP/1.1\r\n\r\n".to_vec(), begin(1), record(9, 0, &[], 0)] {
        assert_eq!(say(address, &bytes).await, "", "what is no question is not answered");
    }
}

#[tokio::test]
async fn d27_a_client_cannot_say_the_secret_of_proxies() {
    let secret = "0123456789abcdef0123456789abcdef";
    let proof = "  proxyAuth: {secretRefs: [{name: proxies, key: secret}]}\n  signup: {enabled: true}\n";
    let resources = RESOURCES.replacen("  signup: {enabled: true}\n", proof, 1);
    let secrets =
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: proxies}}\nstringData: {{secret: {secret}}}\n");
    let stand = Stand::with(&(resources + &secrets)).await;
    let (address, _stop) = listening(&stand).await;
    for (case, more, status) in [
        ("control", ("AUTHD_PROXY", secret), "200"),
        ("a header", ("HTTP_X_AUTHD_PROXY", secret), "403"),
        ("a header", ("HTTP_AUTHD_PROXY", secret), "403"),
        ("wrong", ("AUTHD_PROXY", "guess"), "403"),
    ] {
        let said = say(address, &about("/public", &[more])).await;
        assert_eq!(said.get(8..11), Some(status), "D27: {case}: {said}");
    }
}

#[test]
fn a_long_answer_comes_in_several_records() {
    let records = answer(7, &[b'x'; 70_000]);
    assert_eq!(
        (records[..6].to_vec(), records.len()),
        (vec![1, 6, 0, 7, 0xff, 0xff], 70_000 + 8 * 5)
    );
}
