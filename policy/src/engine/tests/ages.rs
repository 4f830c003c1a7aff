//! Rules that say how long a connection may stay open.

use crate::story::{context, engine, target, who, word};

const POLICY: &str = "
kind: AccessPolicy
metadata: {name: app}
spec:
  hosts: [app.example.com]
  rules:
    - {paths: [/live], allow: {signedIn: true}, maxConnectionAge: 15m}
    - {paths: [/both], allow: {roles: [user]}, maxConnectionAge: 1m}
    - {paths: [/both], allow: {groups: [payments]}, maxConnectionAge: 1h30m}
    - {paths: [/some], allow: {roles: [user]}, maxConnectionAge: 1m}
    - {paths: [/some], allow: {groups: [payments]}}
    - {paths: [/hand], allow: {roles: [user]}, maxConnectionAge: 1m}
    - {paths: [/open], allow: {anyone: true}, maxConnectionAge: 0.5s}
    - {allow: {signedIn: true}}
  cedar: |
    permit (principal in Group::\"payments\", action, resource) when { resource.path == \"/hand\" };
    forbid (principal, action, resource) when { resource.path == \"/live/forbidden\" };
";

#[test]
fn the_most_generous_of_the_rules_that_allow_says_how_long_a_connection_may_stay_open() {
    let engine = engine(POLICY);
    for (name, path, expected) in [
        ("alice", "/live", ("permit", Some(900))),
        ("robot", "/live/7", ("permit", Some(900))),
        ("alice", "/live/forbidden", ("Forbidden", None)),
        ("nobody", "/live", ("NotAllowed", None)),
        // Bob is in no group, Alice in one.
        ("bob", "/both", ("permit", Some(60))),
        ("alice", "/both", ("permit", Some(5400))),
        ("bob", "/some", ("permit", Some(60))),
        ("alice", "/some", ("permit", None)),
        ("bob", "/hand", ("permit", Some(60))),
        ("alice", "/hand", ("permit", None)),
        ("nobody", "/open", ("permit", Some(1))),
        ("alice", "/", ("permit", None)),
    ] {
        let target = target(&format!("GET app.example.com{path}"));
        let decision = engine.decide(&who(name), &target, &context(None));
        let said = (word(&decision), decision.max_connection_age);
        assert_eq!(said, expected, "{name} on {path}");
    }
}

#[test]
fn what_a_policy_in_shadow_mode_lets_through_no_rule_bounds() {
    let engine = engine(&POLICY.replace("spec:\n", "spec:\n  mode: Shadow\n"));
    for (name, expected) in [("alice", Some(900)), ("nobody", None)] {
        let decision = engine.decide(&who(name), &target("GET app.example.com/live"), &context(None));
        let said = (word(&decision), decision.max_connection_age);
        assert_eq!(said, ("permit", expected), "{name}");
    }
}
