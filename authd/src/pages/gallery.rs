//! Every page once, as the tests and whoever wants to look at them need it.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use super::*;
use crate::login::again::Again;

pub(super) fn site() -> Site {
    Site {
        name: "Example Platform".to_owned(),
    }
}

pub(super) fn origins() -> Vec<url::Origin> {
    vec![url::Url::parse("https://grafana.example.com/d/1").unwrap().origin()]
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
            names: Names::Email,
            choices: &[],
        }),
        providers: &PROVIDERS,
        return_to: Some("https://grafana.example.com/d/1?a=1&b=2"),
        again: None,
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
        row(3, "curl/8.5.0", None, "2026-03-03T06:00:00Z", Place::Elsewhere),
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
    [sign_ins(), notices(), accounts()].into_iter().flatten().collect()
}

#[expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, and a table is as long as its rows"
)]
fn sign_ins() -> Vec<(&'static str, Response)> {
    let (site, origins) = (site(), origins());
    let refused = |refusal, email| {
        let password = Some(PasswordForm {
            csrf: "csrf-token",
            email,
            names: Names::Email,
            choices: &[],
        });
        SignIn {
            refusal: Some(refusal),
            password,
            ..sign_in(&site, &origins)
        }
        .respond()
    };
    let alone = SignIn {
        providers: &[],
        return_to: None,
        ..sign_in(&site, &[])
    };
    let elsewhere = SignIn {
        password: None,
        ..sign_in(&site, &[])
    };
    let nowhere = SignIn {
        password: None,
        providers: &[],
        ..sign_in(&site, &[])
    };
    let (lately, strongly) = (
        Again::default(),
        Again {
            acr: vec!["phr".to_owned()],
        },
    );
    let again = SignIn {
        again: Some(&lately),
        ..sign_in(&site, &origins)
    };
    let stronger = SignIn {
        again: Some(&strongly),
        password: None,
        ..sign_in(&site, &origins)
    };
    let choices = ["accounts", "corporate"].map(|name| Choice {
        name,
        title: name,
        is_chosen: name == "corporate",
    });
    let directories = SignIn {
        refusal: Some(Refusal::Directory),
        password: Some(PasswordForm {
            csrf: "csrf-token",
            email: "alice",
            names: Names::Either,
            choices: &choices,
        }),
        ..sign_in(&site, &[])
    };
    let wait = Refusal::TooMany { retry_after: 140 };
    vec![
        ("sign_in", sign_in(&site, &origins).respond()),
        ("sign_in_again", again.respond()),
        ("sign_in_stronger", stronger.respond()),
        ("sign_in_alone", alone.respond()),
        ("sign_in_elsewhere", elsewhere.respond()),
        ("sign_in_nowhere", nowhere.respond()),
        ("sign_in_wrong", refused(Refusal::Credentials, "alice@example.com")),
        ("sign_in_directories", directories.respond()),
        ("sign_in_wait", refused(wait, "alice@example.com")),
        ("sign_in_stale", refused(Refusal::StaleForm, "")),
        ("sign_in_provider", refused(Refusal::Provider, "")),
        ("sign_in_unavailable", refused(Refusal::Unavailable, "")),
    ]
}

fn notices() -> Vec<(&'static str, Response)> {
    let (site, origins) = (site(), origins());
    let reference = "0198f2c4-7d1e-7a61-9a57-2f6d1c0b9e44";
    let error = Error {
        site: &site,
        status: StatusCode::INTERNAL_SERVER_ERROR,
        reference,
    };
    vec![
        ("signed_out", signed_out(&site, None).respond()),
        (
            "signed_out_elsewhere",
            signed_out(&site, Some("https://idp.example.com/end")).respond(),
        ),
        ("denied", denied(&site, &origins).respond()),
        ("pending", pending(&site, Some("platform-team@example.com")).respond()),
        ("pending_alone", pending(&site, None).respond()),
        ("error", error.respond()),
        ("not_found", NotFound { site: &site }.respond()),
    ]
}

fn accounts() -> Vec<(&'static str, Response)> {
    let site = site();
    let (sessions, keys) = (sessions(), keys());
    let secret = SecretString::from("sk-0123456789abcdef0123456789abcdef");
    let account = || account(&site, &sessions, &keys);
    let refused = |form, text| {
        Account {
            refused: Some(Refused { form, text }),
            ..account()
        }
        .respond()
    };
    let fresh = Account {
        fresh_key: Some(FreshKey {
            name: "Deploys",
            key: &secret,
        }),
        ..account()
    };
    let changed = Account {
        notice: Some(Notice::PasswordChanged),
        sessions: &sessions[..1],
        keys: &[],
        ..account()
    };
    vec![
        ("account", account().respond()),
        ("account_fresh_key", fresh.respond()),
        ("account_changed", changed.respond()),
        (
            "account_refused",
            refused(Form::Password, "The current password is not right."),
        ),
        (
            "account_key_refused",
            refused(Form::Keys, "You already have a key with that name."),
        ),
        (
            "account_session_refused",
            refused(Form::Sessions, "That session is over already."),
        ),
    ]
}

/// One way to sign in that is linked, and one that is not.
const WAYS: [WayRow<'static>; 2] = [
    WayRow {
        name: "corporate",
        title: "Corporate SSO",
        link: Link::Linked,
    },
    WayRow {
        name: "github",
        title: "GitHub",
        link: Link::Possible,
    },
];

fn account<'a>(site: &'a Site, sessions: &'a [SessionRow<'a>], keys: &'a [KeyRow<'a>]) -> Account<'a> {
    Account {
        site,
        name: "Alice Example",
        email: "alice@example.com",
        role: "user",
        sessions,
        keys,
        fresh_key: None,
        ways: &WAYS,
        password: Some(PasswordRules { min_length: 15 }),
        notice: None,
        refused: None,
        csrf: "csrf-token",
        sign_out_csrf: "csrf-token",
        form_origins: &[],
    }
}

fn signed_out<'a>(site: &'a Site, elsewhere: Option<&'a str>) -> SignedOut<'a> {
    SignedOut { site, elsewhere }
}

fn denied<'a>(site: &'a Site, origins: &'a [url::Origin]) -> Denied<'a> {
    Denied {
        site,
        email: "alice@example.com",
        host: Some("billing.apps.example.com"),
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
