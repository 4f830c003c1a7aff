//! What a decision is remembered under.

use super::*;

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
