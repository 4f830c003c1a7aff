//! What an explanation says.

use super::*;

#[track_caller]
fn explained(engine: &Engine, (name, to): (&str, &str), expected: &[&str]) {
    let explanation = engine.explain(&who(name), &target(to), &context(None));
    let covering = explanation
        .rules
        .iter()
        .filter(|rule| rule.covers)
        .map(|rule| rule.rule.as_str());
    let mut lines = vec![explanation.principal.clone(), explanation.target.clone()];
    lines.extend(explanation.steps.iter().cloned());
    lines.push(format!("covering: {}", covering.collect::<Vec<_>>().join(", ")));
    assert_eq!(lines, expected);
    assert!(explanation.snapshot.starts_with("sha256:"));
}

#[test]
fn an_explanation_names_the_rule() {
    let plain = engine(&policy(
        "[{allow: {signedIn: true}}, {paths: [/admin], methods: [GET, PUT], allow: {roles: [admin]}}]",
    ));
    let governed = "host `app.example.com` is governed by AccessPolicy auth/app";
    explained(
        &plain,
        ("root", "GET app.example.com/admin/x?y=1"),
        &[
            "root@example.com, roles [admin], groups []",
            "GET https://app.example.com/admin/x",
            governed,
            "the path is covered best by spec.rules[1] (GET, PUT on /admin)",
            "decided by spec.rules[1] of AccessPolicy/auth/app",
            "so the request may pass",
            "covering: spec.rules[0], spec.rules[1]",
        ],
    );
    explained(
        &plain,
        ("alice", "GET app.example.com/admin"),
        &[
            "alice@example.com, roles [user], groups [payments]",
            "GET https://app.example.com/admin",
            governed,
            "the path is covered best by spec.rules[1] (GET, PUT on /admin)",
            "the rule does not allow this principal, so the request may not pass",
            "covering: spec.rules[0], spec.rules[1]",
        ],
    );
    explained(
        &plain,
        ("robot", "DELETE app.example.com/admin"),
        &[
            "service auth/robot, roles [deployer], groups [], with ApiKey/auth/key",
            "DELETE https://app.example.com/admin",
            governed,
            "the path is covered best by spec.rules[0] (every method on every path)",
            "decided by spec.rules[0] of AccessPolicy/auth/app",
            "so the request may pass",
            "covering: spec.rules[0]",
        ],
    );
    explained(
        &plain,
        ("nobody", "GET else.example.com/"),
        &[
            "nobody in particular, roles [], groups []",
            "GET https://else.example.com/",
            "no AccessPolicy has `else.example.com` among its hosts",
            "what no policy governs is refused, so the request may not pass",
            "covering: ",
        ],
    );
    let office = with_cedar(
        "Shadow",
        "forbid (principal, action, resource) unless { context.clientIp.isLoopback() };",
    );
    explained(
        &office,
        ("alice", "GET app.example.com/open"),
        &[
            "alice@example.com, roles [user], groups [payments]",
            "GET https://app.example.com/open",
            governed,
            "the path is covered best by spec.rules[0] (every method on /open)",
            "decided by spec.cedar[0] of AccessPolicy/auth/app",
            "could not be evaluated: spec.cedar[0] of AccessPolicy/auth/app: record does not have the attribute `clientIp`",
            "a policy could not be evaluated; but the policy is in Shadow mode, so the request may pass",
            "covering: spec.rules[0]",
        ],
    );
}
