//! How is a broken schema rule said to a person: what is wrong, and what would be right?

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::Values;
use crate::load::nearest::{list, nearest, suggestion};

/// How much of a value is repeated.
const SHOWN_CHARACTERS: usize = 60;

/// The fields that an object's schema names.
fn known(schema: &Value) -> Vec<&str> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

/// The field that was probably meant by a name that the schema does not know.
pub(super) fn meant<'s>(name: &str, schema: &'s Value) -> Option<&'s str> {
    let known = known(schema);
    if known.contains(&name) {
        None
    } else {
        nearest(name, &known)
    }
}

/// About a field that the schema does not name.
pub(super) fn unknown(name: &str, schema: &Value) -> String {
    match (meant(name, schema), known(schema).as_slice()) {
        (Some(near), _) => format!("unknown field `{name}`, did you mean `{near}`?"),
        (None, []) => format!("unknown field `{name}`: nothing can be set here"),
        (None, known) => format!("unknown field `{name}`: the fields here are {}", list(known)),
    }
}

/// About a field that has to be there; `schema` is that of the object that should hold it.
pub(super) fn missing(name: &str, schema: &Value) -> String {
    let described = schema.get("properties").and_then(|p| p.get(name)).and_then(description);
    format!(
        "missing field `{name}`{}",
        described.map(|d| format!(": {d}")).unwrap_or_default()
    )
}

/// About a value that is there and wrong; `described` says what it should be.
pub(super) fn wrong(
    error: &ValidationError<'_>,
    (schema, described): (&Value, Option<&str>),
    values: Values,
) -> String {
    let value = error.instance().as_ref();
    let shown = show(value, values);
    let described = described.map(|d| format!(": {d}")).unwrap_or_default();
    match error.kind() {
        Kind::Type { .. } => wrong_type(value, schema, values),
        Kind::Enum { options } => not_an_option(value, options, values),
        Kind::Pattern { pattern } => format!("{shown} does not match `{pattern}`{described}"),
        Kind::MinLength { limit: 1 } => format!("is empty{described}"),
        Kind::MinLength { limit } => format!("{shown} has {}, at least {limit} are needed", characters(value)),
        Kind::MaxLength { limit } => format!("{shown} has {}, at most {limit} are allowed", characters(value)),
        Kind::Minimum { limit } => format!("{shown} is too small: the least is {}", whole(limit)),
        Kind::Maximum { limit } => format!("{shown} is too large: the most is {}", whole(limit)),
        Kind::ExclusiveMinimum { limit } => format!("{shown} is too small: it has to be more than {}", whole(limit)),
        Kind::ExclusiveMaximum { limit } => format!("{shown} is too large: it has to be less than {}", whole(limit)),
        Kind::MinItems { limit: 1 } => format!("the list is empty{described}"),
        Kind::MinItems { limit } => format!("the list has {}, at least {limit} are needed", count(value, "item")),
        Kind::MaxItems { limit } => format!("the list has {}, at most {limit} are allowed", count(value, "item")),
        Kind::MinProperties { limit } => format!("has {}, at least {limit} are needed", count(value, "field")),
        Kind::MaxProperties { limit } => format!("has {}, at most {limit} are allowed", count(value, "field")),
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => alternatives("exactly one of", schema, "oneOf"),
        Kind::AnyOf { .. } => alternatives("at least one of", schema, "anyOf"),
        Kind::Format { format } => format!("{shown} is not a valid {format}{}", example(format)),
        _ if values == Values::Hidden => error.masked().to_string(),
        _ => error.to_string(),
    }
}

