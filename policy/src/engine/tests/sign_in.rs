//! Rules that ask for a recent or a strong sign-in.

use super::super::{Context, Decision, Denial, Outcome, SignIn};
use crate::Engine;
use crate::snapshot::WantedSignIn;
use crate::story::{context, engine, target, who, word};

const POLICY: &str = "
kind: AccessPolicy
metadata: {name: app}
spec:
  hosts: [app.example.com]
  rules:
    - {paths: [/admin], allow: {roles: [admin]}, signedInWithin: 15m}
    - {paths: [/both], allow: {roles: [admin]}, signedInWithin: 1m}
    - {paths: [/both], allow: {signedIn: true}, signedInWithin: 1h}
    - {paths: [/forbidden], allow: {signedIn: true}, signedInWithin: 15m}
    - {allow: {signedIn: true}}
  cedar: |
    forbid (principal, action, resource) when { resource.path like \"/forbidden*\" };
";

fn ask(engine: &Engine, name: &str, path: &str, ago: Option<i64>) -> Decision {
    ask_as(engine, name, path, ago.map(|ago| (ago, None)))
}

/// Asked by somebody who signed in so many milliseconds ago, in such a class.
fn ask_as(engine: &Engine, name: &str, path: &str, signed_in: Option<(i64, Option<&str>)>) -> Decision {
    let context = context(None);
    let context = Context {
        signed_in: signed_in.map(|(ago, acr)| SignIn {
            at: context.now - ago,
            acr,
        }),
        ..context
    };
    engine.decide(&who(name), &target(&format!("GET app.example.com{path}")), &context)
}

#[test]
fn b25_whoever_signed_in_too_long_ago_is_told_how_long_would_do() {
    const MINUTE: i64 = 60_000;
    let engine = engine(POLICY);
    for (name, path, ago, expected, within) in [
        ("root", "/admin", Some(0), "permit", None),
        ("root", "/admin", Some(15 * MINUTE), "permit", None),
        ("root", "/admin", Some(15 * MINUTE + 1), "SignedInTooLongAgo", Some(900)),
        // The clock of the replica that signed them in may be ahead.
        ("root", "/admin", Some(-MINUTE), "permit", None),
        ("root", "/admin", None, "NotAllowed", None),
        ("alice", "/admin", Some(0), "NotAllowed", None),
        ("alice", "/admin", Some(60 * MINUTE), "NotAllowed", None),
        ("alice's key", "/admin", None, "NotAllowed", None),
        ("robot", "/both", None, "NotAllowed", None),
        ("pending", "/admin", Some(60 * MINUTE), "Pending", None),
        ("nobody", "/admin", None, "NotAllowed", None),
        ("root", "/both", Some(30 * MINUTE), "permit", None),
        ("root", "/both", Some(61 * MINUTE), "SignedInTooLongAgo", Some(3600)),
        ("alice", "/both", Some(61 * MINUTE), "SignedInTooLongAgo", Some(3600)),
        ("root", "/forbidden", Some(60 * MINUTE), "Forbidden", None),
        ("root", "/else", Some(600 * MINUTE), "permit", None),
    ] {
        let decision = ask(&engine, name, path, ago);
        let case = format!("B25: {name} on {path}, {ago:?} ms ago");
        assert_eq!(
            (
                word(&decision),
                decision.sign_in_again.and_then(|wanted| wanted.signed_in_within)
            ),
            (expected, within),
            "{case}"
        );
    }
}

#[test]
fn b25_what_is_remembered_ends_with_the_time() {
    let engine = engine(POLICY);
    let target = target("GET app.example.com/admin");
    let slice = engine.slice(&target);
    let key = |ago: i64| {
        let context = context(None);
        let context = Context {
            signed_in: Some(SignIn {
                at: context.now - ago,
                acr: None,
            }),
            ..context
        };
        slice
            .key(&who("root"), &target, &context)
            .expect("nothing reads the time")
    };
    assert_eq!(key(0), key(900_000), "B25: one answer for a quarter of an hour");
    assert_ne!(key(0), key(900_001), "B25");
}

#[test]
fn b25_a_policy_in_shadow_mode_says_what_it_would_ask_for() {
    let engine = engine(&POLICY.replace("spec:\n", "spec:\n  mode: Shadow\n"));
    let decision = ask(&engine, "root", "/admin", Some(1_000_000_000));
    let shadow = Some(Denial::SignedInTooLongAgo);
    assert_eq!((decision.outcome, decision.shadow), (Outcome::Permit, shadow));
}

#[test]
fn hand_written_policies_read_when_somebody_signed_in() {
    let engine = engine(
        "
kind: AccessPolicy
metadata: {name: app}
spec:
  hosts: [app.example.com]
  cedar: |
    permit (principal, action, resource)
    when { context has signedInAt && context.now.durationSince(context.signedInAt) < duration(\"5m\") };
",
    );
    for (ago, expected) in [(Some(0), "permit"), (Some(300_000), "NoRule"), (None, "NoRule")] {
        assert_eq!(word(&ask(&engine, "alice", "/", ago)), expected, "{ago:?}");
    }
}

const CLASSES: &str = "
kind: AccessPolicy
metadata: {name: app}
spec:
  hosts: [app.example.com]
  rules:
    - {paths: [/gold], allow: {signedIn: true}, acr: [gold, platinum]}
    - {paths: [/gold-lately], allow: {signedIn: true}, acr: [gold], signedInWithin: 15m}
    - {paths: [/either], allow: {roles: [admin]}, acr: [platinum]}
    - {paths: [/either], allow: {signedIn: true}, acr: [gold]}
    - {paths: [/either-way], allow: {signedIn: true}, acr: [gold]}
    - {paths: [/either-way], allow: {signedIn: true}, signedInWithin: 15m}
";

#[test]
fn b25_whoever_signed_in_too_weakly_is_told_what_would_do() {
    const HOUR: i64 = 3_600_000;
    let engine = engine(CLASSES);
    let wanted = |within: Option<u64>, acr: &[&str]| WantedSignIn {
        signed_in_within: within,
        acr: acr.iter().map(|&class| class.to_owned()).collect(),
    };
    let both = wanted(None, &["gold", "platinum"]);
    let lately = wanted(Some(900), &["gold"]);
    for (name, path, sign_in, expected, again) in [
        ("alice", "/gold", Some((HOUR, Some("gold"))), "permit", None),
        ("alice", "/gold", Some((HOUR, Some("platinum"))), "permit", None),
        (
            "alice",
            "/gold",
            Some((0, Some("Gold"))),
            "SignedInTooWeakly",
            Some(&both),
        ),
        ("alice", "/gold", Some((0, Some(""))), "SignedInTooWeakly", Some(&both)),
        ("alice", "/gold", Some((0, None)), "SignedInTooWeakly", Some(&both)),
        ("alice", "/gold", None, "NotAllowed", None),
        ("alice's key", "/gold", None, "NotAllowed", None),
        ("robot", "/gold", None, "NotAllowed", None),
        ("pending", "/gold", Some((0, None)), "Pending", None),
        ("alice", "/gold-lately", Some((0, Some("gold"))), "permit", None),
        (
            "alice",
            "/gold-lately",
            Some((HOUR, Some("gold"))),
            "SignedInTooLongAgo",
            Some(&lately),
        ),
        (
            "alice",
            "/gold-lately",
            Some((0, Some("silver"))),
            "SignedInTooWeakly",
            Some(&lately),
        ),
        (
            "alice",
            "/gold-lately",
            Some((HOUR, None)),
            "SignedInTooWeakly",
            Some(&lately),
        ),
        (
            "root",
            "/either",
            Some((HOUR, None)),
            "SignedInTooWeakly",
            Some(&wanted(None, &["platinum"])),
        ),
        (
            "alice",
            "/either",
            Some((HOUR, None)),
            "SignedInTooWeakly",
            Some(&wanted(None, &["gold"])),
        ),
        (
            "alice",
            "/either-way",
            Some((HOUR, None)),
            "SignedInTooLongAgo",
            Some(&wanted(Some(900), &[])),
        ),
        ("alice", "/either-way", Some((HOUR, Some("gold"))), "permit", None),
    ] {
        let decision = ask_as(&engine, name, path, sign_in);
        let case = format!("B25: {name} on {path}, {sign_in:?}");
        assert_eq!(
            (word(&decision), decision.sign_in_again.as_ref()),
            (expected, again),
            "{case}"
        );
    }
}

#[test]
fn b25_what_is_remembered_is_of_one_class() {
    let engine = engine(CLASSES);
    let target = target("GET app.example.com/gold");
    let slice = engine.slice(&target);
    let key = |acr: Option<&str>| {
        let context = context(None);
        let context = Context {
            signed_in: Some(SignIn { at: context.now, acr }),
            ..context
        };
        slice
            .key(&who("alice"), &target, &context)
            .expect("nothing reads the time")
    };
    assert_eq!(key(Some("gold")), key(Some("platinum")), "B25: both will do");
    assert_ne!(key(Some("gold")), key(Some("silver")), "B25");
    assert_ne!(key(Some("gold")), key(None), "B25");
}

#[test]
fn hand_written_policies_read_in_which_class_somebody_signed_in() {
    let engine = engine(
        "
kind: AccessPolicy
metadata: {name: app}
spec:
  hosts: [app.example.com]
  cedar: permit (principal, action, resource) when { context has acr && context.acr == \"gold\" };
",
    );
    for (acr, expected) in [(Some("gold"), "permit"), (Some("silver"), "NoRule"), (None, "NoRule")] {
        assert_eq!(
            word(&ask_as(&engine, "alice", "/", Some((0, acr)))),
            expected,
            "{acr:?}"
        );
    }
}
