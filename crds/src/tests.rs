//! Rules that hold for every kind, and the generated YAML.

mod reference;

use serde_json::{Value, json};

use crate::{Duration, KINDS};

fn schema(kind: &str) -> Value {
    let kind = KINDS.iter().find(|candidate| candidate.name == kind).unwrap();
    let definition = serde_json::to_value((kind.definition)()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Where the YAML lies: for everybody, and for the chart, which can hold only what is in its own folder.
const FOLDERS: [&str; 2] = ["crds/yaml", "charts/authd/kinds"];

#[test]
fn the_yaml_in_the_repository_is_what_the_types_say() {
    for (kind, folder) in KINDS.iter().flat_map(|kind| FOLDERS.map(|folder| (kind, folder))) {
        let definition = (kind.definition)();
        let path = format!(
            "{}/../{folder}/{}.yaml",
            env!("CARGO_MANIFEST_DIR"),
            definition.spec.names.plural
        );
        let generated = serde_saphyr::to_string(&definition).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == generated, "{path} is out of date: run the test with UPDATE=1");
    }
}

#[test]
fn every_string_list_and_number_of_every_spec_is_bounded() {
    fn walk(at: &str, schema: &Value) {
        let bounded = match schema["type"].as_str() {
            Some("string") => {
                schema["maxLength"].is_u64() || schema["enum"].is_array() || schema["format"] == json!("date-time")
            }
            Some("array") => schema["maxItems"].is_u64() || at.ends_with(".conditions"),
            Some("integer") => schema["maximum"].is_number(),
            Some("object") if schema["additionalProperties"].is_object() => {
                schema["maxProperties"].is_u64() || at.ends_with("matchLabels")
            }
            _ => true,
        };
        assert!(bounded, "{at} has no bound");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{at}.{name}"), property);
        }
        if schema["items"].is_object() {
            walk(&format!("{at}[]"), &schema["items"]);
        }
    }
    for kind in KINDS {
        walk(kind.name, &schema(kind.name)["properties"]["spec"]);
    }
}

#[test]
fn every_field_of_every_spec_explains_itself() {
    fn walk(at: &str, schema: &Value) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            assert!(property["description"].is_string(), "{at} has no doc comment");
            walk(&at, property);
            walk(&at, &property["items"]);
        }
    }
    for kind in KINDS {
        walk(kind.name, &schema(kind.name)["properties"]["spec"]);
    }
}

