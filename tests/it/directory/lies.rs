//! A server that answers what it should not, or not at all. Each story has its control: the same server, telling the truth.

use std::sync::Arc;
use std::time::Instant;

use authd::login::directory::Directory;
use policy::directory::Bind;
use tests::ldap::Liar;
use tests::ldap::liar::{BIND, EXTENDED, Question, SEARCH, Say, element, entry, extended, message, result};

use super::{PATIENCE, attempt, liar, reason};

/// The name of the one entry.
const ANN: &str = "uid=ann,ou=people,dc=example,dc=test";

/// What is said instead of the truth.
type Lie = Box<dyn Fn(&Question) -> Say + Send + Sync>;

/// The truth about one person, whose password is `right`.
fn truth(question: &Question) -> Say {
    let is_ann = contains(question, b"ann");
    Say::This(match question.kind {
        BIND if is_ann && !contains(question, b"right") => result(question, 49),
        BIND | 0x42 => result(question, 0),
        SEARCH if is_ann => [
            entry(question, ANN, &[("entryUUID", "id-of-ann"), ("uid", "ann")]),
            result(question, 0),
        ]
        .concat(),
        SEARCH => result(question, 0),
        EXTENDED => extended(question, &format!("dn:{ANN}")),
        _ => result(question, 2),
    })
}

fn contains(question: &Question, text: &[u8]) -> bool {
    question.bytes.windows(text.len()).any(|window| window == text)
}

/// A directory that tells the truth but for what `lie` says.
async fn lying(lie: impl Fn(&Question) -> Option<Say> + Send + Sync + 'static) -> (Liar, Directory) {
    let server = Liar::start(move |question| lie(question).unwrap_or_else(|| truth(question))).await;
    let directory = Directory::new(&liar(&server.url));
    (server, directory)
}

#[tokio::test]
async fn g01_g02_an_empty_password_is_sent_nowhere() {
    let (server, directory) = lying(|_| None).await;
    let long = "a".repeat(1025);
    for (password, expected) in [
        ("", "EmptyPassword"),
        ("\0", "Unusable"),
        ("\0right", "Unusable"),
        ("right\0", "Unusable"),
        (&long, "Unusable"),
    ] {
        assert_eq!(reason(&directory, "ann", password).await, expected, "{password:?}");
    }
    assert_eq!(server.asked(), 0);
    // Spaces are a password like any other.
    assert_eq!(reason(&directory, "ann", "   ").await, "UserBindRefused");
    assert_eq!(reason(&directory, "ann", "right").await, "vouched for");
    assert!(server.asked() > 4, "{}", server.asked());
}

#[tokio::test]
async fn f02_g06_whatever_is_wrong_with_somebody_is_as_much_work_as_a_wrong_password() {
    let others = |question: &Question| {
        let is = |kind, name: &[u8]| question.kind == kind && contains(question, name);
        let found = |dn: &str| {
            let attributes = [
                ("entryUUID", "x"),
                ("uid", "x"),
                ("pwdAccountLockedTime", "000001010000Z"),
            ];
            entry(question, dn, &attributes)
        };
        let said = if is(SEARCH, b"cal") {
            [found("uid=cal"), result(question, 0)].concat()
        } else if is(SEARCH, b"twins") {
            [found("uid=twin1"), found("uid=twin2"), result(question, 0)].concat()
        } else if is(SEARCH, b"many") {
            [found("uid=many1"), result(question, 4)].concat()
        } else if is(BIND, b"cal") {
            result(question, 49)
        } else {
            return None;
        };
        Some(Say::This(said))
    };
    let (server, directory) = lying(others).await;
    // The first of all connects.
    assert_eq!(reason(&directory, "ann", "wrong").await, "UserBindRefused");
    let mut work = Vec::new();
    for (name, expected) in [
        ("ann", "UserBindRefused"),
        ("bob", "UnknownUser"),
        ("cal", "AccountLocked"),
        ("twins", "AmbiguousUser"),
        ("many", "AmbiguousUser"),
    ] {
        let begun = server.asked();
        assert_eq!(reason(&directory, name, "wrong").await, expected, "{name}");
        work.push(server.asked() - begun);
    }
    assert_eq!(work, [3; 5], "a search, a bind as them or nobody, a bind as ours");
}

