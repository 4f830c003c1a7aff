//! Whose certificate is believed of a provider. Row J11, with the real provider behind TLS.

use serde_json::{Value, json};
use tests::http::get;
use tests::ldap::{Authority, Certificate};
use tests::openid::OpenId;
use tests::wait;

use super::trial::{PUBLIC, attempt, kept_out, provider, window, world};

async fn showing(certificate: &Certificate) -> OpenId {
    let tls = json!({"tls": {"cert": certificate.chain, "key": certificate.key}});
    OpenId::with("Secure", &[], &tls).await
}

/// A Secret with these authorities.
fn authorities(name: &str, authority: &Authority) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "demo"},
        "stringData": {"ca.crt": authority.pem()},
    });
    format!("---\n{secret}\n")
}

#[tokio::test]
async fn j11_a_certificate_is_believed_for_its_name_and_time_and_an_authority_by_its_own_provider_alone() {
    let (ours, another) = (Authority::new(), Authority::new());
    let (good, elsewhere, expired) = (ours.server(&["localhost"]), ours.of_another_host(), ours.expired());
    let (good, elsewhere, expired) = tokio::join!(showing(&good), showing(&elsewhere), showing(&expired));
    let rows = [
        ("control", &good, "ours", None),
        ("chain", &good, "another", Some("CertificateInvalid")),
        ("no-authority", &good, "", Some("CertificateInvalid")),
        ("name", &elsewhere, "ours", Some("CertificateInvalid")),
        ("time", &expired, "ours", Some("CertificateInvalid")),
    ];
    let providers: String = rows
        .iter()
        .map(|(name, server, authority, _)| {
            let trusted = format!("[127.0.0.0/8], caSecretRef: {{name: {authority}, key: ca.crt}}}}");
            let declared = provider(name, &server.issuer, "");
            if authority.is_empty() {
                declared
            } else {
                declared.replace("[127.0.0.0/8]}", &trusted)
            }
        })
        .collect();
    let authorities = authorities("ours", &ours) + &authorities("another", &another);
    let world = world(&format!("{providers}{authorities}")).await;
    let reason = |listed: &Value, name: &str| listed[name].as_object().map(|fares| fares.get("reason").cloned());
    wait::until("every provider was asked", || async {
        let listed = get(format!("{}/providers", world.authd.admin)).send().await.json();
        let is_right = |(name, _, _, expected): &(&str, &OpenId, &str, Option<&str>)| {
            reason(&listed, name) == Some(expected.map(|expected| json!(expected)))
        };
        if rows.iter().all(is_right) {
            Ok(())
        } else {
            Err(listed.to_string())
        }
    })
    .await;
    for (name, _, _, expected) in &rows {
        if expected.is_some() {
            kept_out(&format!("J11 {name}"), &attempt(&world, name).await);
        }
    }
    let sent_on = window(&world).open(&format!("{PUBLIC}/oauth/control/login")).await;
    assert!(
        sent_on.header("location").starts_with(&good.issuer),
        "J11 control: {sent_on:?}"
    );
}
