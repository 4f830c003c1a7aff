//! Rules that ask for a recent sign-in.

use super::super::{Context, Decision, Denial, Outcome};
use crate::Engine;
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
    let context = context(None);
    let context = Context {
        signed_in_at: ago.map(|milliseconds| context.now - milliseconds),
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
            (word(&decision), decision.signed_in_within),
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
            signed_in_at: Some(context.now - ago),
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
