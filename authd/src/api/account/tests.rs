use super::*;

#[test]
fn an_address_is_read_strictly() {
    for (row, text, expected) in [
        ("acceptance 16 control", "Alice@Example.com", Some("alice@example.com")),
        (
            "acceptance 16 control",
            "a.b+c@x-y.example.org",
            Some("a.b+c@x-y.example.org"),
        ),
        ("acceptance 16 control", "admin@localhost", Some("admin@localhost")),
        ("acceptance 16", "nope", None),
        ("acceptance 16", "a@b", None),
        ("acceptance 16", "a@b.c@evil.com", None),
        ("acceptance 16", "x y@z.com", None),
        ("acceptance 16", "a@z.com\n", None),
        ("acceptance 16", "<b>@z.com", None),
        ("K06", "\"a@company.com\"@evil", None),
        ("K06", "evil@x.com@company.com", None),
        ("K06", "u@company.com.", None),
        ("K06", ".a@z.com", None),
        ("K06", "a@-z.com", None),
        ("K06", "ü@z.com", None),
        ("acceptance 16", "", None),
    ] {
        assert_eq!(email(text).ok().as_deref(), expected, "{row}: {text:?}");
    }
}

#[test]
fn a_picture_is_none_that_runs() {
    for (row, url, good) in [
        ("acceptance 27 control", "/user.png", true),
        ("acceptance 27 control", "https://example.com/a.png", true),
        ("acceptance 27 control", "data:image/png;base64,AAAA", true),
        ("acceptance 27", "javascript:alert(1)", false),
        ("acceptance 27", "data:text/html,<script>", false),
        ("acceptance 27", "data:image/svg+xml;base64,AAAA", false),
        ("acceptance 27", "//evil.example.com/a.png", false),
        ("acceptance 27", "/\\evil.example.com", false),
        ("acceptance 27", "http://169.254.169.254/", false),
        ("acceptance 27", "https://user:pass@example.com/", false),
        ("acceptance 27", "", false),
    ] {
        assert_eq!(image(url).is_ok(), good, "{row}: {url}");
    }
    assert!(
        image(&format!("data:image/png;base64,{}", "A".repeat(MAX_IMAGE))).is_err(),
        "acceptance 27"
    );
}
