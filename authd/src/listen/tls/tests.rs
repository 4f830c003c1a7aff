use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::Material;
use crate::listen::{self, Connected, Protocol, Reading};

const URI: &str = "spiffe://cluster.local/ns/ingress/sa/envoy";

struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Identity(String, String);

/// When a certificate is good.
#[derive(Clone, Copy)]
enum Good {
    Now,
    Before,
    Later,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, name: &str, good: Good) -> Identity {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![if name.contains("://") {
            SanType::URI(name.try_into().unwrap())
        } else {
            SanType::DnsName(name.try_into().unwrap())
        }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let (from, until) = match good {
            Good::Now => (2020, 2090),
            Good::Before => (2020, 2021),
            Good::Later => (2089, 2090),
        };
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity(certificate.pem(), key.serialize_pem())
    }

    /// A listener that shows a certificate of ours and wants one too.
    fn listener(&self) -> Arc<ServerConfig> {
        let (Identity(certificate, key), ca) = (self.issue("authd.test", Good::Now), self.0.pem());
        let material = Material {
            certificate: certificate.as_bytes(),
            key: key.as_bytes(),
            client_ca: ca.as_bytes(),
        };
        material.config(b"http/1.1").unwrap()
    }

    /// A client that trusts us, and shows this.
    fn client(&self, shown: Option<&Identity>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.0.pem().as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        TlsConnector::from(Arc::new(match shown {
            None => config.with_no_client_auth(),
            Some(Identity(certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        }))
    }
}

#[test]
fn a_certificate_says_when_to_renew_it() {
    let authority = Authority::new();
    let Identity(certificate, key) = authority.issue("authd.test", Good::Before);
    let ca = authority.0.pem();
    let material = |certificate| Material {
        certificate,
        key: key.as_bytes(),
        client_ca: ca.as_bytes(),
    };
    let chain = certificate + &ca;
    let validity = material(chain.as_bytes()).validity().unwrap();
    let day = |day: &str| format!("{day}T00:00:00Z").parse().unwrap();
    assert_eq!((validity.begins, validity.ends), (day("2020-01-01"), day("2021-01-01")));
    assert_eq!(validity.renewal(), day("2020-09-01"));
    for unreadable in [
        "",
        "none",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert_eq!(material(unreadable.as_bytes()).validity(), None, "{unreadable}");
    }
}

/// Listens under what is in the slot, and says to each request which names its client showed.
async fn listening(tls: Arc<ArcSwapOption<ServerConfig>>) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let protocol = Protocol {
        reading: Reading::Strict,
        tls: Arc::new(move || tls.load_full()),
    };
    let answer = |peer: Connected, _: Request<Incoming>| async move {
        let names = peer
            .certificate
            .map_or(String::from("plain"), |shown| shown.names.join(" "));
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(names))))
    };
    tokio_util::task::TaskTracker::new().spawn(listen::serve(listener, protocol, stop.clone(), answer));
    (address, stop)
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// What a client hears; nothing where it is not let in.
async fn ask(address: SocketAddr, client: &TlsConnector) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("authd.test").unwrap();
    let mut heard = Vec::new();
    if let Ok(mut stream) = client.connect(name, stream).await {
        // Over TLS 1.3 a client learns only now that its certificate is not accepted.
        if stream.write_all(REQUEST).await.is_ok() {
            let _ = stream.read_to_end(&mut heard).await;
        }
    }
    let heard = String::from_utf8(heard).unwrap();
    heard.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn l10_only_a_client_with_a_good_certificate_is_heard() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (address, _stop) = listening(Arc::new(ArcSwapOption::from(Some(ours.listener())))).await;
    for (case, shown, expected) in [
        ("control", Some(ours.issue(URI, Good::Now)), URI),
        (
            "control: a DNS name",
            Some(ours.issue("ingress.test", Good::Now)),
            "ingress.test",
        ),
        ("none", None, ""),
        ("of another authority", Some(other.issue(URI, Good::Now)), ""),
        ("expired", Some(ours.issue(URI, Good::Before)), ""),
        ("not good yet", Some(ours.issue(URI, Good::Later)), ""),
    ] {
        let heard = ask(address, &ours.client(shown.as_ref())).await;
        assert_eq!(heard, expected, "L10: {case}");
    }
}

