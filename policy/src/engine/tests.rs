//! Who may do what: tables of principals and targets.

#![expect(clippy::too_many_lines, reason = "a table is as long as its rows")]

mod ages;
mod naive;
mod properties;
mod sign_in;

use crds::Endpoint;

use super::{AccountRole, Admission, Claims, Decision, Denial, Engine, Outcome};
use crate::principal::{KeyUse, User};
use crate::story::{account, context, engine, names, person, read_target, resources, target, who, word};
use crate::target::Scheme;
use crate::{Principal, compile};

/// Asks, and compares the answer: `permit` or the name of a denial, and the determining rules without their `spec.`.
#[track_caller]
fn check(engine: &Engine, row: &str, (principal, to): (&str, &str), (answer, rules): (&str, &[&str])) {
    check_principal(engine, row, (&who(principal), to), (answer, rules));
}

#[track_caller]
fn check_principal(
    engine: &Engine,
    row: &str,
    (principal, to): (&Principal, &str),
    (answer, rules): (&str, &[&str]),
) -> Decision {
    let decision = engine.decide(principal, &target(to), &context(Some("198.51.100.7")));
    let who = principal.identity();
    assert_eq!(word(&decision), answer, "{row}: {who:?} {to}: {decision:?}");
    let decided: Vec<&str> = decision
        .determining
        .iter()
        .map(|one| one.rule.trim_start_matches("spec."))
        .collect();
    assert_eq!(decided, rules, "{row}: {who:?} {to}: {decision:?}");
    decision
}

fn policy(rules: &str) -> String {
    format!("kind: AccessPolicy\nmetadata: {{name: app}}\nspec: {{hosts: [app.example.com], rules: {rules}}}")
}

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

fn with_cedar(mode: &str, cedar: &str) -> Engine {
    engine(&format!(
        "kind: AccessPolicy\nmetadata: {{name: app}}\nspec:\n  mode: {mode}\n  hosts: [app.example.com]\n  rules: [{{paths: \
         [/open], allow: {{signedIn: true}}}}]\n  cedar: |\n    {}\n",
        cedar.replace('\n', "\n    ")
    ))
}

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

fn endpoint(hosts: &[&str], paths: &[&str], methods: &[&str]) -> Endpoint {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Endpoint {
        hosts: list(hosts),
        paths: list(paths),
        methods: list(methods),
    }
}

fn with_key(restrictions: Vec<Vec<Endpoint>>) -> Principal {
    let key = KeyUse {
        source: "ApiKey/auth/narrow".to_owned(),
        restrictions,
    };
    Principal::user(account("alice"), names(&["user"]), names(&[]), Some(key))
}

