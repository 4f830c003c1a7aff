//! Every page once, as the tests and whoever wants to look at them need it.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use super::*;

pub(super) fn site() -> Site {
    Site {
        name: "Example Platform".to_owned(),
    }
}

pub(super) fn origins() -> Vec<url::Origin> {
    vec![
        url::Url::parse("https://grafana.example.com/d/1")
            .unwrap()
            .origin(),
    ]
}

const PROVIDERS: [Provider<'_>; 2] = [
    Provider {
        name: "corporate",
        title: "Corporate SSO",
    },
    Provider {
        name: "git hub",
        title: "GitHub",
    },
];

pub(super) fn sign_in<'a>(site: &'a Site, origins: &'a [url::Origin]) -> SignIn<'a> {
    SignIn {
        site,
        password: Some(PasswordForm {
            csrf: "csrf-token",
            email: "",
        }),
        providers: &PROVIDERS,
        return_to: Some("https://grafana.example.com/d/1?a=1&b=2"),
        refusal: None,
        form_origins: origins,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn sessions() -> Vec<SessionRow<'static>> {
    let row = |id, user_agent, address, seen: &str, place| SessionRow {
        id: Uuid::from_u128(id),
        user_agent,
        address,
        since: at("2026-03-02T08:15:00Z"),
        seen: at(seen),
        place,
    };
    vec![
        row(
            1,
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            Some("198.51.100.7"),
            "2026-03-05T10:42:00Z",
            Place::Here,
        ),
        row(
            2,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            Some("2001:db8:85a3::8a2e:370:7334"),
            "2026-03-04T19:03:00Z",
            Place::Elsewhere,
        ),
        row(
            3,
            "curl/8.5.0",
            None,
            "2026-03-03T06:00:00Z",
            Place::Elsewhere,
        ),
    ]
}

fn keys() -> Vec<KeyRow<'static>> {
    vec![
        KeyRow {
            id: Uuid::from_u128(11),
            name: "Nightly report",
            prefix: "sk-1a2b",
            created: at("2026-01-10T09:00:00Z"),
            expires: Some(at("2026-04-10T09:00:00Z")),
            used: Some(at("2026-03-05T02:00:00Z")),
        },
        KeyRow {
            id: Uuid::from_u128(12),
            name: "Laptop",
            prefix: "sk-9f0e",
            created: at("2025-12-01T09:00:00Z"),
            expires: None,
            used: None,
        },
    ]
}

/// The pages by name.
pub(super) fn pages() -> Vec<(&'static str, Response)> {
    let (site, origins) = (site(), origins());
    let (sessions, keys) = (sessions(), keys());
    let key = SecretString::from("sk-0123456789abcdef0123456789abcdef");
    let form = |email| {
        Some(PasswordForm {
            csrf: "csrf-token",
            email,
        })
    };
    let account = || Account {
        site: &site,
        name: "Alice Example",
        email: "alice@example.com",
        role: "user",
        sessions: &sessions,
        keys: &keys,
        fresh_key: None,
        password: Some(PasswordRules { min_length: 12 }),
        notice: None,
        refused: None,
        csrf: "csrf-token",
        sign_out_csrf: "csrf-token",
        form_origins: &[],
    };
    let refused = |refusal, email| SignIn {
        refusal: Some(refusal),
        password: form(email),
        ..sign_in(&site, &origins)
    };
    vec![
        ("sign_in", sign_in(&site, &origins).respond()),
        (
            "sign_in_alone",
            SignIn {
                providers: &[],
                return_to: None,
                ..sign_in(&site, &[])
            }
            .respond(),
        ),
        (
            "sign_in_elsewhere",
            SignIn {
                password: None,
                ..sign_in(&site, &[])
            }
            .respond(),
        ),
        (
            "sign_in_nowhere",
            SignIn {
                password: None,
                providers: &[],
                ..sign_in(&site, &[])
            }
            .respond(),
        ),
        (
            "sign_in_wrong",
            refused(Refusal::Credentials, "alice@example.com").respond(),
        ),
        (
            "sign_in_wait",
            refused(Refusal::TooMany { retry_after: 140 }, "alice@example.com").respond(),
        ),
        ("sign_in_stale", refused(Refusal::StaleForm, "").respond()),
        ("sign_in_provider", refused(Refusal::Provider, "").respond()),
        (
            "sign_in_unavailable",
            refused(Refusal::Unavailable, "").respond(),
        ),
        ("signed_out", SignedOut { site: &site }.respond()),
        ("denied", denied(&site, &origins).respond()),
        (
            "pending",
            pending(&site, Some("platform-team@example.com")).respond(),
        ),
        ("pending_alone", pending(&site, None).respond()),
        (
            "error",
            Error {
                site: &site,
                status: StatusCode::INTERNAL_SERVER_ERROR,
                reference: "0198f2c4-7d1e-7a61-9a57-2f6d1c0b9e44",
            }
            .respond(),
        ),
        ("not_found", NotFound { site: &site }.respond()),
        ("account", account().respond()),
        (
            "account_fresh_key",
            Account {
                fresh_key: Some(FreshKey {
                    name: "Deploys",
                    key: &key,
                }),
                ..account()
            }
            .respond(),
        ),
        (
            "account_changed",
            Account {
                notice: Some(Notice::PasswordChanged),
                sessions: &sessions[..1],
                keys: &[],
                ..account()
            }
            .respond(),
        ),
        (
            "account_refused",
            Account {
                refused: Some(Refused {
                    form: Form::Password,
                    text: "The current password is not right.",
                }),
                ..account()
            }
            .respond(),
        ),
        (
            "account_key_refused",
            Account {
                refused: Some(Refused {
                    form: Form::Keys,
                    text: "You already have a key with that name.",
                }),
                ..account()
            }
            .respond(),
        ),
    ]
}

fn denied<'a>(site: &'a Site, origins: &'a [url::Origin]) -> Denied<'a> {
    Denied {
        site,
        email: "alice@example.com",
        host: "billing.apps.example.com",
        csrf: "csrf-token",
        return_to: Some("https://billing.apps.example.com/"),
        form_origins: origins,
    }
}

fn pending<'a>(site: &'a Site, contact: Option<&'a str>) -> Pending<'a> {
    Pending {
        site,
        email: "alice@example.com",
        contact,
        csrf: "csrf-token",
        form_origins: &[],
    }
}