#[tokio::test]
async fn g07_nobody_is_sent_elsewhere() {
    let elsewhere = Arc::new(Liar::start(truth).await);
    let url = elsewhere.url.clone();
    for kind in [BIND, SEARCH] {
        let url = url.clone();
        let (_server, directory) = lying(move |question| {
            let tag = if kind == BIND { 0x61 } else { 0x65 };
            let referral = element(0xa3, &element(0x04, url.as_bytes()));
            let outcome = [element(0x0a, &[10]), element(0x04, b""), element(0x04, b""), referral].concat();
            let is_it = question.kind == kind && contains(question, b"ann");
            is_it.then(|| Say::This(message(question, &element(tag, &outcome))))
        })
        .await;
        let expected = if kind == BIND {
            "UserBindRefused"
        } else {
            "SearchRefused"
        };
        assert_eq!(reason(&directory, "ann", "right").await, expected);
    }
    // References among the entries of a search are passed over.
    let (_server, directory) = lying(move |question| {
        let reference = message(question, &element(0x73, &element(0x04, url.as_bytes())));
        match truth(question) {
            Say::This(bytes) if question.kind == SEARCH => Some(Say::This([reference, bytes].concat())),
            _ => None,
        }
    })
    .await;
    assert_eq!(reason(&directory, "ann", "right").await, "vouched for");
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn g11_a_success_that_names_nobody_vouches_for_nobody() {
    let everybody = |question: &Question| (question.kind == BIND).then(|| Say::This(result(question, 0)));
    for (said, expected) in [
        (Some(format!("dn:{ANN}")), "vouched for"),
        (
            Some("dn:UID=Ann, ou=People,dc=example,dc=test".to_owned()),
            "vouched for",
        ),
        (Some(String::new()), "IdentityUnproven"),
        (Some("dn:".to_owned()), "IdentityUnproven"),
        (Some("u:".to_owned()), "IdentityUnproven"),
        (
            Some("dn:uid=bob,ou=people,dc=example,dc=test".to_owned()),
            "IdentityUnproven",
        ),
        // It knows no such question, and everybody may see the entry: that proves nothing.
        (None, "IdentityUnproven"),
        (Some("u:EXAMPLE\\ann".to_owned()), "IdentityUnproven"),
    ] {
        let told = said.clone();
        let (_server, directory) = lying(move |question| match question.kind {
            EXTENDED => Some(Say::This(match &told {
                Some(identity) => extended(question, identity),
                None => result(question, 2),
            })),
            _ => everybody(question),
        })
        .await;
        assert_eq!(reason(&directory, "ann", "anything").await, expected, "{said:?}");
    }
}

#[tokio::test]
async fn g14_nonsense_is_given_up_in_time_and_without_harm() {
    let nested = (0..100_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        if inner.len() > 300_000 {
            inner
        } else {
            element(0x30, &inner)
        }
    });
    let endless = |question: &Question| entry(question, ANN, &[("entryUUID", "x")]);
    let cases: Vec<(&str, Lie, &str)> = vec![
        ("the truth", Box::new(truth), "vouched for"),
        ("nothing", Box::new(|_| Say::Nothing), "TimedOut"),
        (
            "a byte a second",
            Box::new(|question| Say::Slowly(result(question, 0))),
            "TimedOut",
        ),
        (
            "a length of 2^31",
            Box::new(|_| Say::This(b"\x30\x84\x80\x00\x00\x00".to_vec())),
            "Nonsense",
        ),
        (
            "no end",
            Box::new(|_| Say::This(b"\x30\x80\x02\x01".to_vec())),
            "Nonsense",
        ),
        (
            "HTTP",
            Box::new(|_| Say::This(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
            "Nonsense",
        ),
        ("deep", Box::new(move |_| Say::This(nested.clone())), "Nonsense"),
        (
            "endless entries",
            Box::new(move |question| Say::ForEver(endless(question))),
            "Nonsense",
        ),
        ("endless bytes", Box::new(|_| Say::ForEver(vec![0; 4096])), "Nonsense"),
        (
            "another's answer",
            Box::new(|question| {
                let mut other = question.clone();
                other.id = 99;
                Say::This(result(&other, 0))
            }),
            "Nonsense",
        ),
    ];
    for (name, lie, expected) in cases {
        let (_server, directory) = lying(move |question| (question.kind == SEARCH).then(|| lie(question))).await;
        let begun = Instant::now();
        assert_eq!(reason(&directory, "ann", "right").await, expected, "{name}");
        assert!(begun.elapsed() < PATIENCE, "{name}");
    }
}

#[tokio::test]
async fn g14_a_server_that_never_answers_a_bind_is_unreachable() {
    let (_server, directory) = lying(|_| Some(Say::Nothing)).await;
    assert_eq!(reason(&directory, "ann", "right").await, "ServerUnreachable");
}

#[tokio::test]
async fn who_would_have_to_wait_too_long_is_refused_at_once() {
    let (_server, directory) = lying(|question| (question.kind == SEARCH).then_some(Say::Nothing)).await;
    let directory = Arc::new(directory);
    let attempts = (0..200).map(|_| {
        let directory = Arc::clone(&directory);
        async move { reason(&directory, "ann", "right").await }
    });
    let reasons = futures::future::join_all(attempts).await;
    let busy = reasons.iter().filter(|reason| **reason == "Busy").count();
    // Two connections, and 32 who wait for each.
    assert_eq!(busy, 200 - 2 * 33, "{reasons:?}");
    assert!(
        reasons.iter().all(|reason| ["Busy", "TimedOut"].contains(reason)),
        "{reasons:?}"
    );
}

#[tokio::test]
async fn with_an_anonymous_search_the_password_is_checked_all_the_same() {
    let server = Liar::start(truth).await;
    let mut settings = liar(&server.url);
    settings.bind = Bind::Anonymous;
    let directory = Directory::new(&settings);
    assert_eq!(reason(&directory, "ann", "wrong").await, "UserBindRefused");
    let ann = attempt(&directory, "ann", "right").await.expect("she is known");
    assert_eq!(ann.subject, "id-of-ann");
}
