use serde_json::json;

use super::*;

#[test]
fn objects_are_closed_unless_the_schema_opens_them() {
    let schema = json!({"type": "object", "properties": {
        "closed": {"type": "object", "properties": {"a": {"type": "string"}}},
        "nothing": {"type": "object"},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {}}},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }});
    let closed = closed(&schema);
    let additional = |at: &str| closed.pointer(&format!("{at}/additionalProperties")).cloned();
    assert_eq!(additional(""), Some(json!(false)));
    assert_eq!(additional("/properties/closed"), Some(json!(false)));
    assert_eq!(additional("/properties/nothing"), Some(json!(false)));
    assert_eq!(additional("/properties/map/additionalProperties"), Some(json!(false)));
    assert_eq!(additional("/properties/open"), None);
}

#[test]
fn words_of_kubernetes_become_words_of_json_schema() {
    for (said, expected) in [
        (
            json!({"type": "string", "nullable": true}),
            json!({"type": ["string", "null"]}),
        ),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"], "description": "x", "default": "a"}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
            json!({"type": ["integer", "string"]}),
        ),
        (
            json!({"type": "integer", "format": "int32", "minimum": 1.0}),
            json!({"type": "integer", "format": "int32", "minimum": 1.0, "maximum": i32::MAX}),
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
            json!({"type": "array", "items": {"type": "string"}}),
        ),
    ] {
        assert_eq!(closed(&said), expected, "{said}");
    }
}

#[test]
fn nulls_are_dropped_from_fields_that_the_schema_knows() {
    let schema = json!({"properties": {
        "plain": {"type": "string"},
        "nullable": {"type": "string", "nullable": true},
        "list": {"type": "array", "items": {"properties": {"a": {"type": "string"}}}},
    }});
    let mut value = json!({"plain": null, "nullable": null, "unknown": null, "list": [{"a": null}, null]});
    drop_nulls(&schema, &mut value);
    assert_eq!(value, json!({"unknown": null, "list": [{}, null]}));
}
