//! Names that are sent, and names that never are.

use super::*;
use crds::HeaderName;

#[test]
fn a_name_that_would_change_routing_or_meaning_is_refused() {
    for (row, name, expected) in [
        ("D32 control", "X-Auth-User", Ok(())),
        ("D32 control", "X-WEBAUTH-USER", Ok(())),
        ("D32 control", "Remote-User", Ok(())),
        ("D32 control", "X-Forwarded-User", Ok(())),
        ("D32", ":path", Err(Unfit::Spelling)),
        ("D32", "host", Err(Unfit::Meaning)),
        ("D32", "Host", Err(Unfit::Meaning)),
        ("D32", "x-envoy-original-path", Err(Unfit::Meaning)),
        ("D32", "X-Envoy-Anything", Err(Unfit::Meaning)),
        ("D32", "X-Forwarded-For", Err(Unfit::Meaning)),
        ("D32", "X-Forwarded-Host", Err(Unfit::Meaning)),
        ("D32", "X-Forwarded-Proto", Err(Unfit::Meaning)),
        ("D32", "X-Forwarded-Uri", Err(Unfit::Meaning)),
        ("D32", "X-Forwarded-Method", Err(Unfit::Meaning)),
        ("D32", "X-Forwarded-Prefix", Err(Unfit::Meaning)),
        ("D32", "X-Original-URL", Err(Unfit::Meaning)),
        ("D32", "X-Rewrite-Url", Err(Unfit::Meaning)),
        ("D32", "X-HTTP-Method-Override", Err(Unfit::Meaning)),
        ("D32", "Connection", Err(Unfit::Meaning)),
        ("D32", "Transfer-Encoding", Err(Unfit::Meaning)),
        ("D32", "Content-Length", Err(Unfit::Meaning)),
        ("D32", "Cookie", Err(Unfit::Meaning)),
        ("D32", "Set-Cookie", Err(Unfit::Meaning)),
        ("D32", "Authorization", Err(Unfit::Meaning)),
        ("D32", "Proxy-Authorization", Err(Unfit::Meaning)),
        ("D32", "Cache-Control", Err(Unfit::Meaning)),
        ("D32", "X-Auth-Assertion", Err(Unfit::Meaning)),
        ("D32", "X-Auth-Max-Age", Err(Unfit::Meaning)),
        ("D02", "X_Auth_User", Err(Unfit::Spelling)),
        ("D02", "X.Auth.User", Err(Unfit::Spelling)),
        ("D25", "X-Auth-User\r\nHost", Err(Unfit::Spelling)),
        ("D25", "X-Auth-Üser", Err(Unfit::Spelling)),
        ("D25", "", Err(Unfit::Spelling)),
        ("D25", "-user", Err(Unfit::Spelling)),
    ] {
        assert_eq!(fit(name), expected, "{row}: {name}");
    }
    for name in known().filter(|name| ![ASSERTION, MAX_AGE].contains(name)) {
        assert_eq!(fit(name), Ok(()), "D32 control: {name}");
    }
}

#[test]
fn a_preset_is_taken_whole_with_some_names_replaced_and_others_added() {
    let named = |preset, names: &HeaderNames| {
        let headers = IdentityHeaders::new(preset, names);
        let names: Vec<String> = headers.names().map(|(_, name)| name.to_owned()).collect();
        names.join(" ")
    };
    let none = HeaderNames::default();
    assert_eq!(
        named(HeaderPreset::XAuth, &none),
        "x-auth-user x-auth-email x-auth-name x-auth-roles x-auth-groups x-auth-provider"
    );
    assert_eq!(
        named(HeaderPreset::Remote, &none),
        "remote-user remote-email remote-name remote-groups"
    );
    let some = HeaderNames {
        user: Some(HeaderName("X-WEBAUTH-USER".to_owned())),
        roles: Some(HeaderName("X-Grafana-Role".to_owned())),
        ..none
    };
    assert_eq!(
        named(HeaderPreset::XForwarded, &some),
        "x-webauth-user x-forwarded-email x-forwarded-preferred-username x-grafana-role x-forwarded-groups"
    );
}