#[test]
fn a_key_opens_only_its_endpoints() {
    let engine = engine(
        "
kind: AccessPolicy
metadata: {name: all}
spec: {hosts: ['*.example.com', example.com], rules: [{allow: {signedIn: true}}, {paths: [/admin], allow: {roles: [admin]}}]}
",
    );
    let messages = || endpoint(&[], &["/api/v1/messages"], &[]);
    let refused = ("KeyEndpoint", &["allowedEndpoints"][..]);
    let passes = ("permit", &["rules[0]"][..]);
    let reading = || endpoint(&["a.example.com"], &["/v1"], &["GET", "HEAD"]);
    for (row, lists, to, expected) in [
        (
            "acceptance 76",
            vec![vec![messages()]],
            "GET a.example.com/api/v1/messages",
            passes,
        ),
        (
            "acceptance 76",
            vec![vec![messages()]],
            "GET a.example.com/api/v1/messages/1",
            passes,
        ),
        (
            "acceptance 76",
            vec![vec![messages()]],
            "GET a.example.com/api/v1/messages/",
            passes,
        ),
        (
            "acceptance 76",
            vec![vec![messages()]],
            "GET a.example.com/api/v1/messages2",
            refused,
        ),
        (
            "acceptance 79",
            vec![vec![messages()]],
            "GET a.example.com/API/v1/messages",
            refused,
        ),
        (
            "acceptance 80",
            Vec::new(),
            "GET a.example.com/api/v1/messages2",
            passes,
        ),
        ("H06 control", vec![vec![reading()]], "GET a.example.com/v1/x", passes),
        ("H06 host", vec![vec![reading()]], "GET b.example.com/v1/x", refused),
        ("H06 method", vec![vec![reading()]], "POST a.example.com/v1/x", refused),
        ("H06 path", vec![vec![reading()]], "GET a.example.com/v2/x", refused),
        (
            "second endpoint",
            vec![vec![reading(), messages()]],
            "POST b.example.com/api/v1/messages",
            passes,
        ),
        (
            "every path",
            vec![vec![endpoint(&[], &["/"], &[])]],
            "GET a.example.com/x",
            passes,
        ),
        (
            "everything",
            vec![vec![endpoint(&[], &[], &[])]],
            "GET a.example.com/x",
            passes,
        ),
        ("nothing", vec![Vec::new()], "GET a.example.com/", refused),
        (
            "wildcard",
            vec![vec![endpoint(&["*.example.com"], &[], &[])]],
            "GET a.example.com/",
            passes,
        ),
        (
            "wildcard",
            vec![vec![endpoint(&["*.example.com"], &[], &[])]],
            "GET example.com/",
            refused,
        ),
        (
            "both lists",
            vec![vec![messages()], vec![reading()]],
            "GET a.example.com/v1/x",
            refused,
        ),
        (
            "both lists",
            vec![vec![reading()], vec![endpoint(&["*.example.com"], &[], &[])]],
            "GET a.example.com/v1",
            passes,
        ),
        (
            "no more than the owner",
            vec![vec![messages()]],
            "GET a.example.com/admin",
            refused,
        ),
    ] {
        check_principal(&engine, row, (&with_key(lists), to), expected);
    }
    let all = with_key(vec![vec![endpoint(&[], &[], &[])]]);
    check_principal(
        &engine,
        "no more than the owner",
        (&all, "GET a.example.com/admin"),
        ("NotAllowed", &[]),
    );
}

#[test]
fn a_key_of_a_tenant_stays_on_the_hosts_that_it_is_granted() {
    let yaml = "
kind: Authd
metadata: {name: main}
spec:
  publicUrl: https://auth.example.com
  apiKeys: {endpointRestrictions: true, allowedEndpoints: [/api]}
  tenants: [{namespaceSelector: {matchLabels: {team: shop}}, hosts: ['*.shop.example.com']}]
---
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
kind: Secret
metadata: {name: tenant, namespace: shop}
stringData: {api-key: sk-0123456789abcdef0123456789abcdef01234567}
---
kind: Secret
metadata: {name: home}
stringData: {api-key: sk-fedcba9876543210fedcba9876543210fedcba98}
---
kind: ApiKey
metadata: {name: tenant, namespace: shop}
spec: {owner: {service: till}, secretName: tenant, allowedEndpoints: [{paths: [/v1]}]}
---
kind: ApiKey
metadata: {name: home}
spec: {owner: {service: home}, secretName: home, notBefore: 2026-06-01T00:00:00Z, expiresAt: 2026-07-01T00:00:00Z}
---
kind: AccessPolicy
metadata: {name: all}
spec: {hosts: ['*.shop.example.com', '*.example.com'], rules: [{allow: {signedIn: true}}]}
";
    let engine = crate::story::ready(compile(&resources(yaml), None));
    let used = |text: &str| {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()).into();
        let key = engine.key(&digest).expect("a known key");
        match key.acts_for() {
            crate::snapshot::keys::ActsFor::Service(name, roles) => {
                Principal::service(name.to_owned(), roles.iter().cloned().collect(), key.as_used())
            }
            crate::snapshot::keys::ActsFor::User(_) => panic!("a service"),
        }
    };
    let tenant = used("sk-0123456789abcdef0123456789abcdef01234567");
    let home = used("sk-fedcba9876543210fedcba9876543210fedcba98");
    for (row, key, to, answer) in [
        ("H06 control", &tenant, "GET till.shop.example.com/v1", "permit"),
        ("H06", &tenant, "GET till.shop.example.com/v2", "KeyEndpoint"),
        ("H06", &tenant, "GET app.example.com/v1", "KeyEndpoint"),
        ("acceptance 76", &home, "GET app.example.com/api/x", "permit"),
        ("acceptance 76", &home, "GET app.example.com/apiary", "KeyEndpoint"),
    ] {
        let decision = engine.decide(key, &target(to), &context(None));
        assert_eq!(word(&decision), answer, "{row}: {to}");
    }
    let unknown = <sha2::Sha256 as sha2::Digest>::digest(b"sk-00").into();
    assert!(engine.key(&unknown).is_none());
}

