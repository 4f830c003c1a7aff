//! The reference pages of resources and reasons, written from the types. `UPDATE=1` rewrites them.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::schema;
use crate::{KINDS, Reason};

/// Compares a page below `docs/reference/` with what the code says now.
#[track_caller]
fn check(page: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(page);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == generated,
        "docs/reference/{page} is out of date: run the test with UPDATE=1"
    );
}

#[test]
fn the_page_of_resources_is_what_the_types_say() {
    let mut page = "# Resources\n\nGenerated from the types in `crds/src/`. Group `authd.dev`, version `v1alpha1`; every kind is \
                    namespaced and in the category `authd` (`kubectl get authd`).\n\nA field that is not listed here is refused. \
                    `[]` stands for each item of a list, `{}` for each value of a mapping. Durations are numbers with units: \
                    `30s`, `1h30m`, `4w`.\n"
        .to_owned();
    for kind in KINDS {
        let definition = (kind.definition)();
        let names = &definition.spec.names;
        let root = schema(kind.name);
        writeln!(page, "\n## {}\n\n{}\n", kind.name, text(&root["description"])).unwrap();
        let short = names.short_names.iter().flatten();
        let names: Vec<String> = [&names.plural]
            .into_iter()
            .chain(short)
            .map(|name| format!("`{name}`"))
            .collect();
        writeln!(page, "For `kubectl`: {}.\n", names.join(", ")).unwrap();
        page.push_str("| field | type and bounds | default | meaning |\n|---|---|---|---|\n");
        let spec = &root["properties"]["spec"];
        fields(&mut page, "spec", spec);
        let mut rules = Vec::new();
        messages(&mut rules, "spec", spec);
        if !rules.is_empty() {
            page.push_str("\nRules across fields:\n\n");
            rules
                .iter()
                .for_each(|(at, message)| writeln!(page, "- `{at}`: {message}").unwrap());
        }
    }
    check("resources.md", &page);
}

#[test]
fn the_page_of_reasons_is_what_the_list_says() {
    let mut page = "# Reasons\n\nGenerated from `crds/src/condition.rs`. Every problem with a resource has one of these reasons: in \
                    `authd check --output json`, and in `status.conditions` once an operator reports them.\n\n\
                    | reason | meaning |\n|---|---|\n"
        .to_owned();
    for (reason, meaning) in Reason::ALL {
        writeln!(page, "| `{reason}` | {} |", meaning.trim()).unwrap();
    }
    check("reasons.md", &page);
}

/// One row for each field below `at`.
fn fields(page: &mut String, at: &str, schema: &Value) {
    let required = |name: &str| {
        let list = schema["required"].as_array();
        list.is_some_and(|list| list.iter().any(|item| item == name))
    };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        let must = if required(name) { " (required)" } else { "" };
        let default = match &field["default"] {
            Value::Null | Value::Object(_) => String::new(),
            default => code(&default.to_string()),
        };
        let meaning = text(&field["description"]);
        writeln!(page, "| `{at}`{must} | {} | {default} | {meaning} |", bounds(field)).unwrap();
        fields(page, &at, field);
        fields(page, &format!("{at}[]"), &field["items"]);
    }
}

/// The messages of the rules at and below `at`.
fn messages(found: &mut Vec<(String, String)>, at: &str, schema: &Value) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        found.push((at.to_owned(), text(&rule["message"])));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        messages(found, &format!("{at}.{name}"), field);
    }
    if schema["items"].is_object() {
        messages(found, &format!("{at}[]"), &schema["items"]);
    }
}

/// The type with its bounds, in words.
fn bounds(schema: &Value) -> String {
    let size = |least: &str, most: &str, unit: &str| match (schema[least].as_f64(), schema[most].as_f64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (None, Some(most)) => format!(", up to {most}{unit}"),
        (Some(least), None) => format!(", {least}{unit} or more"),
        (None, None) => String::new(),
    };
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().filter_map(Value::as_str).map(code).collect();
        return format!("one of {}", values.join(", "));
    }
    match schema["type"].as_str().unwrap_or_default() {
        "string" if schema["format"] == "date-time" => "time (RFC 3339)".to_owned(),
        "string"
            if schema["pattern"]
                .as_str()
                .is_some_and(|pattern| pattern.contains("(ms|s|m|h|d|w)")) =>
        {
            "duration".to_owned()
        }
        "string" => {
            let pattern = schema["pattern"]
                .as_str()
                .map(|pattern| format!(", matching {}", code(pattern)));
            format!(
                "text{}{}",
                size("minLength", "maxLength", " characters"),
                pattern.unwrap_or_default()
            )
        }
        "array" => format!(
            "list{}; each: {}",
            size("minItems", "maxItems", " items"),
            bounds(&schema["items"])
        ),
        "object" if schema["additionalProperties"].is_object() => {
            format!("mapping to {}", bounds(&schema["additionalProperties"]))
        }
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => format!("whole number{}", size("minimum", "maximum", "")),
        other => other.to_owned(),
    }
}

/// A description on one line.
fn text(description: &Value) -> String {
    let words = description.as_str().unwrap_or_default().split_whitespace();
    words.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Code inside a table, where a bar would end the cell.
fn code(text: &str) -> String {
    format!("`{}`", text.trim_matches('"').replace('|', "\\|"))
}
