//! Does a list that is a set, or a map by some of its fields, say something twice?

use std::collections::BTreeMap;

use serde_json::Value;

use super::Mistake;
use crate::load::{field, schema, yaml::End};

/// Adds a mistake for each item that repeats an earlier one, where the schema's `x-kubernetes-list-type` forbids it.
pub(super) fn repeated(schema: &Value, value: &Value, pointer: &str, mistakes: &mut Vec<Mistake>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let Some(schema) = schema::of_member(schema, name) {
                    repeated(schema, value, &field::child(pointer, name), mistakes);
                }
            }
        }
        Value::Array(items) => {
            let mut seen = BTreeMap::new();
            for (index, item) in items.iter().enumerate() {
                let at = field::child(pointer, &index.to_string());
                if let Some(identity) = identity(schema, item)
                    && let Some(first) = seen.insert(identity.clone(), index)
                {
                    let message = format!("repeats item [{first}] ({identity}): each may be given once");
                    mistakes.push(Mistake {
                        pointer: at.clone(),
                        end: End::Value,
                        message,
                    });
                }
                if let Some(schema) = schema.get("items") {
                    repeated(schema, item, &at, mistakes);
                }
            }
        }
        _ => {}
    }
}

/// What may not be the same for two items of the list; `None` where anything may.
fn identity(schema: &Value, item: &Value) -> Option<String> {
    match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Some(format!("`{}`", shown(item))),
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array)?;
            let parts = keys.iter().filter_map(Value::as_str).map(|key| {
                let value = item.get(key).map(shown).unwrap_or_default();
                format!("{key} `{value}`")
            });
            Some(parts.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
