use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use rcgen::{CertificateParams, KeyPair};

use crate::gate::forward_auth;
use crate::listen::Connected;
use crate::listen::tls::Certificate;
use crate::stand::{RESOURCES, Stand, at};

const NEW: &str = "0123456789abcdef0123456789abcdef";
const OLD: &str = "fedcba9876543210fedcba9876543210";
const NAME: &str = "spiffe://cluster.local/ns/ingress/sa/envoy";

/// The resources with more of the instance's spec, and the Secrets that it names.
fn resources(more: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
    let indented = |text: String| text.lines().collect::<Vec<_>>().join("\n    ");
    let (certificate, key) = (indented(certificate), indented(key.serialize_pem()));
    let spec = format!("  signup: {{enabled: true}}\n  {more}\n");
    RESOURCES.replacen("  signup: {enabled: true}\n", &spec, 1)
        + &format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: proxies}}\nstringData: {{new: {NEW}, old: {OLD}}}\n\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: tls}}\nstringData:\n  tls.crt: |\n    {certificate}\n  \
             tls.key: |\n    {key}\n  ca.crt: |\n    {certificate}\n"
        )
}

/// What whoever is connected is told about a public page.
async fn ask(stand: &Stand, peer: &Connected, shown: &[&str]) -> u16 {
    let mut request = Request::get("/verify/forward")
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "app.example.com")
        .header("x-forwarded-uri", "/public");
    for value in shown {
        request = request.header("X-Authd-Proxy", *value);
    }
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    forward_auth::serve(&stand.app, peer, request)
        .await
        .unwrap()
        .status()
        .as_u16()
}

fn from(address: &str, names: Option<&[&str]>) -> Connected {
    let names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Connected {
        certificate: names.map(|names| Arc::new(Certificate { names })),
        ..at(address.parse().unwrap())
    }
}

#[tokio::test]
async fn d27_a_proxy_shows_its_secret_from_any_address() {
    let stand = Stand::new().await;
    let (loopback, other) = (from("127.0.0.1", None), from("203.0.113.7", None));
    assert_eq!(ask(&stand, &loopback, &[]).await, 200, "D27 control: by address");
    assert_eq!(ask(&stand, &other, &[]).await, 403, "D27: another address");
    assert_eq!(
        ask(&stand, &other, &[NEW]).await,
        403,
        "D27: a secret that nobody asks for"
    );

    stand
        .serve(&resources(
            "proxyAuth: {secretRefs: [{name: proxies, key: new}, {name: proxies, key: old}]}",
        ))
        .await;
    for (case, shown, expected) in [
        ("control", &[NEW][..], 200),
        ("control: the one before", &[OLD], 200),
        ("none", &[], 403),
        ("empty", &[""], 403),
        ("another", &["0123456789abcdef0123456789abcdee"], 403),
        ("the beginning", &[&NEW[..31]], 403),
        ("longer", &[&format!("{NEW}0")], 403),
        ("in capitals", &[&NEW.to_uppercase()], 403),
        ("twice", &[NEW, NEW], 403),
        ("a guess before it", &["guess", NEW], 403),
        ("joined", &[&format!("{NEW}, {OLD}")], 403),
    ] {
        for peer in [&loopback, &other] {
            assert_eq!(
                ask(&stand, peer, shown).await,
                expected,
                "D27: {case}, {}",
                peer.address
            );
        }
    }
    stand
        .serve(&resources("proxyAuth: {secretRefs: [{name: proxies, key: new}]}"))
        .await;
    assert_eq!(ask(&stand, &other, &[OLD]).await, 403, "D27: the rotation is over");
    assert_eq!(ask(&stand, &other, &[NEW]).await, 200, "D27 control");
}

#[tokio::test]
async fn d27_a_proxy_has_one_of_the_names_and_shows_the_secret_too_where_both_are_asked_for() {
    let stand = Stand::with(&resources(&format!(
        "proxyAuth: {{tls: {{secretName: tls, clientNames: ['{NAME}', b.test]}}}}"
    )))
    .await;
    for (case, names, expected) in [
        ("control", Some(&[NAME][..]), 200),
        ("control: one of several", Some(&["a.test", "b.test"]), 200),
        ("no certificate", None, 403),
        ("no name", Some(&[]), 403),
        ("another name", Some(&["a.test"]), 403),
        ("a name below it", Some(&["x.b.test"]), 403),
        ("longer", Some(&["spiffe://cluster.local/ns/ingress/sa/envoy2"]), 403),
        ("a wildcard", Some(&["*.test"]), 403),
    ] {
        for address in ["127.0.0.1", "203.0.113.7"] {
            assert_eq!(
                ask(&stand, &from(address, names), &[]).await,
                expected,
                "D27: {case}, {address}"
            );
        }
    }
    let both = format!(
        "proxyAuth: {{secretRefs: [{{name: proxies, key: new}}], tls: {{secretName: tls, clientNames: ['{NAME}']}}}}"
    );
    stand.serve(&resources(&both)).await;
    for (names, shown, expected) in [
        (Some(&[NAME][..]), &[NEW][..], 200),
        (Some(&[NAME]), &[], 403),
        (None, &[NEW], 403),
        (None, &[], 403),
    ] {
        assert_eq!(
            ask(&stand, &from("127.0.0.1", names), shown).await,
            expected,
            "D27: {names:?} {shown:?}"
        );
    }
}

#[tokio::test]
async fn material_that_did_not_change_is_taken_over() {
    let text = resources(&format!(
        "proxyAuth: {{tls: {{secretName: tls, clientNames: ['{NAME}']}}}}"
    ));
    let stand = Stand::with(&text).await;
    let secured = || Arc::clone(stand.app.serving().unwrap().secured.as_ref().unwrap());
    let before = secured();
    stand.serve(&text.replace("paths: [/public]", "paths: [/open]")).await;
    assert!(
        Arc::ptr_eq(&before, &secured()),
        "every change of a policy would end the connections of proxies"
    );
    stand
        .serve(&resources(&format!(
            "proxyAuth: {{tls: {{secretName: tls, clientNames: ['{NAME}']}}}}"
        )))
        .await;
    assert!(!Arc::ptr_eq(&before, &secured()));
}