#[test]
fn a_key_is_valid_from_its_first_moment_to_its_last() {
    use crate::snapshot::keys::Unusable::{Expired, NotYet, Suspended};
    let engine = engine(&format!(
        "
kind: ApiKey
metadata: {{name: timed}}
spec: {{owner: {{service: a}}, hash: 'sha256:{}', notBefore: 1970-01-01T00:00:09.5Z, expiresAt: 1970-01-01T00:00:20Z}}
---
kind: ApiKey
metadata: {{name: suspended}}
spec: {{owner: {{service: a}}, hash: 'sha256:{}', suspended: true}}
",
        "ab".repeat(32),
        "cd".repeat(32)
    ));
    let timed = engine.key(&[0xab; 32]).expect("the key");
    for (row, now, expected) in [
        ("H05", 9, Err(NotYet)),
        ("H05", 10, Ok(())),
        ("H05", 19, Ok(())),
        ("H05", 20, Err(Expired)),
        ("H05", 21, Err(Expired)),
    ] {
        assert_eq!(timed.usable(now), expected, "{row}: {now}");
    }
    let suspended = engine.key(&[0xcd; 32]).expect("the key");
    assert_eq!(suspended.usable(10), Err(Suspended));
}

#[test]
fn decisions_are_remembered_under_all_that_they_read() {
    let plain = engine(&policy(
        "[{allow: {signedIn: true}}, {paths: [/a], methods: [GET], allow: {anyone: true}}]",
    ));
    let reading = with_cedar(
        "Enforce",
        "forbid (principal, action, resource) when { resource.path like \"*/x\" };",
    );
    let ip = with_cedar(
        "Enforce",
        "forbid (principal, action, resource) when { context.clientIp.isLoopback() };",
    );
    let narrow = with_key(vec![vec![endpoint(&["app.example.com"], &[], &[])]]);
    let from = |ip: &str| context(Some(ip));
    let key = |engine: &Engine, who: &Principal, to: &str, ip: &str| {
        let to = target(to);
        engine
            .slice(&to)
            .key(who, &to, &from(ip))
            .expect("it may be remembered")
    };
    let base = "GET app.example.com/open";
    for (row, engine, who, other, same) in [
        ("D29 not read", &plain, &who("alice"), "GET app.example.com/b", true),
        (
            "D29 path of another rule",
            &plain,
            &who("alice"),
            "GET app.example.com/a",
            false,
        ),
        ("D29 host", &plain, &who("alice"), "GET else.example.com/open", false),
        ("D29 path", &reading, &who("alice"), "GET app.example.com/open/y", false),
        (
            "D29 method",
            &reading,
            &who("alice"),
            "POST app.example.com/open",
            false,
        ),
        ("D29 key, path", &plain, &narrow, "GET app.example.com/b", false),
        ("D29 key, method", &plain, &narrow, "POST app.example.com/open", false),
        ("D29 control", &reading, &who("alice"), base, true),
    ] {
        assert_eq!(
            key(engine, who, base, "::1") == key(engine, who, other, "::1"),
            same,
            "{row}: {other}"
        );
    }
    assert_eq!(
        key(&plain, &who("alice"), base, "::1"),
        key(&plain, &who("alice"), base, "::2"),
        "D29 not read"
    );
    assert_ne!(
        key(&ip, &who("alice"), base, "::1"),
        key(&ip, &who("alice"), base, "::2"),
        "D29 address"
    );
    let others = [
        who("bob"),
        person("alice", &["admin"], &["payments"]),
        person("alice", &["user"], &["payments", "x"]),
        person("alice", &["user", "payments"], &[]),
        who("alice's key"),
        Principal::user(
            User {
                email_verified: false,
                ..account("alice")
            },
            names(&["user"]),
            names(&["payments"]),
            None,
        ),
        Principal::user(
            User {
                provider: "x".into(),
                ..account("alice")
            },
            names(&["user"]),
            names(&["payments"]),
            None,
        ),
        who("nobody"),
        narrow,
    ];
    for other in others {
        assert_ne!(
            key(&plain, &who("alice"), base, "::1"),
            key(&plain, &other, base, "::1"),
            "D29 {other:?}"
        );
    }
    let (mut http, https) = (target(base), target(base));
    http.scheme = Scheme::Http;
    let (alice, ip) = (who("alice"), from("::1"));
    assert_ne!(
        reading.slice(&http).key(&alice, &http, &ip),
        reading.slice(&https).key(&alice, &https, &ip),
        "D29 scheme"
    );
}

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

