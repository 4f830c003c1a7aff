use super::*;
use crate::stand::{RESOURCES, Stand};

/// A provider at this issuer beside the accounts.
fn with_issuer(issuer: &str) -> String {
    format!(
        "{RESOURCES}---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: corporate}}
spec: {{oidc: {{issuer: '{issuer}', clientId: authd, clientSecretRef: {{name: samples, key: password}}}}}}
"
    )
}

fn fails() -> Fares {
    Fares {
        reason: Some(Reason::TimedOut),
        message: "late".to_owned(),
        issuer: None,
    }
}

impl Stand {
    fn told(&self) -> Option<Fares> {
        let told = self.app.health.told(&self.app.serving().unwrap());
        assert_eq!(
            told.keys().collect::<Vec<_>>(),
            ["corporate"],
            "authd keeps accounts itself"
        );
        told["corporate"].clone()
    }

    /// Whether somebody is to be asked now.
    fn due(&self) -> Option<[u8; 32]> {
        let due = self.app.health.due(&self.app.serving().unwrap(), Instant::now());
        due.first().map(|(_, fingerprint)| *fingerprint)
    }
}

#[tokio::test]
async fn what_was_heard_of_other_settings_does_not_count() {
    let stand = Stand::with(&with_issuer("https://one.example.com")).await;
    let health = &stand.app.health;
    assert_eq!(stand.told(), None);
    let first = stand.due().expect("one that is new is asked at once");
    assert_eq!(stand.due(), None, "once");
    health.note("corporate", first, fails(), 0);
    assert_eq!(stand.told(), Some(fails()));

    // Another resource changes: what is known stays.
    stand
        .serve(&with_issuer("https://one.example.com").replace("/public", "/open"))
        .await;
    assert_eq!(stand.told(), Some(fails()));
    assert_eq!(stand.due(), None);

    stand.serve(&with_issuer("https://two.example.com")).await;
    assert_eq!(stand.told(), None);
    let second = stand.due().expect("it is asked anew");
    health.note("corporate", first, fails(), 0);
    assert_eq!(stand.told(), None, "an answer that comes late is of the old settings");
    health.note("corporate", second, Fares::default(), 0);
    assert_eq!(stand.told(), Some(Fares::default()));
}

#[tokio::test]
async fn what_only_sign_ins_find_out_is_told_until_one_finds_otherwise() {
    let stand = Stand::with(&with_issuer("https://one.example.com")).await;
    let health = &stand.app.health;
    let refused = || Heard::NoTokens(Reason::InvalidClient, "its secret is another".to_owned());
    let mut changes = health.changes();
    assert_eq!(stand.told(), None, "it was not asked yet");
    health.heard("corporate", refused());
    assert_eq!(stand.told(), None);
    let fingerprint = stand.due().unwrap();
    health.note("corporate", fingerprint, Fares::default(), 0);
    let told = stand.told().unwrap();
    assert_eq!(
        (told.reason, &*told.message),
        (Some(Reason::InvalidClient), "its secret is another")
    );
    changes.mark_unchanged();
    health.heard("corporate", refused());
    assert!(!changes.has_changed().unwrap(), "no news");
    health.heard("corporate", Heard::Works);
    assert!(changes.has_changed().unwrap());
    assert_eq!(stand.told(), Some(Fares::default()));
    health.heard("nobody", Heard::Fails);
}

#[tokio::test]
async fn a_token_endpoint_that_failed_once_counts_for_a_minute() {
    let stand = Stand::with(&with_issuer("https://one.example.com")).await;
    let health = &stand.app.health;
    assert_eq!(stand.told(), None);
    let fingerprint = stand.due().unwrap();
    health.note("corporate", fingerprint, Fares::default(), 0);
    health.heard(
        "corporate",
        Heard::NoTokens(Reason::ServerError, "status 503".to_owned()),
    );
    assert_eq!(stand.told().unwrap().reason, Some(Reason::ServerError));
    let later = Instant::now() + Duration::from_secs(61);
    let _ = health.due(&stand.app.serving().unwrap(), later);
    assert_eq!(stand.told(), Some(Fares::default()));
}
