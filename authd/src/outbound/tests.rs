use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

fn outbound(networks: &[&str]) -> Outbound {
    let settings = policy::snapshot::Outbound {
        allowed_networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        ca: None,
    };
    Outbound::new(&settings).unwrap()
}

/// A server that answers everybody with these bytes, one connection after the other.
async fn server(answer: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio_util::task::TaskTracker::new().spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = peer.read(&mut request).await;
            let _ = peer.write_all(&answer).await;
        }
    });
    url
}

async fn ask(outbound: &Outbound, url: &Url) -> Result<Answer, Error> {
    outbound.ask(Question::get(url, Patience::Short)).await
}

#[test]
fn j01_j02_only_public_addresses_are_reached_unless_a_network_is_allowed() {
    for (address, expected) in [
        ("8.8.8.8", true),
        ("2606:4700::1111", true),
        ("169.254.169.254", false),
        ("127.0.0.1", false),
        ("10.1.2.3", false),
        ("172.16.0.1", false),
        ("172.32.0.1", true),
        ("192.168.1.1", false),
        ("100.64.0.1", false),
        ("100.128.0.1", true),
        ("0.0.0.0", false),
        ("255.255.255.255", false),
        ("224.0.0.1", false),
        ("198.18.0.1", false),
        ("::1", false),
        ("::", false),
        ("::ffff:127.0.0.1", false),
        ("::ffff:8.8.8.8", true),
        ("fd00::1", false),
        ("fd00:ec2::254", false),
        ("fe80::1", false),
        ("64:ff9b::7f00:1", false),
        ("2002:7f00:1::", false),
        ("2001::1", false),
        ("2001:db8::1", false),
        ("ff02::1", false),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(is_allowed(address, &[]), expected, "{address}");
    }
    let allowed = ["10.0.0.0/8".parse().unwrap()];
    assert!(is_allowed("10.1.2.3".parse().unwrap(), &allowed));
    assert!(is_allowed("::ffff:10.1.2.3".parse().unwrap(), &allowed));
    assert!(!is_allowed("192.168.1.1".parse().unwrap(), &allowed));
}

#[tokio::test]
async fn j02_no_spelling_of_an_address_is_a_way_around() {
    let outbound = outbound(&[]);
    for url in [
        "https://[::ffff:127.0.0.1]/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://127.1/",
        "https://localhost/",
        "https://localhost./",
        "http://127.0.0.1/",
        "https://[fd00::1]/",
        "https://169.254.169.254/latest/meta-data/",
    ] {
        let answer = ask(&outbound, &Url::parse(url).unwrap()).await;
        let refused = matches!(answer, Err(Error::Forbidden { .. } | Error::NoAddress(_)));
        assert!(refused, "J02 {url}: {answer:?}");
    }
}

#[tokio::test]
async fn j05_j12_only_https_without_user_and_fragment_is_reached() {
    let outbound = outbound(&["0.0.0.0/0"]);
    for url in [
        "http://idp.example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ldap://127.0.0.1/",
        "https://user:secret@127.0.0.1/",
        "https://127.0.0.1/#fragment",
    ] {
        let error = ask(&outbound, &Url::parse(url).unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::Url(_)), "J05 {url}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn j04_j06_an_answer_is_bounded_and_no_redirect_is_followed() {
    let outbound = outbound(&["127.0.0.0/8"]);
    let small = server(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
    )
    .await;
    let answer = ask(&outbound, &small).await.unwrap();
    assert_eq!(
        answer.json::<serde_json::Value>(),
        Some(serde_json::json!({})),
        "positive control"
    );

    let moved =
        server(b"HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let answer = ask(&outbound, &moved).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.json::<serde_json::Value>()),
        (302, None),
        "J04"
    );

    let mut large = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec();
    large.resize(large.len() + MAX_ANSWER + 1, b' ');
    let large = server(large).await;
    assert_eq!(
        ask(&outbound, &large).await.unwrap_err(),
        Error::TooLarge("127.0.0.1".to_owned()),
        "J06"
    );

    let packed = server(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx".to_vec()).await;
    assert_eq!(
        ask(&outbound, &packed).await.unwrap_err(),
        Error::TooLarge("127.0.0.1".to_owned()),
        "J06"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = ask(&outbound(&["127.0.0.0/8"]), &url).await.unwrap_err();
    assert_eq!(error, Error::Unreachable("127.0.0.1".to_owned()));
}

/// A server with a certificate of this authority for `name`; returns its URL under the name by which it is asked for.
async fn secure(authority: &CertifiedIssuer<'static, KeyPair>, (name, asked): (&str, &str), years: (i32, i32)) -> Url {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.signed_by(&key, authority).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (acceptor, listener) = (
        TlsAcceptor::from(Arc::new(config)),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let url = Url::parse(&format!("https://{asked}:{}/", listener.local_addr().unwrap().port())).unwrap();
    tokio_util::task::TaskTracker::new().spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let Ok(mut peer) = acceptor.accept(peer).await else {
                continue;
            };
            let mut request = [0; 4096];
            let _ = peer.read(&mut request).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            let _ = peer.write_all(answer).await;
            let _ = peer.shutdown().await;
        }
    });
    url
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn j11_a_certificate_counts_for_its_name_and_time_and_with_its_own_provider_alone() {
    let (ours, theirs) = (authority(), authority());
    let trusting = |ca: Option<String>| {
        let settings = policy::snapshot::Outbound {
            allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
            ca: ca.map(|pem| policy::secret::secret(pem.as_bytes())),
        };
        Outbound::new(&settings).unwrap()
    };
    let one = trusting(Some(ours.pem()));
    let now = (2020, 2090);
    let good = secure(&ours, ("localhost", "localhost"), now).await;
    assert_eq!(ask(&one, &good).await.unwrap().status, StatusCode::OK, "J11 control");
    let both = trusting(Some(format!("{}{}", theirs.pem(), ours.pem())));
    assert_eq!(
        ask(&both, &good).await.unwrap().status,
        StatusCode::OK,
        "J11 control: one of several"
    );
    let certificate = Err(Error::Certificate("localhost".to_owned()));
    for (row, outbound, url) in [
        (
            "another provider's authority",
            trusting(Some(theirs.pem())),
            good.clone(),
        ),
        ("public authorities alone", trusting(None), good),
        (
            "a bad chain",
            one.clone(),
            secure(&theirs, ("localhost", "localhost"), now).await,
        ),
        (
            "another name",
            one.clone(),
            secure(&ours, ("idp.example.com", "localhost"), now).await,
        ),
        (
            "expired",
            one.clone(),
            secure(&ours, ("localhost", "localhost"), (2020, 2021)).await,
        ),
        (
            "not yet",
            one,
            secure(&ours, ("localhost", "localhost"), (2089, 2090)).await,
        ),
    ] {
        assert_eq!(ask(&outbound, &url).await.map(drop), certificate, "J11 {row}");
    }
}

#[test]
fn j11_what_is_no_certificate_is_no_authority() {
    for text in ["", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"] {
        let settings = policy::snapshot::Outbound {
            allowed_networks: Vec::new(),
            ca: Some(policy::secret::secret(text.as_bytes())),
        };
        assert_eq!(
            Outbound::new(&settings).map(drop),
            Err(Error::Authorities),
            "J11 {text:?}"
        );
    }
}