#[test]
fn claims_grant_roles_and_an_administrator_may_add_one() {
    let engine = engine(
        "
kind: RoleMapping
metadata: {name: staff}
spec:
  providerRef: {name: local}
  onNoMatch: Deny
  roles:
    - {role: admin, whenAny: [{claim: groups, equals: platform}]}
    - {role: user, whenAny: [{claim: groups, glob: 'staff-*'}, {claim: email, glob: '*@example.com'}]}
  groups: {grant: [{group: eu, whenAny: [{claim: groups, equals: staff-eu}]}]}
",
    );
    let admitted = |roles: &[&str], groups: &[&str]| Admission::Admitted {
        roles: names(roles),
        groups: names(groups),
    };
    use AccountRole::{Admin, Pending, User};
    for (row, claims, account, expected) in [
        (
            "one",
            &[("groups", "platform")][..],
            User,
            admitted(&["admin", "user"], &[]),
        ),
        ("one", &[("groups", "platform")], Pending, admitted(&["admin"], &[])),
        (
            "glob and group",
            &[("groups", "staff-eu")],
            Pending,
            admitted(&["user"], &["eu"]),
        ),
        ("glob", &[("email", "a@example.com")], Pending, admitted(&["user"], &[])),
        ("glob", &[("email", "a@example.com.evil")], User, Admission::Refused),
        ("case", &[("groups", "Platform")], User, Admission::Refused),
        ("other claim", &[("roles", "platform")], User, Admission::Refused),
        ("nothing", &[], Admin, Admission::Refused),
        (
            "a claim named like a tag",
            &[("groups~staff-*", "x")],
            User,
            Admission::Refused,
        ),
        (
            "a claim named like a tag",
            &[("\"groups\"~staff-*", "x")],
            User,
            Admission::Refused,
        ),
        (
            "admin by hand",
            &[("groups", "staff-x")],
            Admin,
            admitted(&["user", "admin"], &[]),
        ),
    ] {
        let claims = claims
            .iter()
            .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]))
            .collect();
        assert_eq!(engine.admit("local", &Claims(claims), account), expected, "{row}");
    }
    let claims = Claims([("groups".to_owned(), vec!["platform".to_owned()])].into());
    assert_eq!(
        engine.admit("gone", &claims, Admin),
        Admission::Refused,
        "a provider that is no longer there"
    );
}

