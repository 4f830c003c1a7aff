//! Which rule decides, and whom it lets in.

use super::*;

#[test]
fn the_longest_path_decides_whatever_the_order() {
    let rules = [
        "{paths: [/admin], allow: {roles: [admin]}}",
        "{allow: {signedIn: true}}",
        "{paths: [/admin/help, /help], allow: {anyone: true}}",
        "{paths: [/api], allow: {groups: [payments]}}",
        "{paths: [/api/], allow: {services: [auth/robot]}}",
    ];
    for turn in 0..rules.len() {
        let mut turned = rules;
        turned.rotate_left(turn);
        let engine = engine(&policy(&format!("[{}]", turned.join(", "))));
        for (row, who, to, answer, rule) in [
            ("control", "root", "GET app.example.com/admin", "permit", Some(0)),
            ("longest", "alice", "GET app.example.com/admin", "NotAllowed", None),
            ("longest", "alice", "GET app.example.com/admin/x", "NotAllowed", None),
            (
                "shorter",
                "alice",
                "GET app.example.com/administrator",
                "permit",
                Some(1),
            ),
            (
                "shorter",
                "nobody",
                "GET app.example.com/administrator",
                "NotAllowed",
                None,
            ),
            ("longest", "nobody", "GET app.example.com/admin/help", "permit", Some(2)),
            ("longest", "nobody", "GET app.example.com/help/x", "permit", Some(2)),
            (
                "longest",
                "nobody",
                "GET app.example.com/admin/helper",
                "NotAllowed",
                None,
            ),
            (
                "equal rules add up",
                "alice",
                "GET app.example.com/api/x",
                "permit",
                Some(3),
            ),
            (
                "equal rules add up",
                "robot",
                "GET app.example.com/api",
                "permit",
                Some(4),
            ),
            (
                "equal rules add up",
                "bob",
                "GET app.example.com/api",
                "NotAllowed",
                None,
            ),
        ] {
            let rule = rule.map(|rule: usize| format!("rules[{}]", (rule + rules.len() - turn) % rules.len()));
            let rules: Vec<&str> = rule.iter().map(String::as_str).collect();
            check(&engine, row, (who, to), (answer, &rules));
        }
    }
}

#[test]
fn a_rule_that_names_the_method_wins_over_one_that_does_not() {
    let engine = engine(&policy(
        "[{paths: [/v1], allow: {signedIn: true}}, {paths: [/v1], methods: [DELETE, PUT], allow: {roles: [admin]}},
          {paths: [/v1/health], methods: [GET], allow: {anyone: true}}]",
    ));
    for (row, who, to, answer, rules) in [
        (
            "control",
            "alice",
            "GET app.example.com/v1/x",
            "permit",
            &["rules[0]"][..],
        ),
        ("method", "alice", "DELETE app.example.com/v1/x", "NotAllowed", &[]),
        ("method", "root", "DELETE app.example.com/v1/x", "permit", &["rules[1]"]),
        (
            "path before method",
            "nobody",
            "GET app.example.com/v1/health",
            "permit",
            &["rules[2]"],
        ),
        (
            "no method, no rule",
            "nobody",
            "POST app.example.com/v1/health",
            "NotAllowed",
            &[],
        ),
        ("nothing covers it", "root", "GET app.example.com/", "NoRule", &[]),
        ("nothing covers it", "root", "GET app.example.com/v10", "NoRule", &[]),
    ] {
        check(&engine, row, (who, to), (answer, rules));
    }
}

#[test]
fn each_way_of_allowing_lets_in_whom_it_names_and_nobody_else() {
    let everybody = [
        "nobody",
        "alice",
        "alice's key",
        "bob",
        "root",
        "comma",
        "unverified",
        "pending",
        "robot",
        "other robot",
    ];
    for (allow, allowed) in [
        ("anyone: true", &everybody[..]),
        (
            "signedIn: true",
            &[
                "alice",
                "alice's key",
                "bob",
                "root",
                "comma",
                "unverified",
                "robot",
                "other robot",
            ],
        ),
        ("roles: [user]", &["alice", "alice's key", "bob", "root", "unverified"]),
        ("roles: [admin]", &["root"]),
        ("roles: [deployer]", &["robot"]),
        ("roles: [pending]", &[]),
        ("groups: [payments]", &["alice", "alice's key"]),
        ("users: [alice@example.com]", &["alice", "alice's key"]),
        ("services: [auth/robot]", &["robot"]),
        (
            "services: [shop/robot], groups: [payments]",
            &["alice", "alice's key", "other robot"],
        ),
        (
            "roles: [admin, deployer], users: [bob@example.com]",
            &["root", "bob", "robot"],
        ),
    ] {
        let engine = engine(&policy(&format!("[{{allow: {{{allow}}}}}]")));
        for who in everybody {
            let (answer, rules) = match (allowed.contains(&who), who) {
                (true, _) => ("permit", &["rules[0]"][..]),
                (false, "pending") => ("Pending", &[][..]),
                (false, _) => ("NotAllowed", &[][..]),
            };
            check(&engine, allow, (who, "GET app.example.com/"), (answer, rules));
        }
    }
}

