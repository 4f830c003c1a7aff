//! What a key opens, and when.

use super::*;

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
