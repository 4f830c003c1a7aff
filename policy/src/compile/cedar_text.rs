//! Cedar that people wrote: parsed, checked against the schema, and tied to its AccessPolicy.

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
use serde_json::{Value, json};

use crate::cedar::{self, Type, Var, binary, entity};
use crate::snapshot::CedarPolicy;

/// The policies in the text, each limited to targets of this AccessPolicy.
///
/// # Errors
/// What is wrong, with line and column inside the text, and what would be right.
pub(super) fn read(text: &str, name: &str) -> Result<Vec<CedarPolicy>, String> {
    let set: PolicySet = text.parse().map_err(|error| parse_message(text, &error))?;
    if set.templates().next().is_some() {
        return Err(
            "templates with `?principal` or `?resource` have nothing to fill them: write the entity".to_owned(),
        );
    }
    let schema = cedar::schema()?;
    validate(&set, schema)?;
    let mut policies: Vec<_> = set.policies().collect();
    policies.sort_by_key(|policy| {
        policy
            .id()
            .to_string()
            .trim_start_matches("policy")
            .parse::<usize>()
            .unwrap_or(usize::MAX)
    });
    let source = format!("AccessPolicy/{name}");
    let mut read = Vec::with_capacity(policies.len());
    for (index, policy) in policies.into_iter().enumerate() {
        let rule = format!("spec.cedar[{index}]");
        let mut tree = policy.to_json().map_err(|error| error.to_string())?;
        limit(&mut tree, name, &source, &rule);
        read.push(CedarPolicy {
            source: source.clone(),
            rule,
            tree,
        });
    }
    Ok(read)
}

fn validate(set: &PolicySet, schema: Schema) -> Result<(), String> {
    let result = Validator::new(schema).validate(set, ValidationMode::Strict);
    let messages: Vec<String> = result.validation_errors().map(ToString::to_string).collect();
    if messages.is_empty() {
        Ok(())
    } else {
        Err(messages.join("; "))
    }
}

fn parse_message(text: &str, error: &cedar_policy::ParseErrors) -> String {
    use miette::Diagnostic as _;
    let offset = error
        .iter()
        .next()
        .and_then(|first| first.labels()?.next().map(|label| label.offset()));
    let position = offset.and_then(|offset| text.get(..offset)).map(|before| {
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}: ")
    });
    format!("{}{error}", position.unwrap_or_default())
}

fn limit(tree: &mut Value, name: &str, source: &str, rule: &str) {
    let inside = binary("in", Var::Resource.expression(), entity(Type::Policy, name));
    if let Some(conditions) = tree.get_mut("conditions").and_then(Value::as_array_mut) {
        conditions.insert(0, json!({"kind": "when", "body": inside}));
    }
    if let Some(tree) = tree.as_object_mut() {
        let annotations = tree.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert("source".to_owned(), json!(source));
            annotations.insert("rule".to_owned(), json!(rule));
        }
    }
}
