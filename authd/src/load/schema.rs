//! How does the schema of a Kubernetes kind read as a JSON Schema that refuses what the API server refuses?
//!
//! Schema in, schema out; also what the API server does to an object before it looks: nulls and defaults. Checking is in
//! [`super::validate`].

use serde_json::{Map, Value, json};

/// Kubernetes' words that JSON Schema has no use for.
const DROPPED: [&str; 6] = ["description", "title", "default", "example", "externalDocs", "nullable"];

/// The whole schema of a kind: what the definition says, with the three members that every object has.
pub(super) fn whole(open_api: &Value) -> Value {
    let mut root = open_api.as_object().cloned().unwrap_or_default();
    let mut properties = match root.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
    properties.insert("kind".to_owned(), json!({"type": "string"}));
    properties.insert("metadata".to_owned(), metadata());
    root.insert("type".to_owned(), json!("object"));
    root.insert("properties".to_owned(), Value::Object(properties));
    let required = root.entry("required").or_insert_with(|| json!([]));
    if let Value::Array(required) = required
        && !required.contains(&json!("metadata"))
    {
        required.push(json!("metadata"));
    }
    Value::Object(root)
}

/// `ObjectMeta`, with the bounds that the API server has for it.
fn metadata() -> Value {
    let text = json!({"type": "string"});
    let label = json!({
        "type": "string", "maxLength": 63, "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        "description": "Letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit.",
    });
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({"type": "object", "required": ["name"], "properties": {
        "name": {
            "type": "string", "minLength": 1, "maxLength": 253,
            "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
            "description": "Lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit.",
        },
        "namespace": {
            "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "description": "Lower-case letters, digits and `-`, beginning and ending with a letter or digit.",
        },
        "labels": {"type": "object", "additionalProperties": label},
        "annotations": {"type": "object", "additionalProperties": text},
        "finalizers": {"type": "array", "items": text},
        "ownerReferences": {"type": "array", "items": open},
        "managedFields": {"type": "array", "items": open},
        "generateName": text, "uid": text, "resourceVersion": text, "selfLink": text,
        "creationTimestamp": text, "deletionTimestamp": text,
        "generation": {"type": "integer"}, "deletionGracePeriodSeconds": {"type": "integer"},
    }})
}

/// The JSON Schema (draft 4) of a Kubernetes schema, closed: what it does not name is refused.
pub(super) fn closed(node: &Value) -> Value {
    let Some(node) = node.as_object() else {
        return node.clone();
    };
    let mut out = Map::new();
    for (word, said) in node {
        let said = match word.as_str() {
            "properties" => Value::Object(
                said.as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, schema)| (name.clone(), closed(schema)))
                    .collect(),
            ),
            "items" | "additionalProperties" => closed(said),
            dropped if DROPPED.contains(&dropped) || dropped.starts_with("x-kubernetes-") => continue,
            _ => said.clone(),
        };
        out.insert(word.clone(), said);
    }
    if set(node, "x-kubernetes-int-or-string") {
        out.remove("anyOf");
        out.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if set(node, "nullable") {
        admit_null(&mut out);
    }
    let object = node.get("type").and_then(Value::as_str) == Some("object");
    if object && !node.contains_key("additionalProperties") && !set(node, "x-kubernetes-preserve-unknown-fields") {
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    let (least, most) = match node.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("int64") => (i64::MIN, i64::MAX),
        _ => return Value::Object(out),
    };
    out.entry("minimum").or_insert_with(|| json!(least));
    out.entry("maximum").or_insert_with(|| json!(most));
    Value::Object(out)
}

fn admit_null(out: &mut Map<String, Value>) {
    match out.get_mut("type") {
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(one) => *one = json!([one, "null"]),
        None => {}
    }
    if let Some(Value::Array(options)) = out.get_mut("enum")
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
}

fn set(node: &Map<String, Value>, word: &str) -> bool {
    node.get(word) == Some(&Value::Bool(true))
}

/// The schema of the values under `member` of an object that `schema` describes.
pub(super) fn of_member<'s>(schema: &'s Value, member: &str) -> Option<&'s Value> {
    let named = schema.get("properties").and_then(|p| p.get(member));
    named.or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()))
}

/// Leaves out fields that are null. The API server does so where the schema has no null; elsewhere its rules (`has`) and our types
/// take a null for a field that is not there.
pub(super) fn drop_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| {
                let schema = schema.get("properties").and_then(|p| p.get(name));
                !value.is_null() || !schema.is_some_and(Value::is_object)
            });
            for (name, value) in members {
                if let Some(schema) = of_member(schema, name) {
                    drop_nulls(schema, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| drop_nulls(schema, item));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