#[test]
fn without_a_match_it_is_as_the_strictest_mapping_says() {
    use AccountRole::{Admin, Pending, User};
    let mapping = |name: &str, word: &str| {
        format!(
            "kind: RoleMapping\nmetadata: {{name: {name}}}\nspec: {{providerRef: {{name: local}}, onNoMatch: {word}, roles: \
             [{{role: x, whenAny: [{{claim: c, equals: x}}]}}]}}"
        )
    };
    let user = || Admission::Admitted {
        roles: names(&["user"]),
        groups: names(&[]),
    };
    let admin = || Admission::Admitted {
        roles: names(&["admin"]),
        groups: names(&[]),
    };
    for (first, second, expected) in [
        ("Keep", "Keep", [Admission::Pending, user(), admin()]),
        (
            "Keep",
            "Pending",
            [Admission::Pending, Admission::Pending, Admission::Pending],
        ),
        (
            "Deny",
            "Keep",
            [Admission::Refused, Admission::Refused, Admission::Refused],
        ),
        (
            "Pending",
            "Deny",
            [Admission::Refused, Admission::Refused, Admission::Refused],
        ),
    ] {
        let engine = engine(&format!("{}\n---\n{}", mapping("a", first), mapping("b", second)));
        let got = [Pending, User, Admin].map(|account| engine.admit("local", &Claims::default(), account));
        assert_eq!(got, expected, "{first} and {second}");
    }
    let bare = engine("kind: Namespace\nmetadata: {name: x}");
    assert_eq!(
        bare.admit("local", &Claims::default(), User),
        user(),
        "no mapping at all"
    );
}

#[test]
fn k15_what_several_mappings_grant_adds_up_in_any_order() {
    let mapping = |name: &str, role: &str, value: &str| {
        format!(
            "kind: RoleMapping\nmetadata: {{name: {name}}}\nspec: {{providerRef: {{name: local}}, roles: [{{role: {role}, whenAny: [{{claim: \
             c, equals: {value}}}]}}]}}"
        )
    };
    let claims =
        |values: &[&str]| Claims([("c".to_owned(), values.iter().map(|value| (*value).to_owned()).collect())].into());
    let (one, other) = (mapping("a", "user", "x"), mapping("b", "operator", "w"));
    for (first, second) in [(&one, &other), (&other, &one)] {
        let engine = engine(&format!("{first}\n---\n{second}"));
        for (values, expected) in [
            (&["x", "w"][..], Some(&["operator", "user"][..])),
            (&["w"], Some(&["operator"])),
            (&["x"], Some(&["user"])),
            (&["z"], None),
        ] {
            let admitted = expected.map(|roles| Admission::Admitted {
                roles: names(roles),
                groups: names(&[]),
            });
            let found = engine.admit("local", &claims(values), AccountRole::Pending);
            assert_eq!(found, admitted.unwrap_or(Admission::Refused), "K15 {values:?}");
        }
    }
}

#[test]
fn a_snapshot_whose_rules_and_policies_do_not_pair_up_is_not_used() {
    let compiled = compile(
        &resources(&format!(
            "{}\n---\n{}",
            crate::story::INSTANCE,
            policy("[{allow: {anyone: true}}]")
        )),
        None,
    );
    let mut snapshot = compiled.snapshot.expect("a snapshot");
    assert!(Engine::new(snapshot.clone(), String::new()).is_ok(), "control");
    snapshot.access[0].rules.push(crate::snapshot::Place::default());
    let error = Engine::new(snapshot.clone(), String::new())
        .expect_err("it does not pair up")
        .to_string();
    assert_eq!(error, "policy `AccessPolicy/auth/app`: 2 rules with 1 policies");
    snapshot.access[0].rules = vec![crate::snapshot::Place::default(); 65];
    snapshot.access[0].allows = vec![snapshot.access[0].allows[0].clone(); 65];
    assert!(Engine::new(snapshot, String::new()).is_err(), "more rules than bits");
}