/// A `ClientHello` of this version with these suites (RFC 5246 section 7.4.1.2).
fn hello(version: [u8; 2], suites: &[[u8; 2]]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(u16::try_from(suites.len() * 2).unwrap().to_be_bytes());
    body.extend(suites.concat());
    body.extend([1, 0]);
    // supported_groups and signature_algorithms, so that nothing but version and suites is amiss.
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3];
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    record.extend(message);
    record
}

#[tokio::test]
async fn l10_old_versions_weak_suites_and_plain_text_are_refused() {
    let ours = Authority::new();
    let (address, _stop) = listening(Arc::new(ArcSwapOption::from(Some(ours.listener())))).await;
    let good = [0xc0, 0x2b];
    for (case, bytes, is_answered) in [
        ("control: TLS 1.2, ECDHE with AES-GCM", hello([3, 3], &[good]), true),
        ("TLS 1.1", hello([3, 2], &[good]), false),
        ("TLS 1.0", hello([3, 1], &[good]), false),
        ("SSL 3.0", hello([3, 0], &[good]), false),
        ("RSA key exchange with 3DES", hello([3, 3], &[[0x00, 0x0a]]), false),
        ("RC4", hello([3, 3], &[[0xc0, 0x11], [0x00, 0x05]]), false),
        ("CBC", hello([3, 3], &[[0xc0, 0x09], [0xc0, 0x13]]), false),
        ("no encryption", hello([3, 3], &[[0x00, 0x3b]]), false),
        ("plain text", REQUEST.to_vec(), false),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut first = [0; 6];
        let read = stream.read(&mut first).await.unwrap_or_default();
        // A record of the handshake (22) with a ServerHello (2); else an alert (21), or nothing.
        let answered = read == 6 && (first[0], first[5]) == (22, 2);
        assert_eq!(answered, is_answered, "L10: {case}: {:?}", &first[..read]);
        assert!(
            read == 0 || is_answered || first[0] == 21,
            "L10: {case}: {:?}",
            &first[..read]
        );
    }
}

#[tokio::test]
async fn a_replaced_certificate_is_used_at_once_and_the_old_one_no_more() {
    let (before, after) = (Authority::new(), Authority::new());
    let slot = Arc::new(ArcSwapOption::from(Some(before.listener())));
    let (address, _stop) = listening(Arc::clone(&slot)).await;
    let [old, new] = [&before, &after].map(|authority| authority.client(Some(&authority.issue(URI, Good::Now))));
    assert_eq!(
        [ask(address, &old).await, ask(address, &new).await],
        [URI, ""],
        "control"
    );

    let stream = TcpStream::connect(address).await.unwrap();
    let mut open = old
        .connect(ServerName::try_from("authd.test").unwrap(), stream)
        .await
        .unwrap();
    slot.store(Some(after.listener()));
    assert_eq!([ask(address, &old).await, ask(address, &new).await], ["", URI]);

    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(14), open.read_to_end(&mut rest)).await;
    assert!(
        ended.is_ok(),
        "a connection of the certificate before goes on, and not because it is quiet"
    );
}

#[test]
fn material_of_no_use_is_told_apart() {
    let ours = Authority::new();
    let Identity(certificate, key) = ours.issue("authd.test", Good::Now);
    let Identity(_, other) = ours.issue("authd.test", Good::Now);
    let ca = ours.0.pem();
    let config = |certificate: &str, key: &str, client_ca: &str| {
        let material = Material {
            certificate: certificate.as_bytes(),
            key: key.as_bytes(),
            client_ca: client_ca.as_bytes(),
        };
        material.config(b"h2").map_err(|error| error.to_string())
    };
    assert!(config(&certificate, &key, &ca).is_ok(), "control");
    for (case, tried, expected) in [
        (
            "another key",
            config(&certificate, &other, &ca),
            "keys may not be consistent",
        ),
        (
            "no certificate",
            config(&key, &key, &ca),
            "there is no certificate in the certificate",
        ),
        ("no key", config(&certificate, &ca, &ca), "the key is no PEM"),
        (
            "no authority",
            config(&certificate, &key, &key),
            "there is no certificate in the CA of the proxies",
        ),
        (
            "garbage",
            config("-----BEGIN CERTIFICATE-----\n!\n", &key, &ca),
            "the certificate is no PEM",
        ),
    ] {
        let said = tried.err().unwrap_or_else(|| panic!("{case} is taken"));
        assert!(said.contains(expected), "{case}: {said}");
    }
}
