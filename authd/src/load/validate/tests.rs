use serde_json::{Value, json};

use super::*;

/// A kind with what our own kinds do not use.
fn schema() -> Schema {
    let open_api = json!({"type": "object", "required": ["spec"], "properties": {"spec": {
        "type": "object",
        "properties": {
            "port": {"x-kubernetes-int-or-string": true},
            "count": {"type": "integer", "format": "int32", "default": 3},
            "ratio": {"type": "number", "minimum": 0.0, "exclusiveMinimum": true, "maximum": 1.0, "exclusiveMaximum": true},
            "wait": {"type": "string", "format": "duration"},
            "since": {"type": "string", "format": "date-time", "nullable": true},
            "labels": {"type": "object", "maxProperties": 2, "minProperties": 1, "additionalProperties": {"type": "string"}},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "few": {"type": "array", "minItems": 2, "items": {"type": "string", "minLength": 3}},
            "when": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                "items": {"type": "object", "properties": {"type": {"type": "string"}, "value": {"type": "integer"}}},
            },
            "one": {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
        },
        "x-kubernetes-validations": [{"rule": "self.count < 10", "message": "fewer than ten"}],
    }}});
    Schema::new(("example.com", "v1", "Example"), &open_api, Values::Shown).unwrap()
}

#[track_caller]
fn check(schema: &Schema, spec: &Value, expected: &[(&str, &str)]) {
    let (_, mistakes) = schema.admit(json!({"metadata": {"name": "x"}, "spec": spec}));
    let found: Vec<(&str, &str)> = mistakes
        .iter()
        .map(|m| (m.pointer.as_str(), m.message.as_str()))
        .collect();
    assert_eq!(found, expected, "{spec}");
}

#[test]
fn what_the_api_server_takes_is_taken() {
    let schema = schema();
    for spec in [
        json!({}),
        json!({"port": 80}),
        json!({"port": "http"}),
        json!({"since": null, "count": null, "wait": "1h30m"}),
        json!({"since": "2027-01-31T12:00:00Z", "ratio": 0.5}),
        json!({"labels": {"anything": "goes"}, "open": {"a": [1, {}]}}),
        json!({"when": [{"type": "a", "value": 1}, {"type": "b", "value": 1}], "one": {"b": ""}}),
    ] {
        check(&schema, &spec, &[]);
    }
}

#[test]
fn values_that_the_api_server_refuses_are_refused_in_our_words() {
    let schema = schema();
    for (spec, pointer, message) in [
        (
            json!({"port": true}),
            "/spec/port",
            "expected integer or string, found the boolean `true`",
        ),
        (
            json!({"count": 3_000_000_000_i64}),
            "/spec/count",
            "`3000000000` is too large: the most is 2147483647",
        ),
        (
            json!({"count": "3"}),
            "/spec/count",
            "expected a whole number, found the text `3`: write it without quotes",
        ),
        (json!({"count": 12}), "/spec", "fewer than ten"),
        (
            json!({"ratio": 0.0}),
            "/spec/ratio",
            "`0.0` is too small: it has to be more than 0",
        ),
        (
            json!({"ratio": 1}),
            "/spec/ratio",
            "`1` is too large: it has to be less than 1",
        ),
        (
            json!({"wait": "P1D"}),
            "/spec/wait",
            "`P1D` is not a valid duration, such as `1h30m`",
        ),
        (
            json!({"since": "today"}),
            "/spec/since",
            "`today` is not a valid date-time, such as `2027-01-31T12:00:00Z`",
        ),
        (
            json!({"labels": {"a": 1}}),
            "/spec/labels/a",
            "expected text, found the number `1`: write `\"1\"`",
        ),
    ] {
        check(&schema, &spec, &[(pointer, message)]);
    }
}

#[test]
fn lists_and_mappings_that_the_api_server_refuses_are_refused() {
    let schema = schema();
    for (spec, pointer, message) in [
        (
            json!({"labels": {}}),
            "/spec/labels",
            "has 0 fields, at least 1 are needed",
        ),
        (
            json!({"labels": {"a": "", "b": "", "c": ""}}),
            "/spec/labels",
            "has 3 fields, at most 2 are allowed",
        ),
        (
            json!({"few": ["abc"]}),
            "/spec/few",
            "the list has 1 item, at least 2 are needed",
        ),
        (
            json!({"few": ["abc", "é"]}),
            "/spec/few/1",
            "`é` has 1 character, at least 3 are needed",
        ),
        (json!({"one": {}}), "/spec/one", "exactly one of `a`, `b` has to be set"),
        (
            json!({"one": {"a": "", "b": ""}}),
            "/spec/one",
            "exactly one of `a`, `b` has to be set",
        ),
        (
            json!({"when": [{"type": "a"}, {"type": "b"}, {"type": "a"}]}),
            "/spec/when/2",
            "repeats item [0] (type `a`): each may be given once",
        ),
    ] {
        check(&schema, &spec, &[(pointer, message)]);
    }
}

#[test]
fn defaults_are_there_before_the_rules_are_asked() {
    let (object, mistakes) = schema().admit(json!({"metadata": {"name": "x"}, "spec": {"count": null}}));
    assert_eq!((object.pointer("/spec/count"), mistakes), (Some(&json!(3)), vec![]));
}

#[test]
fn a_rule_that_does_not_compile_is_no_schema() {
    let rule = json!([{"rule": "self.(", "message": "x"}]);
    let open_api = json!({"properties": {"spec": {"type": "object", "x-kubernetes-validations": rule}}});
    let error = Schema::new(("example.com", "v1", "Example"), &open_api, Values::Shown).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the schema of `Example` cannot be used: "),
        "{error}"
    );
}

#[test]
fn durations_are_those_of_go() {
    for text in ["1h", "1h30m", "-1.5s", "0", "+5ms", "1µs", "100ns"] {
        assert!(sentence::is_duration(text), "{text}");
    }
    for text in ["", "1", "h", "1d", "1h 30m", "P1D", "-", "1.2.3s", ".s"] {
        assert!(!sentence::is_duration(text), "{text}");
    }
}
