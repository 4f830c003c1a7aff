use super::*;
use proptest::prelude::*;

#[track_caller]
fn path(row: &str, uri: &str, expected: Result<&str, Ambiguous>) {
    let target = Target::read(b"GET", Scheme::Https, b"app.example.com", uri.as_bytes());
    assert_eq!(
        target.as_ref().map(|target| &*target.path).map_err(|error| *error),
        expected,
        "{row}: {uri}"
    );
}

#[track_caller]
fn host(row: &str, text: &str, expected: Result<(&str, Option<u16>), Ambiguous>) {
    let target = Target::read(b"GET", Scheme::Https, text.as_bytes(), b"/");
    let seen = target
        .as_ref()
        .map(|target| (&*target.host, target.port))
        .map_err(|error| *error);
    assert_eq!(seen, expected, "{row}: {text}");
}

#[test]
fn a_path_has_one_form() {
    for (uri, expected) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("/a/b.html", "/a/b.html"),
        ("/a?x=/../b;c%2f", "/a"),
        ("/?", "/"),
        ("/%61dmin", "/admin"),
        ("/%41dmin", "/Admin"),
        ("/@alice", "/@alice"),
        ("/%40alice", "/@alice"),
        ("/a%20b", "/a%20b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/100%25", "/100%25"),
        ("/what%3f", "/what%3F"),
        ("/...", "/..."),
        ("/.well-known/x", "/.well-known/x"),
    ] {
        path("D10 control", uri, Ok(expected));
    }
}

#[test]
fn a_path_that_can_be_read_in_two_ways_is_refused() {
    use Ambiguous::{NotAPath, PathCharacter, PathEncoding, PathSegment};
    for (row, uri, expected) in [
        ("D10", "/public/../admin", PathSegment),
        ("D10", "/public/%2e%2e/admin", PathEncoding),
        ("D10", "/public/..%2fadmin", PathEncoding),
        ("D10", "/public/%2e%2e%5cadmin", PathEncoding),
        ("D10", "/public/.%2e/admin", PathEncoding),
        ("D10", "/public/./admin", PathSegment),
        ("D10", "/public/..", PathSegment),
        ("D10", "/a\\..\\admin", PathCharacter),
        ("D11", "/%252e%252e/admin", PathEncoding),
        ("D11", "/%25%32%66", PathEncoding),
        ("D12", "//admin", PathSegment),
        ("D12", "///admin", PathSegment),
        ("D12", "//host/admin", PathSegment),
        ("D12", "/a//b", PathSegment),
        ("D15", "/private#/public", PathCharacter),
        ("D16", "/admin%0apublic", PathEncoding),
        ("D21", "", NotAPath),
        ("D21", "*", NotAPath),
        ("D21", "http://app.example.com/admin", NotAPath),
        ("D21", "admin", NotAPath),
        ("D10", "/a;x=1/../admin", PathSegment),
        ("D10", "/a/..;/admin", PathSegment),
        ("D10", "/a%3bx", PathEncoding),
        ("D10", "/a%00", PathEncoding),
        ("D10", "/a%7f", PathEncoding),
        ("D10", "/a%", PathEncoding),
        ("D10", "/a%4", PathEncoding),
        ("D10", "/a%zz", PathEncoding),
        ("D10", "/a b", PathCharacter),
        ("D10", "/a\tb", PathCharacter),
        ("D10", "/a\nX-Forwarded-Uri: /public", PathCharacter),
        ("D10", "/café", PathCharacter),
    ] {
        path(row, uri, Err(expected));
    }
}