/// The messages with which the CEL rules of a kind refuse a spec.
#[track_caller]
fn check(kind: &str, spec: &Value, expected: &[&str]) {
    let schema = schema(kind);
    assert!(
        !kube_cel::compile_schema(&schema).has_errors(),
        "a rule of {kind} does not compile"
    );
    let object = json!({"apiVersion": "authd.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec});
    let messages: Vec<String> = match kube_cel::Validator::new().validate_with_defaults(&schema, &object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    };
    assert_eq!(messages.len(), expected.len(), "{kind} {spec}: {messages:?}");
    for (message, fragment) in messages.iter().zip(expected) {
        assert!(
            message.contains(fragment),
            "{kind} {spec}: `{message}` lacks `{fragment}`"
        );
    }
}

#[test]
fn an_authd_is_refused_with_a_reason() {
    let url = |url: &str| json!({"publicUrl": url});
    for good in [
        "https://auth.example.com",
        "https://auth.example.com:8443",
        "http://localhost:8080",
        "http://auth.demo.localhost:8000",
        "http://127.0.0.1:8080/",
        "http://[::1]:8080",
    ] {
        check("Authd", &url(good), &[]);
    }
    for bad in [
        "http://auth.example.com",
        "https://auth.example.com/auth",
        "https://Auth.example.com",
        "https://user@auth.example.com",
        "javascript:alert(1)",
        "http://localhost.evil.com",
        "http://evillocalhost",
    ] {
        check("Authd", &url(bad), &["must be https://HOST"]);
    }
    let tokens = |tokens: Value| json!({"publicUrl": "https://a.example.com", "tokens": tokens});
    let secret = json!({"name": "s", "key": "k"});
    check(
        "Authd",
        &tokens(json!({"algorithm": "HS256", "secretRef": secret})),
        &[],
    );
    check("Authd", &tokens(json!({"algorithm": "HS256"})), &["HS256 needs one"]);
    check(
        "Authd",
        &tokens(json!({"secretRef": secret})),
        &["goes with `algorithm: HS256`"],
    );
    check("Authd", &tokens(json!({"lifetime": "0"})), &["unsafeNeverExpire"]);
    check(
        "Authd",
        &tokens(json!({"lifetime": "-1", "unsafeNeverExpire": true})),
        &[],
    );
}

#[test]
fn what_replicas_share_comes_with_what_it_needs() {
    let secret = json!({"name": "s", "key": "k"});
    let database = json!({"postgresSecretRef": secret});
    let redis = |more: Value| {
        let mut spec = json!({"publicUrl": "https://a.example.com", "redis": {"secretRef": secret}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let keys = json!([secret]);
    check(
        "Authd",
        &redis(json!({"database": database, "encryptionKeys": keys})),
        &[],
    );
    check("Authd", &redis(json!({})), &["`redis` needs `database`"]);
    check(
        "Authd",
        &redis(json!({"database": database})),
        &["`database` needs `encryptionKeys`"],
    );
}

#[test]
fn e04_a_cookie_that_browsers_would_not_take_is_refused_with_a_reason() {
    let cookie = |url: &str, cookie: Value| json!({"publicUrl": url, "cookie": cookie});
    for (url, good) in [
        ("https://a.example.com", json!({"name": "__Host-authd"})),
        (
            "https://a.example.com",
            json!({"name": "__Secure-authd", "domain": "example.com"}),
        ),
        ("http://localhost:8080", json!({"name": "host"})),
    ] {
        check("Authd", &cookie(url, good), &[]);
    }
    for (url, bad, expected) in [
        (
            "https://a.example.com",
            json!({"name": "__Host-authd", "domain": "example.com"}),
            "for one host: leave out `domain`",
        ),
        (
            "http://localhost:8080",
            json!({"name": "__Host-authd"}),
            "over https alone",
        ),
        (
            "http://localhost:8080",
            json!({"name": "__Secure-authd"}),
            "over https alone",
        ),
        (
            "https://a.example.com",
            json!({"name": "__host-authd"}),
            "with these capitals",
        ),
        (
            "https://a.example.com",
            json!({"name": "__HOST-authd"}),
            "with these capitals",
        ),
    ] {
        check("Authd", &cookie(url, bad), &[expected]);
    }
}

#[test]
fn an_access_policy_is_refused_with_a_reason() {
    let rules = |rules: Value| json!({"hosts": ["a.example.com"], "rules": rules});
    check("AccessPolicy", &rules(json!([{"allow": {"anyone": true}}])), &[]);
    check(
        "AccessPolicy",
        &json!({"hosts": ["a.example.com"], "cedar": "permit(principal, action, resource);"}),
        &[],
    );
    let lately = |allow: Value| rules(json!([{"allow": allow, "signedInWithin": "15m"}]));
    check("AccessPolicy", &lately(json!({"signedIn": true})), &[]);
    for allow in [json!({"anyone": true}), json!({"services": ["a/b"]})] {
        check("AccessPolicy", &lately(allow), &["`signedInWithin` is about people"]);
    }
    let strongly = |allow: Value| rules(json!([{"allow": allow, "acr": ["phr"]}]));
    check("AccessPolicy", &strongly(json!({"signedIn": true})), &[]);
    for allow in [json!({"anyone": true}), json!({"services": ["a/b"]})] {
        check("AccessPolicy", &strongly(allow), &["`acr` is about people"]);
    }
    let aged = |age: &str| rules(json!([{"allow": {"anyone": true}, "maxConnectionAge": age}]));
    check("AccessPolicy", &aged("15m"), &[]);
    check("AccessPolicy", &rules(json!([])), &["say what is allowed"]);
    check("AccessPolicy", &rules(json!([{"allow": {}}])), &["say who is allowed"]);
    check(
        "AccessPolicy",
        &rules(json!([{"allow": {"anyone": false}}])),
        &["only `true` has a meaning"],
    );
    check(
        "AccessPolicy",
        &rules(json!([{"allow": {"anyone": true, "roles": ["a"]}}])),
        &["already includes everybody"],
    );
}

#[test]
fn an_api_key_is_refused_with_a_reason() {
    let hash = format!("sha256:{}", "a".repeat(64));
    check("ApiKey", &json!({"owner": {"service": "ci"}, "secretName": "ci"}), &[]);
    check(
        "ApiKey",
        &json!({"owner": {"user": "a@example.com"}, "hash": hash}),
        &[],
    );
    check(
        "ApiKey",
        &json!({"owner": {"service": "ci"}}),
        &["exactly one of `secretName` and `hash`"],
    );
    check(
        "ApiKey",
        &json!({"owner": {"service": "ci"}, "secretName": "ci", "hash": hash}),
        &["exactly one of"],
    );
    check(
        "ApiKey",
        &json!({"owner": {}, "secretName": "ci"}),
        &["exactly one of `service` and `user`"],
    );
    check(
        "ApiKey",
        &json!({"owner": {"user": "a@example.com"}, "secretName": "ci", "roles": ["x"]}),
        &["leave out `roles`"],
    );
}

#[test]
fn a_provider_and_a_mapping_are_refused_with_a_reason() {
    check("AuthProvider", &json!({"password": {}}), &[]);
    check(
        "AuthProvider",
        &json!({"displayName": "x"}),
        &["exactly one kind of provider"],
    );
    check(
        "AuthProvider",
        &json!({"password": {}, "oidc": {"issuer": "https://idp.example.com", "clientId": "a"}}),
        &["exactly one kind of provider"],
    );
    check(
        "AuthProvider",
        &json!({"password": {}, "accounts": {}}),
        &["`claims` and `accounts` are for providers outside"],
    );
    let exchange = |kind: &str, spec: Value| json!({kind: spec, "tokenExchange": {"audiences": ["cli"]}});
    let oidc = json!({"issuer": "https://idp.example.com", "clientId": "a"});
    check("AuthProvider", &exchange("oidc", oidc), &[]);
    let secret = json!({"clientId": "a", "clientSecretRef": {"name": "s", "key": "k"}});
    check("AuthProvider", &exchange("google", secret.clone()), &[]);
    let jwt = json!({"issuer": "https://idp.example.com", "audiences": ["a"]});
    for (kind, spec) in [("password", json!({})), ("github", secret), ("jwt", jwt)] {
        check(
            "AuthProvider",
            &exchange(kind, spec),
            &["`tokenExchange` is for tokens of OpenID providers"],
        );
    }
    let roles = |grant: Value| json!({"providerRef": {"name": "p"}, "roles": [grant]});
    let equals = json!([{"claim": "groups", "equals": "x"}]);
    check("RoleMapping", &roles(json!({"role": "admin", "whenAny": equals})), &[]);
    check(
        "RoleMapping",
        &roles(json!({"role": "pending", "whenAny": equals})),
        &["`onNoMatch: Pending`"],
    );
    check(
        "RoleMapping",
        &roles(json!({"role": "a", "whenAny": [{"claim": "groups"}]})),
        &["`equals` and `glob`"],
    );
    check(
        "RoleMapping",
        &json!({"providerRef": {"name": "p"}}),
        &["say what is granted"],
    );
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, and a table is as long as its rows"
)]
fn a_directory_is_refused_with_a_reason() {
    let secret = json!({"name": "ldap", "key": "password"});
    let ldap = |changed: Value| {
        let mut ldap = json!({
            "urls": ["ldaps://ldap.example.com"],
            "bind": {"application": {"name": "cn=app", "passwordSecretRef": secret}},
            "search": {"base": "dc=example", "filter": "(uid={username})"},
        });
        for (name, value) in changed.as_object().unwrap() {
            ldap[name] = value.clone();
        }
        ldap.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        json!({"ldap": ldap})
    };
    for (changed, expected) in [
        (json!({}), &[][..]),
        (
            json!({"urls": ["ldap://ldap.example.com:1389", "ldaps://10.0.0.1/", "ldaps://[::1]:636"]}),
            &[],
        ),
        (
            json!({"urls": ["ldapi:///var/run/slapd"]}),
            &["each must be ldaps://HOST"],
        ),
        (
            json!({"urls": ["https://ldap.example.com"]}),
            &["each must be ldaps://HOST"],
        ),
        (
            json!({"urls": ["ldaps://user@ldap.example.com"]}),
            &["each must be ldaps://HOST"],
        ),
        (
            json!({"urls": ["ldaps://ldap.example.com/dc=example"]}),
            &["each must be ldaps://HOST"],
        ),
        (json!({"encryption": "None"}), &["is for `ldap://` alone"]),
        (json!({"encryption": "None", "urls": ["ldap://127.0.0.1"]}), &[]),
        (
            json!({"encryption": "None", "urls": ["ldap://127.0.0.1"], "tls": {}}),
            &["leave one of them out"],
        ),
        (json!({"tls": {"caSecretRef": secret}}), &[]),
        (json!({"tls": {"caConfigMapRef": {"name": "ca", "key": "ca.crt"}}}), &[]),
        (
            json!({"tls": {"caSecretRef": secret, "caConfigMapRef": {"name": "ca", "key": "ca.crt"}}}),
            &["leave out `caSecretRef` or `caConfigMapRef`"],
        ),
        (json!({"bind": {}}), &["exactly one of `application`"]),
        (json!({"bind": {"anonymous": {}}}), &[]),
        (
            json!({"bind": {"anonymous": {}, "person": {"dn": "uid={username}"}}}),
            &["give exactly one", "exactly one of `application`"],
        ),
        (json!({"search": null}), &["give exactly one"]),
        (
            json!({"search": null, "bind": {"person": {"dn": "uid={username}"}}}),
            &[],
        ),
        (
            json!({"search": null, "bind": {"person": {"dn": "uid=ann"}}}),
            &["write `{username}`"],
        ),
        (
            json!({"search": {"base": "", "filter": "(uid=ann)"}}),
            &["write `{username}`"],
        ),
        (json!({"groups": {"attribute": "memberOf"}}), &[]),
        (json!({"groups": {}}), &["exactly one of `attribute` and `search`"]),
        (
            json!({"groups": {"attribute": "memberOf", "nested": "InChain"}}),
            &["needs `within`"],
        ),
        (
            json!({"groups": {"attribute": "memberOf", "nested": "InChain", "within": "dc=example"}}),
            &[],
        ),
        (
            json!({"groups": {"search": {"base": "", "filter": "(member={dn})"}}}),
            &[],
        ),
        (
            json!({"groups": {"search": {"base": "", "filter": "(cn=staff)"}}}),
            &["write `{dn}` or `{username}`"],
        ),
    ] {
        check("AuthProvider", &ldap(changed), expected);
    }
    let mut claims = ldap(json!({}));
    claims["claims"] = json!({"email": "mail"});
    check(
        "AuthProvider",
        &claims,
        &["name the attributes of a directory in `ldap.attributes`"],
    );
}

#[test]
fn authorities_come_out_of_a_secret_or_a_config_map() {
    let reference = json!({"name": "kube-root-ca.crt", "key": "ca.crt"});
    for (outbound, expected) in [
        (json!({"caSecretRef": reference}), &[][..]),
        (json!({"caConfigMapRef": reference}), &[]),
        (
            json!({"caSecretRef": reference, "caConfigMapRef": reference}),
            &["leave out `caSecretRef` or `caConfigMapRef`"],
        ),
    ] {
        let oidc = json!({"issuer": "https://idp.example.com", "clientId": "authd", "outbound": outbound});
        check("AuthProvider", &json!({"oidc": oidc}), expected);
    }
}

#[test]
fn an_openid_provider_is_refused_with_a_reason() {
    let oidc = |changed: Value| {
        let mut oidc = json!({"issuer": "https://idp.example.com", "clientId": "authd"});
        for (name, value) in changed.as_object().unwrap() {
            oidc[name] = value.clone();
        }
        oidc.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        json!({"oidc": oidc})
    };
    let secret = json!({"name": "s", "key": "k"});
    for issuer in [
        "https://idp.example.com",
        "https://idp.example.com:8443/realms/main",
        "https://idp.example.com/",
        "http://localhost:9000",
        "http://127.0.0.1:9000/x",
        "http://[::1]:9000",
    ] {
        check("AuthProvider", &oidc(json!({"issuer": issuer})), &[]);
    }
    for (row, issuer) in [
        ("J01", "http://169.254.169.254"),
        ("J01", "http://metadata.google.internal"),
        ("J05", "file:///etc/passwd"),
        ("J05", "gopher://idp.example.com"),
        ("J05", "http://idp.example.com"),
        ("J12", "https://user:pass@idp.example.com"),
        ("query", "https://idp.example.com?x"),
        ("fragment", "https://idp.example.com#x"),
        ("loopback by name only", "http://127.0.0.1.evil.example"),
    ] {
        assert!(!issuer.is_empty(), "{row}");
        check(
            "AuthProvider",
            &oidc(json!({"issuer": issuer})),
            &["must be https://HOST"],
        );
    }
    for (changed, expected) in [
        (json!({"clientSecretRef": secret}), &[][..]),
        (json!({"clientAuth": "None"}), &[]),
        (json!({"clientAuth": "ClientSecretPost"}), &["needs `clientSecretRef`"]),
        (json!({"clientAuth": "PrivateKeyJwt", "privateKeyRef": secret}), &[]),
        (json!({"clientAuth": "PrivateKeyJwt"}), &["go together"]),
        (json!({"privateKeyRef": secret}), &["go together"]),
        (json!({"clientId": null, "dynamicRegistration": {}}), &[]),
        (json!({"clientId": null}), &["exactly one of `clientId`"]),
        (json!({"dynamicRegistration": {}}), &["exactly one of `clientId`"]),
        (json!({"scopes": ["openid", "groups"]}), &[]),
        (json!({"scopes": ["email"]}), &["`openid` must be among"]),
        (
            json!({"authorizeParameters": [{"name": "prompt", "value": "login"}]}),
            &[],
        ),
        (
            json!({"authorizeParameters": [{"name": "state", "value": "x"}]}),
            &["sends this parameter itself"],
        ),
    ] {
        check("AuthProvider", &oidc(changed), expected);
    }
}

#[test]
fn other_kinds_of_openid_providers_are_refused_with_a_reason() {
    let secret = json!({"name": "s", "key": "k"});
    let with = |kind: &str, members: Value| {
        let mut spec = json!({"clientId": "a", "clientSecretRef": secret});
        for (name, value) in members.as_object().unwrap() {
            spec[name] = value.clone();
        }
        json!({kind: spec})
    };
    for (kind, members, expected) in [
        ("google", json!({}), &[][..]),
        (
            "google",
            json!({"issuer": "ftp://accounts.google.com"}),
            &["must be https://HOST"],
        ),
        ("microsoft", json!({"tenant": "0a1b"}), &[]),
        ("microsoft", json!({"tenant": "common", "allowedTenants": ["*"]}), &[]),
        (
            "microsoft",
            json!({"tenant": "common"}),
            &["people of every tenant could sign in"],
        ),
        (
            "microsoft",
            json!({"tenant": "x", "graphUrl": "http://10.0.0.1"}),
            &["must be https://HOST"],
        ),
        ("github", json!({}), &[]),
        (
            "github",
            json!({"baseUrl": "https://user:pass@github.example.com"}),
            &["must be https://HOST"],
        ),
    ] {
        check("AuthProvider", &with(kind, members), expected);
    }
}

#[test]
fn an_issuer_of_tokens_is_refused_with_a_reason() {
    let jwt = |changed: Value| {
        let mut jwt = json!({"issuer": "https://kubernetes.default.svc.cluster.local", "audiences": ["authd"]});
        for (name, value) in changed.as_object().unwrap() {
            jwt[name] = value.clone();
        }
        json!({"jwt": jwt})
    };
    for (changed, expected) in [
        (json!({}), &[][..]),
        (
            json!({"jwksUrl": "https://10.96.0.1/openid/v1/jwks", "algorithms": ["RS256"]}),
            &[],
        ),
        (json!({"issuer": "http://127.0.0.1:9000"}), &[]),
        (json!({"issuer": "http://idp.example.com"}), &["must be https://HOST"]),
        (
            json!({"jwksUrl": "http://idp.example.com/keys"}),
            &["must be https://HOST"],
        ),
        (
            json!({"jwksUrl": "https://user:pass@idp.example.com/keys"}),
            &["must be https://HOST"],
        ),
    ] {
        check("AuthProvider", &jwt(changed), expected);
    }
    let mut with_accounts = jwt(json!({}));
    with_accounts["accounts"] = json!({});
    check("AuthProvider", &with_accounts, &["leave them out beside `jwt`"]);
}

#[test]
fn groups_are_granted_or_synced() {
    let groups = |groups: Value| json!({"providerRef": {"name": "p"}, "groups": groups});
    for (given, expected) in [
        (json!({"sync": true}), &[][..]),
        (
            json!({"sync": true, "create": true, "ignore": ["x-*"], "onAbsent": "Keep"}),
            &[],
        ),
        (json!({}), &["say which groups"]),
        (json!({"sync": false}), &["say which groups"]),
        (
            json!({"grant": [{"group": "a", "whenAny": [{"claim": "x", "equals": "y"}]}], "create": true}),
            &["go with `sync: true`"],
        ),
    ] {
        check("RoleMapping", &groups(given), expected);
    }
}

#[test]
fn a_duration_is_read_strictly() {
    #[track_caller]
    fn check(text: &str, expected: Result<Option<u64>, ()>) {
        assert_eq!(
            Duration(text.to_owned()).milliseconds().map_err(|_| ()),
            expected,
            "{text}"
        );
    }
    // acceptance 44
    check("30m", Ok(Some(1_800_000)));
    check("2h", Ok(Some(7_200_000)));
    check("1d", Ok(Some(86_400_000)));
    check("1w", Ok(Some(604_800_000)));
    check("1.5h", Ok(Some(5_400_000)));
    check("4w2d", Ok(Some(2_592_000_000)));
    check("10ms", Ok(Some(10)));
    // acceptance 45
    check("-1", Ok(None));
    check("0", Ok(None));
    // acceptance 46
    for bad in [
        "", "4", "4 weeks", "1month", "abc5m", "-5m", "0s", "5m ", "5m\n", "1.h", ".5h", "1..5h", "5min", "200y",
        "99999w",
    ] {
        check(bad, Err(()));
    }
}