#[test]
fn what_no_policy_governs_is_refused() {
    let one = engine(&policy("[{allow: {anyone: true}}]"));
    let none = engine("kind: Namespace\nmetadata: {name: x}");
    let broken = engine(&format!(
        "{}\n---\nkind: AccessPolicy\nmetadata: {{name: broken}}\nspec: {{hosts: [broken.example.com], cedar: permit}}",
        policy("[{allow: {anyone: true}}]")
    ));
    for (row, engine, to, answer, rules) in [
        ("D22 control", &one, "GET app.example.com/", "permit", &["rules[0]"][..]),
        ("D22", &one, "GET other.example.com/", "UnknownHost", &[]),
        ("D22", &one, "GET example.com/", "UnknownHost", &[]),
        ("D34", &none, "GET app.example.com/", "UnknownHost", &[]),
        ("D22", &broken, "GET broken.example.com/", "BrokenPolicy", &[]),
        (
            "D22 the rest is served",
            &broken,
            "GET app.example.com/",
            "permit",
            &["rules[0]"],
        ),
    ] {
        check(engine, row, ("root", to), (answer, rules));
    }
    assert!(one.governs("app.example.com") && !one.governs("other.example.com"));
}

#[test]
fn a_wildcard_covers_one_label_and_an_exact_host_wins() {
    let engine = engine(
        "
kind: AccessPolicy
metadata: {name: any}
spec: {hosts: ['*.example.com'], rules: [{allow: {signedIn: true}}]}
---
kind: AccessPolicy
metadata: {name: exact}
spec: {hosts: [admin.example.com], rules: [{allow: {roles: [admin]}}]}
---
kind: AccessPolicy
metadata: {name: deep}
spec: {hosts: ['*.admin.example.com'], rules: [{allow: {anyone: true}}]}
",
    );
    for (row, who, to, answer, policy) in [
        (
            "D17 control",
            "alice",
            "GET app.example.com/",
            "permit",
            Some("auth/any"),
        ),
        ("D17", "alice", "GET evilexample.com/", "UnknownHost", None),
        ("D17", "alice", "GET example.com/", "UnknownHost", None),
        ("D17", "alice", "GET app.example.com.evil/", "UnknownHost", None),
        ("D17", "alice", "GET a.b.example.com/", "UnknownHost", None),
        (
            "exact",
            "alice",
            "GET admin.example.com/",
            "NotAllowed",
            Some("auth/exact"),
        ),
        ("exact", "root", "GET admin.example.com/", "permit", Some("auth/exact")),
        (
            "exact",
            "alice",
            "GET ADMIN.Example.COM./",
            "NotAllowed",
            Some("auth/exact"),
        ),
        (
            "exact",
            "alice",
            "GET admin.example.com:8443/",
            "NotAllowed",
            Some("auth/exact"),
        ),
        (
            "nearest",
            "nobody",
            "GET x.admin.example.com/",
            "permit",
            Some("auth/deep"),
        ),
    ] {
        let decision = engine.decide(&(crate::story::who)(who), &target(to), &context(None));
        assert_eq!(
            (word(&decision), decision.policy.as_deref()),
            (answer, policy),
            "{row}: {who} {to}"
        );
    }
}

#[test]
fn paths_are_compared_by_whole_segments_and_without_the_query() {
    let engine = engine(&policy(
        "[{paths: [/public], allow: {anyone: true}}, {paths: [/api/v1/messages], allow: {signedIn: true}}]",
    ));
    for (row, to, answer) in [
        ("D16 control", "GET app.example.com/public", "permit"),
        ("D16 control", "GET app.example.com/public/x", "permit"),
        ("D14 control", "GET app.example.com/public?x=/private", "permit"),
        ("D14", "GET app.example.com/private?x=/public/status", "NoRule"),
        ("D16", "GET app.example.com/admin/public", "NoRule"),
        ("D16", "GET app.example.com/publicity", "NoRule"),
        ("D16", "GET app.example.com/publi", "NoRule"),
        ("acceptance 79", "GET app.example.com/PUBLIC", "NoRule"),
        ("acceptance 79", "GET app.example.com/%70ublic", "permit"),
    ] {
        let decision = engine.decide(&Principal::anonymous(), &target(to), &context(None));
        assert_eq!(word(&decision), answer, "{row}: {to}");
    }
    for (row, to) in [
        ("acceptance 79", "GET app.example.com/api/v1/messages/../users"),
        ("acceptance 79", "GET app.example.com//api/v1/messages"),
        ("acceptance 79", "GET app.example.com/public/%2e%2e/admin"),
        ("D16", "GET app.example.com/admin%0a/public"),
    ] {
        assert!(read_target(to).is_err(), "{row}: {to}");
    }
}

#[test]
fn a_name_with_a_comma_is_one_name() {
    let engine = engine(&policy("[{allow: {roles: [admin], groups: [payments]}}]"));
    check(
        &engine,
        "D20 control",
        ("root", "GET app.example.com/"),
        ("permit", &["rules[0]"]),
    );
    check(&engine, "D20", ("comma", "GET app.example.com/"), ("NotAllowed", &[]));
}