#[test]
fn a_host_has_one_form() {
    host("D06 control", "app.example.com", Ok(("app.example.com", None)));
    host("D06", "APP.Example.com", Ok(("app.example.com", None)));
    host("D06", "app.example.com.", Ok(("app.example.com", None)));
    host("D06", "app.example.com:443", Ok(("app.example.com", Some(443))));
    host("D06", "[::1]:8080", Ok(("[::1]", Some(8080))));
    host("D06", "127.0.0.1:80", Ok(("127.0.0.1", Some(80))));
    for (text, expected) in [
        ("", Ambiguous::Host),
        (".", Ambiguous::Host),
        ("a, b", Ambiguous::Host),
        ("a,b", Ambiguous::Host),
        ("a..b", Ambiguous::Host),
        (".a", Ambiguous::Host),
        ("a b", Ambiguous::Host),
        ("user@app.example.com", Ambiguous::Host),
        ("app.test?x=", Ambiguous::Host),
        ("app.test#", Ambiguous::Host),
        ("app.test/public", Ambiguous::Host),
        ("app.test\\x", Ambiguous::Host),
        ("app%2etest", Ambiguous::Host),
        ("app.test;x", Ambiguous::Host),
        ("[::1", Ambiguous::Host),
        ("[app]", Ambiguous::Host),
        ("[::1]x", Ambiguous::Host),
        ("::1", Ambiguous::Port),
        ("a:", Ambiguous::Port),
        ("a:0", Ambiguous::Port),
        ("a:abc", Ambiguous::Port),
        ("a:80:80", Ambiguous::Port),
        ("a:99999", Ambiguous::Port),
        ("a:+80", Ambiguous::Port),
        ("ä.example.com", Ambiguous::Host),
    ] {
        host("D06", text, Err(expected));
    }
}

#[test]
fn a_method_is_a_token_of_capitals() {
    for (method, good) in [
        ("GET", true),
        ("M-SEARCH", true),
        ("get", false),
        ("", false),
        ("GET ", false),
        ("G\nT", false),
    ] {
        assert_eq!(
            Target::read(method.as_bytes(), Scheme::Http, b"a", b"/").is_ok(),
            good,
            "D26: {method}"
        );
    }
}

#[test]
fn a_prefix_covers_whole_segments() {
    for (prefix, path, expected) in [
        ("/api", "/api", true),
        ("/api", "/api/", true),
        ("/api", "/api/x", true),
        ("/api", "/apiary", false),
        ("/api", "/API", false),
        ("/api", "/x/api", false),
        ("/api/", "/api", true),
        ("/", "/", true),
        ("/", "/x", true),
        ("/a.b", "/axb", false),
    ] {
        assert_eq!(covers(prefix, path), expected, "{prefix} {path}");
    }
}

#[test]
fn a_wildcard_covers_one_label() {
    for (pattern, host, expected) in [
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", "evilexample.com", false),
        ("*.example.com", "a.b.example.com", false),
        ("*.example.com", "a.example.com.evil", false),
        ("example.com", "example.com", true),
        ("example.com", "example.com.evil", false),
    ] {
        assert_eq!(host_matches(pattern, host), expected, "D17: {pattern} {host}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(method: Vec<u8>, host: Vec<u8>, uri: Vec<u8>) {
        let _ = Target::read(&method, Scheme::Http, &host, &uri);
    }

    #[test]
    fn reading_the_canonical_path_again_changes_nothing(path in "/[ -~]{0,40}") {
        if let Ok(target) = Target::read(b"GET", Scheme::Http, b"a", path.as_bytes()) {
            let again = Target::read(b"GET", Scheme::Http, b"a", target.path.as_bytes()).unwrap();
            prop_assert_eq!(&again.path, &target.path);
        }
    }

    #[test]
    fn no_accepted_path_has_a_dot_segment_or_an_empty_one(path in "/[./a%2eEfF;]{0,24}") {
        if let Ok(target) = Target::read(b"GET", Scheme::Http, b"a", path.as_bytes()) {
            let inner = target.path.strip_suffix('/').unwrap_or(&target.path).to_owned();
            let has_unclear_segment = inner.split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."));
            prop_assert!(!has_unclear_segment);
        }
    }
}
