//! Policies written by hand, and those in Shadow mode.

use super::*;

#[test]
fn a_hand_written_forbid_wins_over_every_rule() {
    let engine = with_cedar(
        "Enforce",
        "forbid (principal, action, resource) when { resource.path like \"*/secret\" };
         permit (principal, action, resource) when { resource.path == \"/cedar\" };
         forbid (principal is User, action, resource) when { principal.email == \"bob@example.com\" };",
    );
    assert!(
        engine.pieces[0].access.iter().all(|ready| ready.access.broken),
        "an e-mail address may be absent"
    );
    let engine = with_cedar(
        "Enforce",
        "forbid (principal, action, resource) when { resource.path like \"*/secret\" };
         permit (principal, action, resource) when { resource.path == \"/cedar\" };
         forbid (principal is User, action, resource) when { principal has email && principal.email == \"bob@example.com\" };",
    );
    for (row, who, to, answer, rules) in [
        (
            "K11 control",
            "alice",
            "GET app.example.com/open",
            "permit",
            &["rules[0]"][..],
        ),
        (
            "K11",
            "alice",
            "GET app.example.com/open/secret",
            "Forbidden",
            &["cedar[0]"],
        ),
        (
            "K11",
            "nobody",
            "GET app.example.com/open/secret",
            "Forbidden",
            &["cedar[0]"],
        ),
        ("K11", "bob", "GET app.example.com/open", "Forbidden", &["cedar[2]"]),
        (
            "K11",
            "bob",
            "GET app.example.com/open/secret",
            "Forbidden",
            &["cedar[0]", "cedar[2]"],
        ),
        (
            "permits add up",
            "nobody",
            "GET app.example.com/cedar",
            "permit",
            &["cedar[1]"],
        ),
        ("pending", "pending", "GET app.example.com/cedar", "Pending", &[]),
        ("K11 no policy", "nobody", "GET app.example.com/else", "NoRule", &[]),
    ] {
        check(&engine, row, (who, to), (answer, rules));
    }
}

#[test]
fn hand_written_policies_hold_for_their_own_hosts_only() {
    let engine = engine(
        "
kind: AccessPolicy
metadata: {name: a}
spec: {hosts: [a.example.com], cedar: 'permit (principal, action, resource); forbid (principal, action, resource) when { false };'}
---
kind: AccessPolicy
metadata: {name: b}
spec: {hosts: [b.example.com], cedar: 'forbid (principal, action, resource);', rules: [{allow: {anyone: true}}]}
---
kind: AccessPolicy
metadata: {name: c}
spec: {hosts: [c.example.com], rules: [{allow: {roles: [admin]}}]}
",
    );
    check(
        &engine,
        "control",
        ("nobody", "GET a.example.com/"),
        ("permit", &["cedar[0]"]),
    );
    check(
        &engine,
        "b",
        ("root", "GET b.example.com/"),
        ("Forbidden", &["cedar[0]"]),
    );
    check(&engine, "c", ("nobody", "GET c.example.com/"), ("NotAllowed", &[]));
}

#[test]
fn what_cannot_be_evaluated_is_a_refusal() {
    let engine = with_cedar(
        "Enforce",
        "forbid (principal, action, resource) when { context.clientIp.isInRange(ip(\"192.0.2.0/24\")) };",
    );
    let shadow = with_cedar(
        "Shadow",
        "forbid (principal, action, resource) when { context.clientIp.isInRange(ip(\"192.0.2.0/24\")) };",
    );
    for (row, ip, answer, rule) in [
        ("K10 control", Some("198.51.100.7"), "permit", "spec.rules[0]"),
        ("K10 control", Some("192.0.2.1"), "Forbidden", "spec.cedar[0]"),
        (
            "K10 IPv4 in IPv6",
            Some("::ffff:192.0.2.1"),
            "Forbidden",
            "spec.cedar[0]",
        ),
        ("K10", None, "EvaluationError", "spec.cedar[0]"),
    ] {
        let decision = engine.decide(&who("alice"), &target("GET app.example.com/open"), &context(ip));
        assert_eq!(word(&decision), answer, "{row}: {decision:?}");
        let decided: Vec<&str> = decision.determining.iter().map(|one| one.rule.as_str()).collect();
        assert_eq!(decided, [rule], "{row}");
    }
    let decision = engine.decide(&who("alice"), &target("GET app.example.com/open"), &context(None));
    assert_eq!(
        decision.errors,
        ["spec.cedar[0] of AccessPolicy/auth/app: record does not have the attribute `clientIp`"]
    );
    let decision = shadow.decide(&who("alice"), &target("GET app.example.com/open"), &context(None));
    assert_eq!(
        (word(&decision), decision.shadow),
        ("permit", Some(Denial::EvaluationError))
    );
}

#[test]
fn a_policy_reads_the_time_and_is_then_never_remembered() {
    let engine = with_cedar(
        "Enforce",
        "forbid (principal, action, resource) when { context.now > datetime(\"2026-06-01T12:00:00Z\") };",
    );
    let to = target("GET app.example.com/open");
    let mut context = context(None);
    assert_eq!(word(&engine.decide(&who("alice"), &to, &context)), "permit", "control");
    context.now += 1;
    assert_eq!(word(&engine.decide(&who("alice"), &to, &context)), "Forbidden");
    assert_eq!(engine.slice(&to).key(&who("alice"), &to, &context), None);
}

#[test]
fn shadow_lets_through_and_records() {
    let shadow = engine(
        "
kind: AccessPolicy
metadata: {name: app}
spec: {mode: Shadow, hosts: [app.example.com], rules: [{paths: [/a], allow: {roles: [admin]}}]}
---
kind: AccessPolicy
metadata: {name: broken}
spec: {mode: Shadow, hosts: [broken.example.com], rules: [{paths: [/a/../b], allow: {anyone: true}}]}
",
    );
    let enforce = engine(&policy("[{paths: [/a], allow: {roles: [admin]}}]"));
    for (row, who, to, refusal) in [
        ("control", "root", "GET app.example.com/a", None),
        ("recorded", "alice", "GET app.example.com/a", Some(Denial::NotAllowed)),
        ("recorded", "nobody", "GET app.example.com/b", Some(Denial::NoRule)),
        ("recorded", "pending", "GET app.example.com/a", Some(Denial::Pending)),
    ] {
        let decision = shadow.decide(&(crate::story::who)(who), &target(to), &context(None));
        assert_eq!(
            (decision.outcome, decision.shadow),
            (Outcome::Permit, refusal),
            "{row}: {who} {to}"
        );
        let enforced = enforce.decide(&(crate::story::who)(who), &target(to), &context(None));
        assert_eq!(
            enforced.outcome,
            refusal.map_or(Outcome::Permit, Outcome::Deny),
            "{row}: {who} {to}"
        );
        assert_eq!(enforced.shadow, None);
    }
    check(
        &shadow,
        "broken",
        ("root", "GET broken.example.com/a"),
        ("BrokenPolicy", &[]),
    );
    check(
        &shadow,
        "unknown",
        ("root", "GET else.example.com/a"),
        ("UnknownHost", &[]),
    );
    let narrow = with_key(vec![vec![endpoint(&[], &["/a"], &[])]]);
    check_principal(
        &shadow,
        "keys stay narrow, control",
        (&narrow, "GET app.example.com/a"),
        ("permit", &[]),
    );
    check_principal(
        &shadow,
        "keys stay narrow",
        (&narrow, "GET app.example.com/b"),
        ("KeyEndpoint", &["allowedEndpoints"]),
    );
}