/// A bound, which Kubernetes keeps as a floating-point number.
fn whole(limit: &Value) -> String {
    let text = limit.to_string();
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn wrong_type(value: &Value, schema: &Value, values: Values) -> String {
    let wanted = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("integer or string");
    let found = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) if values == Values::Hidden => "another type".to_owned(),
        Value::Bool(_) => format!("the boolean {}", show(value, values)),
        Value::Number(_) => format!("the number {}", show(value, values)),
        Value::String(_) => format!("the text {}", show(value, values)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    };
    let right = match (wanted, value) {
        ("string", Value::Bool(_) | Value::Number(_)) if values == Values::Shown => format!(": write `\"{value}\"`"),
        ("string", Value::Bool(_) | Value::Number(_)) => ": write it in quotes".to_owned(),
        ("integer" | "number" | "boolean", Value::String(text)) if unquoted(wanted, text) => {
            ": write it without quotes".to_owned()
        }
        ("array", Value::String(_) | Value::Number(_)) if values == Values::Shown => {
            format!(": write `[{}]`", plain(value))
        }
        _ => String::new(),
    };
    let wanted = match wanted {
        "array" => "a list",
        "object" => "a mapping",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "string" => "text",
        other => other,
    };
    format!("expected {wanted}, found {found}{right}")
}

/// Whether a text would be right if it were not quoted.
fn unquoted(wanted: &str, text: &str) -> bool {
    match wanted {
        "boolean" => text.parse::<bool>().is_ok(),
        "integer" => text.parse::<i64>().is_ok(),
        _ => text.parse::<f64>().is_ok(),
    }
}

fn not_an_option(value: &Value, options: &Value, values: Values) -> String {
    let options: Vec<&str> = options
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let near = value.as_str().and_then(|written| nearest(written, &options));
    format!(
        "{} is not one of {}{}",
        show(value, values),
        list(&options),
        suggestion(near)
    )
}

/// The alternatives of `oneOf` and `anyOf`, which in a structural schema differ by the fields that they require.
fn alternatives(how_many: &str, schema: &Value, word: &str) -> String {
    let branches = schema.get(word).and_then(Value::as_array);
    let required = branches
        .into_iter()
        .flatten()
        .filter_map(|b| b.get("required")?.get(0)?.as_str());
    let names: Vec<&str> = required.collect();
    if names.is_empty() {
        return format!("has to match {how_many} the alternatives of the schema");
    }
    format!("{how_many} {} has to be set", list(&names))
}

/// The first sentence of the schema's description, as a fragment.
pub(super) fn description(schema: &Value) -> Option<String> {
    let description = schema.get("description")?.as_str()?;
    let sentence = description.split("\n\n").next().unwrap_or(description);
    let end = sentence.find(". ").unwrap_or(sentence.len());
    let sentence = sentence
        .get(..end)
        .unwrap_or(sentence)
        .trim_end_matches('.')
        .replace('\n', " ");
    let mut letters = sentence.chars();
    let first = letters.next()?;
    let rest = letters.as_str();
    let acronym = rest.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    Some(if acronym {
        sentence
    } else {
        format!("{}{rest}", first.to_lowercase())
    })
}

fn characters(value: &Value) -> String {
    let n = value.as_str().map_or(0, |s| s.chars().count());
    format!("{n} character{}", if n == 1 { "" } else { "s" })
}

fn count(value: &Value, thing: &str) -> String {
    let n = value
        .as_array()
        .map_or_else(|| value.as_object().map_or(0, serde_json::Map::len), Vec::len);
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// A value in backticks, on one line and cut short, or a stand-in.
fn show(value: &Value, values: Values) -> String {
    if values == Values::Hidden {
        return "the value".to_owned();
    }
    format!("`{}`", plain(value))
}

fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn example(format: &str) -> &'static str {
    match format {
        "date-time" => ", such as `2027-01-31T12:00:00Z`",
        "date" => ", such as `2027-01-31`",
        "duration" => ", such as `1h30m`",
        "uri" => ", such as `https://example.com/`",
        "email" => ", such as `alice@example.com`",
        _ => "",
    }
}

/// Whether a text is a duration as Go, and so Kubernetes, writes it: `1h30m`, `-1.5s`, `0`.
pub(super) fn is_duration(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return true;
    }
    let mut rest = unsigned;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"]
            .into_iter()
            .find_map(|unit| after.strip_prefix(unit));
        match unit {
            Some(after) if number.parse::<f64>().is_ok() => rest = after,
            _ => return false,
        }
    }
    !unsigned.is_empty()
}
